"""The past from a history's folder: its events, and which payments were fraud. Parquet needs the extra `models`."""

import hashlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.event_rows import COLUMNS, HISTORY_FILE, event_of

LABELS_FILE: Final = Path("labels/payments.parquet")
_ROWS_AT_ONCE: Final = 5_000


class HistoryError(ValueError):
    """There is no history that can be read; the message says what to do."""


def events(folder: Path) -> Iterator[UnifiedPaymentEvent]:
    """In the order of arrival. HistoryError."""
    file = _file(folder)
    with _parquet().ParquetFile(file) as history:
        if missing := sorted(set(COLUMNS) - set(history.schema_arrow.names)):
            raise HistoryError(f"{file} lacks the columns {', '.join(missing)}; make it anew")
        for batch in history.iter_batches(_ROWS_AT_ONCE, columns=list(COLUMNS)):
            yield from map(event_of, batch.to_pylist())


def labels(folder: Path) -> dict[str, bool] | None:
    """By payment whether it was fraud; None where the folder does not say."""
    file = folder / LABELS_FILE
    if not file.is_file():
        return None
    table = _parquet().read_table(file, columns=["payment_id", "is_fraud"])
    return dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


def fingerprint(folder: Path) -> str:
    """SHA-256 of the events' file. HistoryError."""
    with _file(folder).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _file(folder: Path) -> Path:
    file = folder / HISTORY_FILE
    if not file.is_file():
        raise HistoryError(f"{file} does not exist; make one: python -m services.simulator --history {folder}")
    return file


def _parquet() -> Any:
    try:
        return import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise HistoryError(
            "Parquet needs pyarrow, which is in the extra `models`: pip install 'tidegate[models]'"
        ) from error
