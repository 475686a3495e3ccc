"""What is learned, and what may serve: for each model a candidate, what the policy says of it, and who serves."""

import dagster as dg

from mlops.pipelines.defs.training.assets import LEARNING
from mlops.pipelines.defs.training.checks import POLICIES
from mlops.pipelines.defs.training.triggers import DRIFT_ALARM, EVERY_WEEK, LEARN

defs = dg.Definitions(
    assets=LEARNING, asset_checks=POLICIES, jobs=[LEARN], schedules=[EVERY_WEEK], sensors=[DRIFT_ALARM]
)
