"""Asks the mart that dashboards read for its totals, by currency."""

from typing import Final

from mlops.pipelines.lib.trino_connection import connected
from mlops.pipelines.lib.truth import FIGURES
from mlops.pipelines.settings import LakeSettings

_QUERY: Final = """
    SELECT currency, sum(payments), sum(captured_cents), sum(refunded_cents), sum(disputed_cents)
    FROM lake.marts.payment_performance GROUP BY currency
"""


def mart_totals(settings: LakeSettings) -> dict[tuple[str, str], int]:
    """By currency and figure."""
    with connected(settings, "the marts are read through Trino") as ask:
        rows = ask(_QUERY)
    return {(row[0], figure): int(value) for row in rows for figure, value in zip(FIGURES, row[1:], strict=True)}
