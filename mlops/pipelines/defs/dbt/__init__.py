"""What dbt makes of bronze: silver, gold and marts, with its tests as checks that stop what lies behind them."""

import dagster as dg
from dagster_dbt import DbtCliResource

from mlops.pipelines.defs.dbt.assets import models
from mlops.pipelines.lib.dbt_project import dbt_executable
from mlops.pipelines.lib.places import DBT_PROJECT

defs = dg.Definitions(
    assets=[models],
    resources={
        "dbt": DbtCliResource(
            project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT), dbt_executable=dbt_executable()
        )
    },
)
