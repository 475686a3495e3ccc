"""The summary is written for people: amounts with their exponents, reasons in words, no password."""

from pathlib import Path

from pydantic import SecretStr
from tidegate.decisions.v1 import payment_decision_pb2 as pb
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_FEATURES_UNAVAILABLE, Provenance

from services.simulator.balance import Line
from services.simulator.settings import DemoSettings
from services.simulator.summary import addresses_text, answers_text, balance_text, decisions_text, latency_text, why


def decision(
    action: int, event_type: str = "payment.failed", amount: int = 1500, currency: str = "JPY"
) -> pb.PaymentDecision:
    return pb.PaymentDecision(event_type=event_type, amount_cents=amount, currency=currency, action=action)  # type: ignore[arg-type]


def test_a_line_shows_its_sum_and_only_an_unbalanced_one_is_marked() -> None:
    good = Line("normalizer", ("contracted", 5), (("normalized", 4), ("failures", 1)))
    bad = Line("relay", ("decisions", 4), (("published", 3),))
    first, second = balance_text([good, bad]).splitlines()
    assert "5 contracted" in first
    assert "= 4 normalized + 1 failures" in first
    assert "OUT OF BALANCE" not in first
    assert "OUT OF BALANCE by 1" in second


def test_amounts_are_shown_with_the_exponent_of_their_currency() -> None:
    text = decisions_text(
        [decision(pb.DECISION_ACTION_RECORD), decision(pb.DECISION_ACTION_BLOCK, amount=12340, currency="KWD")]
    )
    assert "1500 JPY" in text
    assert "12.340 KWD" in text


def test_the_table_shows_every_kind_of_decision_before_one_comes_twice() -> None:
    many = [decision(pb.DECISION_ACTION_RECORD, f"payment.kind_{number}") for number in range(30)]
    text = decisions_text(
        [*many, decision(pb.DECISION_ACTION_DO_NOT_RETRY), decision(pb.DECISION_ACTION_APPROVE)], most=4
    )
    rows = text.splitlines()[1:]
    assert len(rows) == 4
    assert sum("do not retry" in row for row in rows) == 1
    assert sum("approve" in row for row in rows) == 1


def test_disputes_and_refunds_come_before_other_records() -> None:
    many = [decision(pb.DECISION_ACTION_RECORD, f"payment.kind_{number}") for number in range(30)]
    text = decisions_text([*many, decision(pb.DECISION_ACTION_RECORD, "dispute.created")])
    assert text.splitlines()[1].split()[0] == "dispute.created"


def test_the_reason_is_the_strongest_one() -> None:
    hit = decision(pb.DECISION_ACTION_REVIEW)
    hit.rule_hits.add(rule_id="merchant_limit.amount", description="above the merchant's limit")
    assert why(hit) == "above the merchant's limit"
    retried = decision(pb.DECISION_ACTION_RETRY)
    retried.retry.retry_at.FromSeconds(1_790_000_000)
    retried.retry.network_rule = "visa.30_days"
    retried.retry.reasons.add(code="decline.funds", description="not enough money now")
    assert why(retried) == "at 2026-09-21 14:13 UTC: not enough money now [visa.30_days]"
    retried.retry.success_probability = 0.382
    assert why(retried) == "at 2026-09-21 14:13 UTC, 38% likely: not enough money now [visa.30_days]"
    scored = decision(pb.DECISION_ACTION_REVIEW)
    scored.fraud.fraud_probability = 0.0417
    assert why(scored) == "fraud 4.2%"
    scored.fraud.reasons.add(code="amount", description="the amount is about USD 900")
    assert why(scored) == "fraud 4.2%: the amount is about USD 900"
    degraded = decision(pb.DECISION_ACTION_RECORD)
    degraded.degraded = True
    degraded.degraded_steps.add(step="assess_payment", cause="unavailable")
    assert why(degraded) == "without assess_payment"
    assert why(decision(pb.DECISION_ACTION_RECORD)) == "recorded"


def test_who_answered_is_counted_by_version_and_rules_say_why() -> None:
    by_model, by_rules = decision(pb.DECISION_ACTION_APPROVE), decision(pb.DECISION_ACTION_APPROVE)
    by_model.fraud.provenance.MergeFrom(Provenance(model_name="fraud", model_version="3", model_alias="champion"))
    by_rules.fraud.provenance.MergeFrom(
        Provenance(model_name="fraud-rules", fallback=True, fallback_cause=FALLBACK_CAUSE_FEATURES_UNAVAILABLE)
    )
    _, first, second = answers_text([by_rules, by_model, by_model]).splitlines()
    assert first.split() == ["fraud", "fraud", "3,", "champion", "2"]
    assert second.split() == ["fraud", "rules:", "features", "unavailable", "1"]


def test_latencies_have_a_row_for_each_stage() -> None:
    text = latency_text({"acknowledged": {"p50": 4.2, "p99": 9.9}, "decided": {"p50": 100.0, "p99": 300.4}})
    assert [line.split() for line in text.splitlines()[1:]] == [["acknowledged", "4", "10"], ["decided", "100", "300"]]


def test_addresses_show_no_password() -> None:
    settings = DemoSettings(
        gateway_url="http://127.0.0.1:1",
        stripe_webhook_secret=SecretStr("whsec_secret"),
        database_url="postgresql://tidegate_reader:hunter2@127.0.0.1:2/tidegate",
        inference_url="http://127.0.0.1:3",
    )
    text = addresses_text(settings, Path("stack.env"))
    assert "http://127.0.0.1:1/docs" in text
    assert "hunter2" not in text
    assert "whsec" not in text
    assert "Temporal" not in text
