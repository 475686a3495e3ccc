"""Forgets runs that are long over: Dagster keeps every one, its events in PostgreSQL and what it said in files."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from mlops.pipelines.lib.launcher import WORKERS

KEEP: Final = timedelta(days=30)
_MOST: Final = 2_000
_STORAGE: Final = "storage"


def forget_runs(instance: dg.DagsterInstance, before: datetime, most: int = _MOST) -> int:
    """Delete runs that were over before then, the oldest first and so many at most; tells how many it were."""
    over = dg.RunsFilter(statuses=list(FINISHED_STATUSES), updated_before=before)
    runs = [record.dagster_run.run_id for record in instance.get_run_records(over, limit=most, ascending=True)]
    root = Path(instance.root_directory)
    for run in runs:
        shutil.rmtree(root / _STORAGE / run, ignore_errors=True)
        for file in (root / WORKERS).glob(f"{run}.*"):
            file.unlink(missing_ok=True)
        # At the end: one that is killed before comes to the same files again.
        instance.delete_run(run)
    return len(runs)
