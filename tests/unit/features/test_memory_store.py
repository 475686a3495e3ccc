"""The store in memory keeps what every store promises."""

import pytest

from tests.fakes.feature_store import MemoryFeatureStore
from tests.fakes.feature_store_suite import FeatureStoreSuite


class TestMemoryFeatureStore(FeatureStoreSuite):
    @pytest.fixture
    def store(self) -> MemoryFeatureStore:
        return MemoryFeatureStore()
