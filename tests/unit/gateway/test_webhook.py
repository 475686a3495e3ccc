"""Every request gets the true answer, and 202 means stored."""

import asyncio
import logging
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from services.gateway.handler import TOPICS
from services.runtime import headers as names
from services.runtime.producer import Outgoing
from tests.fakes.publisher import InMemoryBroker
from tests.unit.gateway.events import CHARGE, NOW_SECONDS, event, header, sign
from tests.unit.gateway.gateways import LIMITS, RawRequest, Rig, gateway, outcomes

BODY = orjson.dumps(event())
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    async with gateway() as made:
        yield made


def counted(before: dict[str, float]) -> dict[str, float]:
    return {outcome: value - before[outcome] for outcome, value in outcomes().items() if value != before[outcome]}


async def settled(rig: Rig, waiting: int) -> None:
    """Wait until that many messages wait for their acknowledgement."""
    for _ in range(1_000):
        if rig.broker.waiting == waiting:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{rig.broker.waiting} messages wait, not {waiting}")


@pytest.mark.parametrize(
    ("body", "outcome", "topic"),
    [
        (event(), "accepted", "webhooks.stripe.charge"),
        (event("customer.created", {"object": "customer"}), "other", "webhooks.stripe.other"),
        (event(carried={**CHARGE, "amount": "4900"}), "dead", "webhooks.dlq"),
        (b"no json", "dead", "webhooks.dlq"),
    ],
)
async def test_a_verified_webhook_is_stored_once_and_answered_with_its_receipt(
    rig: Rig, body: bytes | dict[str, Any], outcome: str, topic: str
) -> None:
    before = outcomes()
    response = await rig.post(body)
    assert (response.status_code, response.json()) == (202, {"receipt_id": f"{1:032x}"})
    assert [message.topic for message in rig.broker.published] == [topic]
    assert rig.stored()[0].receipt.receipt_id == f"{1:032x}"
    assert counted(before) == {outcome: 1}


async def test_the_message_travels_under_its_key_with_receipt_event_and_trace(rig: Rig) -> None:
    await rig.post(event(account="acct_1"))
    message = rig.broker.published[0]
    assert message.key == b"acct_1"
    assert message.headers[names.RECEIPT_ID] == f"{1:032x}"
    assert message.headers[names.EVENT_ID] == "stripe:evt_3PqrstUVwxyz"
    assert message.headers["traceparent"] == f"00-{1:032x}-{1:016x}-01"


async def test_an_incoming_trace_goes_on(rig: Rig) -> None:
    await rig.post(BODY, traceparent=TRACEPARENT, tracestate="vendor=1")
    sent = rig.broker.published[0].headers
    assert (sent["traceparent"], sent["tracestate"]) == (TRACEPARENT, "vendor=1")


@pytest.mark.parametrize("broken", ["", "00-zz-1-01", TRACEPARENT.replace("00-", "ff-", 1), "00-" + "0" * 32 + "-1-01"])
async def test_a_broken_incoming_trace_is_replaced_by_one_of_our_own(rig: Rig, broken: str) -> None:
    await rig.post(BODY, traceparent=broken, tracestate="vendor=1")
    sent = rig.broker.published[0].headers
    assert sent["traceparent"].startswith(f"00-{1:032x}-")
    assert "tracestate" not in sent


async def test_with_tracing_on_a_span_of_ours_lies_between_the_provider_and_the_next_hop() -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    async with gateway(spans=provider.get_tracer("test")) as rig:
        await rig.post(BODY, traceparent=TRACEPARENT, baggage="user=jane")
        sent = rig.broker.published[0].headers
    [span] = spans.get_finished_spans()
    context = span.get_span_context()
    assert context is not None
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" in TRACEPARENT
    assert sent["traceparent"] == f"00-0af7651916cd43dd8448eb211c80319c-{context.span_id:016x}-01"
    assert span.attributes == {"tidegate.receipt_id": f"{1:032x}"}
    assert "baggage" not in sent


async def test_accepted_webhooks_are_logged_for_whoever_looks_for_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with gateway() as rig:
            with capture_logs() as logs:
                await rig.post(BODY)
    assert [(line["event"], line["event_id"]) for line in logs] == [("webhook.accepted", "stripe:evt_3PqrstUVwxyz")]


async def test_nothing_is_answered_before_the_broker_has_the_webhook(rig: Rig) -> None:
    rig.broker.hold()
    request = asyncio.create_task(rig.post(BODY))
    await settled(rig, waiting=1)
    assert not request.done()
    rig.broker.release()
    assert (await request).status_code == 202


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        header(BODY, secret="another"),
        header(BODY, at=NOW_SECONDS - 301),
        header(b"another body"),
        f"t={NOW_SECONDS},v0={sign(BODY)}".encode(),
    ],
)
async def test_an_unverified_webhook_is_counted_and_not_stored(rig: Rig, signature: bytes) -> None:
    before = outcomes()
    response = await rig.post(BODY, signature=signature)
    assert response.status_code == 401
    assert rig.broker.published == []
    assert counted(before) == {"unverified": 1}


async def test_without_a_secret_the_endpoint_is_off() -> None:
    before = outcomes()
    async with gateway(endpoint=None) as rig:
        assert (await rig.post(BODY)).status_code == 404
        assert (await rig.post(BODY, signature=header(BODY, secret=""))).status_code == 404
    assert rig.broker.published == []
    assert counted(before) == {"disabled": 2}


async def test_a_broker_that_does_not_answer_means_503_and_come_again(rig: Rig) -> None:
    before = outcomes()
    rig.broker.is_down = True
    response = await rig.post(BODY)
    assert (response.status_code, response.headers["retry-after"]) == (503, "15")
    assert counted(before) == {"unavailable": 1}
    rig.broker.is_down = False
    assert (await rig.post(BODY)).status_code == 202


async def test_before_broker_and_schemas_are_known_the_answer_is_503() -> None:
    async with gateway(is_ready=False) as rig:
        assert (await rig.post(BODY)).status_code == 503
        await rig.inbox.check()
        assert (await rig.post(BODY)).status_code == 202


async def test_more_webhooks_than_may_wait_are_sent_away(rig: Rig) -> None:
    rig.broker.hold()
    waiting = [asyncio.create_task(rig.post(BODY)) for _ in range(LIMITS.max_in_flight)]
    await settled(rig, waiting=LIMITS.max_in_flight)
    assert (await rig.post(BODY)).status_code == 503
    rig.broker.release()
    assert {response.status_code for response in await asyncio.gather(*waiting)} == {202}
    assert (await rig.post(BODY)).status_code == 202


async def test_more_bytes_than_may_wait_are_sent_away() -> None:
    async with gateway(limits=replace(LIMITS, max_in_flight_bytes=len(BODY) + 10)) as rig:
        rig.broker.hold()
        first = asyncio.create_task(rig.post(BODY))
        await settled(rig, waiting=1)
        assert (await rig.post(BODY)).status_code == 503
        rig.broker.release()
        assert (await first).status_code == 202


async def test_a_body_of_exactly_the_limit_is_taken(rig: Rig) -> None:
    body = BODY + b" " * (LIMITS.max_body_bytes - len(BODY))
    assert (await rig.post(body)).status_code == 202
    assert rig.stored()[0].raw_body == body


async def test_a_dead_letter_of_the_largest_body_is_stored(rig: Rig) -> None:
    assert (await rig.post(b"x" * LIMITS.max_body_bytes)).status_code == 202
    assert len(rig.stored()[0].raw_body) == LIMITS.max_body_bytes


async def test_a_longer_body_is_refused_and_counted(rig: Rig) -> None:
    before = outcomes()
    response = await rig.post(b"x" * (LIMITS.max_body_bytes + 1))
    assert (response.status_code, response.headers["connection"]) == (413, "close")
    assert counted(before) == {"too_large": 1}


@pytest.mark.parametrize(
    "headers", [[(b"content-length", b"1048577"), (b"expect", b"100-continue")], [(b"content-length", b"99000000")]]
)
async def test_a_body_announced_as_too_long_is_refused_before_it_is_sent_or_when_it_is_far_too_long(
    rig: Rig, headers: list[tuple[bytes, bytes]]
) -> None:
    request = RawRequest([b"x"], headers)
    assert await request.run(rig.app) == 413
    assert request.received == 0


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"4000000")]])
async def test_a_body_that_is_too_long_is_read_to_its_end_so_that_the_answer_arrives(
    rig: Rig, headers: list[tuple[bytes, bytes]]
) -> None:
    request = RawRequest([b"x" * 400_000] * 10, headers)
    assert await request.run(rig.app) == 413
    assert request.received == 10


async def test_a_body_that_never_ends_is_not_read_for_ever(rig: Rig) -> None:
    request = RawRequest([b"x" * 1_000_000] * 100)
    assert await request.run(rig.app) == 413
    assert request.received == 10


async def test_a_body_in_pieces_is_put_together(rig: Rig) -> None:
    request = RawRequest([BODY[:10], BODY[10:11], BODY[11:], b""], [(b"stripe-signature", header(BODY))])
    assert await request.run(rig.app) == 202
    assert rig.stored()[0].raw_body == BODY


def unfinished(begun: bytes) -> tuple[RawRequest, asyncio.Event]:
    """A request whose body goes no further until the event is set; its client then hangs up."""
    hang_up = asyncio.Event()

    async def wait() -> MutableMapping[str, Any]:
        await hang_up.wait()
        return {"type": "http.disconnect"}

    return RawRequest([begun], at_end=wait), hang_up


async def test_bodies_of_nobody_fill_no_more_than_their_room() -> None:
    before = outcomes()
    signed = [(b"stripe-signature", header(BODY))]
    async with gateway(limits=replace(LIMITS, max_in_flight_bytes=len(BODY))) as rig:
        first, hang_up = unfinished(b"x" * len(BODY))
        waiting = asyncio.create_task(first.run(rig.app))
        await asyncio.sleep(0)
        in_pieces = RawRequest([BODY[:-1], BODY[-1:]], signed)
        assert await in_pieces.run(rig.app) == 503
        assert (b"retry-after", b"15") in in_pieces.sent[0]["headers"]
        assert in_pieces.received == 2, "it was read to its end, so that the answer arrives"
        assert await RawRequest([BODY], signed).run(rig.app) == 202, "a body that is there at once passes"
        hang_up.set()
        assert await waiting is None
        assert await RawRequest([BODY[:-1], BODY[-1:]], signed).run(rig.app) == 202
    assert counted(before) == {"unavailable": 1, "accepted": 2}


@pytest.mark.parametrize("signature", [header(BODY), b""])
async def test_a_body_that_was_read_gives_its_room_back(signature: bytes) -> None:
    async with gateway(limits=replace(LIMITS, max_in_flight_bytes=len(BODY))) as rig:
        for _ in range(3):
            status = await RawRequest([BODY[:9], BODY[9:]], [(b"stripe-signature", signature)]).run(rig.app)
            assert status == (202 if signature else 401)


async def test_a_length_written_with_thousands_of_digits_is_read_as_far_as_it_comes(rig: Rig) -> None:
    announced = (b"content-length", b"0" * 5_000 + b"%d" % len(BODY))
    assert await RawRequest([BODY], [announced, (b"stripe-signature", header(BODY))]).run(rig.app) == 202


@pytest.mark.parametrize("chunks", [[], [BODY[:10]]])
async def test_a_client_that_goes_away_in_the_middle_gets_no_answer_and_counts_as_nothing(
    rig: Rig, chunks: list[bytes]
) -> None:
    async def gone() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    before = outcomes()
    assert await RawRequest(chunks, at_end=gone).run(rig.app) is None
    assert rig.broker.published == []
    assert counted(before) == {}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_webhooks_are_posted(rig: Rig, method: str) -> None:
    response = await rig.client.request(method, "/webhooks/stripe")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_the_content_type_is_no_reason_to_lose_a_verified_webhook(rig: Rig) -> None:
    assert (await rig.post(BODY, content_type="text/plain")).status_code == 202


async def test_while_stopping_every_answer_asks_to_close_the_connection(rig: Rig) -> None:
    rig.webhook.draining = True
    response = await rig.post(BODY)
    assert (response.status_code, response.headers["connection"]) == (202, "close")


class Defective(InMemoryBroker):
    """Raises what no broker raises."""

    async def publish(self, message: Outgoing) -> None:
        """Fail, and tell of the content."""
        raise ValueError(f"value out of range: {message.value!r}")


async def test_a_defect_of_ours_is_answered_503_and_told_without_content() -> None:
    before = outcomes()
    async with gateway(broker=Defective(TOPICS)) as rig:
        with capture_logs() as logs:
            response = await rig.post(event(carried={**CHARGE, "customer": "cus_4242"}))
    assert (response.status_code, response.headers["retry-after"]) == (503, "15")
    assert counted(before) == {"unavailable": 1}
    assert (logs[0]["event"], logs[0]["log_level"]) == ("webhook.failed", "error")
    assert logs[0]["at"].startswith("test_webhook.py:")
    assert "4242" not in str(logs)


async def test_logs_name_the_webhook_and_hold_neither_body_nor_secret_nor_signature(rig: Rig) -> None:
    secret_like = {**CHARGE, "currency": "jane@example.com", "customer": "cus_sesame"}
    with capture_logs() as logs:
        await rig.post(event(carried=secret_like))
        await rig.post(BODY, signature=header(BODY, secret="guess"))
        await rig.post(b"x" * (LIMITS.max_body_bytes + 1))
        rig.broker.is_down = True
        await rig.post(BODY)
    assert [line["event"] for line in logs] == [
        "webhook.dead",
        "webhook.unverified",
        "webhook.too_large",
        "webhook.unavailable",
    ]
    assert logs[0]["event_id"] == "stripe:evt_3PqrstUVwxyz"
    assert {line["log_level"] for line in logs} == {"warning"}
    assert [line.get("receipt_id") for line in logs] == [f"{1:032x}", f"{2:032x}", None, f"{3:032x}"]
    told = str(logs)
    for hidden in ("jane", "sesame", "whsec", sign(BODY, secret="guess")):
        assert hidden not in told


async def test_a_type_that_does_not_look_like_one_is_logged_by_its_length_alone(rig: Rig) -> None:
    with capture_logs() as logs:
        await rig.post({"id": "evt_1", "type": "Jane Doe", "data": {"object": {}}, "account": 7})
        await rig.post(event(carried={**CHARGE, "currency": "?"}))
    assert [(line["event"], line["event_type"]) for line in logs] == [
        ("webhook.dead", "string(8)"),
        ("webhook.dead", "charge.succeeded"),
    ]


async def test_a_flood_of_unverified_webhooks_does_not_fill_the_log(rig: Rig) -> None:
    with capture_logs() as logs:
        for _ in range(500):
            await rig.post(b"{}", signature=b"t=1,v1=00")
    assert len(logs) == 20


async def test_drift_is_counted_for_stored_webhooks_alone(rig: Rig) -> None:
    odd = event(carried={**CHARGE, "only_here": 1})
    rig.broker.is_down = True
    await rig.post(odd)
    await rig.post(odd, signature=b"t=1,v1=00")
    rig.broker.is_down = False
    await rig.post(odd)
    metrics = (await rig.client.get("/metrics")).text
    line = next(line for line in metrics.splitlines() if "only_here" in line and "_total" in line)
    assert line.endswith(" 1.0")
    assert 'event_type="charge.succeeded"' in line
    assert 'api_version="2025-04-30.basil"' in line
    assert 'kind="unknown_field"' in line


async def test_the_outcomes_add_up_to_what_was_received(rig: Rig) -> None:
    before = outcomes()
    requests = 0
    for body in (event(), event("customer.created", {}), b"[]", event(carried={})):
        for signature in (None, b"t=1,v1=00"):
            await rig.post(body, signature=signature)
            requests += 1
    assert sum(counted(before).values()) == requests
