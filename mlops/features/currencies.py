"""Rough amounts and home countries by currency: for whoever must call an amount high or a card foreign."""

from collections.abc import Mapping
from typing import Final

# About USD 1,000 in the currency's minor unit (ISO 4217 exponent), to one or two digits: an order of magnitude, not
# a rate. Of 2025; a currency without a row is not judged.
ABOUT_USD_1000: Final[Mapping[str, int]] = {
    "AED": 370_000,
    "AUD": 150_000,
    "BHD": 380_000,
    "BRL": 550_000,
    "CAD": 140_000,
    "CHF": 90_000,
    "CLP": 950_000,
    "CNY": 720_000,
    "CZK": 2_300_000,
    "DKK": 700_000,
    "EUR": 90_000,
    "GBP": 80_000,
    "HKD": 780_000,
    "HUF": 36_000_000,
    "IDR": 1_600_000_000,
    "ILS": 360_000,
    "INR": 8_500_000,
    "ISK": 140_000,
    "JOD": 710_000,
    "JPY": 150_000,
    "KRW": 1_400_000,
    "KWD": 310_000,
    "MXN": 1_900_000,
    "MYR": 440_000,
    "NOK": 1_000_000,
    "NZD": 170_000,
    "OMR": 380_000,
    "PHP": 5_700_000,
    "PLN": 400_000,
    "RON": 460_000,
    "SAR": 380_000,
    "SEK": 1_000_000,
    "SGD": 130_000,
    "THB": 3_400_000,
    "TND": 3_000_000,
    "TRY": 4_000_000,
    "TWD": 3_200_000,
    "USD": 100_000,
    "VND": 25_000_000,
    "ZAR": 1_800_000,
}

# Where each currency is legal tender (ISO 3166-1 alpha-2), as of 2026. A currency without a row is not judged.
HOME_COUNTRIES: Final[Mapping[str, frozenset[str]]] = {
    currency: frozenset(countries.split())
    for currency, countries in {
        "AUD": "AU CC CX HM KI NF NR TV",
        "BRL": "BR",
        "CAD": "CA",
        "CHF": "CH LI",
        "CZK": "CZ",
        "DKK": "DK FO GL",
        "EUR": "AD AT AX BE BG BL CY DE EE ES FI FR GF GP GR HR IE IT LT LU LV MC ME MF MQ MT NL PM PT RE SI SK SM TF "
        "VA XK YT",
        "GBP": "GB GG GI IM JE",
        "HKD": "HK",
        "INR": "BT IN",
        "JPY": "JP",
        "KRW": "KR",
        "KWD": "KW",
        "MXN": "MX",
        "NOK": "NO SJ BV",
        "NZD": "CK NU NZ PN TK",
        "PLN": "PL",
        "SEK": "SE",
        "SGD": "SG",
        "USD": "AS BQ EC FM GU IO MH MP PA PR PW SV TC TL UM US VG VI ZW",
        "ZAR": "LS NA SZ ZA",
    }.items()
}
