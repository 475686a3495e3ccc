"""What starts a refresh does not pile them up where they take longer than new rows take to come."""

from pathlib import Path

import dagster as dg
import pytest

from mlops.pipelines.defs.ingest.triggers import every_hour, new_data
from mlops.pipelines.lib import new_rows

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _rows_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_rows, "newest", lambda _: "payment_events=8")
    for name in ("CATALOG_URL", "CATALOG_WAREHOUSE", "DATABASE_URL"):
        monkeypatch.setenv(f"TIDEGATE_{name}", "http://127.0.0.1:1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of nobody")


def refreshed(instance: dg.DagsterInstance) -> tuple[bool, bool]:
    """Whether the sensor asks for a refresh, and whether the schedule does."""
    sensed = new_data(dg.build_sensor_context(instance, cursor="payment_events=7"))
    scheduled = every_hour(dg.build_schedule_context(instance))
    return isinstance(sensed, dg.SensorResult), isinstance(scheduled, dg.RunRequest)


def test_a_refresh_that_waits_brings_new_rows_too_and_one_that_runs_may_not(tmp_path: Path) -> None:
    job = dg.GraphDefinition(name="refresh").to_job()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert refreshed(instance) == (True, True)
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert refreshed(instance) == (True, True)
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING)
        assert refreshed(instance) == (False, False)
