"""The world follows from its seed and holds every kind of merchant."""

from random import Random

from services.simulator.tables.currencies import CURRENCIES, UNSUPPORTED, in_words, minor_units
from services.simulator.tables.declines import DECLINES
from services.simulator.world import build_world


def test_a_seed_makes_the_same_world_again_and_another_seed_another() -> None:
    assert build_world(7, 2026) == build_world(7, 2026)
    assert build_world(7, 2026) != build_world(8, 2026)


def test_every_currency_has_a_merchant() -> None:
    sold_in = {merchant.currency.code for merchant in build_world(1, 2026).merchants}
    assert sold_in == {currency.code for currency in CURRENCIES}
    assert {"jpy", "kwd"} <= sold_in
    assert UNSUPPORTED not in sold_in


def test_merchants_are_known_by_account_by_metadata_and_by_default() -> None:
    merchants = build_world(1, 2026).merchants
    assert any(merchant.account for merchant in merchants)
    assert any(merchant.merchant_id for merchant in merchants)
    assert any(merchant.known_as is None for merchant in merchants)
    assert not any(merchant.account and merchant.merchant_id for merchant in merchants)


def test_a_merchant_is_drawn_with_a_customer_of_its_own() -> None:
    world = build_world(1, 2026)
    merchant, customer = world.draw(Random(3))  # noqa: S311 - seeded
    assert customer in world.customers[world.merchants.index(merchant)]


def test_no_card_has_expired() -> None:
    customers = [customer for group in build_world(1, 2026).customers for customer in group]
    assert all(card.exp_year >= 2026 for customer in customers for card in customer.cards)


def test_prices_become_whole_minor_units_in_the_steps_of_the_currency() -> None:
    by_code = {currency.code: currency for currency in CURRENCIES}
    assert minor_units(1999, by_code["usd"]) == 1999
    assert minor_units(1000, by_code["jpy"]) == 1500
    assert minor_units(1999, by_code["kwd"]) == 6130
    assert all(minor_units(cents, by_code["kwd"]) % 10 == 0 for cents in range(1, 3000, 7))


def test_amounts_are_written_with_the_exponent_of_their_currency() -> None:
    assert in_words(1999, "usd") == "19.99 USD"
    assert in_words(5, "EUR") == "0.05 EUR"
    assert in_words(1500, "jpy") == "1500 JPY"
    assert in_words(1500, "KWD") == "1.500 KWD"
    assert in_words(7, "lak") == "7 minor units LAK"


def test_declines_have_network_codes_by_brand_and_none_where_the_network_was_not_asked() -> None:
    by_code = {decline.code: decline for decline in DECLINES if decline.outcome == "issuer_declined"}
    assert by_code["insufficient_funds"].network_code("visa") == "51"
    assert by_code["insufficient_funds"].network_code("amex") == "116"
    assert all(not decline.reached_network for decline in DECLINES if decline.outcome == "blocked")
    assert len({decline.code for decline in DECLINES}) >= 40
