"""What came of answers: nothing is concluded early, and what cannot be known is counted."""

import pytest

from mlops.monitoring.performance import DAY_US, After, Answers, Known, performance, settled_events
from mlops.monitoring.predictions import Prediction, Served, day_of
from mlops.monitoring.rows import PerformanceRow
from mlops.monitoring.thresholds import State, thresholds_of

LIMITS = thresholds_of().calibration
PAID_US = 20_000 * DAY_US
THRESHOLDS = {("fraud", "3"): {"review": 0.02, "decline": 0.8}}


def answered(number: int, score: float, question: str = "fraud", **changes: object) -> Prediction:
    fields = {
        "served": Served(question, "3", day_of(PAID_US)),
        "question": question,
        "event_id": f"stripe:evt_{number}",
        "payment_id": f"stripe:pi_{number}",
        "score": score,
        "names": (),
        "values": (),
        "stale": (),
        "used": True,
        "fallback": False,
        "occurred_us": PAID_US,
        "predicted_us": PAID_US,
    }
    return Prediction(**{**fields, **changes})  # type: ignore[arg-type]  # changes by name


def judged(predictions: list[Prediction], known: Known, after_days: int) -> PerformanceRow:
    answers = Answers()
    for each in predictions:
        answers.add(each)
    now_us = PAID_US + after_days * DAY_US
    asked = settled_events(answers.answers, now_us)
    by_question = {
        question: {event_id: known[event_id] for event_id in events if event_id in known}
        for question, events in asked.items()
    }
    (row,) = performance(answers.answers, by_question, THRESHOLDS, LIMITS, now_us)
    return row


def disputed(day: int) -> After:
    return After(PAID_US + day * DAY_US, succeeded=True)


def test_nothing_is_concluded_before_the_delay_is_over_not_even_of_what_is_disputed_already() -> None:
    row = judged([answered(1, 0.9), answered(2, 0.1)], {"stripe:evt_1": disputed(3), "stripe:evt_2": None}, 29)
    assert (row.predictions, row.pending, row.settled, row.happened) == (2, 2, 0, 0)
    assert (row.brier, row.average_precision, row.said_to_happened) == (None, None, None)
    assert row.state is State.UNKNOWN


@pytest.mark.parametrize(
    ("question", "failed", "judged_by"), [("fraud", 1.0, False), ("fraud", 0.0, True), ("churn", 1.0, True)]
)
def test_fraud_is_judged_by_payments_that_were_collected(question: str, failed: float, *, judged_by: bool) -> None:
    each = answered(1, 0.5, question, names=("payment:amount_usd", "payment:failed"), values=(20.0, failed))
    assert each.is_of_the_judged is judged_by


def test_after_the_delay_figures_are_made() -> None:
    known = {"stripe:evt_1": disputed(3), "stripe:evt_2": None, "stripe:evt_3": None}
    row = judged([answered(1, 0.9), answered(2, 0.1), answered(3, 0.85)], known, 30)
    assert (row.pending, row.settled, row.happened) == (0, 3, 1)
    assert row.said == pytest.approx(1.85)
    assert (row.average_precision, row.roc_auc) == (1.0, 1.0)
    assert row.brier == pytest.approx((0.01 + 0.01 + 0.7225) / 3)
    assert (row.threshold_name, row.flagged, row.precision_at_threshold) == ("decline", 2, 0.5)


def test_a_dispute_after_the_delay_is_none() -> None:
    assert judged([answered(1, 0.9)], {"stripe:evt_1": disputed(31)}, 60).happened == 0


def test_an_event_that_is_not_stored_is_unobserved() -> None:
    row = judged([answered(1, 0.9), answered(2, 0.9, event_id=None)], {}, 60)
    assert (row.unobserved, row.settled) == (2, 0)


def test_of_one_payment_the_first_answer_counts_once() -> None:
    again = answered(7, 0.2, payment_id="stripe:pi_1")
    row = judged([answered(1, 0.9), again, answered(1, 0.9)], {"stripe:evt_1": disputed(3)}, 60)
    assert (row.predictions, row.said) == (1, 0.9)


def test_rules_and_answers_without_a_probability_or_a_label_are_left_out() -> None:
    answers = Answers()
    answers.add(answered(1, 0.0, "retry"))
    answers.add(answered(1, 0.9, fallback=True))
    answers.add(answered(1, 0.9, "recovery"))
    assert answers.answers == []


@pytest.mark.parametrize(
    ("after", "figures"),
    [
        (After(PAID_US + DAY_US, succeeded=True), (1, 0, 1)),
        (After(PAID_US + DAY_US, succeeded=False), (1, 0, 0)),
        (After(PAID_US + 15 * DAY_US, succeeded=True), (0, 1, 0)),
        (None, (0, 1, 0)),
    ],
)
def test_a_retry_is_judged_by_the_next_attempt_and_not_at_all_without_one(
    after: After | None, figures: tuple[int, int, int]
) -> None:
    row = judged([answered(1, 0.5, "retry")], {"stripe:evt_1": after}, 14)
    assert (row.settled, row.unobserved, row.happened) == figures


@pytest.mark.parametrize(("after", "happened"), [(None, 1), (disputed(44), 0), (disputed(46), 1)])
def test_a_customer_has_left_who_pays_no_more_for_a_month_and_its_retries(after: After | None, happened: int) -> None:
    assert judged([answered(1, 0.5, "churn")], {"stripe:evt_1": after}, 60).happened == happened


@pytest.mark.parametrize(
    ("score", "happened", "state"),
    [(0.2, 20, State.OK), (0.4, 20, State.WATCH), (0.9, 20, State.ALERT), (0.05, 20, State.ALERT),
     (0.2, 0, State.ALERT), (0.05, 5, State.UNKNOWN)],
)  # fmt: skip
def test_what_was_said_is_held_against_what_happened(score: float, happened: int, state: State) -> None:
    known = {f"stripe:evt_{number}": disputed(1) if number < happened else None for number in range(100)}
    assert judged([answered(number, score) for number in range(100)], known, 30).state is state
