"""A small world's history, made once."""

from pathlib import Path

import pytest

from services.simulator.adapters import parquet
from services.simulator.behaviour.outputs import write_history, write_labels
from tests.unit.simulator.behaviour.worlds import world


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    year = world(customers=250, days=170)
    write_history(year, made, parquet.write_table)
    write_labels(year, made, parquet.write_table)
    return made
