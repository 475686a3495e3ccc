"""Stores decisions on a past from a file: `python -m services.orchestrator.load_decisions FILE`.

For events that were loaded, not received: services/inference/replay/answers.py writes the file. Nothing is put into the
outbox: nobody waits for decisions of the past. As the role tidegate_writer; to do it again changes nothing.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psycopg
from google.protobuf.proto import parse_length_prefixed  # type: ignore[import-not-found]  # newer than its stubs
from psycopg import sql
from psycopg.types.json import Jsonb
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision

from services.orchestrator.rows import DECISION_COLUMNS, decision_row
from services.orchestrator.settings import MigrationSettings
from services.runtime.settings import read_settings

_ROWS_AT_ONCE: Final = 20_000
_CONNECT_SECONDS: Final = 10
_KNOWN: Final = "SELECT event_id FROM tidegate.decisions WHERE event_id = ANY(%s)"


def main(argv: Sequence[str] | None = None) -> int:
    """Store all of a file; 1 where it cannot be done."""
    root = argparse.ArgumentParser(prog="python -m services.orchestrator.load_decisions", description=__doc__)
    root.add_argument("file", type=Path)
    file = root.parse_args(argv).file
    url = read_settings(MigrationSettings).database_url.get_secret_value()
    try:
        for stored in load(file, url):
            sys.stderr.write(f"\r{stored:,} decisions stored")
            sys.stderr.flush()
    except (OSError, psycopg.Error) as error:
        sys.stderr.write(f"\n{str(error).strip().splitlines()[0]}\n")
        return 1
    sys.stderr.write("\n")
    return 0


def load(file: Path, database_url: str) -> Iterator[int]:
    """Store a file's decisions, so many in a transaction; tells after each how many were new until then."""
    stored = 0
    decisions = messages(file)
    with psycopg.connect(database_url, connect_timeout=_CONNECT_SECONDS) as connection:
        while batch := list(islice(decisions, _ROWS_AT_ONCE)):
            stored += _store(connection, batch)
            yield stored


def messages(file: Path) -> Iterator[PaymentDecision]:
    """The messages of a file, each after its length."""
    with file.open("rb") as content:
        while (message := parse_length_prefixed(PaymentDecision, content)) is not None:
            yield message


def _store(connection: psycopg.Connection, batch: Sequence[PaymentDecision]) -> int:
    with connection.transaction(), connection.cursor() as cursor:
        known = {row[0] for row in cursor.execute(_KNOWN, [[each.event_id for each in batch]])}
        rows = [decision_row(each) for each in batch if each.event_id not in known]
        columns = sql.SQL(", ").join(map(sql.Identifier, DECISION_COLUMNS))
        with cursor.copy(sql.SQL("COPY tidegate.decisions ({}) FROM STDIN").format(columns)) as copy:
            for row in rows:
                copy.write_row([_plain(row[name]) for name in DECISION_COLUMNS])
    return len(rows)


def _plain(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


if __name__ == "__main__":
    sys.exit(main())
