"""Which business rules an event breaks."""

import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.rulebook import EVERY_MERCHANT, Rulebook, identities
from services.runtime import contract
from tests.fakes.payments import refunded, succeeded


def rules(rulebook: Rulebook, event: UnifiedPaymentEvent) -> list[str]:
    hits = rulebook.broken_by(event)
    for hit in hits:
        contract.check(hit)
    return [hit.rule_id for hit in hits]


@pytest.mark.parametrize("merchant", ["acct_shop", EVERY_MERCHANT])
@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        ("customer", "cus_ada", "blocklist.customer"),
        ("card_fingerprint", "fp_ada", "blocklist.card_fingerprint"),
    ],
)
def test_a_customer_or_card_on_the_blocklist_is_found(merchant: str, kind: str, value: str, rule: str) -> None:
    assert rules(Rulebook(blocklist={(kind, value, merchant)}), succeeded()) == [rule]


@pytest.mark.parametrize(
    "entry",
    [("customer", "cus_ada", "another_shop"), ("customer", "fp_ada", "*"), ("card_fingerprint", "cus_ada", "*")],
)
def test_entries_of_another_merchant_or_kind_do_not_count(entry: tuple[str, str, str]) -> None:
    assert rules(Rulebook(blocklist={entry}), succeeded()) == []


@pytest.mark.parametrize(("limit", "broken"), [(1999, ["merchant_limit.amount"]), (2000, []), (2001, [])])
def test_an_amount_above_the_limit_of_its_currency_breaks_it(limit: int, broken: list[str]) -> None:
    assert rules(Rulebook(limits={("acct_shop", "USD"): limit}), succeeded()) == broken
    assert rules(Rulebook(limits={("acct_shop", "EUR"): limit}), succeeded()) == []


def test_a_merchants_own_limit_goes_before_the_one_for_all() -> None:
    limits = {("acct_shop", "USD"): 5000, (EVERY_MERCHANT, "USD"): 100}
    assert rules(Rulebook(limits=limits), succeeded()) == []
    assert rules(Rulebook(limits=limits), succeeded(merchant_id="acct_other")) == ["merchant_limit.amount"]


def test_a_hit_tells_no_value_of_the_event() -> None:
    rulebook = Rulebook(blocklist={("customer", "cus_ada", "*")}, limits={("*", "USD"): 1})
    told = " ".join(hit.description for hit in rulebook.broken_by(succeeded()))
    assert "cus_ada" not in told
    assert "2000" not in told


def test_a_guest_without_a_card_has_nothing_to_look_up() -> None:
    assert identities(refunded(card_fingerprint=None)) == []
