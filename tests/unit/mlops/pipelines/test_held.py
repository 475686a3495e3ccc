"""A check compares what came since it held; all rows where it did not, where rows were taken out, and once a day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from mlops.pipelines.lib.held import WHOLE_AFTER, Question, question
from mlops.pipelines.lib.watermark import Reach, Watermark

pytestmark = pytest.mark.slow

KEY = dg.AssetCheckKey(dg.AssetKey("bronze"), "is_right")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLY, LATE = (Reach(Watermark(xid, "k"), (NOON + timedelta(minutes=xid)).isoformat(), "") for xid in (7, 9))


class Checked:
    """A check that asks of states of bronze, on a Dagster in memory."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def ask(self, now: Reach, at: datetime, *, holds: bool = True) -> Question:
        asked = question(self._instance, KEY, now, at)

        @dg.asset
        def bronze() -> None:
            """Whatever was ingested."""

        @dg.asset_check(asset=bronze)
        def is_right() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=holds, metadata=asked.told())

        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        selection = dg.AssetSelection.all() | dg.AssetSelection.checks_for_assets(bronze)
        job = dg.define_asset_job("refresh", selection)
        made = dg.Definitions(assets=[bronze], asset_checks=[is_right], jobs=[job])
        made.resolve_job_def("refresh").execute_in_process(run_config=quiet, instance=self._instance)
        return asked


@pytest.fixture
def checked() -> Iterator[Checked]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Checked(instance)


def test_after_all_rows_held_what_came_behind_them_is_asked_for(checked: Checked) -> None:
    assert checked.ask(EARLY, NOON).since is None
    assert checked.ask(LATE, NOON + timedelta(minutes=10)).since == EARLY
    assert checked.ask(LATE, NOON + timedelta(minutes=20)).since == LATE


def test_all_rows_are_asked_for_again_a_day_after_they_were_last_and_not_after_the_last_part(checked: Checked) -> None:
    checked.ask(EARLY, NOON)
    assert checked.ask(LATE, NOON + WHOLE_AFTER - timedelta(minutes=1)).since == EARLY
    assert checked.ask(LATE, NOON + WHOLE_AFTER).since is None
    assert checked.ask(LATE, NOON + WHOLE_AFTER + timedelta(minutes=10)).since == LATE


def test_what_did_not_hold_is_asked_of_all_rows_until_it_holds(checked: Checked) -> None:
    checked.ask(EARLY, NOON)
    checked.ask(LATE, NOON + timedelta(minutes=10), holds=False)
    assert checked.ask(LATE, NOON + timedelta(minutes=20), holds=False).since is None
    assert checked.ask(LATE, NOON + timedelta(minutes=30)).since is None
    assert checked.ask(LATE, NOON + timedelta(minutes=40)).since == LATE


def test_rows_that_were_taken_out_meanwhile_have_all_asked_for(checked: Checked) -> None:
    checked.ask(EARLY, NOON)
    refilled = LATE._replace(taken_out_at=NOON.isoformat())
    assert checked.ask(refilled, NOON + timedelta(minutes=10)).since is None
    assert checked.ask(refilled, NOON + timedelta(minutes=20)).since == refilled
