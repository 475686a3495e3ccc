"""What is watched once models serve: skew, drift and performance, as `make monitor` finds them."""

import dagster as dg

from mlops.pipelines.defs.monitoring.assets import EVERY_NIGHT, WATCH, findings

defs = dg.Definitions(assets=[findings], jobs=[WATCH], schedules=[EVERY_NIGHT])
