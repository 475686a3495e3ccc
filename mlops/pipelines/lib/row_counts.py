"""Counts whether bronze has every row that PostgreSQL had stored by its watermark, and none twice."""

from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql
from pyiceberg.catalog import Catalog

from mlops.pipelines.lib.catalog import LakeUnavailableError
from mlops.pipelines.lib.columns import STORED_XID
from mlops.pipelines.lib.sources import REJECTED, Source
from mlops.pipelines.lib.watermark import Watermark

_CONNECT_SECONDS: Final = 10
_STORED: Final = """
    SELECT count(*) FROM {table} WHERE ({xid}, {key} COLLATE "C") <= ({until}::text::xid8, {last})
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows up to the watermark."""

    stored: int
    ingested: int
    rejected: int

    @property
    def missing(self) -> int:
        """How many rows are nowhere; below 0 where some are there twice."""
        return self.stored - self.ingested - self.rejected


def counted(source: Source, catalog: Catalog, database_url: str) -> Counted:
    """Count a source's rows on both sides. LakeUnavailableError."""
    table = catalog.load_table(source.table)
    until = Watermark.of(table.properties)
    rejected = 0
    if catalog.table_exists(REJECTED):
        of_source = catalog.load_table(REJECTED).scan(f"source_table == '{source.name}'", selected_fields=("key",))
        rejected = len(set(of_source.to_arrow().column("key").to_pylist()))
    return Counted(_stored(source, until, database_url), table.scan().count(), rejected)


def _stored(source: Source, until: Watermark, database_url: str) -> int:
    query = sql.SQL(_STORED).format(
        table=sql.Identifier("tidegate", source.name),
        xid=sql.Identifier(STORED_XID),
        key=sql.Identifier(source.key),
        until=str(until.xid),
        last=until.key,
    )
    try:
        with psycopg.connect(database_url, connect_timeout=_CONNECT_SECONDS) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.Error as error:
        raise LakeUnavailableError(f"PostgreSQL: {str(error).strip().partition(chr(10))[0]}") from error
    return int(row[0]) if row else 0
