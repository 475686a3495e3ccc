"""What models are told: the past out of the lake, the features of every moment of it, and the online store."""

import dagster as dg

from mlops.pipelines.defs.features.assets import history, offline, online
from mlops.pipelines.defs.features.checks import online_agrees, point_in_time

defs = dg.Definitions(assets=[history, offline, online], asset_checks=[point_in_time, online_agrees])
