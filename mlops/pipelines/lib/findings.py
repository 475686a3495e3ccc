"""Brings the findings of `python -m mlops.monitoring` to bronze as they stand: small tables that are written over."""

from typing import Final

from pyiceberg.expressions import AlwaysTrue

from mlops.pipelines.lib.batch import stamped
from mlops.pipelines.lib.columns import INGESTED_AT_COLUMN, stored_column
from mlops.pipelines.lib.database import Database
from mlops.pipelines.lib.lake import IngestReport, Lake
from mlops.pipelines.lib.sources import NAMESPACE
from mlops.pipelines.lib.tables import commit, open_table, stage_rows

_STATE: Final = "tidegate.findings"


def ingest_findings(name: str, lake: Lake) -> IngestReport:
    """Replace the table with what PostgreSQL has of it, in one commit; nothing is written where nothing changed."""
    with Database(lake.database_url) as database:
        database.take_turn(name)
        columns = [*map(stored_column, database.columns(name)), INGESTED_AT_COLUMN]
        table = open_table(lake.catalog, f"{NAMESPACE}.{name}", columns)
        rows, state = database.all_rows(name, columns), database.state_of(name)
        before = table.properties.get(_STATE)
        if before == state and table.schema().column_names == [column.name for column in columns]:
            return IngestReport.nothing(name, before)
        table = commit(
            table,
            lambda transaction: stage_rows(
                transaction, columns, stamped(rows, lake.now), {_STATE: state}, AlwaysTrue()
            ),
            lambda found: found.get(_STATE) == before,
            lambda found: found.get(_STATE) == state,
        )
    snapshot = table.current_snapshot()
    return IngestReport(name, rows.num_rows, 0, before, state, snapshot.snapshot_id if snapshot else None, {}, 1)
