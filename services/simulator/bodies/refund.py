"""Stripe's refund."""

from services.simulator.bodies.json import JsonObject
from services.simulator.payments import Payment, Refund


def refund(payment: Payment, item: Refund) -> JsonObject:
    """One refund of a payment's last attempt."""
    attempt = payment.attempts[-1]
    shown: JsonObject = {
        "id": item.id,
        "object": "refund",
        "amount": item.amount,
        "balance_transaction": item.balance_transaction,
        "charge": attempt.charge,
        "created": item.created,
        "currency": payment.currency,
        "metadata": payment.metadata,
        "payment_intent": None if payment.direct else payment.id,
        "reason": item.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": item.status,
        "transfer_reversal": None,
    }
    if payment.merchant.api_version.has_refund_events:
        shown["destination_details"] = {
            "card": {"type": "refund", "reference_status": "pending", "reference_type": "acquirer_reference_number"},
            "type": "card",
        }
    if item.failure_reason is not None:
        shown |= {"failure_balance_transaction": item.balance_transaction, "failure_reason": item.failure_reason}
    return shown
