"""Writes tables as Parquet, and reads the labels' curves back. pyarrow comes with the extra `models`."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from services.simulator.behaviour.curves import Curve, curve_of

Row = dict[str, Any]
_ROWS_AT_ONCE = 100_000


def write_table(file: Path, columns: Mapping[str, str], rows: Iterable[Row]) -> int:
    """Write rows, in their order; returns how many. The same rows make the same bytes.

    Kinds of columns: text, word (few values), int32, int64, float, floats, floats32, bool, time (microseconds since
    1970, UTC), seconds (a list of them), spans (a list of pairs of seconds), map (text to text).
    """
    pyarrow, parquet = _library("pyarrow"), _library("pyarrow.parquet")
    types = _types(pyarrow)
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    written = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        remaining = iter(rows)
        while batch := list(islice(remaining, _ROWS_AT_ONCE)):
            writer.write_table(pyarrow.table(_columns(pyarrow, schema, columns, batch), schema=schema))
            written += len(batch)
    return written


def read_curves(file: Path) -> Iterator[tuple[str, Curve]]:
    """The payment id and true curve of every failed payment in `curves.parquet`."""
    for row in _library("pyarrow.parquet").read_table(file).to_pylist():
        yield row["payment_id"], curve_of(row)


def _columns(pyarrow: Any, schema: Any, columns: Mapping[str, str], batch: list[Row]) -> list[Any]:
    return [
        pyarrow.array([_stored(kind, row[name]) for row in batch], type=schema.field(name).type)
        for name, kind in columns.items()
    ]


def _stored(kind: str, value: Any) -> Any:
    return list(value.items()) if kind == "map" and value is not None else value


def _types(pyarrow: Any) -> Mapping[str, Any]:
    int64 = pyarrow.int64()
    return {
        "text": pyarrow.string(),
        "word": pyarrow.string(),
        "int32": pyarrow.int32(),
        "int64": int64,
        "float": pyarrow.float64(),
        "floats": pyarrow.list_(pyarrow.float64()),
        "floats32": pyarrow.list_(pyarrow.float32()),
        "bool": pyarrow.bool_(),
        "time": pyarrow.timestamp("us", tz="UTC"),
        "seconds": pyarrow.list_(int64),
        "spans": pyarrow.list_(pyarrow.list_(int64)),
        "map": pyarrow.map_(pyarrow.string(), pyarrow.string()),
    }


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(
            "Parquet needs pyarrow, which is in the extra `models`: pip install 'tidegate[models]'"
        ) from error
