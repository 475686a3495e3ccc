"""What must hold of what was ingested before anything is made of it."""

import dagster as dg

from mlops.pipelines.defs.quality.checks import ROWS_AGREE

defs = dg.Definitions(asset_checks=ROWS_AGREE)
