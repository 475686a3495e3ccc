"""What a check has found wrong in one run is not learned from in another."""

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import DagsterEvent, DagsterEventType

from mlops.pipelines.lib.gate import stop_where_checks_failed

pytestmark = pytest.mark.slow


def definitions(*, holds: bool, severity: dg.AssetCheckSeverity) -> dg.Definitions:
    """Data with a check, and what learns from them."""

    @dg.asset
    def data() -> None:
        """Whatever was ingested."""

    @dg.asset_check(asset=data)
    def is_right() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=holds, severity=severity)

    @dg.asset(deps=[data])
    def learned() -> None:
        """Whatever is made of them."""

    return dg.Definitions(assets=[data, learned], asset_checks=[is_right])


def checked(instance: dg.DagsterInstance, *, holds: bool, severity: dg.AssetCheckSeverity) -> dg.Definitions:
    made = definitions(holds=holds, severity=severity)
    job = made.resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("data")], raise_on_error=False)
    return made


def stop(instance: dg.DagsterInstance, made: dg.Definitions) -> None:
    stop_where_checks_failed(instance, made.resolve_asset_graph(), dg.AssetKey("learned"))


def test_what_another_run_found_wrong_is_not_learned_from() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        made = checked(instance, holds=False, severity=dg.AssetCheckSeverity.ERROR)
        with pytest.raises(dg.Failure, match="data is_right") as told:
            stop(instance, made)
        assert told.value.allow_retries is False
        stop(instance, checked(instance, holds=True, severity=dg.AssetCheckSeverity.ERROR))


def test_warnings_and_checks_that_never_ran_hold_nothing_back() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        stop(instance, definitions(holds=False, severity=dg.AssetCheckSeverity.ERROR))
        stop(instance, checked(instance, holds=False, severity=dg.AssetCheckSeverity.WARN))


def test_a_run_that_has_planned_a_check_and_not_come_to_it_hides_no_failure() -> None:
    """As while a refresh is under way, and after one that stopped before it came to its checks."""
    with dg.DagsterInstance.ephemeral() as instance:
        made = checked(instance, holds=False, severity=dg.AssetCheckSeverity.ERROR)
        instance.create_run_for_job(made.resolve_implicit_global_asset_job_def())
        run = instance.get_runs()[0]
        planned = AssetCheckEvaluationPlanned(asset_key=dg.AssetKey("data"), check_name="is_right")
        instance.report_dagster_event(
            DagsterEvent(
                DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value,
                run.job_name,
                event_specific_data=planned,
            ),
            run.run_id,
        )
        with pytest.raises(dg.Failure, match="data is_right"):
            stop(instance, made)
