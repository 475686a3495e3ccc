"""How far PostgreSQL has come, as the sensor of new rows is told it."""

import asyncio

import psycopg
import pytest

from mlops.pipelines.lib.new_rows import newest
from services.orchestrator.adapters.database import Database as Pool
from services.orchestrator.adapters.decision_store import PostgresDecisionStore
from tests.fakes.payments import recorded, succeeded
from tests.integration.conftest import Database


@pytest.fixture
def stored(database: Database) -> psycopg.Connection:
    """Two events, whose transactions the test says."""

    async def persist() -> None:
        pool = Pool(database.url("writer"), application="test")
        await pool.open()
        try:
            store = PostgresDecisionStore(pool, batch_rows=2)
            await store.persist([recorded(succeeded(event_id=f"stripe:evt_{name}")) for name in "ab"])
        finally:
            await pool.close()

    asyncio.run(persist())
    return psycopg.connect(database.url("owner"), autocommit=True)


def told(database: Database) -> str:
    return dict(each.split("=") for each in newest(database.url("lake")).split())["payment_events"]


def test_a_transaction_of_one_digit_more_is_newer(database: Database, stored: psycopg.Connection) -> None:
    moved = "UPDATE tidegate.payment_events SET stored_xid = %s::text::xid8 WHERE event_id = %s"
    with stored:
        stored.execute(moved, ["998", "stripe:evt_a"])
        stored.execute(moved, ["999", "stripe:evt_b"])
        assert told(database) == "999"
        stored.execute(moved, ["1000", "stripe:evt_a"])
        assert told(database) == "1000"
