"""Runs that are long over are forgotten with all that they left; those that are not stay."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from mlops.pipelines.lib.launcher import WORKERS
from mlops.pipelines.lib.old_runs import forget_runs

pytestmark = pytest.mark.slow


def left(instance: dg.DagsterInstance, root: Path, status: dg.DagsterRunStatus) -> list[Path]:
    """What a run leaves: one in Dagster's own words, a folder and two files."""
    run = instance.create_run_for_job(dg.GraphDefinition(name="refresh").to_job(), status=status).run_id
    (root / "storage" / run / "compute_logs").mkdir(parents=True)
    (root / WORKERS).mkdir(exist_ok=True)
    files = [root / WORKERS / f"{run}.{kind}" for kind in ("json", "log")]
    for file in files:
        file.write_text("{}")
    return [root / "storage" / run, *files]


def test_a_run_that_is_long_over_is_forgotten_with_its_files_and_one_that_works_is_not(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        over = left(instance, tmp_path, dg.DagsterRunStatus.FAILURE)
        works = left(instance, tmp_path, dg.DagsterRunStatus.STARTED)
        now = instance.get_run_records()[0].update_timestamp
        assert forget_runs(instance, now - timedelta(hours=1)) == 0
        assert forget_runs(instance, now + timedelta(hours=1)) == 1
        assert [file.exists() for file in (*over, *works)] == [False] * 3 + [True] * 3
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.STARTED]
