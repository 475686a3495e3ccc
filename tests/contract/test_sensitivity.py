"""Whatever is personal or secret in a contract says so."""

import importlib
import re
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tidegate.annotations.v1.sensitivity_pb2 import SENSITIVITY_PERSONAL, SENSITIVITY_SECRET, sensitivity

# Names that hold personal or secret values wherever they stand.
TELLING = re.compile(
    r"^(customer|customer_id|.*fingerprint|last4|card_last_four|raw_body|metadata|failure_message|idempotency_key|.*email.*|.*secret.*)$"
)

PROVIDERS = {"tidegate.stripe.v1", "tidegate.payments.v1"}

# Text of providers that may be shown anywhere: ids of objects, codes and words of a closed or an agreed vocabulary.
# Someone has looked at each. Free text, and whatever tells a person or a card apart, has a mark instead.
PLAIN = {
    "payments.v1.UnifiedPaymentEvent": (
        "event_id provider_event_id event_type merchant_id currency payment_method_type card_brand "
        "failure_code payment_id provider_object_id receipt_id network_decline_code network_advice_code "
        "provider_advice_code card_country card_funding invoice_id reason"
    ),
    "payments.v1.ValidationFailure": "event_id provider_event_type merchant_id receipt_id",
    "payments.v1.MessageOrigin": "topic",
    "stripe.v1.Card": "brand country funding network object",
    "stripe.v1.PaymentMethodDetails": "type",
    "stripe.v1.PaymentMethod": "id type",
    "stripe.v1.Source": "object brand country funding type",
    "stripe.v1.Outcome": "network_status reason risk_level advice_code network_advice_code network_decline_code type",
    "stripe.v1.ChargeWebhook": "merchant_id type",
    "stripe.v1.Charge": "id currency status failure_code payment_intent invoice payment_method on_behalf_of",
    "stripe.v1.DisputeWebhook": "merchant_id type",
    "stripe.v1.Dispute": "id currency status reason charge payment_intent",
    "stripe.v1.DisputePaymentMethodDetails": "type",
    "stripe.v1.DisputeCard": "brand case_type network_reason_code",
    "stripe.v1.Event": "id api_version account",
    "stripe.v1.EventRequest": "id",
    "stripe.v1.PaymentIntentWebhook": "merchant_id type",
    "stripe.v1.PaymentIntent": (
        "id currency status capture_method cancellation_reason invoice latest_charge payment_method "
        "payment_method_types on_behalf_of"
    ),
    "stripe.v1.PaymentError": "type code decline_code advice_code network_advice_code network_decline_code charge",
    "stripe.v1.RefundWebhook": "merchant_id type",
    "stripe.v1.Refund": "id currency status charge payment_intent reason failure_reason",
}


def messages() -> list[Descriptor]:
    found: list[Descriptor] = []
    for file in sorted(Path("gen/python/tidegate").rglob("*_pb2.py")):
        module = importlib.import_module(".".join(file.relative_to("gen/python").with_suffix("").parts))
        found.extend(module.DESCRIPTOR.message_types_by_name.values())
    return found


def fields() -> list[FieldDescriptor]:
    return [field for message in messages() for field in message.fields]


def level(field: FieldDescriptor) -> int | None:
    options = field.GetOptions()
    mark: Any = sensitivity  # its generated type is plain FieldDescriptor
    return int(options.Extensions[mark]) if options.HasExtension(mark) else None


def test_telling_names_are_marked() -> None:
    unmarked = [field.full_name for field in fields() if TELLING.match(field.name) and level(field) is None]
    assert unmarked == []


def test_every_text_of_a_provider_has_a_mark_or_was_found_plain() -> None:
    """A new text field fails here until someone decides which of both it is."""
    text = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}
    unmarked = {
        field.full_name
        for field in fields()
        if field.type in text
        and level(field) is None
        and field.full_name.rpartition(".")[0].rpartition(".")[0] in PROVIDERS
    }
    plain = {f"tidegate.{message}.{name}" for message, names in PLAIN.items() for name in names.split()}
    assert unmarked == plain


def test_every_mark_states_a_level() -> None:
    levels = {level(field) for field in fields()}
    assert levels == {None, SENSITIVITY_PERSONAL, SENSITIVITY_SECRET}


def test_no_floating_point_field_is_named_like_money() -> None:
    floats = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}
    assert [f.full_name for f in fields() if f.type in floats and re.search("amount|cents|price", f.name)] == []
