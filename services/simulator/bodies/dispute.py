"""Stripe's dispute."""

from services.simulator.bodies.json import JsonObject
from services.simulator.payments import Dispute, Payment

_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
_DAYS_TO_RESPOND = 7


def dispute(payment: Payment, item: Dispute) -> JsonObject:
    """The dispute of a payment's last attempt."""
    attempt = payment.attempts[-1]
    shown: JsonObject = {
        "id": item.id,
        "object": "dispute",
        "amount": item.amount,
        "balance_transaction": attempt.balance_transaction,
        "balance_transactions": [],
        "charge": attempt.charge,
        "created": item.created,
        "currency": payment.currency,
        "evidence": dict.fromkeys(_EVIDENCE),
        "evidence_details": {
            "due_by": item.created + _DAYS_TO_RESPOND * 86400,
            "has_evidence": item.submissions > 0,
            "past_due": False,
            "submission_count": item.submissions,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": payment.metadata,
        "payment_intent": None if payment.direct else payment.id,
        "reason": item.reason.code,
        "status": item.status,
    }
    if not payment.direct:
        shown["payment_method_details"] = {"card": _case(payment, item), "type": "card"}
    return shown


def _case(payment: Payment, item: Dispute) -> JsonObject:
    brand = payment.attempts[-1].card.issuer.brand
    return {"brand": brand, "case_type": "chargeback", "network_reason_code": item.reason.network_code(brand)}
