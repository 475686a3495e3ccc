"""Writes feature rows as Parquet: for each view every event's row, and the last row of each moment.

Training and the proof of no skew read the events, by event_id. Feast joins the moments: it knows a row by key and time
alone, and of two rows of one moment (a charge and its PaymentIntent fail in one second) it takes either.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops.features.catalog import FEATURES, VIEW_OF, VIEWS, Dtype, View
from mlops.features.history import FeatureRow

EVENT_ID_COLUMN: Final = "event_id"
EVENT_TIME_COLUMN: Final = "event_timestamp"
CREATED_COLUMN: Final = "created_timestamp"

_TYPES: Final[Mapping[Dtype, Any]] = {Dtype.INT64: pa.int64(), Dtype.FLOAT64: pa.float64()}
_TIME: Final = pa.timestamp("us", tz="UTC")
_ROWS_A_GROUP: Final = 20_000


def events_file(view: View, folder: Path) -> Path:
    """Where a view's rows are, one for each event, in the order of arrival."""
    return folder / view.name / "events.parquet"


def moments_file(view: View, folder: Path) -> Path:
    """Where those rows are of which none of the same key and moment arrived later."""
    return folder / view.name / "moments.parquet"


def schema_of(view: View) -> Any:
    """Columns of a view's file: event, key, two times, then the features in the catalog's order."""
    features = [(each.name, _TYPES[each.dtype]) for each in FEATURES if each.view == view.name]
    return pa.schema(
        [
            pa.field(EVENT_ID_COLUMN, pa.string(), nullable=False),
            pa.field(view.join_key, pa.string(), nullable=False),
            pa.field(EVENT_TIME_COLUMN, _TIME, nullable=False),
            pa.field(CREATED_COLUMN, _TIME, nullable=False),
            *(pa.field(name, kind) for name, kind in features),
        ],
        metadata={"description": view.description},
    )


def write(rows: Iterable[FeatureRow], folder: Path) -> Mapping[str, int]:
    """Write rows in the order of arrival, each to its view's files, and return how many by view.

    Files that were there are replaced when all rows are written, and stay as they were if that fails.
    """
    for view in VIEWS:
        (folder / view.name).mkdir(parents=True, exist_ok=True)
    counts = _write_events(rows, folder)
    for view in VIEWS:
        _write_moments(view, folder)
    for path in (file(view, folder) for view in VIEWS for file in (events_file, moments_file)):
        _partial(path).replace(path)
    return counts


def _partial(path: Path) -> Path:
    return path.with_suffix(".partial")


def _write_events(rows: Iterable[FeatureRow], folder: Path) -> Mapping[str, int]:
    counts = dict.fromkeys((view.name for view in VIEWS), 0)
    with ExitStack() as files:
        writers = {
            view: files.enter_context(pq.ParquetWriter(_partial(events_file(view, folder)), schema_of(view)))
            for view in VIEWS
        }
        left = iter(rows)
        while batch := list(islice(left, _ROWS_A_GROUP)):
            for view in VIEWS:
                table = _table(view, [row for row in batch if VIEW_OF[row.entity] is view])
                writers[view].write_table(table)
                counts[view.name] += table.num_rows
    return counts


def _write_moments(view: View, folder: Path) -> None:
    """Copy a group of rows at a time: only keys and times are held together."""
    with pq.ParquetFile(_partial(events_file(view, folder))) as events:
        moments = [view.join_key, EVENT_TIME_COLUMN]
        numbered = events.read(columns=moments)
        numbered = numbered.append_column("row", pa.array(range(numbered.num_rows), pa.int64()))
        kept = numbered.group_by(moments).aggregate([("row", "max")]).column("row_max")
        start = 0
        with pq.ParquetWriter(_partial(moments_file(view, folder)), schema_of(view)) as writer:
            for batch in events.iter_batches(_ROWS_A_GROUP):
                rows = pa.array(range(start, start + batch.num_rows), pa.int64())
                writer.write_batch(batch.filter(pc.is_in(rows, value_set=kept)))
                start += batch.num_rows


def _table(view: View, rows: list[FeatureRow]) -> Any:
    columns = [
        [row.event_id for row in rows],
        [row.key for row in rows],
        [row.event_us for row in rows],
        [row.created_us for row in rows],
        *([row.values[each.name] for row in rows] for each in FEATURES if each.view == view.name),
    ]
    schema = schema_of(view)
    return pa.Table.from_arrays(
        [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
