"""Our windows give the Fraud Detection Handbook's published features, as its own definition in pandas gives them.

Source: fraud-detection-handbook.github.io, chapter 3, "Baseline feature transformation", read 2026-11.
"""

from array import array
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops.features.windows import DAY_US, HOUR_US, SIGNED, UNSIGNED, Marks, span

DATA = Path("../shared/data/fraud/handbook_transactions_2018-04-01_2018-08-14.parquet")
DAYS = (1, 7, 30)
DELAY_DAYS = 7

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"needs the Handbook's transactions at {DATA}")


@pytest.fixture(scope="module")
def transactions() -> Any:
    """All payments of some customers and at some terminals, in the order of time."""
    table = pd.read_parquet(DATA)
    # The busiest, the idlest, and some in between; terminals with the most fraud among them.
    customers = table.groupby("CUSTOMER_ID").size().sort_values().index[[0, 1, 2500, -1]]
    terminals = table.groupby("TERMINAL_ID").TX_FRAUD.sum().sort_values().index[[0, 3000, -2, -1]]
    return table[table.CUSTOMER_ID.isin(customers) | table.TERMINAL_ID.isin(terminals)].sort_values("TX_DATETIME")


def by_pandas(transactions: Any) -> Any:
    """As the Handbook has it, name by name."""
    table = transactions.copy()
    table["TX_DURING_WEEKEND"] = (table.TX_DATETIME.dt.weekday >= 5).astype(int)
    table["TX_DURING_NIGHT"] = (table.TX_DATETIME.dt.hour <= 6).astype(int)
    table = _apply(table, "CUSTOMER_ID", _spending)
    return _apply(table, "TERMINAL_ID", _risk).sort_values("TRANSACTION_ID")


def _apply(table: Any, entity: str, function: Any) -> Any:
    return pd.concat([function(rows) for _, rows in table.groupby(entity)])


def _spending(rows: Any) -> Any:
    rows = rows.sort_values("TX_DATETIME").set_index("TX_DATETIME", drop=False)
    for days in DAYS:
        window = rows.TX_AMOUNT.rolling(f"{days}d")
        rows[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = window.count()
        rows[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = window.sum() / window.count()
    return rows.reset_index(drop=True)


def _risk(rows: Any) -> Any:
    rows = rows.sort_values("TX_DATETIME").set_index("TX_DATETIME", drop=False)
    delay = rows.TX_FRAUD.rolling(f"{DELAY_DAYS}d")
    for days in DAYS:
        both = rows.TX_FRAUD.rolling(f"{DELAY_DAYS + days}d")
        payments = both.count() - delay.count()
        rows[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = payments
        rows[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = ((both.sum() - delay.sum()) / payments).fillna(0)
    return rows.reset_index(drop=True)


def by_windows(transactions: Any) -> Any:
    """One payment after another, each seeing what came before it and itself."""
    customers: dict[int, Marks] = {}
    terminals: dict[int, Marks] = {}
    found = []
    for row in transactions.itertuples():
        at_us = row.TX_DATETIME.value // 1000
        customer = customers.get(row.CUSTOMER_ID, _NONE).marked(at_us, row.TRANSACTION_ID, round(row.TX_AMOUNT * 100))
        terminal = terminals.get(row.TERMINAL_ID, _NONE).marked(at_us, row.TRANSACTION_ID, row.TX_FRAUD)
        customers[row.CUSTOMER_ID], terminals[row.TERMINAL_ID] = customer, terminal
        found.append({"TRANSACTION_ID": row.TRANSACTION_ID, **_moment(at_us), **_values(customer, terminal, at_us)})
    return pd.DataFrame(found).sort_values("TRANSACTION_ID")


_NONE = Marks(array(SIGNED), array(UNSIGNED), array(SIGNED))


def _moment(at_us: int) -> dict[str, int]:
    # 1970 began on a Thursday.
    return {
        "TX_DURING_WEEKEND": int((at_us // DAY_US + 3) % 7 >= 5),
        "TX_DURING_NIGHT": int(at_us % DAY_US // HOUR_US <= 6),
    }


def _values(customer: Marks, terminal: Marks, at_us: int) -> dict[str, float]:
    values: dict[str, float] = {}
    amounts, frauds = customer[2], terminal[2]
    for days in DAYS:
        start, end = span(customer.times, at_us, days * DAY_US)
        values[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = end - start
        values[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = sum(amounts[start:end]) / (end - start) / 100
        start, end = span(terminal.times, at_us, days * DAY_US, DELAY_DAYS * DAY_US)
        values[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = end - start
        values[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = sum(frauds[start:end]) / (end - start) if end > start else 0.0
    return values


def test_the_published_features_come_out_of_our_windows(transactions: Any) -> None:
    expected, found = by_pandas(transactions), by_windows(transactions)
    names = [name for name in found.columns if name != "TRANSACTION_ID"]
    # With the amount itself, the Handbook's fifteen.
    assert len(names) == 14
    assert len(found) > 1000
    for name in names:
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-9, abs=1e-9), name
    # The sample is one in which the windows differ.
    assert (expected.TERMINAL_ID_RISK_7DAY_WINDOW > 0).any()
    assert (expected.CUSTOMER_ID_NB_TX_1DAY_WINDOW != expected.CUSTOMER_ID_NB_TX_7DAY_WINDOW).any()
