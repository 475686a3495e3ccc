"""A candidate of each model, learned from the lake; its evaluation; and its promotion, which the policy decides."""

import time
from datetime import timedelta
from typing import Any, Final

import dagster as dg

from mlops.pipelines.lib.places import places
from mlops.pipelines.lib.retrying import AGAIN, only_neighbours_again
from mlops.pipelines.settings import lake_settings

MODELS: Final = ("fraud", "churn", "retry")
_FRESH: Final = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=15), warn_window=timedelta(days=8))
_WHY: Final = "trained on the lake's history, and the policy allows it"
_NONE: Final = "none"


def _registry() -> Any:
    from mlops.registry.settings import registry_from

    return registry_from(lake_settings().mlflow_url)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def candidate_key(model: str) -> dg.AssetKey:
    """The asset that is a model's training."""
    return dg.AssetKey(["models", f"{model}_candidate"])


def evaluation_key(model: str) -> dg.AssetKey:
    """The asset that is what the policy says of it."""
    return dg.AssetKey(["models", f"{model}_evaluation"])


def _candidate(model: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=candidate_key(model),
        group_name="training",
        kinds={"lightgbm", "mlflow"},
        retry_policy=AGAIN,
        pool="training",
        freshness_policy=_FRESH,
        deps=[["features", "offline"], ["features", "history"]],
        description=f"A {model} model of the lake's history, registered as the challenger of who serves.",
    )
    @only_neighbours_again()
    def candidate() -> dg.MaterializeResult[None]:
        from mlops.pipelines.lib.learning import learn

        where = places()
        learned = learn(_registry(), model, where.history, where.training, _now_ms())
        report = dg.MetadataValue.md("```\n" + "\n".join(learned.lines or [learned.too_short or ""]) + "\n```")
        return dg.MaterializeResult(
            metadata={
                "challenger": learned.challenger or _NONE,
                "too_short": learned.too_short or "",
                "report": report,
            }
        )

    return candidate


def _evaluation(model: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=evaluation_key(model),
        group_name="training",
        kinds={"mlflow"},
        retry_policy=AGAIN,
        pool="training",
        deps=[candidate_key(model)],
        description=f"What the policy says of the challenger of {model}; a replay first, where it asks for one.",
    )
    @only_neighbours_again()
    def evaluation() -> dg.MaterializeResult[None]:
        from mlops.pipelines.lib.learning import evaluate

        found = evaluate(_registry(), model, places().history)
        return dg.MaterializeResult(
            metadata={
                "challenger": found.challenger or _NONE,
                "champion": found.champion or _NONE,
                "refusals": len(found.refusals),
                "why": dg.MetadataValue.md("\n".join(f"- {each}" for each in found.refusals)),
                "replay": dg.MetadataValue.md(f"```\n{found.replay}\n```"),
            }
        )

    return evaluation


def _champion(model: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["models", f"{model}_champion"],
        group_name="training",
        kinds={"mlflow"},
        retry_policy=AGAIN,
        pool="training",
        deps=[evaluation_key(model)],
        description=f"Who serves for {model}: the challenger, if the policy lets it; nothing is forced.",
    )
    @only_neighbours_again()
    def champion(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        from mlops.pipelines.lib.learning import decide
        from mlops.registry.promotion import Order

        order = Order(f"dagster run {context.run.run_id}", _now_ms(), _WHY)
        decided = decide(_registry(), model, order)
        return dg.MaterializeResult(
            metadata={
                "serves": decided.serves or _NONE,
                "promoted": decided.promoted or _NONE,
                "refused": dg.MetadataValue.md("\n".join(f"- {each}" for each in decided.refusals)),
            }
        )

    return champion


LEARNING: Final = [make(model) for model in MODELS for make in (_candidate, _evaluation, _champion)]
