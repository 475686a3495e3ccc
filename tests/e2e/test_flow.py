"""One webhook through the whole platform: what is stored, decided and published, once."""

import hashlib
import json
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tidegate.decisions.v1 import payment_decision_pb2 as decisions

from stack.home import REPOSITORY_ROOT
from tests.e2e.bodies import declined_charge, event, fresh, payment_intent
from tests.e2e.platform import CONTRACTED, DEAD, OTHER, Platform, Seen, event_ids, wait_until

pytestmark = pytest.mark.timeout(900)


def delivered(platform: Platform, body: dict[str, Any]) -> str:
    """Post an event, which must be accepted; returns the platform's id of it."""
    answer = platform.deliver(body)
    assert answer.status_code == 202, answer.text
    return f"stripe:{body['id']}"


def decided(platform: Platform, event_id: str) -> Any:
    """Wait for the event's decision to be published; returns it."""
    wait_until(lambda: event_id in event_ids(platform.read("payments.decisions")), f"decision on {event_id}")
    (found,) = (one for one in platform.read("payments.decisions") if one.message.event_id == event_id)
    return found


def on_topic(platform: Platform, topic: str, body: bytes) -> list[Seen]:
    """Messages that carry exactly this body."""
    return [one for one in platform.read(topic) if one.message.raw_body == body]


def counts(platform: Platform, event_id: str) -> tuple[int, int, int]:
    """Rows, decisions and messages of an event."""
    rows = platform.query("SELECT count(*) FROM tidegate.payment_events WHERE event_id = %s", event_id)[0][0]
    made = platform.query("SELECT count(*) FROM tidegate.decisions WHERE event_id = %s", event_id)[0][0]
    return rows, made, event_ids(platform.read("payments.decisions")).count(event_id)


def test_a_signed_webhook_becomes_a_row_a_decision_and_a_message(platform: Platform) -> None:
    intent = payment_intent(2000, "usd", metadata={"merchant_id": "merchant_e2e", "order": "17"})
    event_id = delivered(platform, event("payment_intent.succeeded", intent))
    found = decided(platform, event_id)

    assert counts(platform, event_id) == (1, 1, 1)
    ((event_type, merchant, customer, amount, currency, status, payment, metadata, receipt),) = platform.query(
        "SELECT event_type, merchant_id, customer_id, amount_cents, currency, status, payment_id, metadata, receipt_id"
        " FROM tidegate.payment_events WHERE event_id = %s",
        event_id,
    )
    assert (event_type, merchant, customer) == ("payment.succeeded", "merchant_e2e", intent["customer"])
    assert (amount, currency, status) == (2000, "USD", "succeeded")
    assert payment == f"stripe:{intent['id']}" == found.key
    assert metadata == {"merchant_id": "merchant_e2e", "order": "17"}
    assert found.message.receipt_id == receipt == found.headers["tidegate-receipt-id"]
    assert found.message.fraud.provenance.fallback


def test_the_exact_body_and_its_receipt_are_kept(platform: Platform) -> None:
    # Spacing, order and escapes that no re-serialisation would keep.
    shown = json.dumps(payment_intent(700, "eur", description="Gr\u00fc\u00dfe"))
    start = f'{{ "id":"{fresh("evt")}",\t"created" : 1790000000,"type":"payment_intent.created","data":{{"object":'
    body = f"{start} {shown} }} }}\n".encode()
    assert platform.post(body).status_code == 202
    (kept,) = on_topic(platform, "webhooks.stripe.payment_intent", body)
    assert kept.message.receipt.body_sha256 == hashlib.sha256(body).digest()
    assert kept.message.receipt.body_bytes == len(body)
    assert kept.message.merchant_id == platform.default_merchant == kept.key


def test_one_event_delivered_many_times_has_one_effect(platform: Platform) -> None:
    body = json.dumps(event("charge.failed", declined_charge("insufficient_funds", "51", "try_again_later"))).encode()
    with ThreadPoolExecutor(max_workers=10) as pool:
        answers = list(pool.map(lambda _: platform.post(body).status_code, range(20)))
    assert answers == [202] * 20
    event_id = f"stripe:{json.loads(body)['id']}"
    decided(platform, event_id)
    # All twenty have passed the normalizer, and a later event the whole way: nothing of them is still under way.
    wait_until(lambda: event_ids(platform.read("payments.normalized")).count(event_id) == 20, "20 normalised")
    decided(platform, delivered(platform, event("payment_intent.created", payment_intent(1, "usd"))))
    assert counts(platform, event_id) == (1, 1, 1)


@pytest.mark.parametrize("kind", ["wrong secret", "stale", "tampered", "missing", "garbage", "v0 alone"])
def test_an_unverified_webhook_is_refused_and_leaves_no_trace(platform: Platform, kind: str) -> None:
    body = json.dumps(event("payment_intent.succeeded", payment_intent(500, "usd"))).encode()
    valid = platform.signature(body)
    at = int(valid.split(",")[0].removeprefix("t="))
    signature = {
        "wrong secret": platform.signature(body, secret="whsec_of_somebody_else"),
        "stale": platform.signature(body, at=at - 3600),
        "tampered": platform.signature(body + b" "),
        "missing": None,
        "garbage": "hello",
        "v0 alone": valid.replace("v1=", "v0="),
    }[kind]
    answer = platform.post(body, {} if signature is None else {"Stripe-Signature": signature})
    assert answer.status_code == 401
    for topic in (*CONTRACTED, OTHER, DEAD):
        assert not on_topic(platform, topic, body)


@pytest.mark.parametrize(
    ("body", "rule_id", "field_path"),
    [
        (b'{"id": "evt_1", "type": "payment_intent.succeeded", "data"', "json.malformed", ""),
        (b"[1, 2]", "json.not_object", ""),
        (b'{"id": "evt_1"}', "required", "type"),
    ],
    ids=["truncated", "list", "no type"],
)
def test_what_cannot_be_read_is_acknowledged_and_dead(
    platform: Platform, body: bytes, rule_id: str, field_path: str
) -> None:
    unique = body + b" " * (1 + secrets.randbelow(5000))
    assert platform.post(unique).status_code == 202
    dead = on_topic(platform, DEAD, unique)[0].message
    assert (dead.violations[0].rule_id, dead.violations[0].field_path) == (rule_id, field_path)


def test_an_off_contract_amount_is_dead_under_its_event_id(platform: Platform) -> None:
    body = event("payment_intent.succeeded", payment_intent(-5, "usd"))
    event_id = delivered(platform, body)
    (dead,) = (one for one in platform.read(DEAD) if one.message.event_id == event_id)
    assert dead.key == event_id
    assert "data.object.amount" in {violation.field_path for violation in dead.message.violations}
    assert "-5" not in str(dead.message.violations)


@pytest.mark.parametrize(
    ("amount", "currency", "rule_id"),
    [(1000, "lak", "currency.unsupported"), (10**12, "usd", "amount.above_bound")],
)
def test_what_breaks_the_unified_schema_is_quarantined(
    platform: Platform, amount: int, currency: str, rule_id: str
) -> None:
    event_id = delivered(platform, event("payment_intent.succeeded", payment_intent(amount, currency)))
    rule_ids = "SELECT rule_ids, origin_topic FROM tidegate.quarantine WHERE event_id = %s"
    wait_until(lambda: bool(platform.query(rule_ids, event_id)), f"quarantine of {event_id}")
    ((rules, topic),) = platform.query(rule_ids, event_id)
    assert set(rules) == {rule_id}
    assert topic == "webhooks.stripe.payment_intent"
    assert counts(platform, event_id) == (0, 0, 0)


def test_a_type_without_a_contract_is_kept(platform: Platform) -> None:
    body = json.dumps(
        event("customer.created", {"id": fresh("cus"), "object": "customer"}, account="acct_e2e")
    ).encode()
    assert platform.post(body).status_code == 202
    (kept,) = on_topic(platform, OTHER, body)
    assert (kept.message.provider_event_type, kept.key) == ("customer.created", "acct_e2e")


def test_a_body_over_one_mebibyte_is_refused(platform: Platform) -> None:
    assert platform.post(b" " * (1024 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize(
    ("code", "network", "advice", "action"),
    [
        ("insufficient_funds", "51", "try_again_later", decisions.DECISION_ACTION_RETRY),
        ("lost_card", "41", "do_not_try_again", decisions.DECISION_ACTION_DO_NOT_RETRY),
        ("stolen_card", "43", None, decisions.DECISION_ACTION_DO_NOT_RETRY),
        ("revocation_of_all_authorizations", "R3", None, decisions.DECISION_ACTION_DO_NOT_RETRY),
        ("authentication_required", "1A", None, decisions.DECISION_ACTION_AUTHENTICATE),
    ],
)
def test_a_decline_is_decided_within_the_networks_rules(
    platform: Platform, code: str, network: str, advice: str | None, action: int
) -> None:
    event_id = delivered(platform, event("charge.failed", declined_charge(code, network, advice)))
    decision = decided(platform, event_id).message
    assert decision.action == action
    assert decision.retry.HasField("retry_at") is (action == decisions.DECISION_ACTION_RETRY)
    assert not decision.degraded


@pytest.mark.parametrize(
    ("amount", "currency", "cents"), [(1500, "jpy", 1500), (25_000, "krw", 25_000), (1230, "kwd", 1230), (1, "usd", 1)]
)
def test_an_amount_is_kept_in_the_minor_unit_of_its_currency(
    platform: Platform, amount: int, currency: str, cents: int
) -> None:
    event_id = delivered(platform, event("payment_intent.succeeded", payment_intent(amount, currency)))
    decision = decided(platform, event_id).message
    assert (decision.amount_cents, decision.currency) == (cents, currency.upper())
    rows = platform.query("SELECT amount_cents, currency FROM tidegate.payment_events WHERE event_id = %s", event_id)
    assert rows == [(cents, currency.upper())]


def test_the_demo_ends_in_balance(platform: Platform) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.simulator.demo"],
        cwd=REPOSITORY_ROOT,
        env=platform.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "In balance" in done.stdout
    assert "OUT OF BALANCE" not in done.stdout
    assert "do not retry" in done.stdout
