import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_FRAUD,
    QUESTION_RETRY,
    AssessmentItem,
    AssessRequest,
    AssessResponse,
)

from services.inference.adapters.desk import SLICE, Desk
from services.inference.features import Features
from services.inference.handler import Handler
from services.inference.serving import Serving
from services.runtime.clock import FrozenClock
from tests.unit.inference.contexts import by_rules, declined, handler

CLOCK = FrozenClock(datetime(2026, 11, 1, 12, 0, 1, tzinfo=UTC))


class Watched(Handler):
    """The real handler, which tells how many items it was given at a time."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self._real = handler()

    def assess(
        self, items: Sequence[AssessmentItem], at: Timestamp, features: Sequence[Features] = ()
    ) -> AssessResponse:
        """Note and pass on."""
        self.given.append(len(items))
        return self._real.assess(items, at, features)


def batch(size: int) -> AssessRequest:
    items = [
        AssessmentItem(payment=declined(payment_id=f"pi_{number}"), questions=[QUESTION_FRAUD, QUESTION_RETRY])
        for number in range(size)
    ]
    return AssessRequest(items=items)


@pytest.mark.parametrize("size", [1, SLICE, SLICE + 1, 3 * SLICE - 1, 500])
async def test_a_batch_is_answered_whole_and_in_order(size: int) -> None:
    watched = Watched()
    response = await Desk(lambda: Serving(watched), CLOCK).assess(batch(size))
    assert [each.payment_id for each in response.assessments] == [f"pi_{number}" for number in range(size)]
    assert sum(watched.given) == size
    assert max(watched.given) <= SLICE


async def test_a_cancelled_batch_stops_working() -> None:
    watched = Watched()
    answering = asyncio.create_task(Desk(lambda: Serving(watched), CLOCK).assess(batch(500)))
    await asyncio.sleep(0)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert sum(watched.given) < 500


async def test_a_batch_lets_others_have_their_turn() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    await Desk(lambda: Serving(Watched()), CLOCK).assess(batch(500))
    waiting.cancel()
    assert turns >= 500 / SLICE - 1


async def test_every_answer_is_counted_by_question_and_fallback() -> None:
    def counted(question: str) -> float:
        labels = {"question": question, "model": f"{question}-rules", "fallback": "true", "cause": "no_model"}
        return REGISTRY.get_sample_value("tidegate_predictions_total", labels) or 0

    before = {question: counted(question) for question in ("fraud", "retry", "churn")}
    await Desk(by_rules, CLOCK).assess(batch(45))
    grown = {question: counted(question) - before[question] for question in before}
    assert grown == {"fraud": 45, "retry": 45, "churn": 0}
