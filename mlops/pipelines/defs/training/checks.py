"""Whether a challenger may serve, as a check that people see beside its evaluation."""

from typing import Final

import dagster as dg

from mlops.pipelines.defs.training.assets import MODELS, evaluation_key


def _policy(model: str) -> dg.AssetChecksDefinition:
    key = evaluation_key(model)

    @dg.asset_check(asset=key, name="policy", description="The policy has nothing against the challenger.")
    def policy(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        event = context.instance.get_latest_materialization_event(key)
        materialization = event.asset_materialization if event else None
        metadata = {} if materialization is None else materialization.metadata
        told = {name: metadata[name] for name in ("challenger", "refusals", "why") if name in metadata}
        refusals = metadata.get("refusals")
        passed = refusals is not None and refusals.value == 0
        # A refusal is the policy at work and no fault: promotion asks it again, and stops by itself.
        return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=told)

    return policy


POLICIES: Final = [_policy(model) for model in MODELS]
