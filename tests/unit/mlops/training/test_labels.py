"""What is trained on at a moment depends on nothing that came to be known after it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mlops.training.attempts import COLD_SHARE, WARM_UP_DAYS, Attempts, Split, with_few_cold
from mlops.training.dataset import Dataset
from mlops.training.fraud.connected import table
from mlops.training.fraud.truth import DAY_US
from mlops.training.labels import Bools, DelayedLabels, Ints
from tests.fakes.models import trained

DAYS, TEST_DAYS, DELAY_DAYS, A_DAY = 200, 40, 20, 12
NEVER = np.iinfo(np.int64).max
SPLIT_DAY = DAYS - DELAY_DAYS - TEST_DAYS


def attempts(seed: int = 1) -> Attempts:
    """Return attempts of 200 days; a third of the frauds is disputed, up to 60 days later."""
    random = np.random.default_rng(seed)
    rows = DAYS * A_DAY
    occurred = np.sort(random.integers(0, DAYS * DAY_US, rows))
    fraud = random.random(rows) < 0.1
    disputed = occurred + random.integers(0, 60 * DAY_US, rows)
    known = np.where(random.random(rows) < 0.3, disputed, occurred + DELAY_DAYS * DAY_US)
    values = Dataset.of_columns(
        {"amount": random.random(rows)},
        label=fraud,
        seconds=occurred // 1_000_000,
        card=np.arange(rows),
        amount_cents=random.integers(1, 100, rows),
        asked=random.random(rows) < 0.8,
    )
    table = pa.table({"currency": ["USD"] * rows, "merchant_id": ["m"] * rows, "recurring": [0.0] * rows})
    labels = DelayedLabels(occurred, fraud, known, DELAY_DAYS * DAY_US)
    return Attempts(table, labels, values, DAYS * DAY_US, ("currency", "merchant_id", "recurring"))


def split(of: Attempts) -> Split:
    return of.split(test_days=TEST_DAYS)


def with_labels(of: Attempts, *, label: Bools, known_us: Ints) -> Attempts:
    labels = replace(of.labels, label=label, known_us=known_us)
    return replace(of, labels=labels, values=replace(of.values, label=label))


def test_a_label_that_comes_to_be_known_later_changes_nothing_that_is_trained_on() -> None:
    of = attempts()
    labels, at = of.labels, SPLIT_DAY * DAY_US
    not_known = (labels.known_us > at) | (labels.occurred_us + labels.delay_us > at)
    assert (labels.label & not_known & (labels.occurred_us < at)).sum() > 20, "there is something to leak"
    flipped = with_labels(
        of,
        label=labels.label ^ not_known,
        known_us=np.where(not_known, np.maximum(labels.known_us, at + 1), labels.known_us),
    )
    assert split(flipped).trained.fingerprint() == split(of).trained.fingerprint()
    assert split(flipped).tested.fingerprint() != split(of).tested.fingerprint()


def test_a_label_that_was_known_in_time_is_trained_on() -> None:
    of = attempts()
    early = of.labels.occurred_us + of.labels.delay_us <= SPLIT_DAY * DAY_US
    flipped = with_labels(of, label=of.labels.label ^ early, known_us=np.where(early, 0, of.labels.known_us))
    assert split(flipped).trained.fingerprint() != split(of).trained.fingerprint()


def test_a_fraud_that_is_disputed_after_the_split_is_honest_for_training() -> None:
    of = attempts()
    late = of.labels.label & (of.labels.known_us > SPLIT_DAY * DAY_US)
    settled = of.labels.settled(SPLIT_DAY * DAY_US)
    assert (late & settled).any()
    assert not of.labels.as_of(SPLIT_DAY * DAY_US)[late].any()


def test_training_stops_a_delay_before_the_tested_days_and_those_a_delay_before_now() -> None:
    parts = split(attempts())
    assert parts.trained.seconds.max() < (SPLIT_DAY - DELAY_DAYS) * 86_400
    assert parts.trained.seconds.min() >= 30 * 86_400
    assert parts.tested.seconds.min() >= SPLIT_DAY * 86_400
    assert parts.tested.seconds.max() < (DAYS - DELAY_DAYS) * 86_400
    assert parts.tested.asked.all()
    assert not parts.trained.asked.all(), "failed attempts are learned from"
    assert all(len(part) == len(parts.tested) for part in parts.segments.values())


def test_what_happens_after_the_split_changes_nothing_that_is_trained_on() -> None:
    of = attempts()
    later = of.labels.occurred_us >= SPLIT_DAY * DAY_US
    changed = replace(of, values=replace(of.values, values=np.where(later[:, None], -1.0, of.values.values)))
    assert split(changed).trained.fingerprint() == split(of).trained.fingerprint()


def test_a_history_that_is_too_short_says_so() -> None:
    with pytest.raises(ValueError, match="too short"):
        attempts().split(now_us=60 * DAY_US)


def test_a_short_history_is_judged_on_as_many_days_as_it_learns_from() -> None:
    parts = attempts().split(now_us=100 * DAY_US)
    days = [each.seconds // 86_400 for each in (parts.trained, parts.tested)]
    assert (int(days[0].min()), int(days[0].max())) == (30, 44)
    assert (int(days[1].min()), int(days[1].max())) == (65, 79)


def test_of_a_short_history_few_rows_are_learned_from_whose_past_is_not_known() -> None:
    trained = attempts().split(now_us=100 * DAY_US, warm_up_days=0).trained
    cold = trained.seconds < WARM_UP_DAYS * 86_400
    assert int(trained.seconds.min()) // 86_400 == 0
    assert 0.9 * COLD_SHARE < cold.mean() <= COLD_SHARE


def test_of_a_history_that_is_all_first_days_nothing_is_learned() -> None:
    assert not with_few_cold(np.ones(10, dtype=np.bool_)).any()
    assert with_few_cold(np.zeros(10, dtype=np.bool_)).all()


def test_the_first_days_are_trained_on_only_where_asked() -> None:
    of = attempts()
    first_us = int(of.labels.occurred_us[0])
    warm = split(of).trained
    all_of_it = of.split(test_days=TEST_DAYS, warm_up_days=0).trained
    assert warm.seconds.min() >= first_us // 1_000_000 // 86_400 * 86_400 + WARM_UP_DAYS * 86_400
    assert all_of_it.seconds.min() == first_us // 1_000_000
    assert all_of_it.seconds.max() == warm.seconds.max()


def test_the_table_of_a_young_platform_tells_honest_from_fraud_by_day() -> None:
    of = attempts()
    everybody, nobody = (trained(features=of.values.features, thresholds={"review": at}) for at in (0.0, 1.1))
    *_, line = table({"all": everybody, "none": nobody}, of, (0, 100))
    rows = of.values.asked & ((of.labels.occurred_us - of.labels.occurred_us[0]) // DAY_US < 100)
    frauds = int((rows & of.labels.label).sum())
    assert line.split() == [
        "0",
        "to",
        "100",
        f"{rows.sum() - frauds:,}",
        f"{frauds:,}",
        "100.0%",
        "100.0%",
        "0.0%",
        "0.0%",
    ]
