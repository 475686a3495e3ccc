"""Reads the past out of bronze as a history to learn from: events in order of arrival, our scores, and labels.

Bronze and not silver: features are kept online under the ids that events carry, and whoever joins offline rows with
online ones needs the same. What identifies a person and makes no feature stays behind.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.catalog import VIEWS
from mlops.features.event_rows import COLUMNS, HISTORY_FILE
from mlops.features.facts import attempt_id, microseconds
from mlops.features.parquet import events_file, moments_file
from mlops.pipelines.lib.catalog import told_of_lake
from mlops.pipelines.lib.outcomes import FINAL_ADVICE, FINAL_CLASSES, NO_ADVICE, Outcomes, Told
from mlops.pipelines.lib.sources import NAMESPACE
from mlops.training.churn.truth import ABSENCES_FILE
from mlops.training.history import SCORES_FILE, events

EVENTS, DECISIONS = "payment_events", "decisions"
SOURCE_FILE: Final = "source.json"
"""Which snapshots of which tables the history was read from, and how many rows it has."""
LEFT_BEHIND: Final = frozenset({"metadata", "card_last_four", "failure_message"})
"""Personal, or free text: no feature is made of them."""

_ROWS_AT_ONCE: Final = 200_000
_TIME: Final = pa.timestamp("us", tz="UTC")
_TYPES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(COLUMNS, pa.string()),
    **dict.fromkeys(("amount_cents", "amount_captured_cents", "amount_refunded_cents"), pa.int64()),
    **dict.fromkeys(("schema_version", "card_exp_month", "card_exp_year", "provider_risk_score"), pa.int32()),
    **dict.fromkeys(("provider_created_at", "processed_at"), _TIME),
    "livemode": pa.bool_(),
    "metadata": pa.map_(pa.string(), pa.string()),
}
HISTORY_SCHEMA: Final = pa.schema([(name, _TYPES[name]) for name in COLUMNS])
SCORES_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("event_id", "payment_id", "merchant_id", "customer_id")),
        ("amount_cents", pa.int64()),
        ("currency", pa.string()),
        ("fraud_probability", pa.float64()),
        ("decided_at", _TIME),
    ]
)
_KINDS: Final[Mapping[str, Any]] = {
    "is_fraud": pa.bool_(),
    "absent": pa.bool_(),
    "subscribes": pa.bool_(),
    "attempt_number": pa.int32(),
    **dict.fromkeys(("propensity", "propensity_hour", "success_probability"), pa.float64()),
    **dict.fromkeys(("disputed_at", "decided_at", "retry_at"), _TIME),
}
_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "labels/payments.parquet": ("payment_id", "merchant_id", "is_fraud", "disputed_at"),
    "labels/decisions.parquet": (
        *("payment_id", "merchant_id", "customer_id", "charge_id", "attempt_number", "decided_at", "failure_code"),
        *("bucket", "propensity", "propensity_hour", "retry_at", "success_probability", "outcome"),
    ),
    str(ABSENCES_FILE): ("event_id", "absent", "subscribes"),
}


class BronzeReader(Protocol):
    """What is read: a fake holds tables, the lake has them in Iceberg. Rows come in any order."""

    def snapshot_id(self, table: str) -> int | None:
        """What names the state of a table that the next read is of; None of an empty one."""
        ...

    def batches(self, table: str, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """All rows, some at a time. Columns that the table has not got yet are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export is: the folder, and what it was made of."""

    folder: Path
    events: int
    scores: int
    snapshots: Mapping[str, int | None]


def export(bronze: BronzeReader, folder: Path) -> Exported:
    """Write the history anew, in place of the one that is there, which stays as it is should this fail."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    snapshots = {name: bronze.snapshot_id(name) for name in (EVENTS, DECISIONS)}
    written = _write_events(bronze, partial)
    scores = _write_scores(bronze, partial)
    write_labels(partial)
    told = {"snapshots": snapshots, "events": written, "scores": scores}
    (partial / SOURCE_FILE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return Exported(folder, written, scores, snapshots)


def _write_events(bronze: BronzeReader, folder: Path) -> int:
    """A day of arrivals is sorted at a time: more than that need not be held."""
    days = _by_day(bronze.batches(EVENTS, tuple(name for name in COLUMNS if name not in LEFT_BEHIND)), folder / "days")
    written = 0
    with pq.ParquetWriter(folder / HISTORY_FILE, HISTORY_SCHEMA, compression="zstd") as history:
        for day in days:
            # Two events of one microsecond have no order that anybody could know; the same one each time will do.
            rows = pq.read_table(day).sort_by([("processed_at", "ascending"), ("event_id", "ascending")])
            history.write_table(rows)
            written += rows.num_rows
    shutil.rmtree(folder / "days")
    return written


def _by_day(batches: Iterable[pa.RecordBatch], folder: Path) -> list[Path]:
    """Rows by the day of their arrival, a folder each, in order of the days. No file stays open: there may be years."""
    folder.mkdir()
    for number, rows in enumerate(_gathered(batches)):
        days = pc.strftime(rows.column("processed_at"), format="%Y-%m-%d")
        for day in pc.unique(days).to_pylist():
            (folder / day).mkdir(exist_ok=True)
            pq.write_table(rows.filter(pc.equal(days, day)), folder / day / f"{number}.parquet")
    return sorted(folder.iterdir())


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Many rows at a time, since each day among them is written by itself."""
    held: list[pa.Table] = []
    for batch in batches:
        held.append(completed(pa.Table.from_batches([batch]), HISTORY_SCHEMA))
        if sum(map(len, held)) >= _ROWS_AT_ONCE:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def completed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """In the schema's order and types; what the table has not got is null."""
    columns = [
        rows.column(each.name).cast(each.type) if each.name in rows.column_names else pa.nulls(len(rows), each.type)
        for each in schema
    ]
    return pa.table(columns, schema=schema)


def _write_scores(bronze: BronzeReader, folder: Path) -> int:
    """Scores of events of this history: one that comes later brings its own score along."""
    known = pq.read_table(folder / HISTORY_FILE, columns=["event_id"]).column("event_id")
    found = [
        rows.filter(pc.and_(pc.is_valid(rows["fraud_probability"]), pc.is_in(rows["event_id"], value_set=known)))
        for batch in bronze.batches(DECISIONS, tuple(SCORES_SCHEMA.names))
        for rows in [completed(pa.Table.from_batches([batch]), SCORES_SCHEMA)]
    ]
    scores = pa.concat_tables([SCORES_SCHEMA.empty_table(), *found])
    order = [("decided_at", "ascending"), ("event_id", "ascending")]
    pq.write_table(scores.sort_by(order), folder / SCORES_FILE, compression="zstd")
    return int(scores.num_rows)


def write_labels(folder: Path) -> None:
    """Write what became of a history's payments beside it."""
    outcomes = Outcomes(map(told_of, events(folder)))
    (folder / "labels").mkdir(exist_ok=True)
    rows = (outcomes.payments(), outcomes.decisions(), outcomes.absences())
    for (name, columns), of_table in zip(_LABELS.items(), rows, strict=True):
        schema = pa.schema([(column, _KINDS.get(column, pa.string())) for column in columns])
        table = pa.Table.from_pylist(list(of_table), schema=schema)
        pq.write_table(table, folder / name, compression="zstd")


def told_of(event: UnifiedPaymentEvent) -> Told:
    """What outcomes need of an event."""
    final = (
        event.provider_advice_code == NO_ADVICE
        or event.network_advice_code in FINAL_ADVICE
        or event.decline_class in FINAL_CLASSES
    )
    return Told(
        event_id=event.event_id,
        event_type=event.event_type,
        payment_id=event.payment_id,
        merchant_id=event.merchant_id,
        customer_id=event.customer_id or None,
        card=event.card_fingerprint or None,
        attempt_id=attempt_id(event.provider, event.provider_object_id),
        invoiced=bool(event.invoice_id),
        reason=event.reason or None,
        failure_code=event.failure_code or None,
        final=final,
        occurred_us=microseconds(event.provider_created_at),
        arrived_us=microseconds(event.processed_at),
    )


class SnapshotGoneError(Exception):
    """Bronze no longer has the state that a history was read from; the message says what to do."""


class LakeReader:
    """A BronzeReader of the lake; each table as of one snapshot, whatever is ingested meanwhile. LakeUnavailableError.

    `snapshots` names the states to read; without them they are those of now.
    """

    def __init__(self, catalog: Catalog, snapshots: Mapping[str, int | None] | None = None) -> None:
        self._catalog, self._snapshots = catalog, snapshots or {}
        self._tables: dict[str, Table] = {}

    def snapshot_id(self, table: str) -> int | None:
        """Of the state that `batches` reads."""
        if table in self._snapshots:
            return self._snapshots[table]
        snapshot = self._opened(table).current_snapshot()
        return snapshot.snapshot_id if snapshot else None

    def batches(self, table: str, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """All rows of that state. SnapshotGoneError where maintenance has expired it."""
        opened, number = self._opened(table), self.snapshot_id(table)
        if number is None:
            return
        snapshot = opened.snapshot_by_id(number)
        if snapshot is None:
            raise SnapshotGoneError(
                f"{NAMESPACE}.{table} no longer has snapshot {number}, which the history was read from: materialise "
                "features/history and features/offline again"
            )
        schema = opened.schema() if snapshot.schema_id is None else opened.schemas()[snapshot.schema_id]
        present = tuple(name for name in columns if name in {field.name for field in schema.fields})
        with told_of_lake():
            yield from opened.scan(selected_fields=present, snapshot_id=number).to_arrow_batch_reader()

    def _opened(self, table: str) -> Table:
        if table not in self._tables:
            with told_of_lake():
                self._tables[table] = self._catalog.load_table(f"{NAMESPACE}.{table}")
        return self._tables[table]


def snapshots_of(history: Path) -> Mapping[str, int | None]:
    """Which states of bronze a history was read from."""
    told: Mapping[str, int | None] = json.loads((history / SOURCE_FILE).read_text(encoding="utf-8"))["snapshots"]
    return told


def publish(made: Path, folder: Path) -> None:
    """Put the files of features into Feast's offline store; each is there whole or as it was."""
    for view in VIEWS:
        for file in (events_file, moments_file):
            kept, shown = file(view, made), file(view, folder)
            shown.parent.mkdir(parents=True, exist_ok=True)
            partial = shown.with_suffix(".partial")
            shutil.copyfile(kept, partial)
            partial.replace(shown)


def prune(cache: Path, keep: Path) -> None:
    """Drop what was made of earlier histories."""
    for made in cache.iterdir() if cache.is_dir() else ():
        if made.is_dir() and made != keep:
            shutil.rmtree(made)
