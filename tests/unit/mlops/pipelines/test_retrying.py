"""A neighbour that is away is tried again; bad data fails at once, in its own words."""

from typing import cast

import dagster as dg
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from mlops.pipelines.lib.catalog import LakeUnavailableError
from mlops.pipelines.lib.feature_export import LakeReader
from mlops.pipelines.lib.lake import TooManyRejectedError
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.registry.ports import RegistryError


@pytest.mark.parametrize("error", [LakeUnavailableError("away"), RegistryError("away"), ConnectionResetError("away")])
def test_what_is_away_is_left_to_the_retry_policy(error: Exception) -> None:
    with pytest.raises(type(error)), only_neighbours_again():
        raise error


def test_a_poisoned_batch_is_not_tried_again() -> None:
    with pytest.raises(dg.Failure) as failed, only_neighbours_again():
        raise TooManyRejectedError("60 of 100 rows break not_future.provider_created_at")
    assert not failed.value.allow_retries
    assert failed.value.description == "TooManyRejectedError: 60 of 100 rows break not_future.provider_created_at"


class _Away:
    """A catalog whose object storage does not answer, in pyarrow's words."""

    def load_table(self, _: str) -> Table:
        raise OSError("When reading information for key 'v2.metadata.json': AWS Error NETWORK_CONNECTION")


def test_object_storage_that_is_away_while_the_past_is_read_is_tried_again() -> None:
    with pytest.raises(LakeUnavailableError, match="NETWORK_CONNECTION"), only_neighbours_again():
        list(LakeReader(cast("Catalog", _Away())).batches("payment_events", ("event_id",)))


def test_a_neighbour_has_two_minutes_to_come_back() -> None:
    """As docs/pipelines.md tells it."""
    tries = range(1, AGAIN.max_retries + 1)
    assert all(
        abs(AGAIN.calculate_delay(number) - told) <= 5 for number, told in zip(tries, (5, 15, 35, 75), strict=True)
    )
