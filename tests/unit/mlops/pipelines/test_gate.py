import dagster as dg
import pytest

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
