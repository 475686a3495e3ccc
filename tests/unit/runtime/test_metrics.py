"""Metric names are one closed list."""

from typing import get_args

import pytest

from services.runtime import metrics


def test_every_name_has_a_meaning_and_every_meaning_a_name() -> None:
    assert set(get_args(metrics.MetricName)) == set(metrics.METRICS)


def test_counters_end_in_total_and_times_in_seconds() -> None:
    for name, metric in metrics.METRICS.items():
        assert (metric.kind == "counter") == name.endswith("_total")
        if "duration" in name:
            assert name.endswith("_seconds")


def test_asking_twice_gives_the_same_object() -> None:
    assert metrics.counter("tidegate_outbox_published_total") is metrics.counter("tidegate_outbox_published_total")


def test_a_gauge_is_no_counter() -> None:
    with pytest.raises(TypeError, match="is a gauge"):
        metrics.counter("tidegate_outbox_backlog")
