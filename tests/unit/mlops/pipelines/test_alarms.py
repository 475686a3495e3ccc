"""An alarm is answered by a training that succeeds: one that fails is tried again, later each time, thrice at most."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from mlops.pipelines.lib import alarms
from mlops.pipelines.lib.alarms import AGAIN_AFTER, ALARM, ALARM_AT, is_due_again

pytestmark = pytest.mark.slow

AT = "2026-01-10 00:00:00+00"
FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS
CANCELED, STARTED = dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.STARTED


class Trainings:
    """Runs of a job on a Dagster in memory, oldest first."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._job = dg.GraphDefinition(name="learn").to_job()

    def add(self, *statuses: dg.DagsterRunStatus, alarm: str | None = AT) -> None:
        for status in statuses:
            tags = {ALARM_AT: alarm, ALARM: "score_drift: fraud 3"} if alarm else {}
            self.instance.create_run_for_job(self._job, status=status, tags=tags)

    def are_due_after(self, rest: timedelta) -> bool:
        newest_first = self.instance.get_run_records(dg.RunsFilter(job_name="learn"))
        return is_due_again(newest_first, AT, newest_first[0].update_timestamp + rest)


@pytest.fixture
def trainings() -> Iterator[Trainings]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Trainings(instance)


def test_a_training_that_failed_is_due_again_later_each_time_and_not_for_ever(trainings: Trainings) -> None:
    trainings.add(SUCCESS, alarm=None)
    for rest in AGAIN_AFTER:
        trainings.add(FAILURE)
        assert not trainings.are_due_after(rest - timedelta(seconds=1))
        assert trainings.are_due_after(rest)
    trainings.add(FAILURE)
    assert not trainings.are_due_after(timedelta(days=6))


@pytest.mark.parametrize("status", [SUCCESS, CANCELED, STARTED])
def test_one_that_succeeded_runs_or_was_canceled_is_not(trainings: Trainings, status: dg.DagsterRunStatus) -> None:
    trainings.add(FAILURE, status)
    assert not trainings.are_due_after(timedelta(days=6))


def test_a_training_of_the_week_that_succeeded_has_answered_it_and_one_that_failed_has_not(
    trainings: Trainings,
) -> None:
    trainings.add(FAILURE)
    trainings.add(FAILURE, alarm=None)
    assert trainings.are_due_after(AGAIN_AFTER[0])
    trainings.add(SUCCESS, alarm=None)
    assert not trainings.are_due_after(timedelta(days=6))


def test_the_sensor_starts_it_again_by_the_same_alarm_under_a_key_of_its_own(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "newest_alarm", lambda *_: None)
    monkeypatch.setattr(alarms, "AGAIN_AFTER", (timedelta(0),))
    for name in ("CATALOG_URL", "CATALOG_WAREHOUSE", "DATABASE_URL"):
        monkeypatch.setenv(f"TIDEGATE_{name}", "http://127.0.0.1:1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of nobody")
    from mlops.pipelines.defs.training.triggers import drift_alarm

    trainings.add(FAILURE)
    told = drift_alarm(dg.build_sensor_context(trainings.instance, cursor=AT))
    assert isinstance(told, dg.SensorResult)
    (request,) = told.run_requests or []
    assert request.run_key != f"drift-{AT}"
    assert (request.tags[ALARM], request.tags[ALARM_AT], told.cursor) == ("score_drift: fraud 3", AT, AT)
