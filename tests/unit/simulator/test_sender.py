"""The sender keeps to its schedule whatever is answered, and delivers again only what was not acknowledged."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

import pytest

from services.runtime.clock import SystemClock
from services.simulator.client import NoAnswerError
from services.simulator.events import Event, Expected
from services.simulator.injections import Delivery
from services.simulator.report import Answered
from services.simulator.schedule import at_fixed_rate
from services.simulator.sender import SIGNATURE_HEADER, Redelivery, Sender
from services.simulator.signature import Signing


@dataclass
class ScriptedPoster:
    """Answers with the statuses it was given, the last one for ever; None means no answer. Each takes `seconds`."""

    statuses: list[int | None]
    seconds: float = 0.0
    headers: list[Mapping[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        self.headers.append(headers)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.seconds)
        self.in_flight -= 1
        status = self.statuses[min(len(self.headers), len(self.statuses)) - 1]
        if status is None:
            raise NoAnswerError("reset")
        return status


def delivery(number: int = 0, expected: Expected = Expected.NORMALISED, signing: Signing = Signing.VALID) -> Delivery:
    event = Event(f"evt_{number}", "charge.succeeded", b"{}", expected)
    return Delivery(event, event.body, expected, signing)


async def send(
    poster: ScriptedPoster, deliveries: list[Delivery], rate: float, redelivery: Redelivery | None = None
) -> list[Answered]:
    answers: list[Answered] = []
    await Sender(poster, "whsec", SystemClock(), redelivery).send(at_fixed_rate(deliveries, rate), answers.append)
    return sorted(answers, key=lambda answer: answer.number)


def test_the_nth_delivery_is_due_n_periods_after_the_start() -> None:
    schedule = at_fixed_rate((delivery(number) for number in range(1000)), 4.0)
    assert [one.due_seconds for one in islice(schedule, 4)] == [0.0, 0.25, 0.5, 0.75]


def test_a_rate_is_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        next(at_fixed_rate([delivery()], 0))


async def test_a_stalled_receiver_does_not_slow_the_schedule() -> None:
    poster = ScriptedPoster([202], seconds=0.3)
    answers = await send(poster, [delivery(number) for number in range(20)], rate=200)
    assert poster.most_in_flight == 20
    assert answers[-1].due_at - answers[0].due_at == pytest.approx(19 / 200)


async def test_latency_counts_from_the_due_time() -> None:
    class Blocking(ScriptedPoster):
        async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
            if not self.headers:
                loop = asyncio.get_running_loop()
                until = loop.time() + 0.2
                while loop.time() < until:  # holds the whole loop, as a busy machine would
                    pass
            return await super().post(body, headers)

    answers = await send(Blocking([202]), [delivery(number) for number in range(10)], rate=100)
    assert answers[1].latency_ms > 150
    assert answers[1].sent_at > answers[1].due_at


async def test_what_is_not_acknowledged_is_delivered_again_until_it_is() -> None:
    poster = ScriptedPoster([None, 503, 202])
    (answer,) = await send(poster, [delivery()], 100, Redelivery(10.0, first_pause_seconds=0.01))
    assert (answer.status, answer.attempts) == (202, 3)
    assert answer.acknowledged
    assert answer.as_expected


async def test_without_redelivery_one_try_is_all() -> None:
    (answer,) = await send(ScriptedPoster([None, 202]), [delivery()], 100)
    assert (answer.status, answer.error, answer.attempts) == (None, "reset", 1)
    assert not answer.as_expected


async def test_redelivery_gives_up_after_its_time() -> None:
    poster = ScriptedPoster([503])
    (answer,) = await send(poster, [delivery()], 100, Redelivery(0.1, first_pause_seconds=0.03))
    assert answer.status == 503
    assert answer.attempts >= 2


async def test_an_expected_refusal_is_not_delivered_again() -> None:
    forged = delivery(expected=Expected.UNVERIFIED, signing=Signing.WRONG_SECRET)
    (answer,) = await send(ScriptedPoster([401]), [forged], 100, Redelivery(10.0, first_pause_seconds=0.01))
    assert answer.attempts == 1
    assert answer.as_expected


async def test_an_accepted_forgery_is_reported_and_not_repeated() -> None:
    forged = delivery(expected=Expected.UNVERIFIED, signing=Signing.WRONG_SECRET)
    (answer,) = await send(ScriptedPoster([202]), [forged], 100, Redelivery(10.0, first_pause_seconds=0.01))
    assert answer.attempts == 1
    assert not answer.as_expected


async def test_a_missing_signature_is_a_missing_header() -> None:
    poster = ScriptedPoster([202])
    await send(poster, [delivery(0), delivery(1, Expected.UNVERIFIED, Signing.MISSING)], 1000)
    assert [SIGNATURE_HEADER in headers for headers in poster.headers] == [True, False]


def test_pauses_grow_to_a_limit() -> None:
    redelivery = Redelivery(60.0)
    assert [redelivery.pause(attempts) for attempts in (1, 2, 3, 4, 5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
