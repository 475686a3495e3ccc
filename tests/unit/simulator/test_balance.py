"""The books: equations between stages, and each delivery's outcome against what it should have become."""

import hashlib
from collections.abc import Sequence

from services.simulator.balance import DEAD, DECISIONS, FAILURES, NORMALIZED, OTHER, Books, Rows, Sighting, book
from services.simulator.events import Event, Expected
from services.simulator.injections import Delivery
from services.simulator.report import Answered

CHARGE = "webhooks.stripe.charge"


def answered(name: str, expected: Expected = Expected.NORMALISED, status: int | None = 202) -> Answered:
    body = f"body of {name}".encode()
    event = Event(f"evt_{name}", "charge.succeeded", body, expected)
    return Answered(0, Delivery(event, body, expected), 0, 0, 0, status, None, 1)


def on(topic: str, name: str) -> Sighting:
    body = (
        None if topic in {NORMALIZED, FAILURES, DECISIONS} else hashlib.sha256(f"body of {name}".encode()).hexdigest()
    )
    return Sighting(topic, f"stripe:evt_{name}", body, 1.0)


def through(name: str) -> list[Sighting]:
    return [on(CHARGE, name), on(NORMALIZED, name), on(DECISIONS, name)]


def rows(*names: str) -> Rows:
    ids = tuple(f"stripe:evt_{name}" for name in names)
    return Rows(events=ids, decisions=ids)


def outcomes(books: Books) -> list[str]:
    return [books.outcome(answer) for answer in books.answers]


def missing(books: Books) -> dict[str, int]:
    return {line.stage or line.total[0]: line.missing for line in books.lines()}


def balanced(answers: Sequence[Answered], sightings: Sequence[Sighting], held: Rows) -> bool:
    books = book(answers, sightings, held)
    return not any(missing(books).values()) and not books.differences()


def test_an_event_that_went_all_the_way_is_in_balance() -> None:
    assert balanced([answered("a")], through("a"), rows("a"))


def test_each_way_out_is_told_apart() -> None:
    answers = [
        answered("a"),
        answered("o", Expected.OTHER),
        answered("d", Expected.DEAD),
        answered("v", Expected.VALIDATION_FAILURE),
        answered("u", Expected.UNVERIFIED, 401),
        answered("l", Expected.TOO_LARGE, 413),
    ]
    seen = [*through("a"), on(OTHER, "o"), on(DEAD, "d"), on(CHARGE, "v"), on(FAILURES, "v")]
    held = Rows(rows("a").events, rows("a").decisions, quarantine=("stripe:evt_v",))
    books = book(answers, seen, held)
    assert outcomes(books) == [answer.delivery.expected.value for answer in answers]
    assert balanced(answers, seen, held)


def test_a_duplicate_is_repeated_and_has_one_effect() -> None:
    answers = [answered("a"), answered("a", Expected.DUPLICATE)]
    seen = [on(CHARGE, "a"), on(CHARGE, "a"), on(NORMALIZED, "a"), on(NORMALIZED, "a"), on(DECISIONS, "a")]
    books = book(answers, seen, rows("a"))
    assert balanced(answers, seen, rows("a"))
    (orchestrator,) = (line for line in books.lines() if line.stage == "orchestrator")
    assert orchestrator.parts == (("decided", 1), ("repeated", 1))


def test_a_second_decision_is_a_difference() -> None:
    books = book([answered("a")], [*through("a"), on(DECISIONS, "a")], rows("a"))
    assert missing(books)["relay"] == -1
    assert "1 rows, 1 decisions and 2 messages" in books.differences()[0]


def test_what_was_acknowledged_and_lost_is_named() -> None:
    books = book([answered("a"), answered("b")], through("a"), rows("a"))
    assert missing(books)["gateway"] == 1
    assert books.differences() == [
        "evt_b charge.succeeded: acknowledged, and on no topic; expected: normalised",
    ]


def test_what_a_stage_swallowed_shows_at_that_stage() -> None:
    books = book([answered("a")], [on(CHARGE, "a")], Rows())
    assert missing(books) == {
        "gateway": 0,
        "normalizer": 1,
        "orchestrator": 0,
        "failures": 0,
        "PostgreSQL": 0,
        "relay": 0,
    }
    assert books.differences()


def test_a_forgery_that_was_accepted_is_a_difference() -> None:
    books = book([answered("f", Expected.UNVERIFIED)], through("f"), rows("f"))
    assert books.differences() == ["evt_f charge.succeeded: normalised; expected: unverified"]


def test_a_waiting_outbox_keeps_the_relay_in_balance() -> None:
    held = Rows(rows("a").events, rows("a").decisions, outbox=("stripe:evt_a",))
    books = book([answered("a")], [on(CHARGE, "a"), on(NORMALIZED, "a")], held)
    assert missing(books)["relay"] == 0
    assert books.differences()


def test_what_others_send_meanwhile_is_left_out() -> None:
    assert balanced([answered("a")], [*through("a"), *through("stranger"), on(DEAD, "stranger")], rows("a"))


def test_a_captured_body_may_end_anywhere_but_nowhere() -> None:
    answers = [answered("c", Expected.ACCOUNTED)]
    assert balanced(answers, [on(OTHER, "c")], Rows())
    assert balanced(answers, through("c"), rows("c"))
    assert not balanced(answers, [], Rows())
