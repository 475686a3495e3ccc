"""Amounts from a provider's minor units to ISO 4217's, in integers only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.normalizer.currencies import Currency

AmountRule = Literal["amount.indivisible", "amount.above_bound"]


@dataclass(frozen=True, slots=True)
class ProviderUnit:
    """How a provider counts a currency where that differs from ISO 4217, or where it allows only some amounts."""

    # Digits of the provider's minor unit; None where they are ISO 4217's.
    exponent: int | None = None
    # Every amount is a multiple of this, in the provider's minor unit.
    step: int = 1


@dataclass(frozen=True, slots=True)
class Unit:
    """What turns a provider's amounts in one currency into ISO 4217 minor units."""

    code: str
    multiplier: int
    divisor: int
    step: int
    upper_bound_cents: int
    # Amounts up to this one are ISO 4217's already; below every amount where the provider counts in its own way.
    largest_as_is: int

    def to_cents(self, amount: int) -> int | AmountRule:
        """The amount in the ISO 4217 minor unit, exactly; the broken rule where it has none or is above the bound."""
        if amount % self.step:
            return "amount.indivisible"
        cents = amount * self.multiplier // self.divisor
        return cents if cents <= self.upper_bound_cents else "amount.above_bound"

    def explain(self, rule: AmountRule) -> str:
        """A broken rule in words."""
        if rule == "amount.indivisible":
            return f"amounts in {self.code} are multiples of {self.step} in the provider's minor unit"
        return (
            f"is above the upper bound of {self.upper_bound_cents} for {self.code} in ISO 4217 minor units; "
            "the table of currencies can raise it (TIDEGATE_CURRENCIES_FILE)"
        )


def unit(currency: Currency, counted: ProviderUnit) -> Unit:
    """How one provider's amounts in a currency become ISO 4217's; ValueError where that would need fractions."""
    shift = currency.exponent - (currency.exponent if counted.exponent is None else counted.exponent)
    divisor = 10 ** max(0, -shift)
    if counted.step % divisor:
        raise ValueError(f"{currency.code}: steps of {counted.step} leave fractions of the ISO 4217 minor unit")
    is_iso = shift == 0 and counted.step == 1
    return Unit(
        code=currency.code,
        multiplier=10 ** max(0, shift),
        divisor=divisor,
        step=counted.step,
        upper_bound_cents=currency.upper_bound_cents,
        largest_as_is=currency.upper_bound_cents if is_iso else -1,
    )


def units(currencies: Mapping[str, Currency], exceptions: Mapping[str, ProviderUnit]) -> Mapping[str, Unit]:
    """The unit of every supported currency by its ISO 4217 code, under one provider's exceptions."""
    return {code: unit(currency, exceptions.get(code, ProviderUnit())) for code, currency in currencies.items()}
