"""Keeps the lake's tables fast: compaction, expiry of snapshots, files that nobody owns."""

import dagster as dg

from mlops.pipelines.defs.maintenance.assets import EVERY_SIX_HOURS, MAINTAIN, MAINTENANCE

defs = dg.Definitions(assets=MAINTENANCE, jobs=[MAINTAIN], schedules=[EVERY_SIX_HOURS])
