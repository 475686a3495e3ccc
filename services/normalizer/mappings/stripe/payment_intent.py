"""PaymentIntents: one payment over all its attempts.

Source: docs.stripe.com/api/payment_intents/object and docs.stripe.com/api/events/types, read 2026-11.
"""

from collections.abc import Mapping
from typing import Final

from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import (
    PAYMENT_STATUS_AUTHORIZED,
    PAYMENT_STATUS_CANCELED,
    PAYMENT_STATUS_CREATED,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_PROCESSING,
    PAYMENT_STATUS_REQUIRES_ACTION,
    PAYMENT_STATUS_SUCCEEDED,
)
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntent, PaymentIntentWebhook

from services.normalizer.mappings.stripe.card import (
    CARD_ROWS,
    cards_in,
    cards_of,
    payment_method_type,
    types_in,
    types_of,
)
from services.normalizer.mappings.stripe.standing import unknown_type
from services.normalizer.table import Amount, Failure, Number, ObjectMapping, Part, Standing, Text
from services.runtime.errors import BrokenRule

# The event type says it all; the object's own status lags behind it in some API versions.
_STANDINGS: Final[Mapping[str, Standing]] = {
    "payment_intent.amount_capturable_updated": Standing("payment.authorized", PAYMENT_STATUS_AUTHORIZED),
    "payment_intent.canceled": Standing("payment.canceled", PAYMENT_STATUS_CANCELED),
    "payment_intent.created": Standing("payment.created", PAYMENT_STATUS_CREATED),
    # A bank transfer came short: the customer has to send the rest.
    "payment_intent.partially_funded": Standing("payment.partially_funded", PAYMENT_STATUS_REQUIRES_ACTION),
    "payment_intent.payment_failed": Standing("payment.failed", PAYMENT_STATUS_FAILED),
    "payment_intent.processing": Standing("payment.processing", PAYMENT_STATUS_PROCESSING),
    "payment_intent.requires_action": Standing("payment.requires_action", PAYMENT_STATUS_REQUIRES_ACTION),
    "payment_intent.succeeded": Standing("payment.succeeded", PAYMENT_STATUS_SUCCEEDED),
}

# API versions before 2022-11-15 nest the attempts, newest first; later ones say of a failed attempt only the error.
_ATTEMPT = "charges.data[0]"


def _standing(event_type: str, _: PaymentIntent) -> Standing | BrokenRule:
    return _STANDINGS.get(event_type) or unknown_type(event_type)


PAYMENT_INTENT: Final = ObjectMapping(
    provider=PROVIDER_STRIPE,
    webhook=PaymentIntentWebhook,
    object_field="payment_intent",
    body_path="data.object",
    payment_id=("id",),
    standing=_standing,
    rows=(
        Text("provider_object_id", ("id",)),
        Amount("amount_cents", "amount"),
        Amount("amount_captured_cents", "amount_received"),
        Amount("amount_refunded_cents", f"{_ATTEMPT}.amount_refunded"),
        Text("customer_id", ("customer",)),
        Text("invoice_id", ("invoice",)),
        Text(
            "payment_method_type",
            # The last one is the only thing that today's API versions say of a payment that went well.
            (
                "last_payment_error.payment_method.type",
                *types_in("last_payment_error.source"),
                *types_of(f"{_ATTEMPT}."),
                "payment_method_types[only]",
            ),
            payment_method_type,
        ),
        Number("provider_risk_score", (f"{_ATTEMPT}.outcome.risk_score",)),
        Part(
            (
                "last_payment_error.payment_method.card",
                *cards_in("last_payment_error.source"),
                *cards_of(f"{_ATTEMPT}."),
            ),
            CARD_ROWS,
        ),
    ),
    failure=Failure(
        codes=(
            "last_payment_error.decline_code",
            "last_payment_error.code",
            f"{_ATTEMPT}.outcome.reason",
            f"{_ATTEMPT}.failure_code",
        ),
        rows=(
            Text("failure_message", ("last_payment_error.message", f"{_ATTEMPT}.failure_message")),
            Text(
                "network_decline_code",
                ("last_payment_error.network_decline_code", f"{_ATTEMPT}.outcome.network_decline_code"),
            ),
            Text(
                "network_advice_code",
                ("last_payment_error.network_advice_code", f"{_ATTEMPT}.outcome.network_advice_code"),
            ),
            Text("provider_advice_code", ("last_payment_error.advice_code", f"{_ATTEMPT}.outcome.advice_code")),
        ),
    ),
)
