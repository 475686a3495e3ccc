"""What comes into the lake: a table of bronze for each source, when it is read, and how a day is read again."""

import dagster as dg

from mlops.pipelines.defs.ingest.assets import BRONZE
from mlops.pipelines.defs.ingest.backfill import backfill
from mlops.pipelines.defs.ingest.triggers import CONTRACT_CHANGE, EVERY_HOUR, NEW_DATA, REFRESH

defs = dg.Definitions(
    assets=BRONZE, jobs=[backfill, REFRESH], schedules=[EVERY_HOUR], sensors=[NEW_DATA, CONTRACT_CHANGE]
)
