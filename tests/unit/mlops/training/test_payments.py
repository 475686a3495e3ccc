"""Payments are read in order of arrival from any number of files, each once."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from mlops.training.fraud.handbook import History
from mlops.training.fraud.payments import day_number, day_of, read
from tests.unit.mlops.training.histories import payments


def write(path: Path, rows: list[tuple[int, str, float, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["TRANSACTION_ID", "TX_DATETIME", "TX_AMOUNT", "TX_FRAUD"])
    frame["TX_DATETIME"] = pd.to_datetime(frame.TX_DATETIME)
    frame.assign(CUSTOMER_ID=1, TERMINAL_ID=2).to_parquet(path)


def test_files_overlap_and_come_in_any_order(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", [(2, "2018-04-02 00:00:01", 19.99, 1), (1, "2018-04-01 10:00:00", 5.0, 0)])
    write(tmp_path / "a.parquet", [(3, "2018-04-03 00:00:00", 0.29, 0), (2, "2018-04-02 00:00:01", 19.99, 1)])
    both = read([tmp_path])
    assert both.amount_cents.tolist() == [500, 1_999, 29]
    assert both.fraud.tolist() == [False, True, False]
    assert both.weekday.tolist() == [6, 0, 1]  # 2018-04-01 was a Sunday
    assert [day_of(int(second) // 86_400) for second in both.seconds] == [date(2018, 4, day) for day in (1, 2, 3)]


def test_a_folder_without_files_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--data"):
        read([tmp_path])


def test_a_week_beyond_the_data_is_refused() -> None:
    history = History.of(payments(days=60))
    assert len(history.tested(day_number(date(1970, 2, 23)))) > 0  # the 53rd day, so that the week is the last one
    with pytest.raises(ValueError, match="1970-01-01 to 1970-03-01"):
        history.tested(day_number(date(1970, 2, 24)))
