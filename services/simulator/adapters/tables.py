"""Reads what PostgreSQL holds of given events, as the reading role."""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg

from services.runtime.errors import NeighbourUnavailableError
from services.simulator.balance import Rows

_CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Tables:
    """The platform's tables, by the URL of a role that may read them."""

    database_url: str

    def rows(self, event_ids: Collection[str]) -> Rows:
        """The event ids, of those given, that each table holds."""
        ids = list(event_ids)
        try:
            with psycopg.connect(self.database_url, connect_timeout=_CONNECT_SECONDS) as connection:
                return Rows(
                    events=_held(
                        connection, "SELECT event_id FROM tidegate.payment_events WHERE event_id = ANY(%s)", ids
                    ),
                    decisions=_held(
                        connection, "SELECT event_id FROM tidegate.decisions WHERE event_id = ANY(%s)", ids
                    ),
                    quarantine=_held(
                        connection, "SELECT event_id FROM tidegate.quarantine WHERE event_id = ANY(%s)", ids
                    ),
                    outbox=_held(
                        connection, "SELECT event_id FROM tidegate.decision_outbox WHERE event_id = ANY(%s)", ids
                    ),
                )
        except psycopg.OperationalError as error:
            raise NeighbourUnavailableError("PostgreSQL", str(error).strip()) from error

    def stored_at(self, event_ids: Collection[str]) -> dict[str, float]:
        """When the transaction that stored each event's decision began, in seconds since 1970."""
        stored = (
            "SELECT event_id, extract(epoch FROM stored_at)::float8 FROM tidegate.decisions WHERE event_id = ANY(%s)"
        )
        try:
            with psycopg.connect(self.database_url, connect_timeout=_CONNECT_SECONDS) as connection:
                return dict(connection.execute(stored, [list(event_ids)]).fetchall())
        except psycopg.OperationalError as error:
            raise NeighbourUnavailableError("PostgreSQL", str(error).strip()) from error


def _held(connection: psycopg.Connection, query: str, event_ids: list[str]) -> tuple[str, ...]:
    return tuple(row[0] for row in connection.execute(query, [event_ids]))
