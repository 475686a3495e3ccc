"""Adds to the clean stream what a receiver meets in the wild: duplicates, reordering, forgeries, broken bodies.

Faults are extra deliveries under ids of their own: the clean stream stays whole, so its outcome stays known.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import orjson

from services.simulator.bodies.json import JsonObject
from services.simulator.events import Event, Expected
from services.simulator.ids import StripeIds
from services.simulator.signature import Signing
from services.simulator.tables.currencies import UNSUPPORTED

_MEBIBYTE = 1 << 20
# More than any supported currency's upper bound, and within int64.
_HUGE = 10**15
# Counted in deliveries: the latest a duplicate comes, and the longest an event is held for its successor to pass.
_LATEST_DUPLICATE = 40
_LONGEST_HOLD = 12


@dataclass(frozen=True, slots=True)
class Delivery:
    """One body to be posted, how it is signed and what should become of it."""

    event: Event
    body: bytes
    expected: Expected
    signing: Signing = Signing.VALID
    # Name of what was injected; None for the clean stream.
    fault: str | None = None
    # Whether the event was overtaken by a later one of the same payment.
    overtaken: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """Share of events after which a fault is injected, 0 to 1 each; `reordered`: share held back to be overtaken.

    Broken and odd bodies are made from events of payments, whose outcome they change for certain.
    """

    duplicates: float = 0.0
    reordered: float = 0.0
    bad_signatures: float = 0.0
    malformed: float = 0.0
    # Bodies that look odd but are valid: they must get through.
    odd: float = 0.0


@dataclass(frozen=True, slots=True)
class BodyFault:
    """One way to spoil a body. `spoil` gets the parsed event, with a fresh id, and returns the bytes to post."""

    name: str
    expected: Expected
    spoil: Callable[[JsonObject], bytes]
    weight: int = 1


def inject(events: Iterator[Event], rates: Rates, rng: Random, ids: StripeIds) -> Iterator[Delivery]:
    """Deliveries without end. Which faults come follows from `rng`, their event ids from `ids`."""
    return _with_faults(_reordered(events, rates.reordered, rng), rates, rng, ids)


def _reordered(events: Iterator[Event], rate: float, rng: Random) -> Iterator[Delivery]:
    held: Event | None = None
    patience = 0
    for event in events:
        if held is None and event.payment is not None and rng.random() < rate:
            held, patience = event, _LONGEST_HOLD
            continue
        yield _clean(event)
        if held is None:
            continue
        patience -= 1
        overtaken = event.payment == held.payment
        if overtaken or patience == 0:
            yield replace(_clean(held), overtaken=overtaken)
            held = None
    if held is not None:
        yield _clean(held)


def _with_faults(deliveries: Iterator[Delivery], rates: Rates, rng: Random, ids: StripeIds) -> Iterator[Delivery]:
    again: deque[tuple[int, Delivery]] = deque()
    for number, delivery in enumerate(deliveries):
        yield delivery
        if rng.random() < rates.duplicates:
            due = number + rng.randint(0, _LATEST_DUPLICATE)
            again.append((due, replace(delivery, expected=Expected.DUPLICATE, fault="duplicate", overtaken=False)))
        if rng.random() < rates.bad_signatures:
            yield _forged(delivery.event, rng.choice(_FORGERIES), ids)
        contracted = delivery.expected is Expected.NORMALISED
        if rng.random() < rates.malformed and contracted:
            yield _spoiled(delivery.event, _pick(rng, BODY_FAULTS), ids)
        if rng.random() < rates.odd and contracted:
            yield _spoiled(delivery.event, _pick(rng, ODDITIES), ids)
        while again and again[0][0] <= number:
            yield again.popleft()[1]


def _clean(event: Event) -> Delivery:
    return Delivery(event, event.body, event.expected)


def _pick(rng: Random, faults: tuple[BodyFault, ...]) -> BodyFault:
    return rng.choices(faults, [fault.weight for fault in faults])[0]


def _forged(event: Event, signing: Signing, ids: StripeIds) -> Delivery:
    body, event_id = _with_fresh_id(event, ids)
    fresh = replace(event, event_id=event_id, body=orjson.dumps(body))
    return Delivery(fresh, fresh.body, Expected.UNVERIFIED, signing, f"signature.{signing}")


def _spoiled(event: Event, fault: BodyFault, ids: StripeIds) -> Delivery:
    body, event_id = _with_fresh_id(event, ids)
    spoiled = fault.spoil(body)
    return Delivery(replace(event, event_id=event_id, body=spoiled), spoiled, fault.expected, fault=fault.name)


def _with_fresh_id(event: Event, ids: StripeIds) -> tuple[JsonObject, str]:
    body: JsonObject = orjson.loads(event.body)
    body["id"] = ids.new("evt")
    return body, body["id"]


def _object(body: JsonObject) -> JsonObject:
    shown: JsonObject = body["data"]["object"]
    return shown


def _setting(**fields: Any) -> Callable[[JsonObject], bytes]:
    def spoil(body: JsonObject) -> bytes:
        _object(body).update(fields)
        return orjson.dumps(body)

    return spoil


def _without(field: str) -> Callable[[JsonObject], bytes]:
    def spoil(body: JsonObject) -> bytes:
        del _object(body)[field]
        return orjson.dumps(body)

    return spoil


def _envelope_without(field: str) -> Callable[[JsonObject], bytes]:
    return lambda body: orjson.dumps({name: value for name, value in body.items() if name != field})


def _envelope_setting(**fields: Any) -> Callable[[JsonObject], bytes]:
    return lambda body: orjson.dumps({**body, **fields})


def _nulls_in_words(body: JsonObject) -> bytes:
    shown = _object(body)
    words = ("null", "NULL", "", "None")
    absent = [name for name, value in shown.items() if value is None and name in _OPTIONAL_TEXTS]
    shown |= {name: words[number % len(words)] for number, name in enumerate(absent)}
    return orjson.dumps(body)


def _escaped(body: JsonObject) -> bytes:
    # The same JSON in other bytes: a receiver that re-serialises before it verifies gets this wrong.
    _object(body)["description"] = "Überweisung \u2603"
    text = orjson.dumps(body).decode()
    return "".join(c if ord(c) < 128 else f"\\u{ord(c):04X}" for c in text).encode() + b"\n"  # noqa: PLR2004 - ASCII


def _truncated(body: JsonObject) -> bytes:
    text = orjson.dumps(body)
    return text[: len(text) * 2 // 3]


def _too_large(body: JsonObject) -> bytes:
    _object(body)["description"] = "x" * _MEBIBYTE
    return orjson.dumps(body)


_OPTIONAL_TEXTS = (
    "customer",
    "failure_code",
    "failure_message",
    "invoice",
    "reason",
    "cancellation_reason",
    "on_behalf_of",
)

BODY_FAULTS: tuple[BodyFault, ...] = (
    BodyFault("json.truncated", Expected.DEAD, _truncated),
    BodyFault(
        "json.not_utf8", Expected.DEAD, lambda body: orjson.dumps(body).replace(b'"object"', b'"ob\xff\xfeject"', 1)
    ),
    BodyFault("json.not_an_object", Expected.DEAD, lambda body: orjson.dumps([body])),
    BodyFault("json.text", Expected.DEAD, lambda _: b"evt=1&type=charge.succeeded"),
    BodyFault("body.empty", Expected.DEAD, lambda _: b""),
    BodyFault("body.too_large", Expected.TOO_LARGE, _too_large),
    BodyFault("event.no_id", Expected.DEAD, _envelope_without("id")),
    BodyFault("event.no_type", Expected.DEAD, _envelope_without("type")),
    BodyFault("event.no_data", Expected.DEAD, _envelope_without("data")),
    BodyFault("event.no_created", Expected.DEAD, _envelope_without("created")),
    BodyFault("event.created_in_words", Expected.DEAD, _envelope_setting(created="yesterday")),
    BodyFault("object.no_id", Expected.DEAD, _without("id")),
    BodyFault("object.foreign_id", Expected.DEAD, _setting(id="order 17")),
    BodyFault("amount.absent", Expected.DEAD, _without("amount")),
    BodyFault("amount.negative", Expected.DEAD, _setting(amount=-500)),
    BodyFault("amount.in_words", Expected.DEAD, _setting(amount="twelve")),
    BodyFault("amount.fraction", Expected.DEAD, _setting(amount=12.5)),
    BodyFault("amount.beyond_64_bits", Expected.DEAD, _setting(amount=2**64 - 1)),
    BodyFault("amount.huge", Expected.VALIDATION_FAILURE, _setting(amount=_HUGE), weight=4),
    BodyFault("currency.absent", Expected.DEAD, _without("currency")),
    BodyFault("currency.in_words", Expected.DEAD, _setting(currency="dollars")),
    BodyFault("currency.unsupported", Expected.VALIDATION_FAILURE, _setting(currency=UNSUPPORTED), weight=4),
)

ODDITIES: tuple[BodyFault, ...] = (
    BodyFault("odd.nulls_in_words", Expected.NORMALISED, _nulls_in_words),
    BodyFault("odd.unknown_fields", Expected.NORMALISED, _setting(invented_field={"nested": [1, None]}, another=1.5)),
    BodyFault("odd.changed_types", Expected.NORMALISED, _setting(description=["a"], on_behalf_of=17)),
    BodyFault("odd.escaped", Expected.NORMALISED, _escaped),
    BodyFault("odd.compact", Expected.NORMALISED, orjson.dumps),
)

_FORGERIES = tuple(signing for signing in Signing if signing is not Signing.VALID)
