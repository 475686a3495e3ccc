"""Events as rows in the shape of UnifiedPaymentEvent, without the way through JSON: what the normalizer would make.

A differential test sends samples through the bodies and the normalizer and compares.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from services.simulator.behaviour.stories import Story, Try
from services.simulator.behaviour.telling import Told
from services.simulator.tables.declines import Decline
from services.simulator.tables.disputes import DisputeReason

Row = dict[str, Any]

_MICROS: Final = 1_000_000
_SCHEMA_VERSION: Final = 1
_HIGHEST_RISK: Final = "highest_risk_level"

# Columns in the order of the contract's fields, with their kind. Enums are in words, as in tidegate.payment_events.
COLUMNS: Final[Mapping[str, str]] = {
    "event_id": "text",
    "provider": "word",
    "provider_event_id": "text",
    "event_type": "word",
    "merchant_id": "word",
    "customer_id": "text",
    "amount_cents": "int64",
    "currency": "word",
    "payment_method_type": "word",
    "card_brand": "word",
    "card_last_four": "text",
    "status": "word",
    "failure_code": "word",
    "failure_message": "word",
    "metadata": "map",
    "provider_created_at": "time",
    "processed_at": "time",
    "schema_version": "int32",
    "payment_id": "text",
    "provider_object_id": "text",
    "receipt_id": "text",
    "decline_class": "word",
    "network_decline_code": "word",
    "network_advice_code": "word",
    "provider_advice_code": "word",
    "card_fingerprint": "text",
    "card_country": "word",
    "card_funding": "word",
    "card_exp_month": "int32",
    "card_exp_year": "int32",
    "amount_captured_cents": "int64",
    "amount_refunded_cents": "int64",
    "invoice_id": "text",
    "provider_risk_score": "int32",
    "reason": "word",
    "livemode": "bool",
}
_EMPTY: Final = dict.fromkeys(COLUMNS)

# What the normalizer takes each code for; the differential test compares this with its table.
_CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "insufficient_funds": ("insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded"),
    "transient": ("try_again_later", "issuer_not_available", "processing_error", "reenter_transaction"),
    "generic": ("generic_decline", "do_not_honor", "call_issuer"),
    "card_data": ("invalid_account", "invalid_number", "incorrect_number", "expired_card", "incorrect_cvc"),
    "authentication": ("authentication_required",),
    "hard": (
        "stolen_card",
        "lost_card",
        "pickup_card",
        "stop_payment_order",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "do_not_try_again",
    ),
    "fraud": ("fraudulent", _HIGHEST_RISK),
    "not_permitted": ("transaction_not_allowed", "card_not_supported", "service_not_allowed"),
}
DECLINE_CLASSES: Final = {code: name for name, codes in _CLASSES.items() for code in codes}

_PAYMENT_INTENT_STANDINGS: Final = {
    "payment_intent.created": ("payment.created", "created"),
    "payment_intent.succeeded": ("payment.succeeded", "succeeded"),
    "payment_intent.payment_failed": ("payment.failed", "failed"),
}
_CHARGE_STANDINGS: Final = {
    "charge.succeeded": ("payment.succeeded", "succeeded"),
    "charge.failed": ("payment.failed", "failed"),
    "charge.refunded": ("payment.refunded", "refunded"),
}


def history(told: Iterable[Told]) -> Iterator[Row]:
    """A row for each event, in the given order. Times are microseconds since 1970, UTC."""
    return map(row_of, told)


def row_of(event: Told) -> Row:
    """One event as the normalizer would publish it."""
    if event.type.startswith("payment_intent."):
        return _payment_intent(event)
    if event.type.startswith("charge.dispute."):
        return _dispute(event)
    if event.type.startswith("refund."):
        return _refund(event)
    return _charge(event)


def _base(event: Told, standing: tuple[str, str], object_id: str, amount: int) -> Row:
    story = event.story
    merchant = story.seller.merchant
    metadata = {"order_id": story.id[-8:]}
    if merchant.merchant_id is not None:
        metadata["merchant_id"] = merchant.merchant_id
    return {
        **_EMPTY,
        "event_id": f"stripe:{event.event_id}",
        "provider": "stripe",
        "provider_event_id": event.event_id,
        "event_type": standing[0],
        "status": standing[1],
        "merchant_id": merchant.known_as,
        "amount_cents": amount,
        "currency": story.seller.currency.code.upper(),
        "metadata": metadata,
        "provider_created_at": event.at * _MICROS,
        "processed_at": event.processed_us,
        "schema_version": _SCHEMA_VERSION,
        "payment_id": f"stripe:{story.id}",
        "provider_object_id": object_id,
        "receipt_id": event.receipt_id,
        "livemode": False,
    }


def _payer(story: Story) -> Row:
    customer = story.customer
    linked = story.seller.version.links_invoice
    return {"customer_id": customer and customer.id, "invoice_id": story.invoice if linked else None}


def _charge(event: Told) -> Row:
    story, tried = event.story, event.story.tries[event.tries - 1]
    row = _base(event, _CHARGE_STANDINGS[event.type], tried.charge, story.amount)
    row |= _payer(story)
    row |= _card(tried)
    row["amount_captured_cents"] = 0 if tried.decline else story.amount
    row["amount_refunded_cents"] = _refunded(event)
    row["provider_risk_score"] = tried.risk_score
    if tried.decline is not None:
        row |= _failure(story, tried, tried.decline, tried.decline.outcome_reason or tried.decline.code)
    return row


def _payment_intent(event: Told) -> Row:
    story = event.story
    tried = story.tries[event.tries - 1] if event.tries else None
    row = _base(event, _PAYMENT_INTENT_STANDINGS[event.type], story.id, story.amount)
    row |= _payer(story)
    row["payment_method_type"] = "card"
    row["amount_captured_cents"] = story.amount if tried and tried.decline is None else 0
    if tried is None:
        return row
    nested = story.seller.version.nests_charges
    if nested:
        row["amount_refunded_cents"] = 0
        row["provider_risk_score"] = tried.risk_score
    if nested or tried.decline is not None:
        row |= _card(tried)
    if tried.decline is not None:
        row |= _failure(story, tried, tried.decline, tried.decline.code)
    return row


def _refund(event: Told) -> Row:
    refund = event.story.refund
    if refund is None:
        raise ValueError(f"{event.type} tells of a refund that the payment does not have")
    standing = ("refund.created", "refund_pending") if event.refund == 1 else ("refund.updated", "refunded")
    return {**_base(event, standing, refund.id, refund.amount), "reason": refund.reason}


def _dispute(event: Told) -> Row:
    story, dispute = event.story, event.story.dispute
    if dispute is None:
        raise ValueError(f"{event.type} tells of a dispute that the payment does not have")
    closed = event.type == "charge.dispute.closed"
    standing = ("dispute.closed", _ending(won=dispute.won)) if closed else ("dispute.created", "disputed")
    reason: DisputeReason = dispute.reason
    return {
        **_base(event, standing, dispute.id, story.amount),
        "payment_method_type": "card",
        "card_brand": story.tries[event.tries - 1].card.issuer.brand,
        "reason": reason.code,
    }


def _ending(*, won: bool) -> str:
    return "dispute_won" if won else "dispute_lost"


def _refunded(event: Told) -> int:
    refund = event.story.refund
    return refund.amount if refund is not None and event.refund else 0


def _card(tried: Try) -> Row:
    card = tried.card
    return {
        "payment_method_type": "card",
        "card_brand": card.issuer.brand,
        "card_last_four": card.last4,
        "card_fingerprint": card.fingerprint,
        "card_country": card.issuer.country,
        "card_funding": card.funding,
        "card_exp_month": card.exp_month,
        "card_exp_year": card.exp_year,
    }


def _failure(story: Story, tried: Try, decline: Decline, code: str) -> Row:
    row: Row = {
        "failure_code": code,
        "failure_message": decline.message,
        "decline_class": DECLINE_CLASSES[code],
    }
    if story.seller.version.names_advice:
        row["network_decline_code"] = decline.network_code(tried.card.issuer.brand)
        row["network_advice_code"] = tried.network_advice_code
        row["provider_advice_code"] = decline.advice
    return row
