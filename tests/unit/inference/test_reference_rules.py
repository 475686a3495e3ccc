"""The tables against the collected reference: no never-retry code, delay or limit of it is missing here."""

import json
from pathlib import Path
from typing import Any

import pytest
from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_RETRY, RecommendStrategyResponse
from tidegate.payments.v1.unified_payment_event_pb2 import DECLINE_CLASS_UNKNOWN

from tests.unit.inference.contexts import AT, DAY, HOUR, OCCURRED, READER, declined, handler

_DATA = Path(__file__).parents[4] / "shared" / "data"
_NETWORKS = ("visa", "mastercard", "amex", None)


def reference(name: str) -> Any:
    file = _DATA / name
    if not file.exists():
        pytest.skip(f"the reference data are not at {file}")
    return json.loads(file.read_text())


def strategy(**facts: Any) -> RecommendStrategyResponse:
    code = facts.pop("code", "generic_decline")
    return handler().recommend([declined(code, **facts)], AT)[0]


@pytest.mark.parametrize("brand", _NETWORKS)
def test_no_hard_decline_of_stripe_is_retried(brand: str | None) -> None:
    codes = reference("reference/retry_rules.json")["stripe_hard_declines_not_retried"]["codes"]
    assert len(codes) == 9
    retried = [code for code in codes if strategy(code=code, card_brand=brand).action == RETRY_ACTION_RETRY]
    assert retried == []


@pytest.mark.parametrize("brand", ["visa", "amex", None])
def test_no_category_1_code_of_visa_is_retried(brand: str | None) -> None:
    codes = reference("reference/retry_rules.json")["visa_reattempts"]["category_1_codes"]
    answers = {code: strategy(network_decline_code=code, card_brand=brand) for code in codes}
    assert [code for code, answer in answers.items() if answer.action == RETRY_ACTION_RETRY] == []
    assert {answer.network_rule for answer in answers.values()} == {"visa.category_1"}


@pytest.mark.parametrize("brand", _NETWORKS)
def test_no_advice_against_a_retry_is_overridden(brand: str | None) -> None:
    codes = reference("reference/retry_rules.json")["mastercard_tpe"]["no_retry_mac"]
    assert [code for code in codes if strategy(network_advice_code=code, card_brand=brand).retry_at.seconds] == []


def test_every_delay_of_mastercard_s_advice_is_kept() -> None:
    words = reference("reference/retry_rules.json")["mastercard_mac"]
    units = {"hour": HOUR, "hours": HOUR, "days": DAY}
    delays = {
        code: int(text.split()[2]) * units[text.split()[3]]
        for code, text in words.items()
        if text.startswith("Retry after")
    }
    assert sorted(delays) == ["24", "25", "26", "27", "28", "29", "30"]
    for code, delay in delays.items():
        answer = strategy(code="processing_error", network_advice_code=code, card_brand="mastercard")
        assert answer.retry_at.seconds == OCCURRED + delay, code
        assert answer.network_rule == ("" if delay == HOUR else f"mastercard.mac_{code}")


def test_the_limits_of_the_networks_are_those_of_the_reference() -> None:
    rules = reference("reference/retry_rules.json")
    visa, mastercard = READER.read(declined()), READER.read(declined(card_brand="mastercard"))
    days = rules["visa_reattempts"]["window_days"]
    assert {(b.attempts, b.window_s) for b in visa.network.budgets} == {
        (rules["visa_reattempts"]["previous_max"], days * DAY)
    }
    assert {(b.attempts, b.window_s) for b in mastercard.network.budgets} == {
        (rules["mastercard_tpe"]["max_per_24h"], DAY),
        (rules["mastercard_tpe"]["max_per_30d_same_amount"], 30 * DAY),
    }


def test_every_decline_code_of_stripe_has_a_meaning() -> None:
    codes = reference("stripe/spec/enums_2026-08.json")["decline_codes"]
    assert [code for code in codes if READER.declines.of_code(code).decline_class == DECLINE_CLASS_UNKNOWN] == []
