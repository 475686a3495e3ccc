"""Flips are counted with the money at stake, and reports tell them without saying who paid."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.annotations.v1.sensitivity_pb2 import sensitivity
from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.inference.v1.churn_service_pb2 import CHURN_RISK_HIGH, CHURN_RISK_LOW, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import (
    FRAUD_DECISION_ALLOW,
    FRAUD_DECISION_BLOCK,
    FRAUD_DECISION_REVIEW,
    FraudDecision,
    ScoreResponse,
)
from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_FEATURES_STALE, Provenance, Reason
from tidegate.inference.v1.recovery_service_pb2 import (
    RECOVERY_STEP_KIND_NOTIFY,
    RECOVERY_STEP_KIND_RETRY,
    RecommendPlanResponse,
    RecoveryStep,
)
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_DO_NOT_RETRY,
    RETRY_ACTION_RETRY,
    RecommendStrategyResponse,
)
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.inference.features import NOT_READ
from services.inference.replay.diff import EXAMPLES_KEPT, Diff, Labels, QuestionDiff
from services.inference.replay.page import page
from services.inference.replay.past import Asked, Counts, Window
from services.inference.replay.recording import UnrecordableError, found
from services.inference.replay.report import Origin, Report, SideNote, as_json, headline, in_words
from services.inference.replay.summary import summary
from services.runtime.clock import timestamp
from tests.fakes.payments import failed, succeeded
from tests.fakes.times import NOW
from workflows.payment_event.questions import assessment_item

HOUR = 3600
HOSTILE = '<script>alert("x")</script>&'


def score(decision: "FraudDecision", probability: float = 0.5, *, fallback: bool = False) -> Assessment:
    made_by = Provenance(model_name="fraud", model_version="3")
    if fallback:
        made_by = Provenance(
            model_name="fraud-rules", model_version="1", fallback=True, fallback_cause=FALLBACK_CAUSE_FEATURES_STALE
        )
    reasons = [Reason(code="amount.high", description=f"the amount is high {HOSTILE}")]
    answer = ScoreResponse(fraud_probability=probability, decision=decision, reasons=reasons, provenance=made_by)
    return Assessment(fraud=answer, churn=PredictResponse(churn_probability=0.1, risk=CHURN_RISK_LOW))


ALLOW, REVIEW, BLOCK = map(score, (FRAUD_DECISION_ALLOW, FRAUD_DECISION_REVIEW, FRAUD_DECISION_BLOCK))


def retry(hours: float | None, steps: int = 1) -> Assessment:
    """A retry so many hours after the failure, and a plan with as many steps of that kind; never where None."""
    if hours is None:
        return Assessment(
            retry=RecommendStrategyResponse(action=RETRY_ACTION_DO_NOT_RETRY),
            recovery=RecommendPlanResponse(steps=[RecoveryStep(kind=RECOVERY_STEP_KIND_NOTIFY)]),
            churn=PredictResponse(risk=CHURN_RISK_HIGH),
        )
    at = Timestamp(seconds=int(hours * HOUR))
    return Assessment(
        retry=RecommendStrategyResponse(action=RETRY_ACTION_RETRY, retry_at=at),
        recovery=RecommendPlanResponse(steps=[RecoveryStep(kind=RECOVERY_STEP_KIND_RETRY, not_before=at)] * steps),
        churn=PredictResponse(risk=CHURN_RISK_LOW),
    )


def ask(event: UnifiedPaymentEvent) -> Asked:
    item = assessment_item(event)
    assert item is not None
    return Asked(event, item, NOT_READ, event.processed_at)


def paid(number: int, cents: int, currency: str = "USD", **changes: Any) -> Asked:
    return ask(succeeded(str(number), amount_cents=cents, currency=currency, **changes))


def difference_of(*told: tuple[Asked, Assessment, Assessment], labels: Labels | None = None) -> Diff:
    diff = Diff(labels)
    for each in told:
        diff.add(*each)
    return diff


def fraud(*told: tuple[Asked, Assessment, Assessment], labels: Labels | None = None) -> QuestionDiff:
    return difference_of(*told, labels=labels).questions["fraud"]


def report(diff: Diff) -> Report:
    origin = Origin("fraud", "3", True, "d" * 64, "c" * 40, "f" * 64)
    return Report(
        question="fraud",
        before=SideNote("fraud 3", "tables", (origin,)),
        after=SideNote("fraud rules", "tables", ()),
        window=Window(0, 1 << 50),
        source=f"history {HOSTILE}",
        counts=Counts(within=3),
        unreadable=0,
        diff=diff,
        code_version="abc",
        made_at=datetime(2026, 11, 23, tzinfo=UTC),
        seconds=1.5,
    )


def test_flips_are_counted_by_kind_and_money_by_currency() -> None:
    found = fraud(
        (paid(1, 1000), ALLOW, REVIEW),
        (paid(2, 500), ALLOW, REVIEW),
        (paid(3, 7000, "JPY"), ALLOW, REVIEW),
        (paid(4, 9900), REVIEW, ALLOW),
        (paid(5, 100), ALLOW, ALLOW),
    )
    assert (found.asked, found.flipped) == (5, 4)
    assert {kind: flips.decisions for kind, flips in found.flips.items()} == {
        ("allow", "review"): 3,
        ("review", "allow"): 1,
    }
    assert found.flips["allow", "review"].stake.money == {"USD": 1500, "JPY": 7000}
    assert found.stake.money == {"USD": 11_400, "JPY": 7000}
    assert {name: flips.stake.money["USD"] for name, flips in found.effects.items()} == {
        "newly held": 1500,
        "newly let through": 9900,
    }


def test_a_payment_that_two_events_tell_of_is_at_stake_once() -> None:
    charge = paid(1, 1000, event_id="stripe:evt_charge", provider_object_id="ch_1")
    found = fraud((paid(1, 1000), ALLOW, REVIEW), (charge, ALLOW, REVIEW))
    flips = found.flips["allow", "review"]
    assert (flips.decisions, len(flips.stake.payments), flips.stake.money["USD"]) == (2, 1, 1000)
    assert len(flips.examples) == 1


def test_segments_count_what_was_asked_and_what_flips() -> None:
    found = fraud(
        (paid(1, 1000, merchant_id="acct_a"), ALLOW, REVIEW),
        (paid(2, 2000, merchant_id="acct_a"), ALLOW, ALLOW),
        (paid(3, 300_000, merchant_id="acct_b", invoice_id="in_1"), ALLOW, BLOCK),
    )
    of = {part: (each.asked, each.decisions, dict(each.stake.money)) for part, each in found.parts.items()}
    assert of["merchant", "acct_a"] == (2, 1, {"USD": 1000})
    assert of["merchant", "acct_b"] == (1, 1, {"USD": 300_000})
    assert of["kind of payment", "subscription"] == (1, 1, {"USD": 300_000})
    assert of["amount", "USD 1,000 and more"] == (1, 1, {"USD": 300_000})
    assert of["amount", "USD 10 to 50"] == (2, 1, {"USD": 1000})
    assert sum(each.asked for (name, _), each in found.parts.items() if name == "card brand") == 3


def test_examples_are_the_dearest_across_currencies() -> None:
    cheap = [(paid(number, 100 + number), ALLOW, REVIEW) for number in range(10)]
    found = fraud(*cheap, (paid(90, 20_000, "JPY"), ALLOW, REVIEW), (paid(91, 15_000), ALLOW, REVIEW))
    ids = [example.payment_id for example in found.flips["allow", "review"].examples]
    assert ids[:3] == ["stripe:pi_91", "stripe:pi_90", "stripe:pi_9"]
    assert len(ids) == EXAMPLES_KEPT


def test_labels_say_which_flips_were_right() -> None:
    labels = {"stripe:pi_1": True, "stripe:pi_2": False}
    found = fraud(*((paid(number, 100), ALLOW, BLOCK) for number in (1, 2, 3)), labels=labels)
    stake = found.effects["newly held"].stake
    assert (stake.frauds, stake.honest, len(stake.payments)) == (1, 1, 3)


def test_points_of_rules_are_not_compared_with_probabilities() -> None:
    by_rules = score(FRAUD_DECISION_ALLOW, 0.9, fallback=True)
    found = fraud(
        (paid(1, 100), score(FRAUD_DECISION_ALLOW, 0.1), by_rules),
        (paid(2, 100), score(FRAUD_DECISION_ALLOW, 0.1), score(FRAUD_DECISION_ALLOW, 0.25)),
    )
    assert sum(found.shifts) == 1
    assert found.by_models == 1
    assert found.after == {("fraud-rules 1", "features_stale"): 1, ("fraud 3", ""): 1}


@pytest.mark.parametrize(
    ("before", "after", "flips"),
    [
        (retry(5), retry(5.9), {}),
        (retry(5), retry(6.1), {"retry": ("retry", "retry, later"), "recovery": ("retry", "retry, later")}),
        (retry(5), retry(3), {"retry": ("retry", "retry, earlier"), "recovery": ("retry", "retry, earlier")}),
        (retry(5, steps=2), retry(5), {"recovery": ("retry x2", "retry")}),
        (
            retry(5),
            retry(None),
            {"retry": ("retry", "do_not_retry"), "recovery": ("retry", "notify"), "churn": ("low", "high")},
        ),
    ],
)
def test_retries_plans_and_risks_flip_too(
    before: Assessment, after: Assessment, flips: dict[str, tuple[str, str]]
) -> None:
    found = difference_of((ask(failed()), before, after)).questions
    assert set(found) == {"retry", "recovery", "churn"}
    assert {name: kind for name, each in found.items() for kind in each.flips} == flips


def personal_values() -> tuple[dict[str, Any], list[str]]:
    """A value of its own for every field of an event that its contract marks."""
    marked = [
        field.name
        for field in UnifiedPaymentEvent.DESCRIPTOR.fields
        if field.GetOptions().Extensions[sensitivity] and field.type == FieldDescriptor.TYPE_STRING
    ]
    values = {name: f"SECRET{number}" for number, name in enumerate(marked)}
    return values | {"metadata": {"SECRETKEY": "SECRETVALUE"}}, marked


def test_what_is_personal_is_in_no_report() -> None:
    values, marked = personal_values()
    assert {"customer_id", "card_fingerprint", "card_last_four"} <= set(marked)
    told = report(
        difference_of((paid(1, 100, **values), ALLOW, REVIEW), (ask(failed("2", **values)), retry(1), retry(9)))
    )
    for text in (page(told), json.dumps(as_json(told)), "\n".join(summary(told))):
        assert "stripe:pi_1" in text
        assert "SECRET" not in text


class Tags(HTMLParser):
    """Counts elements, and keeps what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_fetches_nothing_and_escapes_every_text() -> None:
    hostile = paid(1, 100, merchant_id=HOSTILE, payment_id=f"stripe:{HOSTILE}")
    told = page(report(difference_of((hostile, score(FRAUD_DECISION_ALLOW, 0.2), REVIEW))))
    tags = Tags()
    tags.feed(told)
    assert tags.open == []
    assert tags.fetched == []
    assert "script" not in tags.seen
    assert {"svg", "table", "details"} <= tags.seen
    assert told.count("&lt;script&gt;") > 4
    assert "url(" not in told


def test_the_sentence_on_top_says_what_it_costs() -> None:
    labels = {"stripe:pi_1": True, "stripe:pi_2": False}
    told = (paid(1, 150_000), ALLOW, BLOCK), (paid(2, 9000, "EUR"), REVIEW, ALLOW), (paid(3, 1), ALLOW, ALLOW)
    assert headline(report(difference_of(*told, labels=labels))) == (
        "Of 3 fraud decisions 2 flip (66.67 %): 1 payment worth about USD 1,500 newly held (1 fraud, 0 honest); "
        "1 payment worth about USD 100 newly let through (0 frauds, 1 honest)."
    )
    assert "Nothing in the window" in headline(report(Diff()))


def test_the_figures_in_json_are_integers_of_minor_units() -> None:
    told = as_json(report(difference_of((paid(1, 1999), ALLOW, REVIEW), (paid(2, 5, "JPY"), ALLOW, REVIEW))))
    figures = json.loads(json.dumps(told))["questions"]["fraud"]
    assert figures["amount_cents"] == {"JPY": 5, "USD": 1999}
    assert all(type(cents) is int for part in figures["segments"] for cents in part["amount_cents"].values())
    (kind,) = figures["by_kind"]
    assert (kind["from"], kind["to"], kind["payments"], kind["about_usd"]) == ("allow", "review", 2, 19)
    assert kind["examples"][0]["before"]["choice"] == "allow"


@pytest.mark.parametrize(
    ("cents", "currency", "said"),
    [
        (123_456, "USD", "USD 1,234.56"),
        (5, "EUR", "EUR 0.05"),
        (44_183, "JPY", "JPY 44,183"),
        (1_005, "KWD", "KWD 1.005"),
        (9_007_199_254_740_993, "USD", "USD 90,071,992,547,409.93"),
    ],
)
def test_amounts_are_told_exactly(cents: int, currency: str, said: str) -> None:
    assert in_words(cents, currency) == said


def test_an_event_late_in_a_report_of_none_is_told_as_such() -> None:
    empty = replace(report(Diff()), counts=Counts())
    assert "no event" in page(empty)
    assert any("no event" in line for line in summary(empty))


def test_moments_are_those_of_the_provider() -> None:
    (example,) = fraud((paid(1, 100), ALLOW, REVIEW)).flips["allow", "review"].examples
    assert example.occurred_us == timestamp(NOW).seconds * 1_000_000


def side(version: str = "3", *, registered: bool = True, tables: str = "tables") -> SideNote:
    return SideNote(version, tables, (Origin("fraud", version, registered, "d" * 64, "c", "f"),))


def test_what_a_promotion_looks_at_is_what_models_decided() -> None:
    by_rules = score(FRAUD_DECISION_ALLOW, fallback=True)
    told = (paid(1, 100), ALLOW, BLOCK), (paid(2, 100), ALLOW, ALLOW), (paid(3, 100), by_rules, BLOCK)
    replayed = found(replace(report(difference_of(*told)), before=side("3"), after=side("4")), "ada")
    assert (replayed.against, replayed.decisions, replayed.flips, replayed.by) == ("3", 2, 1, "ada")


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (side("a folder", registered=False), "two registered versions"),
        (SideNote("rules", "tables", ()), "two registered versions"),
        (side("3"), "with itself"),
        (side("4", tables="others"), "rule tables"),
    ],
)
def test_what_is_no_comparison_of_registered_versions_is_not_recorded(after: SideNote, says: str) -> None:
    with pytest.raises(UnrecordableError, match=says):
        found(replace(report(Diff()), before=side("3"), after=after), "ada")
