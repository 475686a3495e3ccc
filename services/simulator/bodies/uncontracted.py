"""Objects of events that Tidegate keeps and counts but has no contract for: customers, invoices and the like."""

from services.simulator.bodies.card import billing_details, payment_method
from services.simulator.bodies.json import JsonObject
from services.simulator.payments import Payment
from services.simulator.world import Customer, Merchant

_MONTH_SECONDS = 30 * 86400


def customer(payer: Customer, merchant: Merchant, created: int) -> JsonObject:
    """The customer object."""
    return {
        "id": payer.id,
        "object": "customer",
        "address": billing_details(payer)["address"],
        "balance": 0,
        "created": created,
        "currency": merchant.currency.code,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": payer.email,
        "invoice_prefix": payer.id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": payer.cards[0].payment_method,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": payer.name,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def attached_payment_method(payer: Customer, created: int) -> JsonObject:
    """The customer's first card."""
    return payment_method(payer.cards[0], payer, created, "card")


def invoice(payment: Payment) -> JsonObject:
    """The invoice that a subscription payment pays."""
    paid = payment.amount if payment.status == "succeeded" else 0
    payer = payment.customer
    return {
        "id": payment.invoice,
        "object": "invoice",
        "account_country": "US",
        "account_name": payment.merchant.name,
        "amount_due": payment.amount,
        "amount_paid": paid,
        "amount_remaining": payment.amount - paid,
        "attempt_count": len(payment.attempts),
        "attempted": bool(payment.attempts),
        "auto_advance": True,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": payment.created,
        "currency": payment.currency,
        "customer": payer and payer.id,
        "customer_email": payer and payer.email,
        "customer_name": payer and payer.name,
        "default_payment_method": None,
        "discounts": [],
        "due_date": None,
        "lines": {
            "object": "list",
            "data": [_line(payment)],
            "has_more": False,
            "total_count": 1,
            "url": f"/v1/invoices/{payment.invoice}/lines",
        },
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": f"{str(payment.invoice)[-8:].upper()}-0001",
        "period_end": payment.created,
        "period_start": payment.created - _MONTH_SECONDS,
        "status": "paid" if paid else "open",
        "subtotal": payment.amount,
        "total": payment.amount,
    }


def subscription(payment: Payment) -> JsonObject:
    """The subscription that the invoice belongs to."""
    return {
        "id": subscription_id(payment),
        "object": "subscription",
        "billing_cycle_anchor": payment.created,
        "cancel_at_period_end": False,
        "collection_method": "charge_automatically",
        "created": payment.created - _MONTH_SECONDS,
        "currency": payment.currency,
        "customer": payment.customer and payment.customer.id,
        "default_payment_method": payment.card.payment_method,
        "latest_invoice": payment.invoice,
        "livemode": False,
        "metadata": {},
        "start_date": payment.created - _MONTH_SECONDS,
        "status": "active" if payment.status == "succeeded" else "past_due",
    }


def payout(merchant: Merchant, payout_id: str, amount: int, created: int) -> JsonObject:
    """Money that Stripe pays out to the merchant: an event with an amount that is no payment."""
    return {
        "id": payout_id,
        "object": "payout",
        "amount": amount,
        "arrival_date": created,
        "automatic": True,
        "created": created,
        "currency": merchant.currency.code,
        "description": "STRIPE PAYOUT",
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed",
        "source_type": "card",
        "status": "paid",
        "type": "bank_account",
    }


def subscription_id(payment: Payment) -> str:
    """A customer has one subscription with a merchant."""
    return f"sub_{payment.customer.id[4:] if payment.customer else payment.id[3:]}"


def _line(payment: Payment) -> JsonObject:
    return {
        "id": f"il_{str(payment.invoice)[3:]}",
        "object": "line_item",
        "amount": payment.amount,
        "currency": payment.currency,
        "description": f"1 x {payment.merchant.name}",
        "livemode": False,
        "metadata": {},
        "period": {"end": payment.created + _MONTH_SECONDS, "start": payment.created},
        "quantity": 1,
        "subscription": subscription_id(payment),
    }
