"""Captured webhooks of many types and API versions: each is accounted for, and money agrees with the bodies."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.platform import CONTRACTED, DEAD, OTHER, Platform, event_ids, wait_until

pytestmark = pytest.mark.timeout(900)

# Exponents by ISO 4217, which are Stripe's too. Written down on purpose: the product's tables are not asked.
EXPONENTS = {"usd": 2, "eur": 2, "gbp": 2, "jpy": 0, "krw": 0, "kwd": 3}


@dataclass(frozen=True)
class Posted:
    """One file that was posted: its report entry and its body."""

    entry: dict[str, Any]
    body: dict[str, Any]

    @property
    def event_id(self) -> str:
        """The platform's id of it."""
        return f"stripe:{self.entry['event_id']}"

    @property
    def shown(self) -> dict[str, Any]:
        """The object in the event."""
        return self.body["data"]["object"]  # type: ignore[no-any-return]


def post_folder(platform: Platform, folder: Path, report: Path) -> list[Posted]:
    """Post every file under a fresh id; each must be acknowledged."""
    code, told = platform.simulate("--from", str(folder), "--fresh-ids", "--rate", "20", report=report)
    assert code == 0, told["summary"]
    return [Posted(entry, json.loads((folder / entry["file"]).read_text())) for entry in told["deliveries"]]


def places(platform: Platform) -> dict[str, Counter[str]]:
    """Event ids on each of the gateway's topics."""
    return {topic: Counter(event_ids(platform.read(topic))) for topic in (*CONTRACTED, OTHER, DEAD)}


def settled(platform: Platform, ids: set[str]) -> None:
    """Wait until each of these events is decided and published, or quarantined."""

    def done() -> bool:
        published = set(event_ids(platform.read("payments.decisions")))
        kept = platform.query("SELECT event_id FROM tidegate.quarantine WHERE event_id = ANY(%s)", list(ids))
        return ids <= published | {row[0] for row in kept}

    wait_until(done, f"{len(ids)} events decided or quarantined", 120)


def stored(platform: Platform, event_id: str) -> tuple[Any, ...] | None:
    """The row of an event."""
    rows = platform.query(
        "SELECT amount_cents, currency, merchant_id, livemode, provider_object_id FROM tidegate.payment_events"
        " WHERE event_id = %s",
        event_id,
    )
    return rows[0] if rows else None


def assert_same_money(platform: Platform, posted: Posted) -> None:
    """The row says of the money what the body says."""
    row = stored(platform, posted.event_id)
    assert row is not None, posted.entry["file"]
    currency = posted.shown["currency"]
    assert currency in EXPONENTS, "write the currency's exponent down here"
    assert row[:2] == (posted.shown["amount"], currency.upper()), posted.entry["file"]
    assert row[3] is posted.body.get("livemode", False)
    assert row[4] == posted.shown.get("id", posted.shown.get("charge"))  # disputes of old API versions have no id


def test_every_captured_webhook_is_accounted_for(platform: Platform, envelopes: Path, tmp_path: Path) -> None:
    posted = post_folder(platform, envelopes, tmp_path / "report.json")
    assert len(posted) >= 100
    assert len({one.event_id for one in posted}) == len(posted)
    found = places(platform)
    contracted = {one.event_id for one in posted if any(found[topic][one.event_id] for topic in CONTRACTED)}
    settled(platform, contracted)

    reasons = {one.message.event_id: one.message.violations for one in platform.read(DEAD)}
    quarantined = {row[0] for row in platform.query("SELECT event_id FROM tidegate.quarantine")}
    for one in posted:
        assert sum(counter[one.event_id] for counter in found.values()) == 1, one.entry["file"]
        if found[DEAD][one.event_id]:
            assert reasons[one.event_id][0].rule_id, one.entry["file"]
        elif one.event_id in contracted and one.event_id not in quarantined:
            assert_same_money(platform, one)
    # What a payment platform is for gets through: only bodies without content are dead.
    for one in posted:
        complete = {"id", "object", "amount", "currency", "created"} <= one.shown.keys()
        if one.event_id not in contracted and one.entry["type"].startswith(("payment_intent.", "charge.", "refund.")):
            assert not complete, one.entry["file"]
    assert not contracted & quarantined, "captured bodies in supported currencies are normalised"
    assert platform.stopped() == []


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 1500), ("krw", 52_000), ("kwd", 12_340), ("gbp", 1)])
def test_other_currencies_keep_their_minor_units(
    platform: Platform, envelopes: Path, tmp_path: Path, currency: str, amount: int
) -> None:
    folder = tmp_path / "bodies"
    folder.mkdir()
    for kind in ("payment_intent.succeeded", "charge.succeeded", "charge.refunded", "charge.dispute.created"):
        source = next(envelopes.glob(f"stripe-ruby-mock__{kind}__*.json"))
        body = json.loads(source.read_text())
        body["data"]["object"] |= {"currency": currency, "amount": amount}
        (folder / f"{kind}.json").write_text(json.dumps(body))
    posted = post_folder(platform, folder, tmp_path / "report.json")
    settled(platform, {one.event_id for one in posted})
    for one in posted:
        assert_same_money(platform, one)
