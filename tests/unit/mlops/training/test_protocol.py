"""The Handbook's protocol: what is known when, and whose payments count."""

import numpy as np
import pytest

from mlops.training.fraud import protocol
from mlops.training.fraud.features import DAY, Payments

TEST_START = 30


def history(rows: list[tuple[int, int, bool]]) -> Payments:
    """Return payments: day, customer, fraud."""
    day, customer, fraud = (np.array(column) for column in zip(*sorted(rows), strict=True))
    zero = np.zeros(len(day), dtype=np.int64)
    return Payments(day.astype(np.int64) * DAY, zero, customer.astype(np.int64), zero, zero, fraud.astype(bool))


def counted(fraud_day: int, test_day: int) -> bool:
    """Whether a card's payment on a test day counts, given that the card had a fraud on another day."""
    of = history([(fraud_day, 1, True), (test_day, 1, False)])
    return bool(protocol.test_week(protocol.days(of), of, TEST_START)[-1])


@pytest.mark.parametrize(
    ("fraud_day", "test_day", "counts"),
    [
        (15, 30, True),  # before the training week: the Handbook does not know it any more
        (16, 30, False),  # first day of the training week
        (22, 30, False),  # last day of it
        (23, 30, True),  # a week ago: not known yet
        (23, 31, False),  # a day later it is
        (28, 36, False),
        (29, 36, True),
    ],
)
def test_a_card_is_out_once_its_fraud_is_known(fraud_day: int, test_day: int, *, counts: bool) -> None:
    assert counted(fraud_day, test_day) is counts


def test_only_the_test_week_counts() -> None:
    of = history([(day, 1, False) for day in range(25, 45)])
    day = protocol.days(of)
    assert day[protocol.test_week(day, of, TEST_START)].tolist() == list(range(30, 37))


def test_labels_of_the_week_before_are_not_trained_on() -> None:
    assert protocol.trainable(np.array([21, 22, 23, 30]), TEST_START).tolist() == [True, True, False, False]


def test_rows_asked_about_are_those_of_cards_without_a_fraud_in_the_week_that_is_known() -> None:
    of = history([(0, 1, True), *((day, 1, False) for day in range(1, 20))])
    assert (~protocol.asked(protocol.days(of), of)).nonzero()[0].tolist() == list(range(8, 15))
