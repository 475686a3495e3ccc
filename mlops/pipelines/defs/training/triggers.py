"""When models are trained: once a week, and when the watch finds that what they learned no longer holds."""

from typing import Final

import dagster as dg

from mlops.pipelines.settings import LakeSettingsError, lake_settings

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
    """Findings of drift or performance that are alerts, and newer than those that started a training before."""
    from mlops.pipelines.lib.alarms import AlarmsError, newest_alarm

    try:
        alarm = newest_alarm(lake_settings().postgresql(), context.cursor)
    except (AlarmsError, LakeSettingsError) as error:
        return dg.SkipReason(str(error))
    if alarm is None:
        return dg.SkipReason("no alert since the last training that one started")
    tags = {"tidegate/alarm": alarm.what}
    return dg.SensorResult([dg.RunRequest(run_key=f"drift-{alarm.at}", tags=tags)], cursor=alarm.at)


DRIFT_ALARM: Final = drift_alarm
