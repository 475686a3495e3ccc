"""Reads the Fraud Detection Handbook's payments from Parquet, in order of arrival."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops.training.fraud.features import DAY, Payments

DATA = Path(__file__).parents[4] / "shared/data/fraud"
"""Where the published part lies, beside the repository."""

_COLUMNS = ("TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD")
_EPOCH = date(1970, 1, 1)
_THURSDAY = 3
"""The weekday of the epoch."""


def read(paths: Sequence[Path]) -> Payments:
    """Return the payments of these files, or of all Parquet files in a folder. A payment in two files counts once.

    Of the Handbook's columns those that name a fraud's scenario are never read.

    Raises:
        FileNotFoundError: there is no such file.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
    if not files:
        raise FileNotFoundError(f"no Parquet file at {', '.join(map(str, paths))}; give one with --data")
    table = pa.concat_tables([pq.read_table(file, columns=list(_COLUMNS)) for file in files], promote_options="default")
    table = table.sort_by([("TX_DATETIME", "ascending"), ("TRANSACTION_ID", "ascending")])
    identity = table["TRANSACTION_ID"].to_numpy()
    first = np.sort(np.unique(identity, return_index=True)[1])
    seconds = pc.cast(table["TX_DATETIME"], pa.timestamp("s"), safe=False).cast(pa.int64()).to_numpy()[first]
    return Payments(
        seconds=seconds,
        weekday=(seconds // DAY + _THURSDAY) % 7,
        customer=table["CUSTOMER_ID"].to_numpy()[first].astype(np.int64),
        terminal=table["TERMINAL_ID"].to_numpy()[first].astype(np.int64),
        amount_cents=np.rint(table["TX_AMOUNT"].to_numpy()[first] * 100).astype(np.int64),
        fraud=table["TX_FRAUD"].to_numpy()[first].astype(bool),
    )


def day_number(day: date) -> int:
    """Return the day as the protocol counts them: since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """Return the day of a day's number."""
    return _EPOCH + timedelta(days=int(number))
