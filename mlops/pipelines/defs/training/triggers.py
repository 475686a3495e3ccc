"""When models are trained: once a week, and when the watch finds that what they learned no longer holds."""

import time
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from mlops.pipelines.settings import LakeSettingsError, lake_settings

_MOST_TRAININGS: Final = 50
LEARN: Final = dg.define_asset_job(
    "learn",
    dg.AssetSelection.groups("features", "training"),
    description="History, features, candidates, evaluation, and promotion where the policy allows it.",
)
EVERY_WEEK: Final = dg.ScheduleDefinition(
    name="learn_every_week", job=LEARN, cron_schedule="30 2 * * 1", default_status=dg.DefaultScheduleStatus.RUNNING
)


@dg.sensor(job=LEARN, minimum_interval_seconds=600, default_status=dg.DefaultSensorStatus.RUNNING)
def drift_alarm(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Findings of drift or performance that are alerts, and newer than those that started a training before.

    Where that training failed, the same alarm starts it again.
    """
    from mlops.pipelines.lib.alarms import ALARM, ALARM_AT, is_due_again, newest_alarm
    from mlops.pipelines.lib.unavailable import LakeUnavailableError

    at = context.cursor
    try:
        alarm = newest_alarm(lake_settings().postgresql(), at)
    except (LakeUnavailableError, LakeSettingsError) as error:
        return dg.SkipReason(str(error))
    if alarm is not None:
        request = dg.RunRequest(run_key=f"drift-{alarm.at}", tags={ALARM: alarm.what, ALARM_AT: alarm.at})
        return dg.SensorResult([request], cursor=alarm.at)
    trainings = context.instance.get_run_records(dg.RunsFilter(job_name=LEARN.name), limit=_MOST_TRAININGS)
    now = datetime.fromtimestamp(time.time_ns() / 1e9, UTC)
    if at is None or not is_due_again(trainings, at, now):
        return dg.SkipReason("no alert since the last training that one started")
    tried = next(each.dagster_run.tags for each in trainings if each.dagster_run.tags.get(ALARM_AT) == at)
    # A key of its own for each try: Dagster starts nothing twice for one.
    request = dg.RunRequest(run_key=f"drift-{at}-{now:%Y%m%d%H%M}", tags={ALARM: tried[ALARM], ALARM_AT: at})
    return dg.SensorResult([request], cursor=at)


DRIFT_ALARM: Final = drift_alarm
