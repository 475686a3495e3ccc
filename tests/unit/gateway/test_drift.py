"""Drift is counted by provider, type, version, kind and field, in a bounded number of series."""

from itertools import count

import pytest
from prometheus_client import REGISTRY

from services.gateway.decoder import MOST_TOLD, Drift
from services.gateway.drift import OTHER, DriftCount

_numbers = count()


@pytest.fixture
def provider() -> str:
    """A provider of this test alone, since metrics are the process's."""
    return f"provider{next(_numbers)}"


def counted(provider: str, event_type: str, version: str, kind: str, path: str) -> float | None:
    names = ("provider", "event_type", "api_version", "kind", "field_path")
    labels = dict(zip(names, (provider, event_type, version, kind, path), strict=True))
    return REGISTRY.get_sample_value("tidegate_contract_drift_total", labels)


def test_each_field_is_counted_once_a_body(provider: str) -> None:
    drift = DriftCount(provider, 100)
    for _ in range(3):
        drift.add("charge.updated", "2020", [Drift("unknown_field", "a"), Drift("type_change", "b")])
    drift.flush()
    assert counted(provider, "charge.updated", "2020", "unknown_field", "a") == 3
    assert counted(provider, "charge.updated", "2020", "type_change", "b") == 3


def test_flushing_again_counts_nothing_twice(provider: str) -> None:
    drift = DriftCount(provider, 100)
    drift.add("t", "v", [Drift("unknown_field", "a")])
    drift.flush()
    drift.flush()
    assert counted(provider, "t", "v", "unknown_field", "a") == 1


def test_a_body_without_a_version_is_counted_as_such(provider: str) -> None:
    drift = DriftCount(provider, 100)
    drift.add("t", "", [Drift("unknown_field", "a")])
    drift.flush()
    assert counted(provider, "t", "(none)", "unknown_field", "a") == 1


def test_a_version_that_reads_like_none_is_not_told(provider: str) -> None:
    drift = DriftCount(provider, 100)
    drift.add("t", "jane@example.com", [Drift("unknown_field", "a")])
    drift.flush()
    assert counted(provider, "t", "(odd version)", "unknown_field", "a") == 1


def test_beyond_the_limit_new_series_are_counted_together_and_known_ones_go_on(provider: str) -> None:
    drift = DriftCount(provider, 2)
    for name in ("a", "b", "c", "d", "a"):
        drift.add("t", "v", [Drift("unknown_field", name)])
    drift.flush()
    assert counted(provider, "t", "v", "unknown_field", "a") == 2
    assert counted(provider, "t", "v", "unknown_field", "c") is None
    assert counted(provider, OTHER, OTHER, "unknown_field", OTHER) == 2


def test_sightings_are_written_before_they_fill_the_memory(provider: str) -> None:
    drift = DriftCount(provider, 10)
    for number in range(20_000):
        drift.add("t", str(number), [Drift("unknown_field", "a")])
    assert len(drift._pending) <= 5_000
    drift.flush()
    assert counted(provider, OTHER, OTHER, "unknown_field", OTHER) == 19_990


def test_bodies_that_drift_much_are_written_sooner_and_told_in_part(provider: str) -> None:
    drift = DriftCount(provider, 10)
    much = [Drift("unknown_field", f"a{number}") for number in range(10_000)]
    for number in range(100):
        drift.add("t", str(number), much)
    assert sum(len(told) for _, _, told in drift._pending) <= 5_000
    drift.flush()
    assert counted(provider, OTHER, OTHER, "unknown_field", OTHER) == 100 * MOST_TOLD - 10
