"""Holds back what learns from data that a check has found wrong, in whichever run it was found.

Dagster's blocking checks hold back later steps of their own run alone; features and models are made in another.
"""

from collections.abc import Iterable
from typing import Any, Final

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord as Record
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

_EVALUATED: Final = {Status.SUCCEEDED, Status.FAILED}


def latest_evaluation(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> Record | None:
    """The last time that the check was evaluated; None before the first.

    A run that has planned it and not come to it yet, or never did, has evaluated nothing: it hides no earlier answer.
    """
    found = instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=_EVALUATED)
    return found[0] if found else None


def failed_checks(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> list[str]:
    """Those of the checks whose latest evaluation did not hold, warnings aside; one that never ran is none of them."""
    latest = ((key, latest_evaluation(instance, key)) for key in keys)
    return sorted(
        f"{key.asset_key.to_user_string()} {key.name}"
        for key, record in latest
        if record is not None and record.status is Status.FAILED and _is_error(record.evaluation)
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
