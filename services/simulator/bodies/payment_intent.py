"""Stripe's PaymentIntent."""

from services.simulator.bodies.card import advice, payment_method
from services.simulator.bodies.charge import charge
from services.simulator.bodies.json import JsonObject
from services.simulator.payments import Payment


def payment_intent(payment: Payment) -> JsonObject:
    """The PaymentIntent, as the merchant's API version renders it."""
    version = payment.merchant.api_version
    shown: JsonObject = {
        "id": payment.id,
        "object": "payment_intent",
        "amount": payment.amount,
        "amount_capturable": payment.amount if payment.status == "requires_capture" else 0,
        "amount_details": {"tip": {}},
        "amount_received": payment.amount_received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": payment.attempts[-1].created if payment.status == "canceled" and payment.attempts else None,
        "cancellation_reason": payment.cancellation_reason,
        "capture_method": payment.capture_method,
        "client_secret": f"{payment.id}_secret_{payment.id[-8:]}",
        "confirmation_method": "automatic",
        "created": payment.created,
        "currency": payment.currency,
        "customer": payment.customer and payment.customer.id,
        "description": f"Order {payment.metadata['order_id']}",
        "last_payment_error": _last_error(payment),
        "livemode": False,
        "metadata": payment.metadata,
        "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        if payment.status == "requires_action"
        else None,
        "on_behalf_of": None,
        "payment_method": payment.card.payment_method if payment.status != "requires_payment_method" else None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": [payment.method],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": "off_session" if payment.invoice else None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": payment.status,
        "transfer_data": None,
        "transfer_group": None,
    }
    if version.links_invoice:
        shown["invoice"] = payment.invoice
    return {**shown, **_attempts(payment)}


def _attempts(payment: Payment) -> JsonObject:
    made = [attempt for attempt in reversed(payment.attempts) if attempt.charge is not None]
    if not payment.merchant.api_version.nests_charges:
        return {"latest_charge": made[0].charge if made else None}
    items = [charge(payment, attempt) for attempt in made]
    url = f"/v1/charges?payment_intent={payment.id}"
    return {"charges": {"object": "list", "data": items, "has_more": False, "total_count": len(items), "url": url}}


def _last_error(payment: Payment) -> JsonObject | None:
    attempt = payment.last_attempt
    if attempt is None or attempt.decline is None:
        return None
    decline = attempt.decline
    error: JsonObject = {
        "code": decline.error,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.error.replace('_', '-')}",
        "message": decline.message,
        "payment_method": payment_method(attempt.card, payment.customer, payment.created, payment.method),
        "type": decline.error_type,
    }
    if attempt.charge is not None:
        error["charge"] = attempt.charge
    if decline.decline_code is not None:
        error["decline_code"] = decline.decline_code
    if payment.merchant.api_version.names_advice:
        # Stripe leaves a code out of an error that has none; on an outcome it is null.
        error |= {name: code for name, code in advice(attempt).items() if code is not None}
    return error
