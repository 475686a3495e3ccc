from typing import Any

import pytest
from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_DO_NOT_RETRY

from services.inference.networks import Network, Networks, network_code
from services.inference.rules import Prohibition, Wait
from services.inference.tables import NetworkTables
from tests.unit.inference.contexts import case, payment


def network(**facts: Any) -> Network:
    return case(payment(**facts)).network


@pytest.mark.parametrize(
    ("brand", "name"),
    [
        ("visa", "visa"),
        ("Visa", "visa"),
        ("VISA_DEBIT", "visa"),
        ("mastercard", "mastercard"),
        ("MasterCard", "mastercard"),
        ("Master Card", "mastercard"),
        ("mc", "mastercard"),
        ("maestro", "mastercard"),
        ("amex", "unknown"),
        ("unionpay", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_brand_is_known_by_its_usual_spellings(brand: str | None, name: str) -> None:
    assert network(card_brand=brand).name == name


def test_an_unknown_network_has_the_budgets_of_all_cards() -> None:
    unknown = {budget.name for budget in network(card_brand="amex").budgets}
    assert unknown == {"visa.reattempts_30d", "mastercard.declines_24h", "mastercard.declines_30d"}


def test_an_unknown_network_forbids_what_any_network_forbids() -> None:
    unknown = network(card_brand="amex")
    assert unknown.never.keys() >= network(card_brand="visa").never.keys()
    assert unknown.advice.keys() >= network(card_brand="mastercard").advice.keys()


def test_a_bank_debit_has_its_own_budget_whatever_the_brand() -> None:
    debit = network(payment_method_type="us_bank_account", card_brand=None)
    assert [(budget.attempts, budget.window_s) for budget in debit.budgets] == [(3, 180 * 24 * 3600)]


@pytest.mark.parametrize(("given", "usual"), [("3", "03"), (" r0", "R0"), ("51", "51"), ("", ""), ("100", "100")])
def test_a_code_has_two_characters(given: str, usual: str) -> None:
    assert network_code(given) == usual


def test_of_two_readings_of_one_advice_code_the_stricter_holds_for_an_unknown_network() -> None:
    source = {"source": "test", "date": "2026-11-01"}
    budget = {"name": "b", "attempts": 1, "window_hours": 1, **source}

    def row(name: str, **advice: object) -> dict[str, object]:
        code = {"code": "24", "name": f"{name}.24", "meaning": "m", **source, **advice}
        return {"name": name, "brands": [name], "budgets": [budget], "advice_codes": [code]}

    def unknown(*rows: dict[str, object]) -> Prohibition | Wait:
        tables = NetworkTables.model_validate({"longest_wait_hours": 1, "networks": rows})
        return Networks(tables).of("card", "other").advice["24"]

    one, ten = row("one", wait_hours=1), row("ten", wait_hours=10)
    never = row("never", action="DO_NOT_RETRY")
    update = row("update", action="UPDATE_PAYMENT_METHOD")
    assert unknown(one, ten).name == unknown(ten, one).name == "ten.24"
    assert unknown(ten, never).name == unknown(never, ten).name == "never.24"
    strictest = unknown(update, never)
    assert isinstance(strictest, Prohibition)
    assert strictest.action == RETRY_ACTION_DO_NOT_RETRY
