"""Injected faults: each is what it claims to be, and the clean stream stays whole."""

import json
from itertools import islice
from random import Random
from typing import Any

import pytest

from services.simulator.events import Event, Expected, Timeline, generate
from services.simulator.ids import StripeIds
from services.simulator.injections import BODY_FAULTS, ODDITIES, BodyFault, Delivery, Rates, inject
from services.simulator.signature import Signing
from services.simulator.world import build_world
from tests.unit.simulator.contracts import broken_rules

TIMELINE = Timeline(1_790_000_000, 0.05)
ALL = Rates(duplicates=0.1, reordered=0.2, bad_signatures=0.1, malformed=0.1, odd=0.1)
# What a contract cannot tell, because the body is no event at all, or is refused before it is read.
NO_EVENT = {"json.truncated", "json.not_utf8", "json.not_an_object", "json.text", "body.empty", "body.too_large"}


def stream(seed: int = 1, run_id: str = "a") -> Any:
    return generate(build_world(seed, 2026), seed, run_id, TIMELINE)


def deliveries(rates: Rates, count: int, run_id: str = "a") -> list[Delivery]:
    rng, ids = Random(5), StripeIds(Random(f"faults:{run_id}"))  # noqa: S311 - seeded
    return list(islice(inject(stream(run_id=run_id), rates, rng, ids), count))


def payment_event() -> dict[str, Any]:
    event: Event = next(event for event in stream() if event.type == "payment_intent.succeeded")
    return json.loads(event.body)  # type: ignore[no-any-return]


def test_no_rates_leave_the_stream_as_it_is() -> None:
    assert [delivery.event for delivery in deliveries(Rates(), 200)] == list(islice(stream(), 200))


def test_the_same_sources_inject_the_same() -> None:
    assert deliveries(ALL, 500) == deliveries(ALL, 500)


def test_faults_come_at_about_their_rates() -> None:
    sent = deliveries(ALL, 4000)
    clean = sum(delivery.fault is None for delivery in sent)
    for name in (Expected.DUPLICATE, Expected.UNVERIFIED):
        assert 0.07 < sum(delivery.expected is name for delivery in sent) / clean < 0.13


def test_the_clean_stream_stays_whole() -> None:
    clean = [delivery.event for delivery in deliveries(ALL, 2000) if delivery.fault is None]
    # The last few may still be held back.
    original = list(islice(stream(), len(clean)))
    assert len({event.event_id for event in clean}) == len(clean)
    assert len({event.event_id for event in original} - {event.event_id for event in clean}) <= 2


def test_a_duplicate_is_the_same_body_after_its_original() -> None:
    sent = deliveries(Rates(duplicates=0.3), 1000)
    first: dict[str, int] = {}
    for at, delivery in enumerate(sent):
        if delivery.expected is Expected.DUPLICATE:
            assert delivery.body == sent[first[delivery.event.event_id]].body
        else:
            assert first.setdefault(delivery.event.event_id, at) == at


def test_an_overtaken_event_comes_after_a_later_one_of_its_payment() -> None:
    sent = deliveries(Rates(reordered=0.3), 1000)
    order = {event.event_id: number for number, event in enumerate(islice(stream(), 1100))}
    overtaken = [at for at, delivery in enumerate(sent) if delivery.overtaken]
    assert len(overtaken) > 20
    for at in overtaken:
        before = sent[at - 1].event
        assert before.payment == sent[at].event.payment
        assert order[before.event_id] > order[sent[at].event.event_id]


def test_a_stream_that_ends_loses_nothing_that_is_held_back() -> None:
    events = list(islice(stream(), 50))
    sent = inject(iter(events), Rates(reordered=1.0), Random(5), StripeIds(Random(6)))  # noqa: S311 - seeded
    assert sorted(delivery.event.event_id for delivery in sent) == sorted(event.event_id for event in events)


def test_forgeries_carry_ids_that_nothing_else_has() -> None:
    sent = deliveries(ALL, 2000)
    forged = {delivery.event.event_id for delivery in sent if delivery.signing is not Signing.VALID}
    assert forged
    assert not forged & {delivery.event.event_id for delivery in sent if delivery.signing is Signing.VALID}
    assert all(delivery.expected is Expected.UNVERIFIED for delivery in sent if delivery.event.event_id in forged)


@pytest.mark.parametrize("fault", BODY_FAULTS, ids=lambda fault: fault.name)
def test_a_broken_body_breaks_what_it_says(fault: BodyFault) -> None:
    spoiled = fault.spoil(payment_event())
    if fault.name in NO_EVENT:
        assert len(spoiled) > 1 << 20 if fault.expected is Expected.TOO_LARGE else not is_event(spoiled)
    elif fault.name == "event.no_data":
        assert "data" not in json.loads(spoiled)
    else:
        assert bool(broken_rules(json.loads(spoiled))) is (fault.expected is Expected.DEAD)


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda fault: fault.name)
def test_an_odd_body_keeps_its_contract(oddity: BodyFault) -> None:
    spoiled = oddity.spoil(payment_event())
    body = json.loads(spoiled)
    if oddity.name == "odd.changed_types":
        # The contract can do without the field that changed its type.
        assert body["data"]["object"].pop("on_behalf_of") == 17
    assert broken_rules(body) == []
    assert spoiled != json.dumps(payment_event()).encode()


def is_event(raw: bytes) -> bool:
    try:
        return isinstance(json.loads(raw), dict)
    except ValueError:
        return False
