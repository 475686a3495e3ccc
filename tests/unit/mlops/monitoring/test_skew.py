"""The job finds skew where there is some, only there, and takes no race for it."""

from collections import Counter
from collections.abc import Iterable

import pytest
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_FEATURES_STALE
from tidegate.inference.v1.prediction_logged_pb2 import LoggedFeature, PredictionLogged

from mlops.features.facts import Outcome
from mlops.features.payment import context_features
from mlops.features.windows import DAY_US, SECOND_US
from mlops.monitoring.predictions import Served
from mlops.monitoring.report import skew_rows, told_of_skew
from mlops.monitoring.skew import SKEWED, FeatureSkew, Kind, Reason, Skew
from mlops.monitoring.thresholds import State, thresholds_of
from mlops.registry.retry.inputs import DECLINE, situation
from tests.fakes.feature_messages import as_published
from tests.fakes.times import NOW
from tests.unit.mlops.features.histories import START_US, fact, history
from tests.unit.mlops.monitoring.serving import LAG_US, Platform, arrivals_of, feature
from workflows.payment_event.questions import payment_context

THRESHOLDS = thresholds_of()


def platform(seed: int = 1) -> Platform:
    return Platform(arrivals_of(list(as_published(history(seed)))))


def kinds(found: Skew) -> Counter[Kind]:
    return sum((each.kinds for each in found.by_feature.values()), Counter())


def reasons(found: Skew) -> Counter[Reason]:
    return sum((each.left_out for each in found.by_feature.values()), Counter())


def skewed(found: Skew) -> dict[str, FeatureSkew]:
    return {name: each for (_, name), each in found.by_feature.items() if any(each.kinds[kind] for kind in SKEWED)}


@pytest.mark.parametrize("seed", range(4))
def test_what_is_served_from_a_store_that_is_level_is_equal(seed: int) -> None:
    world = platform(seed)
    log = [world.logged(index) for index in world.asked()]
    found = world.skew(log)
    assert kinds(found) == {Kind.EQUAL: sum(len(each.features) for each in log)}
    assert len(log) > 60


@pytest.mark.parametrize("seed", range(4))
def test_one_feature_that_is_falsified_is_found_and_nothing_else(seed: int) -> None:
    world = platform(seed)
    log = [world.logged(index) for index in world.asked()]
    wrong = log[5::9]
    for each in wrong:
        feature(each, "failed_payments_7d").value += 17
    found = world.skew(log)
    assert list(skewed(found)) == ["customer_stats:failed_payments_7d"]
    examples = [each for day in found.by_feature.values() for each in day.examples]
    assert sorted(examples) == sorted(each.event_id for each in wrong)
    assert sum(kinds(found)[kind] for kind in SKEWED) == len(wrong)


def bursts() -> Platform:
    """One customer's attempts, a second apart, and a quiet hour before the last."""
    seconds = (*range(8), 3600)
    outcomes = (Outcome.FAILED, Outcome.SUCCEEDED)
    facts = [
        fact(n, at_us=START_US + s * SECOND_US, arrived_us=START_US + s * SECOND_US, outcome=outcomes[n % 2])
        for n, s in enumerate(seconds)
    ]
    return Platform(arrivals_of(facts))


def test_a_store_that_had_not_come_to_the_latest_is_a_race() -> None:
    found = bursts().skew([bursts().logged(7, applied=5)])
    assert kinds(found)[Kind.BEHIND] > 5
    assert skewed(found) == {}


def test_a_store_that_lacked_what_it_must_have_had_long_ago_is_skew() -> None:
    found = bursts().skew([bursts().logged(8, applied=5)])
    assert "customer_stats:total_payments_24h" in skewed(found)
    assert kinds(found)[Kind.BEHIND] == 0


def test_what_came_between_the_event_and_the_answer_is_a_race() -> None:
    late = fact(90, at_us=START_US - DAY_US, arrived_us=START_US + 8 * SECOND_US)
    world = bursts()
    world.arrivals.insert(8, arrivals_of([late])[0])
    answered_us = START_US + 9 * SECOND_US
    found = world.skew([world.logged(7, applied=9, predicted_us=answered_us)])
    assert kinds(found)[Kind.AHEAD] > 5
    assert skewed(found) == {}


def test_what_came_after_the_answer_explains_nothing() -> None:
    late = fact(90, at_us=START_US - DAY_US, arrived_us=START_US + 30 * SECOND_US)
    world = bursts()
    world.arrivals.insert(8, arrivals_of([late])[0])
    found = world.skew([world.logged(7, applied=9)])
    assert kinds(found)[Kind.AHEAD] == 0
    assert "customer_stats:total_payments_30d" in skewed(found)


def test_a_falsified_value_beside_a_race_is_still_skew() -> None:
    log = bursts().logged(7, applied=5)
    feature(log, "amount_max_30d").value += 1
    found = bursts().skew([log])
    assert list(skewed(found)) == ["customer_stats:amount_max_30d"]
    assert kinds(found)[Kind.BEHIND] > 5


def test_a_value_that_an_older_state_would_give_is_skew_where_the_others_are_of_the_newest() -> None:
    log = bursts().logged(7)
    feature(log, "total_payments_24h").value -= 1
    assert list(skewed(bursts().skew([log]))) == ["customer_stats:total_payments_24h"]


@pytest.mark.parametrize(
    ("scored_before_us", "kind"), [(SECOND_US, Kind.BEHIND), (60 * SECOND_US, Kind.MISSING_ONLINE)]
)
def test_a_score_that_the_other_stream_brought_late_is_a_race_as_long_as_the_store_may_lag(
    scored_before_us: int, kind: Kind
) -> None:
    first = fact(1, at_us=START_US, arrived_us=START_US)
    score = fact(1, at_us=START_US, fraud_score=0.5, arrived_us=START_US + DAY_US - scored_before_us)
    asked = fact(2, at_us=START_US + DAY_US, arrived_us=START_US + DAY_US)
    facts = [first, *list(as_published([score]))[1:], asked]
    world = Platform(arrivals_of(facts))
    log = world.logged(2)
    for name in ("fraud_score_avg_30d", "fraud_score_max_30d"):
        assert feature(log, name).value == 0.5
        feature(log, name).ClearField("value")
    assert kinds(world.skew([log]))[kind] == 2


def test_a_value_that_only_one_side_has_is_missing_on_the_other() -> None:
    log = bursts().logged(8)
    feature(log, "total_payments_24h").ClearField("value")
    feature(log, "fraud_score_avg_30d").value = 0.5
    found = skewed(bursts().skew([log]))
    assert found["customer_stats:total_payments_24h"].kinds == {Kind.MISSING_ONLINE: 1}
    assert found["customer_stats:fraud_score_avg_30d"].kinds == {Kind.MISSING_OFFLINE: 1}
    assert [each.largest_difference for each in found.values()] == [None, None]


def test_what_the_payment_shows_by_itself_is_compared_too() -> None:
    log = bursts().logged(3)
    feature(log, "amount_usd").value += 2.5
    ((name, found),) = skewed(bursts().skew([log])).items()
    assert name == "payment:amount_usd"
    assert found.largest_difference == 2.5


def test_what_the_event_says_of_a_decline_is_compared_and_what_the_model_chose_is_not() -> None:
    log = bursts().logged(6)
    event = bursts().arrivals[6].event
    assert event is not None
    assert event.event_type == "payment.failed"
    told = situation(event, [event.provider_created_at.seconds], context_features(payment_context(event)), {})
    log.features.extend(LoggedFeature(name=f"payment:{name}", value=told.value(name)) for name in DECLINE)
    log.features.append(LoggedFeature(name="payment:wait_hours", value=24))
    found = {name: each for (_, name), each in bursts().skew([log]).by_feature.items()}
    assert found["payment:failure_code"].kinds == found["payment:card_brand"].kinds == {Kind.EQUAL: 1}
    assert found["payment:attempts_so_far"].left_out == {Reason.NO_OFFLINE_VALUE: 1}
    assert found["payment:wait_hours"].left_out == {Reason.NO_OFFLINE_VALUE: 1}


def test_rounding_is_told_apart_from_equality() -> None:
    log = bursts().logged(3)
    feature(log, "amount_usd").value *= 1 + 1e-12
    assert kinds(bursts().skew([log]))[Kind.CLOSE] == 1


def changed(logs: Iterable[PredictionLogged], **fields: object) -> list[PredictionLogged]:
    made = []
    for log in logs:
        copy = PredictionLogged()
        copy.CopyFrom(log)
        for name, value in fields.items():
            copy.ClearField(name) if value is None else setattr(copy, name, value)
        made.append(copy)
    return made


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event_id": None}, Reason.NO_EVENT_ID),
        ({"event_id": "stripe:evt_gone"}, Reason.EVENT_NOT_IN_TOPIC),
        ({"fallback": True, "fallback_cause": FALLBACK_CAUSE_FEATURES_STALE}, Reason.RULES_ANSWERED),
    ],
)
def test_what_cannot_be_compared_says_why(fields: dict[str, object], reason: Reason) -> None:
    (log,) = changed([bursts().logged(3)], **fields)
    found = bursts().skew([log])
    assert kinds(found).total() == 0
    assert reasons(found) == {reason: len(log.features)}


def test_stale_values_are_counted() -> None:
    (log,) = changed([bursts().logged(3)], fallback=True, fallback_cause=FALLBACK_CAUSE_FEATURES_STALE)
    feature(log, "total_payments_24h").stale = True
    found = {name: each.stale for (_, name), each in bursts().skew([log]).by_feature.items() if each.stale}
    assert found == {"customer_stats:total_payments_24h": 1}


def test_rows_add_up_and_are_the_same_each_time() -> None:
    world = platform()
    log = [world.logged(index) for index in world.asked()]
    feature(log[3], "amount_usd").value += 1
    rows = skew_rows(world.skew(log).by_feature, THRESHOLDS)
    assert rows == skew_rows(world.skew(log).by_feature, THRESHOLDS)
    assert len({(row.model_name, row.model_version, row.day, row.feature) for row in rows}) == len(rows)
    assert all(row.compared == sum(getattr(row, kind.value) for kind in Kind) for row in rows)
    told = told_of_skew(rows, len(log))
    assert told.state is State.ALERT
    assert told.summary.startswith(f"skew: alert; {len(log)} predictions")
    assert [line for line in told.findings if "payment:amount_usd: 0 missing online" in line]


def test_nothing_compared_is_nothing_known() -> None:
    rows = skew_rows(bursts().skew(changed([bursts().logged(3)], event_id=None)).by_feature, THRESHOLDS)
    assert {row.state for row in rows} == {State.UNKNOWN}
    assert told_of_skew(rows, 1).state is State.UNKNOWN


def test_many_values_behind_the_stream_are_to_be_watched() -> None:
    rows = skew_rows(bursts().skew([bursts().logged(7, applied=5)]).by_feature, THRESHOLDS)
    late = {row.feature: row.state for row in rows if row.behind}
    assert late
    assert set(late.values()) == {State.ALERT}
    assert THRESHOLDS.race.seconds * SECOND_US == LAG_US


@pytest.mark.parametrize(("ahead", "state"), [(5, State.OK), (6, State.WATCH), (10, State.WATCH)])
def test_where_most_answers_know_more_than_their_event_somebody_should_look(ahead: int, state: State) -> None:
    found = FeatureSkew(Counter({Kind.AHEAD: ahead, Kind.EQUAL: 10 - ahead}))
    (row,) = skew_rows({(Served("fraud", "1", NOW.date()), "merchant_stats:total_payments_24h"): found}, THRESHOLDS)
    assert row.state is state
    told = told_of_skew([row], 10)
    assert any(f"{ahead} ahead" in finding for finding in told.findings) is (state is State.WATCH)
