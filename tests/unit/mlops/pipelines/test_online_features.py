"""What the stream wrote stays: the lake fills in what the online store has nothing of, and says where they differ."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlops.features.catalog import Entity
from mlops.features.online import NOTHING, Stored
from mlops.features.state import State, empty
from mlops.features.transform import apply
from mlops.pipelines.lib.online_features import Standing, standing
from tests.unit.mlops.features.histories import fact

NOON_US = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
HOUR_US = 3_600_000_000


def state(*hours: int, amount_cents: int = 1_000) -> State:
    """Of a customer who paid at these hours after noon."""
    found = empty(Entity.CUSTOMER)
    for hour in hours:
        at_us = NOON_US + hour * HOUR_US
        told = replace(
            fact(), event_id=f"e{hour}", payment_id=f"p{hour}", attempt_id=f"ch{hour}", occurred_at_us=at_us,
            arrived_at_us=at_us, amount_cents=amount_cents,
        )  # fmt: skip
        found = apply(found, told)
    return found


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (state(1, 2), Standing.EQUAL),
        (state(1, 2, 3), Standing.AHEAD),
        (state(1), Standing.BEHIND),
        (state(1, 2, amount_cents=999), Standing.DIFFERENT),
    ],
)
def test_an_entity_online_stands_beside_the_lake_s(held: State, expected: Standing) -> None:
    assert standing(Stored(held, "1"), state(1, 2)) is expected


def test_of_an_entity_that_is_not_online_nothing_is_said() -> None:
    assert standing(NOTHING, state(1)) is None
