"""What must hold of what was ingested and built before a model learns from it."""

import dagster as dg

from mlops.pipelines.defs.quality.checks import KEYS_IN_BRONZE, REJECTED_SHARE, ROWS_AGREE, money_agrees

defs = dg.Definitions(asset_checks=[*ROWS_AGREE, *REJECTED_SHARE, *KEYS_IN_BRONZE, money_agrees])
