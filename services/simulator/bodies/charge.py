"""Stripe's charge."""

from services.simulator.bodies.card import billing_details, legacy_source, outcome, payment_method_details
from services.simulator.bodies.json import JsonObject
from services.simulator.bodies.refund import refund
from services.simulator.payments import Attempt, Payment


def charge(payment: Payment, attempt: Attempt) -> JsonObject:
    """The charge of one attempt, as the merchant's API version renders it."""
    version = payment.merchant.api_version
    is_last = attempt is payment.last_attempt
    refunded = payment.amount_refunded if is_last else 0
    shown: JsonObject = {
        "id": attempt.charge,
        "object": "charge",
        "amount": payment.amount,
        "amount_captured": attempt.captured,
        "amount_refunded": refunded,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": attempt.balance_transaction if attempt.captured and attempt.booked else None,
        "billing_details": billing_details(payment.customer),
        "calculated_statement_descriptor": payment.merchant.name.upper(),
        "captured": attempt.captured > 0,
        "created": attempt.created,
        "currency": payment.currency,
        "customer": payment.customer and payment.customer.id,
        "description": f"Order {payment.metadata['order_id']}",
        "destination": None,
        "dispute": payment.dispute.id if payment.dispute and is_last else None,
        "disputed": payment.dispute is not None and is_last,
        "failure_balance_transaction": None,
        "failure_code": _failure_code(attempt),
        "failure_message": attempt.decline and attempt.decline.message,
        "fraud_details": {},
        "livemode": False,
        "metadata": payment.metadata,
        "on_behalf_of": None,
        "order": None,
        "outcome": outcome(attempt, version),
        "paid": attempt.status == "succeeded",
        "payment_intent": None if payment.direct else payment.id,
        "payment_method": attempt.card.payment_method,
        "payment_method_details": payment_method_details(attempt.card, payment.method),
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": 0 < payment.amount == refunded,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": attempt.status,
        "transfer_data": None,
        "transfer_group": None,
    }
    if version.links_invoice:
        shown["invoice"] = payment.invoice
    if version.includes_refunds:
        shown["refunds"] = _refunds(payment if is_last else None, str(attempt.charge))
    return _legacy(shown, payment, attempt) if payment.direct else shown


def _failure_code(attempt: Attempt) -> str | None:
    return None if attempt.decline is None else attempt.decline.error


def _refunds(payment: Payment | None, charge_id: str) -> JsonObject:
    items = [] if payment is None else [refund(payment, item) for item in reversed(payment.refunds)]
    return {
        "object": "list",
        "data": items,
        "has_more": False,
        "total_count": len(items),
        "url": f"/v1/charges/{charge_id}/refunds",
    }


def _legacy(shown: JsonObject, payment: Payment, attempt: Attempt) -> JsonObject:
    absent = {
        "payment_method",
        "payment_method_details",
        "billing_details",
        "calculated_statement_descriptor",
        "amount_captured",
        "failure_balance_transaction",
    }
    kept = {name: value for name, value in shown.items() if name not in absent}
    return {**kept, "source": legacy_source(attempt.card, payment.customer)}
