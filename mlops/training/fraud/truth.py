"""Reads which payments of a world were fraud, and when that came to be known."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops.training.labels import DelayedLabels, Ints

DAY_US: Final = 86_400_000_000
LABEL_DELAY_DAYS: Final = 30
"""Assumption: by then card networks' fraud reports (TC40, SAFE) and customers' calls have told of the frauds that are
not disputed. A dispute may come sooner, which settles nothing, or later."""

_LABELS: Final = Path("labels/payments.parquet")
_NEVER: Final = np.iinfo(np.int64).max


def fraud_labels(folder: Path, payment_ids: pa.ChunkedArray, occurred_us: Ints) -> DelayedLabels:
    """The label of every event's payment. A disputed fraud is known when it is disputed, any other after the delay.

    Raises:
        ValueError: the history has no labels, or events of payments without one.
    """
    file = folder / _LABELS
    if not file.is_file():
        raise ValueError(f"{file} does not exist: a fraud model is learned from payments of which the truth is known")
    truth = pq.read_table(file, columns=["payment_id", "is_fraud", "disputed_at"])
    place = {payment: row for row, payment in enumerate(truth.column("payment_id").to_pylist())}
    rows = np.array([place.get(payment, -1) for payment in payment_ids.to_pylist()], dtype=np.int64)
    if (rows < 0).any():
        raise ValueError(f"{file} lacks {int((rows < 0).sum()):,} events' payments: is it of another history?")
    fraud = np.asarray(truth.column("is_fraud"), dtype=np.bool_)[rows]
    disputed = truth.column("disputed_at").cast(pa.int64()).fill_null(_NEVER).to_numpy()[rows]
    delay_us = LABEL_DELAY_DAYS * DAY_US
    known = np.where(disputed == _NEVER, occurred_us + delay_us, disputed)
    return DelayedLabels(occurred_us, fraud, known, delay_us)
