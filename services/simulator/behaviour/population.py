"""Who there is: merchants with their plans, customers with income and habits, and the wallets behind their cards."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from math import exp, log

from services.simulator.behaviour.assumptions import Assumptions, WalletRates
from services.simulator.behaviour.curves import HORIZON_DAYS
from services.simulator.behaviour.draws import MERCHANT, Draws
from services.simulator.behaviour.issuing import IssuerProcess, offset_hours
from services.simulator.behaviour.paydays import DAY_SECONDS, PERIOD_DAYS, paydays
from services.simulator.tables.api_versions import API_VERSIONS, ApiVersion
from services.simulator.tables.currencies import CURRENCIES, Currency, minor_units
from services.simulator.tables.issuers import FUNDINGS, ISSUERS, Issuer
from services.simulator.world import Card, Customer, Merchant

_PRICES = (499, 799, 999, 1299, 1499, 1999, 2499, 2900, 3900, 4900, 7900, 9900)
_TRADES = ("Video", "Fitness", "News", "Hosting", "Meals", "Music", "Learning", "Storage", "Coffee", "Games")
_COUNTRY_OF = {"usd": "US", "eur": "DE", "gbp": "GB", "cad": "CA", "aud": "AU", "chf": "CH", "jpy": "JP", "kwd": "KW"}
_CURRENCY_WEIGHTS = {"usd": 50.0, "eur": 16.0, "gbp": 12.0, "cad": 6.0, "aud": 6.0, "chf": 3.0, "jpy": 5.0, "kwd": 2.0}
# Old versions show neither advice nor network codes; most merchants of today see both.
_VERSION_WEIGHTS = {"2020-08-27": 1.0, "2022-11-15": 1.0, "2024-12-18.acacia": 4.0, "2025-04-30.basil": 4.0}
_VERSIONS = {version.name: version for version in API_VERSIONS}
_CURRENCIES = {currency.code: currency for currency in CURRENCIES}
_FIRST_NAMES = ("Ada", "Ben", "Chidi", "Dana", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kaja", "Lin", "Mona")
_LAST_NAMES = ("Abe", "Berg", "Costa", "Diaz", "Ekman", "Fischer", "Gupta", "Hall", "Ito", "Jansen", "Khan", "Larsen")
# A wallet's past, so that the first attempt too has a payday behind it.
_PAST_DAYS = 40
_RENEWED_YEARS = 4
_MONTH_DAYS = 30.4375


@dataclass(frozen=True, slots=True)
class Seller:
    """A merchant with what the world knows of it. `prices` in US cents; `both_objects`: hears of PaymentIntents too."""

    number: int
    merchant: Merchant
    country: str
    subscriptions: bool
    both_objects: bool
    prices: tuple[int, ...]

    @property
    def version(self) -> ApiVersion:
        """The API version its webhooks are written in."""
        return self.merchant.api_version

    @property
    def currency(self) -> Currency:
        """What it sells in."""
        return self.merchant.currency

    def amount(self, usd_cents: float) -> int:
        """A price in the minor unit that it sells in."""
        return minor_units(max(50, int(usd_cents)), self.currency)


@dataclass(frozen=True, slots=True)
class Wallet:
    """The account behind a person's cards, over the whole period. `spending` has a value for each day from `start`."""

    start: int
    level: float
    lift: float
    fade_days: float
    rhythm: str
    anchor: int
    paydays: tuple[int, ...]
    spending: tuple[float, ...]

    def paydays_around(self, at: int) -> tuple[int, ...]:
        """Those that matter from a moment on, for a curve's horizon."""
        first = bisect_left(self.paydays, at - _PAST_DAYS * DAY_SECONDS)
        last = bisect_left(self.paydays, at + HORIZON_DAYS * DAY_SECONDS)
        return self.paydays[first:last]

    def spending_from(self, at: int) -> tuple[float, ...]:
        """One value a day from a moment on, for a curve's horizon."""
        first = max(0, (at - self.start) // DAY_SECONDS)
        return self.spending[first : first + HORIZON_DAYS + 2]


@dataclass(slots=True)
class Person:
    """A customer of one seller. The card may change; engagement, one value a month, moves with what happens."""

    number: int
    seller: Seller
    customer: Customer
    issuer: IssuerProcess
    card: Card
    wallet: Wallet
    offset_hours: float
    hour: float
    price: int
    frequency: float
    joined_at: int
    annual: bool
    engagement: float


def build_seller(seed: int, number: int, assumptions: Assumptions) -> Seller:
    """One merchant of the world."""
    draws = Draws(seed, MERCHANT, number)
    currency = draws.pick(_CURRENCY_WEIGHTS)
    start = draws.whole(0, len(_PRICES) - 4)
    prices = _PRICES[start : start + 4]
    subscriptions = draws.chance(assumptions.population.subscription_merchants)
    name = f"{_TRADES[number % len(_TRADES)]} {number + 1}"
    merchant = Merchant(
        name=name,
        api_version=_VERSIONS[draws.pick(_VERSION_WEIGHTS)],
        currency=_CURRENCIES[currency],
        prices_usd_cents=prices,
        sells_subscriptions=subscriptions,
        account=draws.id("acct") if number % 2 == 0 else None,
        merchant_id=None if number % 2 == 0 else f"merchant_{name.lower().replace(' ', '_')}",
    )
    both = draws.chance(assumptions.population.both_objects)
    return Seller(number, merchant, _COUNTRY_OF[currency], subscriptions, both, prices)


@dataclass(frozen=True, slots=True)
class Period:
    """The simulated span, seconds since 1970; the end is outside."""

    start: int
    end: int

    @property
    def days(self) -> int:
        """Its length."""
        return (self.end - self.start) // DAY_SECONDS


def build_person(
    draws: Draws,
    number: int,
    seller: Seller,
    issuers: Mapping[str, IssuerProcess],
    period: Period,
    assumptions: Assumptions,
) -> Person:
    """One customer, at the moment of joining."""
    rates = assumptions.population
    card = build_card(draws, seller.country if draws.chance(rates.domestic_cards) else None, period, assumptions)
    here = offset_hours(card.issuer.country)
    customer = build_customer(draws, card)
    old = draws.chance(rates.there_at_start)
    habits = assumptions.habits
    return Person(
        number=number,
        seller=seller,
        customer=customer,
        issuer=issuers[card.issuer.name],
        card=card,
        wallet=_wallet(draws, card.funding, here, period, assumptions.wallet),
        offset_hours=here,
        hour=draws.normal(16, 4) % 24,
        price=seller.prices[draws.whole(0, len(seller.prices) - 1)],
        frequency=exp(draws.normal(0, habits.purchases_spread)),
        joined_at=period.start - draws.whole(1, 720 * DAY_SECONDS) if old else draws.whole(period.start, period.end),
        annual=draws.chance(rates.annual_plans),
        engagement=draws.normal(0, habits.engagement_noise / (1 - habits.engagement_memory**2) ** 0.5),
    )


def build_customer(draws: Draws, card: Card) -> Customer:
    """An account with a seller, honest or not."""
    return Customer(
        id=draws.id("cus"),
        name=f"{_FIRST_NAMES[draws.whole(0, 12)]} {_LAST_NAMES[draws.whole(0, 11)]}",
        email=f"{draws.letters(8).lower()}@example.com",
        country=card.issuer.country,
        cards=(card,),
    )


def build_card(draws: Draws, country: str | None, period: Period, assumptions: Assumptions) -> Card:
    """A card, of an issuer of one country where that has any."""
    rows = [issuer for issuer in ISSUERS if country is None or issuer.country == country] or list(ISSUERS)
    by_name = {issuer.name: issuer for issuer in rows}
    issuer = by_name[draws.pick({name: float(row.weight) for name, row in by_name.items()})]
    return _card_of(draws, issuer, draws.pick({name: float(weight) for name, weight in FUNDINGS}), period, assumptions)


def replaced(draws: Draws, card: Card, at: int, assumptions: Assumptions) -> Card:
    """The card that a bank sends in place of another: a new number, and years to go."""
    return _card_of(draws, card.issuer, card.funding, Period(at + 365 * DAY_SECONDS, at), assumptions)


def renewed(card: Card, at: int) -> Card:
    """The same number with years to go, where it has expired; any other as it is."""
    return replace(card, exp_year=card.exp_year + _RENEWED_YEARS) if has_expired(card, at) else card


def has_expired(card: Card, at: int) -> bool:
    """Cards are good to the end of their month; months of mean length will do."""
    return at // DAY_SECONDS >= int(((card.exp_year - 1970) * 12 + card.exp_month) * _MONTH_DAYS)


def _card_of(draws: Draws, issuer: Issuer, funding: str, period: Period, assumptions: Assumptions) -> Card:
    months = draws.whole(0, int(assumptions.population.card_years_left) * 12 - 1)
    born = period.start // (DAY_SECONDS * _MONTH_DAYS) + months
    return Card(
        payment_method=draws.id("pm"),
        issuer=issuer,
        last4=f"{draws.whole(0, 9999):04d}",
        fingerprint=draws.letters(16),
        funding=funding,
        exp_month=int(born % 12) + 1,
        exp_year=1970 + int(born // 12),
    )


def _wallet(draws: Draws, funding: str, offset: float, period: Period, rates: WalletRates) -> Wallet:
    rhythm = draws.pick(rates.pay_rhythms)
    anchor = draws.whole(1, 31)
    start = period.start - _PAST_DAYS * DAY_SECONDS
    # Drawn for the whole period at once: a customer's past does not depend on how often it pays.
    shocks = draws.normals(_PAST_DAYS + period.days + HORIZON_DAYS + 5)
    step = rates.noise * (1 - rates.noise_memory**2) ** 0.5
    spending = accumulate(shocks, lambda was, shock: rates.noise_memory * was + step * shock, initial=0.0)
    level = rates.level_credit if funding == "credit" else rates.level_debit
    return Wallet(
        start=start,
        level=draws.normal(level, rates.level_spread),
        lift={
            "weekly": rates.lift_weekly,
            "biweekly": rates.lift_biweekly,
            "semimonthly": rates.lift_semimonthly,
            "monthly": rates.lift_monthly,
        }[rhythm],
        fade_days=PERIOD_DAYS[rhythm] * rates.fade_share,
        rhythm=rhythm,
        anchor=anchor,
        paydays=tuple(paydays(rhythm, anchor, start, period.end + HORIZON_DAYS * DAY_SECONDS, rates.pay_hour, offset)),
        spending=tuple(spending),
    )


def headroom(level: float, usd_cents: int, price_weight: float) -> float:
    """How far the usual balance is above a price."""
    return level - price_weight * log(usd_cents / 3000)
