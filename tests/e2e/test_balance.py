"""Nothing disappears: under every kind of injected fault, each delivery is where it belongs, once."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.platform import CONTRACTED, DEAD, OTHER, Platform, event_ids, wait_until

pytestmark = pytest.mark.timeout(900)

FAULTS = (
    *("--duplicates", "0.1", "--reordered", "0.1", "--bad-signatures", "0.08"),
    *("--malformed", "0.15", "--odd", "0.1"),
)


def ids(deliveries: Iterable[dict[str, Any]], *expected: str) -> list[str]:
    """Platform ids of deliveries with one of these expected outcomes."""
    return [f"stripe:{one['event_id']}" for one in deliveries if one["expected"] in expected]


def webhooks_counted(platform: Platform) -> Counter[str]:
    """The gateway's own count by outcome."""
    text = httpx.get(f"{platform.env['TIDEGATE_GATEWAY_URL']}/metrics", trust_env=False).text
    counted: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "tidegate_webhooks_total":
                counted[sample.labels["outcome"]] += int(sample.value)
    return counted


def held(platform: Platform, table: str, event_ids: list[str]) -> Counter[str]:
    """How often a table holds each of these events."""
    statements = {
        "payment_events": "SELECT event_id FROM tidegate.payment_events WHERE event_id = ANY(%s)",
        "decisions": "SELECT event_id FROM tidegate.decisions WHERE event_id = ANY(%s)",
        "quarantine": "SELECT event_id FROM tidegate.quarantine WHERE event_id = ANY(%s)",
    }
    return Counter(row[0] for row in platform.query(statements[table], event_ids))


def test_every_delivery_is_where_it_belongs(platform: Platform, tmp_path: Path) -> None:
    before = webhooks_counted(platform)
    code, report = platform.simulate(
        *("--count", "400", "--rate", "40", "--seed", "11"), *FAULTS, report=tmp_path / "report.json"
    )
    assert code == 0, report["summary"]
    deliveries = report["deliveries"]
    good, failing = ids(deliveries, "normalised"), ids(deliveries, "validation_failure")
    assert len(good) > 200
    assert failing
    published = "payments.decisions"
    wait_until(lambda: set(good) <= set(event_ids(platform.read(published))), f"{len(good)} decisions", 120)
    wait_until(lambda: set(failing) <= held(platform, "quarantine", failing).keys(), "quarantined failures", 60)

    once = Counter(good)
    assert held(platform, "payment_events", good) == once
    assert held(platform, "decisions", good) == once
    assert Counter(event_id for event_id in event_ids(platform.read(published)) if event_id in once) == once
    assert held(platform, "quarantine", failing) == Counter(failing)
    forged = ids(deliveries, "unverified", "too_large")
    for topic in (*CONTRACTED, OTHER, DEAD):
        assert not set(forged) & set(event_ids(platform.read(topic)))
    for topic, expected in ((OTHER, "other"), (DEAD, "dead")):
        assert set(event_ids(platform.read(topic))).isdisjoint(good), (topic, expected)
    assert set(ids(deliveries, "other")) <= set(event_ids(platform.read(OTHER)))
    assert_counted(webhooks_counted(platform) - before, deliveries)


def assert_counted(counted: Counter[str], deliveries: list[dict[str, Any]]) -> None:
    """What was received = accepted + other + dead + unverified + too large, by the gateway's own counters."""
    sent = Counter(one["expected"] for one in deliveries)
    originals = {one["event_id"]: one["expected"] for one in deliveries if one["expected"] != "duplicate"}
    again = Counter(originals[one["event_id"]] for one in deliveries if one["expected"] == "duplicate")
    wanted = {
        "accepted": sent["normalised"] + sent["validation_failure"] + again["normalised"],
        "other": sent["other"] + again["other"],
        "dead": sent["dead"],
        "unverified": sent["unverified"],
        "too_large": sent["too_large"],
    }
    assert counted == +Counter(wanted)  # the counters' differences leave out what did not happen
    assert counted.total() == len(deliveries)
