"""What steps do where something within them goes wrong; on a Dagster in memory."""

import warnings
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from mlops.pipelines.lib import maintenance
from mlops.pipelines.lib.catalog import LakeUnavailableError
from mlops.pipelines.lib.maintenance import Figures, Maintained
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again

pytestmark = pytest.mark.slow

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def definitions() -> dg.Definitions:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlops.pipelines.definitions import defs
    return defs


def test_what_cannot_be_imported_within_a_step_is_no_neighbour_that_is_away() -> None:
    @dg.asset(retry_policy=AGAIN)
    @only_neighbours_again()
    def broken() -> None:
        """Imports as all steps do, when it runs."""
        import mlops.no_such_module  # type: ignore[import-not-found]  # noqa: F401

    run = dg.materialize([broken], raise_on_error=False, run_config=_QUIET)
    assert [event for event in run.all_events if event.is_step_up_for_retry] == []
    (failed,) = (event.step_failure_data for event in run.all_events if event.is_step_failure)
    assert "ModuleNotFoundError: No module named 'mlops.no_such_module'" in str(failed.user_failure_data)


def test_whoever_tries_again_tells_neighbours_from_the_rest() -> None:
    """Every step that has a retry policy, dbt aside, which tells by what dbt says."""
    repository = definitions().get_repository_def()
    steps: list[Any] = [node.definition for job in repository.get_all_jobs() for node in job.nodes]
    bare = {
        step.name
        for step in steps
        if step.retry_policy is not None and not hasattr(step.compute_fn.decorated_fn, "__wrapped__")
    }
    assert bare == {"dbt"}


def test_figures_of_tables_that_were_maintained_before_one_failed_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Maintained("silver.payment_events", Figures(9, 1.5, 4, 0.2), Figures(1, 1.0, 2, 0.1), 0.5)

    def maintain(*_: object) -> Iterator[Maintained]:
        yield done
        raise LakeUnavailableError("gold.fct_payments: Trino fails")

    monkeypatch.setattr(maintenance, "maintain", maintain)
    monkeypatch.setattr(maintenance, "tables_beside", lambda *_: ["silver.payment_events", "gold.fct_payments"])
    for name in ("TIDEGATE_CATALOG_URL", "TIDEGATE_CATALOG_WAREHOUSE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    from mlops.pipelines.defs.maintenance.assets import built_by_dbt

    with pytest.raises(dg.Failure, match="fct_payments: Trino fails") as failed:
        built_by_dbt(dg.build_asset_context())
    told = {name: each.value for name, each in failed.value.metadata.items()}
    assert (told["tables"], told["files_before"], told["files_after"]) == (1, 9, 1)
    assert "silver.payment_events: files 9 → 1" in str(told["each"])
    assert failed.value.allow_retries, "a table that Trino fails at today is tried again"
