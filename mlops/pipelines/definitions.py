"""What Dagster loads: `python -m dagster_webserver -m mlops.pipelines.definitions`. It only gathers."""

import dagster as dg

from mlops.pipelines.defs import dbt, features, ingest, maintenance, monitoring, quality, training

defs = dg.Definitions.merge(
    ingest.defs,
    dbt.defs,
    quality.defs,
    features.defs,
    training.defs,
    monitoring.defs,
    maintenance.defs,
    # A process for each step would import everything anew: seconds, where most steps take as many.
    dg.Definitions(executor=dg.in_process_executor),
)
