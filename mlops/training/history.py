"""Turns a history of events into the table that models are trained on: every event with its features as of itself.

Rows become messages and facts first, so that training has no way to a feature that the stream has not.
"""

import hashlib
import heapq
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features import event_rows, parquet
from mlops.features.catalog import FEATURES, VIEWS, Entity
from mlops.features.facts import PaymentFact, microseconds, payment_fact, score_fact
from mlops.features.history import feature_rows
from mlops.features.payment import OWN_FEATURES, event_features
from mlops.features.state import State, encode

HISTORY_FILE: Final = event_rows.HISTORY_FILE
SCORES_FILE: Final = "scores.parquet"
"""Our own fraud scores of the history's events, where it has them, in order of decided_at."""
STATES_FILE: Final = "states.parquet"
"""Where the history ends: entity, key, and the state in bytes, as the online store keeps it."""
TABLE_FILE: Final = "table.parquet"
IDENTITY: Final = ("event_id", "payment_id", "event_type", "merchant_id", "customer_id", "card_fingerprint", "currency")
"""What says whose a row is, as the events have it; never a feature."""

_CODE: Final = Path(__file__).parents[1] / "features"
_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in IDENTITY),
        ("amount_cents", pa.int64()),
        ("occurred_us", pa.int64()),
        ("arrived_us", pa.int64()),
        *((name, pa.float64()) for name in OWN_FEATURES),
    ]
)
_ROWS_AT_ONCE: Final = 20_000


def fingerprint(folder: Path) -> str:
    """SHA-256 over the history and over the code and tables that make features of it: the same, the same table."""
    digest = hashlib.sha256()
    scores = [file] if (file := folder / SCORES_FILE).is_file() else []
    for file in (folder / HISTORY_FILE, *scores, *sorted(_CODE.glob("*.py")), Path(__file__)):
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def events(folder: Path) -> Iterator[UnifiedPaymentEvent]:
    """The history's events in order of arrival.

    Raises:
        ValueError: there is no history in the folder, or it lacks columns.
    """
    file = folder / HISTORY_FILE
    if not file.is_file():
        raise ValueError(f"{file} does not exist; make one: python -m services.simulator --history {folder}")
    with pq.ParquetFile(file) as history:
        if missing := sorted(set(event_rows.COLUMNS) - set(history.schema_arrow.names)):
            raise ValueError(f"{file} lacks the columns {', '.join(missing)}; make it anew with this simulator")
        for batch in history.iter_batches(_ROWS_AT_ONCE, columns=list(event_rows.COLUMNS)):
            yield from map(event_rows.event_of, batch.to_pylist())


def facts(folder: Path) -> Iterator[PaymentFact]:
    """What features are made of, in order of arrival: events, and our own scores where the history has them."""
    return heapq.merge(map(payment_fact, events(folder)), _scores(folder), key=lambda fact: fact.arrived_at_us)


def _scores(folder: Path) -> Iterator[PaymentFact]:
    file = folder / SCORES_FILE
    if not file.is_file():
        return
    with pq.ParquetFile(file) as scores:
        for batch in scores.iter_batches(_ROWS_AT_ONCE):
            for row in batch.to_pylist():
                score = ScoreResponse(fraud_probability=row.pop("fraud_probability"))
                decided_at = Timestamp()
                decided_at.FromDatetime(row.pop("decided_at"))
                known = {name: value for name, value in row.items() if value is not None}
                fact = score_fact(PaymentDecision(**known, fraud=score, decided_at=decided_at))
                if fact is not None:
                    yield fact


def event_table(folder: Path, cache: Path) -> pa.Table:
    """Every event once, in order of arrival: identity, the payment's own features, then the catalog's.

    Features are as of the event, the event included; null where there is nothing to make one of. What was made of the
    same history by the same code is read from `cache`, a folder for each fingerprint.
    """
    made = cache / fingerprint(folder)
    if not (made / TABLE_FILE).is_file():
        made.mkdir(parents=True, exist_ok=True)
        ends: dict[tuple[Entity, str], State] = {}
        parquet.write(feature_rows(facts(folder), ends), made)
        pq.write_table(_states(ends), made / STATES_FILE, compression="zstd")
        partial = (made / TABLE_FILE).with_suffix(".partial")
        pq.write_table(_joined(_own(folder), made), partial, compression="zstd")
        partial.replace(made / TABLE_FILE)
    return pq.read_table(made / TABLE_FILE)


def _states(ends: Mapping[tuple[Entity, str], State]) -> pa.Table:
    return pa.table(
        {
            "entity": pa.array([entity.value for entity, _ in ends], pa.string()),
            "key": pa.array([key for _, key in ends], pa.string()),
            "state": pa.array(list(map(encode, ends.values())), pa.binary()),
        }
    )


def _own(folder: Path) -> pa.Table:
    columns: dict[str, list[Any]] = {field.name: [] for field in _SCHEMA}
    seen: set[str] = set()
    for event in events(folder):
        if event.event_id in seen:
            continue
        seen.add(event.event_id)
        for name in IDENTITY:
            columns[name].append(getattr(event, name) or None)
        columns["amount_cents"].append(event.amount_cents)
        columns["occurred_us"].append(microseconds(event.provider_created_at))
        columns["arrived_us"].append(microseconds(event.processed_at))
        for name, value in event_features(event).items():
            columns[name].append(value)
    return pa.table([pa.array(columns[field.name], type=field.type) for field in _SCHEMA], schema=_SCHEMA)


def _joined(table: pa.Table, made: Path) -> pa.Table:
    """With the catalog's features, looked up by event: a duplicate's row is that of its first arrival."""
    order = {event_id: row for row, event_id in enumerate(table.column("event_id").to_pylist())}
    for view in VIEWS:
        names = [feature.name for feature in FEATURES if feature.view == view.name]
        rows = pq.read_table(parquet.events_file(view, made), columns=[parquet.EVENT_ID_COLUMN, *names])
        places: list[int | None] = [None] * len(order)
        for row, event_id in enumerate(rows.column(parquet.EVENT_ID_COLUMN).to_pylist()):
            place = order[event_id]
            if places[place] is None:
                places[place] = row
        found = rows.take(pa.array(places, type=pa.int64()))
        for name in names:
            table = table.append_column(name, found.column(name).cast(pa.float64()))
    return table
