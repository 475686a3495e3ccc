"""Currencies that the simulated merchants sell in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Currency:
    """One currency. `per_usd` is a rough price level in minor units for one US dollar, not a rate to account with."""

    code: str
    exponent: int
    per_usd: int
    # Where most of those who pay in it have their banks.
    countries: tuple[str, ...]
    # Amounts are multiples of this: Stripe wants three-decimal ones to end in 0 (docs.stripe.com/currencies, 2026-11).
    step: int = 1


USD = Currency("usd", 2, 100, ("US",))

CURRENCIES: tuple[Currency, ...] = (
    USD,
    Currency("eur", 2, 92, ("DE", "FR")),
    Currency("gbp", 2, 79, ("GB",)),
    Currency("cad", 2, 137, ("CA",)),
    Currency("aud", 2, 152, ("AU",)),
    Currency("chf", 2, 88, ("CH",)),
    Currency("jpy", 0, 150, ("JP",)),
    Currency("kwd", 3, 307, ("KW",), step=10),
    Currency("krw", 0, 1400, ("KR",)),
    Currency("sek", 2, 1050, ("SE",)),
    Currency("nok", 2, 1100, ("NO",)),
    Currency("dkk", 2, 690, ("DK",)),
    Currency("pln", 2, 400, ("PL",)),
    Currency("nzd", 2, 170, ("NZ",)),
    Currency("sgd", 2, 135, ("SG",)),
    Currency("hkd", 2, 778, ("HK",)),
    Currency("inr", 2, 8500, ("IN",)),
    Currency("brl", 2, 580, ("BR",)),
    Currency("mxn", 2, 2000, ("MX",)),
    Currency("aed", 2, 367, ("AE",)),
)

# A real currency (ISO 4217) that Tidegate's table of supported ones leaves out by default.
UNSUPPORTED = "lak"


def minor_units(usd_cents: int, currency: Currency) -> int:
    """A price of so many US cents in the currency's minor unit, rounded down to its step; at least one step."""
    raw = usd_cents * currency.per_usd // 100
    return max(raw - raw % currency.step, currency.step)


def in_words(amount: int, code: str) -> str:
    """An amount as people write it: "12.50 USD", "1500 JPY", "1.500 KWD"; in minor units where the code is unknown."""
    exponent = EXPONENTS.get(code.lower())
    if exponent is None:
        return f"{amount} minor units {code.upper()}"
    if exponent == 0:
        return f"{amount} {code.upper()}"
    whole, part = divmod(amount, 10**exponent)
    return f"{whole}.{part:0{exponent}d} {code.upper()}"


EXPONENTS = {currency.code: currency.exponent for currency in CURRENCIES}
