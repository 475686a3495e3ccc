"""Rejected rows in a real table of Iceberg, in memory's catalog: each once, also where a commit's answer is lost."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.exceptions import CommitStateUnknownException
from pyiceberg.table import Table

from mlops.pipelines.lib.rejected import SCHEMA, open_rejected, replace_day

_NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def one_answer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first commit lands, and its writer never hears of it."""
    commit, made = Table._do_commit, []

    def lost(table: Table, *arguments: Any, **options: Any) -> None:
        commit(table, *arguments, **options)
        made.append(table)
        if len(made) == 1:
            raise CommitStateUnknownException("504")

    monkeypatch.setattr(Table, "_do_commit", lost)


def test_a_days_rows_stand_once_where_the_answer_to_their_commit_is_lost(
    tmp_path: Path, one_answer_is_lost: None
) -> None:
    catalog = InMemoryCatalog("test", warehouse=tmp_path.as_uri())
    row = {
        "source_table": "payment_events",
        "rule_id": "required.status",
        "key": "stripe:evt_1",
        "event_day": _NOW.date(),
        "rejected_at": _NOW,
    }
    replace_day(catalog, "payment_events", pa.Table.from_pylist([row], schema=SCHEMA), _NOW.date())
    assert open_rejected(catalog).scan().to_arrow().column("key").to_pylist() == ["stripe:evt_1"]
