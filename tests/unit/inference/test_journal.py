"""The prediction log: what it tells, the challenger beside the champion, and that it is in nobody's way."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanResponse

from mlops.features.facts import asked_fact, entity_keys
from mlops.features.online import Stored
from services.inference.adapters.lightgbm_model import LightGbmModel
from services.inference.features import features_of
from services.inference.journal import Journal, Told, logged
from services.inference.predictors.models.served import ServedModel
from services.inference.serving import CHALLENGER, CHAMPION, Alias, QuestionName, Serving, fit, serving_by
from services.runtime.contract import broken_rules
from tests.fakes import models
from tests.unit.inference.contexts import AT, OCCURRED, TABLES, payment


class Kept:
    """A Sink in memory."""

    def __init__(self) -> None:
        self.messages: list[PredictionLogged] = []
        self.written = asyncio.Event()

    async def write(self, messages: Sequence[PredictionLogged]) -> int:
        """Keep all."""
        self.messages += messages
        self.written.set()
        return len(messages)


def serving(folder: Path, *, challenger: bool = False) -> Serving:
    champion = LightGbmModel(models.folder(folder / "1", always=0.2), name="fraud", version="1", alias="champion")
    served: dict[tuple[QuestionName, Alias], ServedModel] = {("fraud", CHAMPION): fit("fraud", champion)}
    if challenger:
        beside = LightGbmModel(models.folder(folder / "2", always=0.6), name="fraud", version="2", alias="challenger")
        served["fraud", CHALLENGER] = fit("fraud", beside)
    return serving_by(TABLES)(served)


def told(by: Serving) -> Told:
    asked = payment(event_id="stripe:evt_1")
    fact = asked_fact(asked, OCCURRED * 1_000_000)
    features = features_of(fact, {(entity, key): Stored() for entity, key in entity_keys(fact).items()})
    (answer,) = by.handler.score([asked], AT, [features])
    return Told("fraud", by, asked, features, answer)


def test_an_answer_is_told_with_the_vector_that_was_served(tmp_path: Path) -> None:
    (message,) = logged(told(serving(tmp_path)))
    assert (message.model_version, message.shadow, message.event_id) == ("1", False, "stripe:evt_1")
    assert message.score == pytest.approx(0.2)
    values = {feature.name: feature.value for feature in message.features if feature.HasField("value")}
    assert values["payment:amount_usd"] == pytest.approx(20.0)
    assert {feature.name for feature in message.features if feature.missing} >= {"card_stats:card_attempts_1h"}
    assert broken_rules(message) == ()


def test_the_challenger_is_told_beside_and_changes_no_answer(tmp_path: Path) -> None:
    champion, shadow = logged(told(serving(tmp_path, challenger=True)))
    assert (champion.shadow, shadow.shadow) == (False, True)
    assert [champion.score, shadow.score] == pytest.approx([0.2, 0.6])
    assert (shadow.model_version, shadow.model_alias) == ("2", "challenger")
    assert broken_rules(shadow) == ()


async def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    sink = Kept()
    journal = Journal(sink)
    by = serving(tmp_path)
    for _ in range(120):
        journal.note(told(by))
    await journal.drain()
    assert len(sink.messages) == 120


async def test_what_does_not_fit_is_dropped_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    sink = Kept()
    journal = Journal(sink, most_waiting=3)
    by = serving(tmp_path)
    for _ in range(10):
        journal.note(told(by))
    await journal.drain()
    assert len(sink.messages) == 3


async def test_what_cannot_be_told_does_not_end_the_log(tmp_path: Path) -> None:
    sink = Kept()
    journal = Journal(sink)
    good = told(serving(tmp_path))
    journal.note(good._replace(answer=RecommendPlanResponse()))
    journal.note(good)
    running = asyncio.create_task(journal.run())
    try:
        async with asyncio.timeout(5):
            await sink.written.wait()
    finally:
        running.cancel()
    assert [message.model_version for message in sink.messages] == ["1"]
