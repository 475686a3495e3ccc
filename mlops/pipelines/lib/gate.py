"""Holds back what learns from data that a check has found wrong, in whichever run it was found.

Dagster's blocking checks hold back later steps of their own run alone; features and models are made in another.
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

_NOT_HELD = "FAILED"


def failed_checks(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> list[str]:
    """Those of the checks whose latest evaluation did not hold, warnings aside; one that never ran is none of them."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    return sorted(
        f"{key.asset_key.to_user_string()} {key.name}"
        for key, record in latest.items()
        if record.status.value == _NOT_HELD and _is_error(record.evaluation)
    )


def stop_where_checks_failed(instance: dg.DagsterInstance, graph: Any, asset: dg.AssetKey) -> None:
    """Fail, and try no more, where a check of anything that the asset is made of did not hold; dg.Failure."""
    upstream = dg.AssetSelection.assets(asset).upstream(include_self=False).resolve(graph)
    if found := failed_checks(instance, graph.get_check_keys_for_assets(upstream)):
        raise dg.Failure(
            f"nothing is learned from data that did not pass: {'; '.join(found)}. Mend the data or the check, "
            "materialise what it checks again, then this",
            allow_retries=False,
        )


def _is_error(evaluation: dg.AssetCheckEvaluation | None) -> bool:
    return evaluation is None or evaluation.severity is dg.AssetCheckSeverity.ERROR
