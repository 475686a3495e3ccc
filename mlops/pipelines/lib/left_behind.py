"""Finds rows of silver that bronze no longer has: a run of dbt reads what is new, never what was taken away."""

from collections.abc import Mapping
from typing import Final

from mlops.pipelines.lib.sources import Source
from mlops.pipelines.lib.trino_connection import connected
from mlops.pipelines.settings import LakeSettings

SILVER: Final = "silver"
_IS_THERE: Final = """
    SELECT count(*) FROM lake.information_schema.tables WHERE table_schema = 'silver' AND table_name = '{name}'
"""
_QUERY: Final = """
    SELECT cast(cast(at_timezone({at}, 'UTC') AS date) AS varchar) AS day, count(*)
    FROM lake.silver.{name} AS ours
    WHERE NOT EXISTS (SELECT 1 FROM lake.{table} AS theirs WHERE theirs.{key} = ours.{key})
    GROUP BY 1 ORDER BY 1
"""


def left_behind(source: Source, settings: LakeSettings) -> dict[str, int]:
    """How many such rows there are of each day, in order; none where silver was not built yet. LakeUnavailableError."""
    with connected(settings, "silver and bronze are compared by Trino") as ask:
        if not ask(_IS_THERE.format(name=source.name))[0][0]:
            return {}
        query = _QUERY.format(at=source.happened_at, name=source.name, table=source.table, key=source.key)
        return {str(day): int(count) for day, count in ask(query)}


def what_to_do(source: Source, days: Mapping[str, int], most: int = 10) -> str:
    """For people, where there are any."""
    listed = ", ".join(f"{day} ({count:,})" for day, count in list(days.items())[:most])
    more = f" and {len(days) - most:,} more days" if len(days) > most else ""
    return (
        f"silver.{source.name} has {sum(days.values()):,} rows that bronze no longer has, of {listed}{more}. What is "
        f"made of them stays until `dbt build --full-refresh --select silver.{source.name}+ "
        "--exclude-resource-type unit_test --project-dir dbt --profiles-dir dbt`"
    )
