"""A replay asks what the workflow asked, with what was known then, and its answers are the served desk's."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from tidegate.inference.v1.assessment_service_pb2 import Assessment, AssessRequest
from tidegate.inference.v1.payment_context_pb2 import FallbackCause
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import Outcome, entity_keys, microseconds, payment_fact, score_fact
from mlops.features.online import NOTHING, Stored, advanced
from mlops.features.windows import DAY_US, HOUR_US
from services.inference.adapters.desk import Desk
from services.inference.adapters.lightgbm_model import LightGbmModel
from services.inference.features import EntityKey, Found
from services.inference.replay.diff import difference
from services.inference.replay.past import Asked, Past, Told, Window
from services.inference.serving import CHAMPION, Serving, fit, serving_by
from services.runtime.clock import FrozenClock
from tests.fakes import models
from tests.fakes.feature_messages import as_published as published
from tests.fakes.feature_messages import event, message
from tests.fakes.storage import FakeAttempts
from tests.unit.inference.contexts import TABLES
from tests.unit.mlops.features.histories import START_US, fact, history
from workflows.payment_event.questions import asks_for_retries, assessment_item, with_attempts

WHOLE = Window(0, 1 << 62)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Serving:
    return serving(models.folder(tmp_path_factory.mktemp("model")), "3")


def serving(folder: Path, version: str) -> Serving:
    model = LightGbmModel(folder, name="fraud", version=version, alias=CHAMPION)
    return serving_by(TABLES)({("fraud", CHAMPION): fit("fraud", model)})


def told(seed: int, payments: int = 40) -> Sequence[Told]:
    return [message(each) for each in published(history(seed, payments))]


def asked(past: Sequence[Told], serving: Serving, window: Window = WHOLE) -> Sequence[Asked]:
    return list(Past(window, serving.looks_up).questions(past))


class Store:
    """A FeatureReader over what was applied so far, as the stream of features applies it."""

    def __init__(self) -> None:
        self._held: dict[EntityKey, Stored] = {}

    async def read(self, keys: Sequence[EntityKey], time_left: float | None = None) -> "Found | FallbackCause":
        return {key: self._held.get(key, NOTHING) for key in keys}

    def take(self, told: Told) -> None:
        stated = payment_fact(told) if isinstance(told, UnifiedPaymentEvent) else score_fact(told)
        assert stated is not None
        for key in entity_keys(stated).items():
            self._held[key] = advanced(self._held.get(key, NOTHING), key[0], stated)


async def by_desk(past: Sequence[Told], serving: Serving) -> Mapping[str, Assessment]:
    """What the process that serves answers, asked step by step as the workflow asks."""
    clock, store, known = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC)), Store(), FakeAttempts()
    desk = Desk(lambda: serving, clock, store)
    answers: dict[str, Assessment] = {}
    for each in past:
        if isinstance(each, UnifiedPaymentEvent):
            item = assessment_item(each)
            if item is not None and each.event_id not in answers:
                if asks_for_retries(item):
                    (earlier,) = await known.before([each])
                    item = with_attempts(item, earlier)
                clock.at = each.processed_at.ToDatetime(UTC)
                answers[each.event_id] = (await desk.assess(AssessRequest(items=[item]))).assessments[0]
            known.events.append(each)
        store.take(each)
    return answers


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_answer_is_the_one_that_the_served_desk_gives(seed: int, served: Serving) -> None:
    past = told(seed)
    expected = await by_desk(past, served)
    found = {
        each.event.event_id: served.handler.assess([each.item], each.at, [each.features]).assessments[0]
        for each in asked(past, served)
    }
    assert found == expected
    assert any(answer.fraud.provenance.model_name == "fraud" for answer in found.values())
    assert any(answer.HasField("retry") for answer in found.values())


def test_a_window_changes_which_events_are_asked_about_and_no_answer(served: Serving) -> None:
    past = told(3)
    middle = Window(START_US + 40 * DAY_US, START_US + 80 * DAY_US)
    whole = {each.event.event_id: each for each in asked(past, served)}
    within = asked(past, served, middle)
    assert {each.event.event_id: each for each in within}.items() <= whole.items()
    assert 0 < len(within) < len(whole)
    assert all(middle.has(microseconds(each.event.processed_at)) for each in within)


def test_an_event_that_comes_again_is_not_decided_again(served: Serving) -> None:
    past = Past(WHOLE, served.looks_up)
    paid = event(fact(1))
    assert len(list(past.questions([paid, paid]))) == 1
    assert (past.counts.within, past.counts.duplicates) == (1, 1)


def test_an_event_that_came_before_the_window_is_not_decided_in_it(served: Serving) -> None:
    early, again = (event(fact(1, at_us=START_US, arrived_us=START_US + each * HOUR_US)) for each in (0, 2))
    past = Past(Window(START_US + HOUR_US, 1 << 62), served.looks_up)
    assert not list(past.questions([early, again]))


def test_a_retry_is_asked_about_with_the_attempts_before_it(served: Serving) -> None:
    failures = [
        event(fact(number, at_us=START_US + number * HOUR_US, payment="stripe:pi_1", outcome=Outcome.FAILED))
        for number in range(3)
    ]
    counted = [len(each.item.payment.previous_attempts) for each in asked(failures, served)]
    assert counted == [0, 1, 2]


def test_nothing_is_looked_up_where_rules_answer() -> None:
    rules = serving_by(TABLES)({})
    assert all(each.features.vectors is None for each in asked(told(1), rules))


def test_two_equal_versions_flip_nothing(tmp_path: Path, served: Serving) -> None:
    same = serving(models.folder(tmp_path), "4")
    past = asked(told(4), served)
    found = difference(past, served, same)
    assert found.questions["fraud"].asked > 20
    assert found.questions["fraud"].by_models == found.questions["fraud"].asked
    assert not any(each.flipped or each.moved for each in found.questions.values())


def test_fraud_of_a_payment_that_failed_holds_no_money(served: Serving) -> None:
    questions = asked(told(5), served)
    collected = sum(each.event.event_type == "payment.succeeded" for each in questions)
    assert len(questions) > collected
    assert difference(questions, served, served).questions["fraud"].asked == collected


def test_versions_that_differ_flip_what_they_decide_otherwise(tmp_path: Path) -> None:
    always = partial(models.folder, features=models.FEATURES)
    lenient, strict = (
        serving(always(tmp_path / name, always=probability), name) for name, probability in (("1", 0.01), ("2", 0.5))
    )
    found = difference(asked(told(5), lenient), lenient, strict).questions["fraud"]
    assert found.flipped == found.asked == found.by_models_flipped
    assert set(found.flips) == {("allow", "review")}
    assert found.shifts[-2] == found.asked, "by 0.49"
    assert {by for by, _ in found.before} == {"fraud 1"}


def test_scores_after_an_event_do_not_bear_on_it(served: Serving) -> None:
    """They are facts of their own time, merged by arrival."""
    paid = fact(1, fraud_score=0.9)
    later = fact(2, at_us=START_US + HOUR_US)
    first, second = asked([*map(message, published([paid])), event(later)], served)
    assert list(_scores(first, second)) == [None, 0.9]


def _scores(*each: Asked) -> Iterator[float | None]:
    for one in each:
        assert one.features.vectors is not None
        (score,) = (
            view.values["fraud_score_max_30d"]
            for view in one.features.vectors.values()
            if "fraud_score_max_30d" in view.values
        )
        yield score
