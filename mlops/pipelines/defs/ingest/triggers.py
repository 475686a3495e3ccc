"""When the lake is brought up to date: every hour, when PostgreSQL has new rows, when the contracts change."""

import hashlib
from typing import Final

import dagster as dg

from mlops.pipelines.lib.places import CONTRACTS
from mlops.pipelines.lib.sources import NAMESPACE
from mlops.pipelines.settings import LakeSettingsError, lake_settings

REFRESH: Final = dg.define_asset_job(
    "refresh",
    dg.AssetSelection.groups("ingest", NAMESPACE, "silver", "gold", "marts"),
    description="Ingest, dbt and the checks of both: what dashboards read.",
)


_NOT_BEGUN: Final = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)


def _waits(instance: dg.DagsterInstance) -> bool:
    """Whether a refresh has not begun yet: where each takes longer than the next takes to come, they would pile up."""
    return instance.get_runs_count(dg.RunsFilter(job_name=REFRESH.name, statuses=_NOT_BEGUN)) > 0


@dg.schedule(
    name="refresh_every_hour", job=REFRESH, cron_schedule="7 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def every_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Whether or not anything is new: predictions and findings come too."""
    return dg.SkipReason("a refresh waits already") if _waits(context.instance) else dg.RunRequest()


@dg.sensor(job=REFRESH, minimum_interval_seconds=600, default_status=dg.DefaultSensorStatus.RUNNING)
def new_data(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Rows that are stored by now: the newest transaction of each source, by an index; no row is read."""
    from mlops.pipelines.lib.new_rows import newest
    from mlops.pipelines.lib.unavailable import LakeUnavailableError

    try:
        found = newest(lake_settings().postgresql())
    except (LakeUnavailableError, LakeSettingsError) as error:
        return dg.SkipReason(str(error))
    if found == context.cursor:
        return dg.SkipReason("nothing was stored since the last time")
    if _waits(context.instance):
        return dg.SkipReason("a refresh that has not begun brings these rows too")
    return dg.SensorResult([dg.RunRequest(run_key=f"new-data-{found}")], cursor=found)


@dg.sensor(job=REFRESH, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def contract_change(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Other contracts than the last time: ingest gives bronze their new columns, dbt reads its sources anew."""
    digest = hashlib.sha256(CONTRACTS.read_bytes()).hexdigest()
    if digest == context.cursor:
        return dg.SkipReason("the contracts are those of the last time")
    # Without a run key: Dagster starts nothing twice for one, and contracts that are taken back have changed too.
    request = dg.RunRequest(tags={"tidegate/contracts": digest[:12]})
    # Of the first time nothing can be told: what there is to ingest is told by new data.
    return dg.SensorResult([request] if context.cursor else [], cursor=digest)


EVERY_HOUR: Final = every_hour
NEW_DATA: Final = new_data
CONTRACT_CHANGE: Final = contract_change
