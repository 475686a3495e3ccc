"""Events stored per second, with decision and outbox row in one transaction, against a bare COPY of the events alone.

Ours is the decision store as the worker uses it: rows made from messages, contract checked, three tables, primary key
decides, batches of 500. The baseline is PostgreSQL's fastest way in: the events' rows, ready made, copied into a table
without any index, in transactions of the same size. It has no bar; it tells what a batch lane could gain at the most.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count

import orjson
import psycopg
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.assessment_service_pb2 import Assessment

from bench.measure import Result
from bench.platform import Platform, started
from bench.samples import unified_event
from services.orchestrator.adapters.database import Database
from services.orchestrator.adapters.decision_store import PostgresDecisionStore
from services.orchestrator.rows import EVENT_COLUMNS, event_row
from workflows.payment_event.contract import PERSIST_OUTCOME_STORED, PersistDecisionInput
from workflows.payment_event.decision import decide

_ROWS = 5_000
_BATCH = 500
_ROUNDS = 5


def run() -> list[Result]:
    """Measure both in turn, on fresh rows each time."""
    with started("--engines-only") as platform:
        owner = _environment(platform, "owner")
        subprocess.run([sys.executable, "-m", "services.orchestrator.migrations"], env=owner, check=True)
        writer_url = _environment(platform, "writer")["TIDEGATE_DATABASE_URL"]
        pairs = asyncio.run(_measure(writer_url, owner["TIDEGATE_DATABASE_URL"]))
    ours, baseline = (sorted(side)[len(pairs) // 2] for side in zip(*pairs, strict=True))
    ratio = sorted(ours / baseline for ours, baseline in pairs)[len(pairs) // 2]
    what = "events stored per second with decision and outbox row, against COPY of the events alone"
    return [Result("persist_copy", what, "events/s", ours, baseline, ratio, None, "higher", {})]


async def _measure(writer_url: str, owner_url: str) -> list[tuple[float, float]]:
    database = Database(writer_url, application="bench")
    await database.open()
    store = PostgresDecisionStore(database, batch_rows=_BATCH)
    numbers = count()
    try:
        await _store(store, _records(numbers, _BATCH))  # warm up
        return [
            (await _store(store, _records(numbers, _ROWS)), _copy(owner_url, _records(numbers, _ROWS)))
            for _ in range(_ROUNDS)
        ]
    finally:
        await database.close()


async def _store(store: PostgresDecisionStore, records: Sequence[PersistDecisionInput]) -> float:
    start = time.perf_counter()
    outcomes = await store.persist(records)
    elapsed = time.perf_counter() - start
    if set(outcomes) != {PERSIST_OUTCOME_STORED}:
        raise AssertionError("every record of a fresh batch is stored")
    return len(records) / elapsed


def _copy(url: str, records: Sequence[PersistDecisionInput]) -> float:
    rows = [_copied(event_row(record.event)) for record in records]
    columns = ", ".join(EVENT_COLUMNS)
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS tidegate.bench_copy")
        connection.execute("CREATE TABLE tidegate.bench_copy (LIKE tidegate.payment_events INCLUDING DEFAULTS)")
        connection.commit()
        start = time.perf_counter()
        for first in range(0, len(rows), _BATCH):
            with connection.cursor().copy(f"COPY tidegate.bench_copy ({columns}) FROM STDIN") as copy:
                for row in rows[first : first + _BATCH]:
                    copy.write_row(row)
            connection.commit()
        return len(rows) / (time.perf_counter() - start)


def _copied(row: dict[str, object]) -> list[object]:
    return [orjson.dumps(value).decode() if isinstance(value, dict) else value for value in row.values()]


def _records(numbers: "count[int]", rows: int) -> list[PersistDecisionInput]:
    now = Timestamp(seconds=1_795_000_000)
    made = []
    for _ in range(rows):
        event = unified_event()
        event.event_id = f"stripe:evt_bench{next(numbers)}"
        decision = decide(event, [], Assessment(), [])
        decision.decided_at.CopyFrom(now)
        made.append(PersistDecisionInput(event=event, decision=decision))
    return made


def _environment(platform: Platform, role: str) -> dict[str, str]:
    """The addresses with one database role, as `python -m stack env` tells them."""
    told = subprocess.run(
        [sys.executable, "-m", "stack", "env", role],
        env={**os.environ, "TIDEGATE_HOME": str(platform.home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {**os.environ, **dict(line.split("=", 1) for line in told.splitlines())}
