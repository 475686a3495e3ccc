"""From a record to the message that is published for it."""

from collections.abc import Mapping

import pytest
from opentelemetry.sdk.trace import TracerProvider
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook

from services.normalizer.handler import Normalizer
from services.normalizer.pipeline import Pipeline, Result
from services.normalizer.sources import LARGEST_MESSAGE_BYTES, TOPICS
from services.runtime.consumer import Record
from services.runtime.errors import NeighbourUnavailableError, Position
from services.runtime.serde import TopicSerde
from tests.fakes.schema_ids import FixedSchemaIds
from tests.fakes.stripe_webhooks import charge_webhook, receipt_id
from tests.unit.normalizer.tables import NORMALIZER, NOW

TOPIC = "webhooks.stripe.charge"
IDS = FixedSchemaIds()
WRITER = TopicSerde(TOPIC, ChargeWebhook, IDS)
EVENTS = TopicSerde(TOPICS.normalized, UnifiedPaymentEvent, IDS)
FAILURES = TopicSerde(TOPICS.failures, ValidationFailure, IDS)
PIPELINE = Pipeline(TOPICS, IDS, NORMALIZER)


def record(value: bytes | None, headers: Mapping[str, str] | None = None, offset: int = 7) -> Record:
    return Record(Position(TOPIC, 3, offset), b"m1", value, headers or {})


def processed(value: bytes | None, headers: Mapping[str, str] | None = None, pipeline: Pipeline = PIPELINE) -> Result:
    (result,) = pipeline.process([record(value, headers)], NOW)
    return result


def failure_in(result: Result) -> ValidationFailure:
    assert result.outgoing.topic == TOPICS.failures
    failure = FAILURES.decode(result.outgoing.value, partition=0, offset=0)
    assert result.failure == failure
    return failure


def test_a_webhook_becomes_an_event_keyed_by_merchant() -> None:
    result = processed(WRITER.encode(charge_webhook(number=4, merchant_id="merchant_é")))
    assert (result.topic, result.outgoing.topic, result.failure) == (TOPIC, TOPICS.normalized, None)
    assert result.outgoing.key == "merchant_é".encode()
    assert EVENTS.decode(result.outgoing.value, partition=0, offset=0).event_id == "stripe:evt_4"


def test_headers_travel_on_with_the_event() -> None:
    trace = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "tracestate": "vendor=" + "x" * 505}
    sent = {**trace, "of-a-stranger": "left behind"}
    headers = processed(WRITER.encode(charge_webhook(number=4)), sent).outgoing.headers
    assert headers == {**trace, "tidegate-event-id": "stripe:evt_4", "tidegate-receipt-id": receipt_id(4)}


@pytest.mark.parametrize("currency", ["usd", "lak"])
@pytest.mark.parametrize("name", ["tracestate", "traceparent", "tidegate-receipt-id", "of-a-stranger"])
def test_no_header_makes_an_event_or_a_failure_too_large(name: str, currency: str) -> None:
    sent = {name: "x" * 1_100_000}
    outgoing = processed(WRITER.encode(charge_webhook(number=4, currency=currency)), sent).outgoing
    assert all(len(value) <= 512 for value in outgoing.headers.values())


def test_a_failure_takes_along_what_finds_its_original() -> None:
    sent = {"traceparent": "00-x", "tidegate-receipt-id": receipt_id(4), "of-the-user": "left behind"}
    result = processed(WRITER.encode(charge_webhook(number=4, currency="lak")), sent)
    failure = failure_in(result)
    assert result.outgoing.key == b"stripe:evt_4"
    assert result.outgoing.headers == {
        "traceparent": "00-x",
        "tidegate-receipt-id": receipt_id(4),
        "tidegate-event-id": "stripe:evt_4",
    }
    assert (failure.origin.topic, failure.origin.partition, failure.origin.offset) == (TOPIC, 3, 7)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "wire.empty"),
        (b"", "wire.unframed"),
        (b'{"json": true}', "wire.unframed"),
        (b"\x00\xff\xff\xff\xff\x00abc", "wire.schema_unknown"),
        (WRITER.encode(charge_webhook())[:6] + b"\xff\xff\xff", "wire.undecodable"),
    ],
)
def test_bytes_that_are_no_message_become_a_failure_known_by_position(value: bytes | None, rule: str) -> None:
    failure = failure_in(processed(value))
    assert failure.event_id == "webhooks.stripe.charge:3:7"
    assert [violation.rule_id for violation in failure.violations] == [rule]


def test_a_bad_record_changes_nothing_about_its_neighbours() -> None:
    good = [WRITER.encode(charge_webhook(number=number)) for number in (1, 2)]
    results = PIPELINE.process([record(good[0]), record(b"bad"), record(good[1])], NOW)
    assert [result.failure is None for result in results] == [True, False, True]


def test_an_event_too_large_for_its_topic_becomes_a_failure() -> None:
    metadata = {f"key_{number}": "x" * 20_000 for number in range(60)}
    failure = failure_in(processed(WRITER.encode(charge_webhook(number=4, metadata=metadata))))
    assert failure.event_id == "stripe:evt_4"
    assert [violation.rule_id for violation in failure.violations] == ["event.too_large"]


def test_an_event_s_size_is_that_of_value_key_and_headers() -> None:
    """A value that would just fit alone."""

    def metadata(last: int) -> Mapping[str, str]:
        return {**{f"key_{number}": "x" * 99_000 for number in range(10)}, "last": "x" * last}

    def sized(last: int) -> Result:
        return processed(WRITER.encode(charge_webhook(number=4, metadata=metadata(last))), {"tracestate": "x" * 512})

    room = LARGEST_MESSAGE_BYTES - len(sized(1).outgoing.value) + 1
    framing = 3  # a longer text has a longer length before it
    assert failure_in(sized(room - framing)).violations[0].rule_id == "event.too_large"
    assert sized(room - framing - 1000).failure is None


def test_a_code_that_no_table_knows_is_reported() -> None:
    assert processed(WRITER.encode(charge_webhook("charge.failed", failure_code="odd_code"))).unknown_code == "odd_code"
    assert processed(WRITER.encode(charge_webhook("charge.failed"))).unknown_code == ""
    assert processed(WRITER.encode(charge_webhook())).unknown_code is None


class DefectiveNormalizer(Normalizer):
    def normalize(self, *_: object) -> UnifiedPaymentEvent:
        raise KeyError("4242 4242 4242 4242")


def test_a_defect_of_the_mapping_becomes_a_failure_that_does_not_repeat_it(capsys: pytest.CaptureFixture[str]) -> None:
    defective = DefectiveNormalizer([], {}, {})
    defective._compiled = NORMALIZER._compiled
    result = processed(WRITER.encode(charge_webhook(number=4)), pipeline=Pipeline(TOPICS, IDS, defective))
    failure = failure_in(result)
    assert failure.event_id == "stripe:evt_4"
    assert failure.violations[0].rule_id == "normalizer.defect"
    assert "4242" not in str(failure) + capsys.readouterr().out


class AwayIds(FixedSchemaIds):
    def belongs(self, schema_id: int, subject: str) -> bool:
        raise NeighbourUnavailableError("schema registry", "away")


def test_a_registry_that_is_away_is_no_fault_of_the_message() -> None:
    pipeline = Pipeline(TOPICS, AwayIds(), NORMALIZER)
    with pytest.raises(NeighbourUnavailableError):
        processed(b"\x00\x00\x00\x00\x01\x00abc", pipeline=pipeline)


def test_a_traced_process_puts_its_span_between_the_hops() -> None:
    trace_id, span_id = "1" * 32, "2" * 16
    traced = Pipeline(TOPICS, IDS, NORMALIZER, TracerProvider().get_tracer("test"))
    sent = {"traceparent": f"00-{trace_id}-{span_id}-01"}
    _, trace, span, _ = (
        processed(WRITER.encode(charge_webhook()), sent, traced).outgoing.headers["traceparent"].split("-")
    )
    assert trace == trace_id
    assert span != span_id
