"""What must hold of what was ingested and built before a model learns from it."""

import dagster as dg

from mlops.pipelines.defs.quality.checks import ROWS_AGREE, money_agrees

defs = dg.Definitions(asset_checks=[*ROWS_AGREE, money_agrees])
