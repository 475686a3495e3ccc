"""What the status screen says of the lakehouse, from what Dagster's pages answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from stack.lake_figures import told

NOW = 1_800_000_000.0
SUCCEEDED = {"status": "SUCCESS", "startTime": NOW - 400, "endTime": NOW - 240}
FAILED = {"status": "FAILURE", "startTime": NOW - 400, "endTime": NOW - 240}
STARTED = {"status": "STARTED", "startTime": NOW - 720, "endTime": None}
QUEUED = {"status": "QUEUED", "startTime": None, "endTime": None}
HELD = {"status": "SUCCEEDED", "evaluation": {"severity": "ERROR"}}


def answer(
    jobs: Mapping[str, Any],
    checks: Mapping[str, Any],
    failed: Sequence[str] = (),
    sensors: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """In the form of GraphQL; a job's last run and a check's last outcome, None for none."""
    node = {
        "jobs": [{"name": name, "runs": [run] if run else []} for name, run in jobs.items()],
        "sensors": [{"name": name, "sensorState": {"status": state}} for name, state in (sensors or {}).items()],
        "schedules": [{"name": "refresh_every_hour", "scheduleState": {"status": "RUNNING"}}],
    }
    made = [{"name": name, "executionForLatestMaterialization": outcome} for name, outcome in checks.items()]
    return {
        "repositoriesOrError": {"nodes": [node]},
        "failed": {"results": [{"jobName": name} for name in failed]},
        "assetNodes": [
            {"assetKey": {"path": ["gold", "fct_payments"]}, "assetChecksOrError": {"checks": made}},
            {"assetKey": {"path": ["bronze", "salt"]}, "assetChecksOrError": {}},
        ],
    }


def test_each_job_tells_how_its_last_run_ended_or_how_long_it_has_run() -> None:
    jobs = {"__ASSET_JOB": FAILED, "refresh": SUCCEEDED, "learn": FAILED, "watch": STARTED, "maintain": QUEUED}
    (line, checks) = told(answer({**jobs, "backfill": None}, {}), NOW)
    parts = line.split("  ")
    assert [part.split(" 20")[0] for part in parts] == [
        "refresh succeeded",
        "learn FAILED",
        "watch started for 12 min",
        "maintain queued",
        "backfill never ran",
    ]
    assert checks == "0 checks, 0 being made, 0 not made of the newest data"


def test_failures_of_the_last_day_are_counted_by_job() -> None:
    lines = told(answer({"refresh": SUCCEEDED}, {}, failed=["refresh", "watch", "refresh"]), NOW)
    assert "failed in the last day: refresh 2, watch 1" in lines


def test_checks_are_named_by_what_became_of_them() -> None:
    checks = {
        "held": HELD,
        "money_agrees": {"status": "FAILED", "evaluation": {"severity": "ERROR"}},
        "rejected_share": {"status": "FAILED", "evaluation": {"severity": "WARN"}},
        "rows_agree": {"status": "EXECUTION_FAILED", "evaluation": None},
        "at_work": {"status": "IN_PROGRESS", "evaluation": None},
        "passed_by": {"status": "SKIPPED", "evaluation": None},
        "not_made": None,
    }
    assert told(answer({"refresh": FAILED}, checks), NOW)[1:] == [
        "do not hold: gold/fct_payments money_agrees",
        "could not be made: gold/fct_payments rows_agree",
        "warn: gold/fct_payments rejected_share",
        "7 checks, 1 being made, 2 not made of the newest data",
    ]


def test_of_many_checks_some_are_named_and_the_rest_counted() -> None:
    checks = {f"check_{number}": {"status": "FAILED", "evaluation": {"severity": "ERROR"}} for number in range(9)}
    line = told(answer({"refresh": FAILED}, checks), NOW)[1]
    assert line.startswith("do not hold: gold/fct_payments check_0, ")
    assert line.endswith("check_5 and 3 more")


def test_what_somebody_turned_off_is_told() -> None:
    lines = told(answer({"refresh": SUCCEEDED}, {}, sensors={"new_data": "STOPPED", "drift_alarm": "RUNNING"}), NOW)
    assert lines[-1] == "turned off: new_data"


def test_pipelines_that_are_not_loaded_are_told() -> None:
    empty = {"repositoriesOrError": {"message": "gone"}, "failed": {}, "assetNodes": []}
    assert told(empty, NOW) == ["Dagster has loaded no pipelines: make logs NAME=dagster-code"]
