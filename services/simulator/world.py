"""The seeded world: merchants, their customers, and the cards these pay with."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from services.simulator.ids import StripeIds
from services.simulator.tables.api_versions import API_VERSIONS, ApiVersion
from services.simulator.tables.currencies import CURRENCIES, USD, Currency
from services.simulator.tables.issuers import FUNDINGS, ISSUERS, Issuer

_FIRST_NAMES = (
    "Ada",
    "Ben",
    "Chidi",
    "Dana",
    "Elif",
    "Farid",
    "Greta",
    "Hiro",
    "Ines",
    "Jonas",
    "Kaja",
    "Lin",
    "Mona",
    "Noor",
    "Omar",
    "Pia",
)
_LAST_NAMES = (
    "Abe",
    "Berg",
    "Costa",
    "Diaz",
    "Ekman",
    "Fischer",
    "Gupta",
    "Hall",
    "Ito",
    "Jansen",
    "Khan",
    "Larsen",
    "Moreau",
    "Novak",
)
_TRADES = ("Video", "Fitness", "News", "Hosting", "Meals", "Music", "Learning", "Storage", "Coffee", "Games")
# List prices in US cents, cheapest most often.
_PRICES = (499, 999, 1299, 1999, 2900, 4900, 7900, 9900, 19900, 49900, 129900)
_SEVERAL_CARDS = 0.2
_FROM_ABROAD = 0.06

Row = TypeVar("Row", ApiVersion, Issuer)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A seller, known by its Connect account, by `metadata.merchant_id`, or as the endpoint's default merchant."""

    name: str
    api_version: ApiVersion
    currency: Currency
    prices_usd_cents: tuple[int, ...]
    sells_subscriptions: bool
    account: str | None = None
    merchant_id: str | None = None

    @property
    def known_as(self) -> str | None:
        """The merchant_id that the platform derives; None means the endpoint's default."""
        return self.account or self.merchant_id


@dataclass(frozen=True, slots=True)
class Card:
    """A card as Stripe shows it."""

    payment_method: str
    issuer: Issuer
    last4: str
    fingerprint: str
    funding: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who pays one merchant, with one or more cards."""

    id: str
    name: str
    email: str
    country: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class World:
    """All merchants, each with its customers (same order)."""

    merchants: tuple[Merchant, ...]
    customers: tuple[tuple[Customer, ...], ...]

    def draw(self, rng: Random) -> tuple[Merchant, Customer]:
        """A merchant and one of its customers."""
        at = rng.randrange(len(self.merchants))
        return self.merchants[at], rng.choice(self.customers[at])


def build_world(seed: int, year: int, merchants: int = 32, customers_each: int = 30) -> World:
    """The world of a seed; `year` is the present one, from which cards expire."""
    rng = Random(f"world:{seed}")
    ids = StripeIds(rng)
    sellers = tuple(_merchant(rng, ids, number) for number in range(merchants))
    return World(
        sellers, tuple(tuple(_customer(rng, ids, year, seller) for _ in range(customers_each)) for seller in sellers)
    )


def _merchant(rng: Random, ids: StripeIds, number: int) -> Merchant:
    name = f"{_TRADES[number % len(_TRADES)]} {number + 1}"
    # Every currency has a merchant; all further ones sell in US dollars.
    currency = CURRENCIES[number] if number < len(CURRENCIES) else USD
    # Most sell cheap things.
    start = min(rng.randrange(len(_PRICES) - 3) for _ in range(2))
    return Merchant(
        name=name,
        api_version=pick(rng, API_VERSIONS),
        currency=currency,
        prices_usd_cents=_PRICES[start : start + 4],
        sells_subscriptions=rng.random() < 0.6,  # noqa: PLR2004 - a share of the world
        # Half by Connect account, the others by metadata, one in eight by neither.
        account=ids.new("acct") if number % 2 == 0 else None,
        merchant_id=None if number % 2 == 0 or number % 8 == 7 else f"merchant_{name.lower().replace(' ', '_')}",  # noqa: PLR2004
    )


def _customer(rng: Random, ids: StripeIds, year: int, seller: Merchant) -> Customer:
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    at_home = [each for each in ISSUERS if each.country in seller.currency.countries]
    issuers = ISSUERS if rng.random() < _FROM_ABROAD else at_home
    cards = tuple(_card(rng, ids, year, issuers) for _ in range(2 if rng.random() < _SEVERAL_CARDS else 1))
    return Customer(
        id=ids.new("cus"),
        name=f"{first} {last}",
        email=f"{first}.{last}.{rng.randrange(1000)}@example.com".lower(),
        country=cards[0].issuer.country,
        cards=cards,
    )


def _card(rng: Random, ids: StripeIds, year: int, issuers: Sequence[Issuer]) -> Card:
    return Card(
        payment_method=ids.new("pm"),
        issuer=pick(rng, issuers),
        last4=f"{rng.randrange(10000):04d}",
        fingerprint=ids.token(16),
        funding=rng.choices([name for name, _ in FUNDINGS], [weight for _, weight in FUNDINGS])[0],
        exp_month=rng.randint(1, 12),
        exp_year=year + rng.randint(0, 5),
    )


def pick(rng: Random, rows: Sequence[Row]) -> Row:
    """One row, by weight."""
    return rng.choices(rows, [row.weight for row in rows])[0]
