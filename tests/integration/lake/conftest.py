"""What tests of the lakehouse start from: Trino and an empty catalog, on the engines of the run."""

from collections.abc import Iterator

import pytest

from tests.engines import Engines, only_one, start_more
from tests.lake import ENGINES, Lake


@pytest.fixture(scope="session")
def lake_engines(engines: Engines) -> Engines:
    """The engines of the run with object storage, catalog and Trino, started by the first test that asks."""
    with only_one(engines.home.with_suffix(".lock")):
        start_more(engines.home, *ENGINES)
    return engines


@pytest.fixture(scope="module")
def lake(lake_engines: Engines) -> Iterator[Lake]:
    """A lake that is empty, and this module's alone until it is done: its names are fixed, and there is one.

    With TIDEGATE_TEST_HOME it is that home's lake which is emptied: name one whose tables nobody needs.
    """
    with only_one(lake_engines.home / "lake.lock"):
        found = Lake(lake_engines)
        found.empty()
        yield found
