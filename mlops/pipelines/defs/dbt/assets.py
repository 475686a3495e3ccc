"""Every model of the dbt project as an asset, every test as a check; built in one go, in dbt's own order."""

import shutil
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from mlops.pipelines.lib.dbt_project import Translator, manifest_of
from mlops.pipelines.lib.dbt_results import found_in
from mlops.pipelines.lib.places import DBT_PROJECT
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.lib.watermark import Reach
from mlops.pipelines.settings import lake_settings

TRANSLATOR: Final = Translator()
# Unit tests are of the code: they run where it changes (`make test`), not whenever data come.
# And where a part is built, tests that need more than it and what it is made of are left out.
_BUILD: Final = ("build", "--exclude-resource-types", "unit_test", "--indirect-selection", "buildable")


EVENTS: Final = dg.AssetKey(["silver", "payment_events"])
MADE_OF: Final = "made of bronze as of"
DBT_POOL: Final = "dbt"
"""dbt takes turns with itself, since two builds of one table would undo each other's work, and with what must not see
half of a build."""


@dbt_assets(
    manifest=manifest_of(DBT_PROJECT), dagster_dbt_translator=TRANSLATOR, name="dbt", retry_policy=AGAIN, pool=DBT_POOL
)
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Run `dbt build`: a test that fails stops what is made of its model, the rest is built, and the step fails."""
    from mlops.pipelines.lib.status import reach_of

    with only_neighbours_again():
        # Before dbt begins: silver has it all afterwards, whatever is ingested meanwhile.
        reach = reach_of(EVENTS.path[-1], lake_settings()) if EVENTS in context.selected_asset_keys else None
        build = dbt.cli(_BUILD, context=context, raise_on_error=False)
        try:
            for event in build.stream():
                yield event if reach is None else _with_reach(event, context, reach)
            if build.process.wait():
                found = found_in(_results(build))
                raise dg.Failure(f"dbt build: {found}", allow_retries=found.is_away)
        finally:
            # Each invocation has a folder of its own, with a manifest of megabytes.
            shutil.rmtree(build.target_path, ignore_errors=True)


def _with_reach(event: Any, context: dg.AssetExecutionContext, reach: Reach) -> Any:
    """The materialisation of silver's events says which state of bronze it is made of."""
    if not isinstance(event, dg.Output) or context.asset_key_for_output(event.output_name) != EVENTS:
        return event
    return event.with_metadata({**event.metadata, MADE_OF: dg.MetadataValue.json(reach.told())})


def _results(build: Any) -> list[dict[str, Any]]:
    """None where dbt did not come so far as to write any."""
    try:
        results: list[dict[str, Any]] = build.get_artifact("run_results.json")["results"]
    except OSError:
        return []
    return results
