"""The normalizer against a loop written by hand for one message type, and its transactions against none.

`normalizer_loop` is in one process, without a broker: the same charges, decoded, validated, mapped, validated and
encoded by the table-driven pipeline and by straight-line code that knows nothing but charges. `normalizer_transactions`
is on a real broker: the same bytes published in transactions of 500, each waited for, against one stream that is
waited for at its end; it has no bar, since nobody would give up exactly-once for it.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1 import unified_payment_event_pb2 as unified
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook

from bench.measure import Result, interleaved
from bench.platform import started
from services.gateway.handler import Arrival, Publish, StripeEndpoint, handle
from services.gateway.providers.stripe import SigningSecret
from services.normalizer.__main__ import stripe_normalizer
from services.normalizer.pipeline import Pipeline
from services.normalizer.settings import NormalizerSettings
from services.normalizer.sources import TOPICS
from services.runtime.clock import timestamp
from services.runtime.consumer import Record
from services.runtime.contract import broken_rules
from services.runtime.errors import Position
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.producer import Outgoing
from services.runtime.serde import TopicSerde
from services.simulator.events import Expected
from services.simulator.injections import Rates
from services.simulator.run import Plan, simulated
from services.simulator.signature import Signing, signature_header
from tests.fakes.schema_ids import FixedSchemaIds

_TOPIC = "webhooks.stripe.charge"
_MESSAGES = 1_000
_PUBLISHED = 50_000
_BATCH = 500
_ROUNDS = 21
_PREFIX_BYTES = 6
_SECRET = "whsec_bench"  # noqa: S105 - made up
_NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def run() -> list[Result]:
    """Measure the loop, then the transactions."""
    return [_loop(), _transactions()]


def _loop() -> Result:
    pipeline = Pipeline(TOPICS, FixedSchemaIds(), stripe_normalizer(NormalizerSettings()))
    records, now = charge_records(_MESSAGES), timestamp(_NOW)
    by_hand = HandWritten(FixedSchemaIds())
    ours = [_readable(result.outgoing) for result in pipeline.process(records, now)]
    if ours != [_readable(outgoing) for outgoing in by_hand.process(records, now)]:
        raise AssertionError("the two loops do not publish the same: the comparison would mean nothing")

    def speed(process: Callable[[], object]) -> float:
        start = time.process_time()  # CPU time: what other processes do to the machine is not counted
        process()
        return _MESSAGES / (time.process_time() - start)

    ours_speed, baseline_speed, ratio = interleaved(
        lambda: speed(lambda: pipeline.process(records, now)),
        lambda: speed(lambda: by_hand.process(records, now)),
        _ROUNDS,
    )
    what = "charges normalised per second of CPU, against a loop written by hand"
    return Result("normalizer_loop", what, "messages/CPU s", ours_speed, baseline_speed, ratio, 0.8, "higher", {})


def _readable(outgoing: Outgoing) -> tuple[object, ...]:
    # Compared as messages, since the order of a map's entries on the wire is free.
    event = unified.UnifiedPaymentEvent.FromString(outgoing.value[_PREFIX_BYTES:])
    return outgoing.topic, outgoing.key, dict(outgoing.headers), event


class HandWritten:
    """What one would write for charges alone: no table, no other provider, no other object."""

    def __init__(self, ids: FixedSchemaIds) -> None:
        self._reader = TopicSerde(_TOPIC, ChargeWebhook, ids)
        self._writer = TopicSerde(TOPICS.normalized, unified.UnifiedPaymentEvent, ids)

    def process(self, records: Sequence[Record], now: Timestamp) -> list[Outgoing]:
        """Decode, validate, map, validate, encode each."""
        published = []
        for record in records:
            webhook = self._reader.unframe(record.value, record.position)
            if broken_rules(webhook):
                raise ValueError("the samples are valid")
            event = _mapped_by_hand(webhook, now)
            if broken_rules(event):
                raise ValueError("the samples are valid")
            headers = {**record.headers, EVENT_ID: event.event_id, RECEIPT_ID: event.receipt_id}
            value = self._writer.frame(event)
            published.append(Outgoing(TOPICS.normalized, event.merchant_id.encode(), value, headers))
        return published


_STANDINGS = {
    "charge.succeeded": ("payment.succeeded", unified.PAYMENT_STATUS_SUCCEEDED),
    "charge.failed": ("payment.failed", unified.PAYMENT_STATUS_FAILED),
    "charge.refunded": ("payment.refunded", unified.PAYMENT_STATUS_REFUNDED),
}


def _text(text: str) -> str | None:
    stripped = text.strip()
    return None if stripped in {"", "null", "NULL", "None"} else stripped


def _mapped_by_hand(webhook: ChargeWebhook, now: Timestamp) -> unified.UnifiedPaymentEvent:
    charge, envelope = webhook.charge, webhook.event
    event_type, status = _STANDINGS[webhook.type]
    if webhook.type == "charge.succeeded" and charge.HasField("captured") and not charge.captured:
        event_type, status = "payment.authorized", unified.PAYMENT_STATUS_AUTHORIZED
    card = charge.payment_method_details.card
    event = unified.UnifiedPaymentEvent(
        event_id=f"stripe:{envelope.id}",
        provider=PROVIDER_STRIPE,
        provider_event_id=envelope.id,
        event_type=event_type,
        merchant_id=_text(webhook.merchant_id),
        customer_id=_text(charge.customer),
        amount_cents=charge.amount,
        currency=charge.currency.upper(),
        payment_method_type=_text(charge.payment_method_details.type),
        status=status,
        processed_at=now,
        schema_version=1,
        payment_id=f"stripe:{_text(charge.payment_intent) or charge.id}",
        provider_object_id=charge.id,
        receipt_id=webhook.receipt.receipt_id,
        amount_captured_cents=charge.amount_captured,
        amount_refunded_cents=charge.amount_refunded,
        invoice_id=_text(charge.invoice),
        livemode=envelope.livemode,
    )
    event.provider_created_at.seconds = envelope.created
    if charge.payment_method_details.HasField("card"):
        event.card_brand = card.brand.lower()
        event.card_last_four = card.last4
        event.card_fingerprint = card.fingerprint
        event.card_country = card.country.upper()
        event.card_funding = card.funding.lower()
        event.card_exp_month = card.exp_month
        event.card_exp_year = card.exp_year
    if charge.outcome.HasField("risk_score"):
        event.provider_risk_score = charge.outcome.risk_score
    for key, value in charge.metadata.items():
        if _text(value) is not None:
            event.metadata[key] = value
    return event


def charge_records(number: int) -> list[Record]:
    """Succeeded charges as the gateway publishes them."""
    endpoint = StripeEndpoint((SigningSecret(_SECRET.encode(), "00000000"),), "merchant_default", tolerance_seconds=300)
    serde = TopicSerde(_TOPIC, ChargeWebhook, FixedSchemaIds())
    plan = Plan(seed=7, run_id="bench", per_second=1.0, rates=Rates())
    bodies = (
        d.body
        for d in simulated(plan, _NOW)
        if d.expected is Expected.NORMALISED and d.event.type == "charge.succeeded"
    )
    webhooks = (_contracted(body, endpoint, offset) for offset, body in enumerate(bodies))
    # Charges of today's shape: the loop written by hand knows no legacy sources.
    modern = (webhook for webhook in webhooks if webhook.charge.HasField("payment_method_details"))
    return [
        Record(Position(_TOPIC, 0, offset), b"m", serde.frame(webhook), {})
        for offset, webhook in enumerate(islice(modern, number))
    ]


def _contracted(body: bytes, endpoint: StripeEndpoint, number: int) -> ChargeWebhook:
    header = signature_header(body, _SECRET, int(_NOW.timestamp()), Signing.VALID) or ""
    decided = handle(Arrival(body, header.encode(), f"{number:032x}", _NOW), endpoint)
    if not isinstance(decided, Publish) or not isinstance(decided.message, ChargeWebhook):
        raise TypeError("a simulated charge is a contracted webhook")
    return decided.message


def _transactions() -> Result:
    with started("--engines-only") as platform:
        servers = platform.environment["TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"]
        topic = "bench.transactions"
        admin = AdminClient({"bootstrap.servers": servers})
        admin.create_topics([NewTopic(topic, 6, 1)])[topic].result()
        common = {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "log_level": 0,
        }
        transactional = Producer({**common, "transactional.id": "bench"})
        transactional.init_transactions()
        plain = Producer(common)
        value = charge_records(1)[0].value

        def in_transactions() -> float:
            return _speed(transactional, topic, value, transactional=True)

        def without() -> float:
            return _speed(plain, topic, value, transactional=False)

        in_transactions(), without()
        ours, baseline, ratio = interleaved(in_transactions, without, 3)
    what = "messages published per second in transactions of 500, against the same idempotent producer without"
    return Result("normalizer_transactions", what, "messages/s", ours, baseline, ratio, None, "higher", {})


def _speed(producer: Producer, topic: str, value: bytes | None, *, transactional: bool) -> float:
    start = time.perf_counter()
    for first in range(0, _PUBLISHED, _BATCH):
        if transactional:
            producer.begin_transaction()
        for number in range(first, first + _BATCH):
            producer.produce(topic, key=str(number).encode(), value=value)
        producer.poll(0)
        if transactional:
            producer.commit_transaction()
    producer.flush()
    return _PUBLISHED / (time.perf_counter() - start)
