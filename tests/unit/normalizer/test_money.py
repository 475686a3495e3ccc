"""Amounts from Stripe's minor units to ISO 4217's, and the table of currencies."""

from decimal import Decimal
from pathlib import Path

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.normalizer.currencies import Currency, load_currencies
from services.normalizer.mappings.stripe.amounts import UNITS
from services.normalizer.money import ProviderUnit, Unit, unit

TABLE = load_currencies()
EXPONENTS = {currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None}
BOUND = 10**12


def stripe_unit(code: str, bound: int = BOUND) -> Unit:
    currency = Currency(code=code, exponent=EXPONENTS[code], units_per_usd=Decimal(1), upper_bound_cents=bound)
    return unit(currency, UNITS.get(code, ProviderUnit()))


@pytest.mark.parametrize(
    ("code", "stripe_amount", "cents"),
    [
        ("USD", 4900, 4900),
        ("JPY", 500, 500),  # zero decimals in both
        ("KRW", 15000, 15000),
        ("KWD", 5120, 5120),  # three decimals in both
        ("BHD", 10, 10),
        ("MGA", 700, 70000),  # Stripe counts whole ariary, ISO 4217 hundredths
        ("ISK", 500, 5),  # Stripe counts hundredths, ISO 4217 whole krónur
        ("UGX", 500, 5),
        ("HUF", 1045, 1045),  # whole units on payouts only
        ("TWD", 80045, 80045),
        ("USD", 0, 0),
    ],
)
def test_an_amount_becomes_iso_4217_minor_units(code: str, stripe_amount: int, cents: int) -> None:
    assert stripe_unit(code).to_cents(stripe_amount) == cents


@pytest.mark.parametrize(("code", "amount"), [("ISK", 550), ("UGX", 1), ("KWD", 5124), ("TND", 999)])
def test_an_amount_that_stripe_does_not_allow_is_refused(code: str, amount: int) -> None:
    assert stripe_unit(code).to_cents(amount) == "amount.indivisible"


def test_an_amount_at_the_bound_passes_and_one_above_does_not() -> None:
    dollars = stripe_unit("USD", bound=100)
    assert (dollars.to_cents(100), dollars.to_cents(101)) == (100, "amount.above_bound")


def test_the_bound_is_one_of_iso_4217_not_of_the_provider() -> None:
    ariary = stripe_unit("MGA", bound=100)
    assert (ariary.to_cents(1), ariary.to_cents(2)) == (100, "amount.above_bound")


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(0, 2**63 - 1))
def test_an_amount_is_exact_or_refused(code: str, amount: int) -> None:
    """The value in whole units is the same before and after, in every currency there is."""
    counted = UNITS.get(code, ProviderUnit())
    exponent = EXPONENTS[code] if counted.exponent is None else counted.exponent
    if EXPONENTS[code] > 4:
        return
    cents = stripe_unit(code).to_cents(amount)
    if isinstance(cents, int):
        assert Decimal(cents).scaleb(-EXPONENTS[code]) == Decimal(amount).scaleb(-exponent)
        assert 0 <= cents <= BOUND


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(0, BOUND * 2))
def test_the_short_cut_says_what_the_long_way_says(code: str, amount: int) -> None:
    counted = stripe_unit(code)
    if amount <= counted.largest_as_is:
        assert counted.to_cents(amount) == amount


def test_a_unit_that_would_need_fractions_is_refused() -> None:
    with pytest.raises(ValueError, match="fractions"):
        unit(TABLE["JPY"], ProviderUnit(exponent=2, step=10))


def test_twenty_currencies_are_supported_by_default() -> None:
    assert len(TABLE) == 20
    assert {"USD", "EUR", "GBP", "JPY", "KWD"} <= TABLE.keys()


@pytest.mark.parametrize("currency", TABLE.values(), ids=TABLE.keys())
def test_exponents_are_those_of_iso_4217(currency: Currency) -> None:
    assert currency.exponent == EXPONENTS[currency.code]


@pytest.mark.parametrize("currency", TABLE.values(), ids=TABLE.keys())
def test_bounds_are_worth_a_million_dollars_at_the_rate_beside_them(currency: Currency) -> None:
    assert currency.upper_bound_cents == 1_000_000 * currency.units_per_usd * 10**currency.exponent


def test_a_file_adds_currencies_and_replaces_rows(tmp_path: Path) -> None:
    file = tmp_path / "more.yaml"
    file.write_text(
        "currencies:\n"
        '  - {code: ISK, exponent: 0, units_per_usd: "139", upper_bound_cents: 139000000}\n'
        '  - {code: USD, exponent: 2, units_per_usd: "1", upper_bound_cents: 5000}\n'
    )
    table = load_currencies(file)
    assert len(table) == 21
    assert (table["ISK"].exponent, table["USD"].upper_bound_cents) == (0, 5000)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('{code: ISK, exponent: 2, units_per_usd: "139", upper_bound_cents: 1}', "gives ISK the exponent 0, not 2"),
        ('{code: QQQ, exponent: 2, units_per_usd: "1", upper_bound_cents: 1}', "QQQ is no currency"),
        ('{code: EUR, exponent: 2, units_per_usd: "1", upper_bound_cents: 1, note: x}', "note"),
        ('{code: EUR, exponent: 2, units_per_usd: "1"}', "upper_bound_cents"),
        ("{code: EUR", "is no currency table"),
    ],
)
def test_a_row_that_is_wrong_names_the_file_and_the_fault(tmp_path: Path, row: str, complaint: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(f"currencies:\n  - {row}\n")
    with pytest.raises(ValueError, match=complaint) as raised:
        load_currencies(file)
    assert str(file) in str(raised.value)


def test_a_currency_named_twice_in_one_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    row = '  - {code: ISK, exponent: 0, units_per_usd: "139", upper_bound_cents: 139000000}\n'
    file.write_text(f"currencies:\n{row}{row}")
    with pytest.raises(ValueError, match="more than one row for ISK"):
        load_currencies(file)
