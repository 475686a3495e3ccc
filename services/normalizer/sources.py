"""The topics the normalizer reads and writes, and the message each of them holds: one row per topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook
from tidegate.stripe.v1.dispute_pb2 import DisputeWebhook
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook
from tidegate.stripe.v1.refund_pb2 import RefundWebhook

GROUP: Final = "normalizer"

# What the topics written here take and the producer lets through: proto/topics, max_message_bytes.
MAX_MESSAGE_BYTES: Final = 1_048_576
# The largest message that is published, with its key and its headers: the rest is for the framing of record and batch.
LARGEST_MESSAGE_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Topics:
    """Where the normalizer reads and writes. A deployment has one set; tests on a shared broker have their own."""

    # Message type by topic.
    inputs: Mapping[str, type[Message]]
    normalized: str
    failures: str
    group: str = GROUP


TOPICS: Final = Topics(
    inputs={
        "webhooks.stripe.charge": ChargeWebhook,
        "webhooks.stripe.dispute": DisputeWebhook,
        "webhooks.stripe.payment_intent": PaymentIntentWebhook,
        "webhooks.stripe.refund": RefundWebhook,
    },
    normalized="payments.normalized",
    failures="payments.validation.dlq",
)
