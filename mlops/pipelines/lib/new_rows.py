"""Says cheaply how far PostgreSQL has come: the newest transaction that stored a row of each source."""

from typing import Final

import psycopg
from psycopg import sql

from mlops.pipelines.lib.columns import STORED_XID
from mlops.pipelines.lib.postgresql import reading
from mlops.pipelines.lib.sources import SOURCES

# The condition is the index's own, so that one entry of it is read. Qualified, since a bare stored_xid would be the
# text of the answer, of which 999 is more than 1000.
_NEWEST: Final = "SELECT rows.{xid}::text FROM {table} AS rows WHERE rows.{xid} > '0' ORDER BY rows.{xid} DESC LIMIT 1"


def newest(database_url: str) -> str:
    """A name for what is stored by now: another one where a row came to any source. LakeUnavailableError."""
    with reading(database_url) as connection:
        return " ".join(f"{name}={_newest(connection, name)}" for name in SOURCES)


def _newest(connection: psycopg.Connection, table: str) -> str:
    query = sql.SQL(_NEWEST).format(table=sql.Identifier("tidegate", table), xid=sql.Identifier(STORED_XID))
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else "none"
