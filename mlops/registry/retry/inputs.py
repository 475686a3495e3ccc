"""Makes a row for each moment at which a declined payment could be tried again, of what is known at the decline."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.transform import Values

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOUR_S: Final = 3600
DAY_S: Final = 86_400
CYCLE_S: Final = 14 * DAY_S
"""Attempts on the card for the amount that are not older than this are of the same payment: subscriptions are billed
monthly, and nothing is tried for longer than two weeks."""

OWN: Final = (
    "amount_usd",
    "card_prepaid",
    "card_debit",
    "card_foreign",
    "card_months_left",
)
"""Of what a payment shows by itself (`mlops/features/payment.py`)."""
STORED: Final = (
    "failed_payments_7d",
    "failed_payments_30d",
    "succeeded_payments_90d",
    "decline_rate_30d",
    "insufficient_funds_declines_30d",
    "hard_declines_30d",
    "failures_in_a_row",
    "days_since_last_success",
    "days_since_first_payment",
    "card_decline_rate_30d",
    "card_failures_in_a_row",
    "card_days_since_last_success",
    "card_days_since_first_attempt",
)
"""Of the catalog, customer and card: those that made the model better in worlds left out (docs/models.md)."""
DECLINE: Final = (
    "decline_class",
    "failure_code",
    "network_decline_code",
    "network_advice_code",
    "provider_advice_code",
    "card_brand",
    "card_country",
    "attempts_so_far",
    "hours_since_first",
    "hours_since_previous",
    "due_day_of_month",
    "due_weekday",
)
MOMENT: Final = (
    "wait_hours",
    "at_hours_since_first",
    "at_hour_utc",
    "at_hour_there",
    "at_weekday",
    "at_day_of_month",
    "at_declines_24h",
)
FEATURES: Final = (*OWN, *STORED, *DECLINE, *MOMENT)
"""A row's columns, in order: all but those of MOMENT are the same for every moment."""

# Numbers of words, which trained models hold: nothing is moved or taken out, only added at the end. 0: not known.
_FAILURE_CODES: Final = [
    "generic_decline",
    "do_not_honor",
    "insufficient_funds",
    "call_issuer",
    "try_again_later",
    "issuer_not_available",
    "processing_error",
    "reenter_transaction",
    "card_velocity_exceeded",
    "withdrawal_count_limit_exceeded",
    "expired_card",
    "invalid_account",
    "invalid_number",
    "incorrect_number",
    "incorrect_cvc",
    "transaction_not_allowed",
    "card_not_supported",
    "service_not_allowed",
    "fraudulent",
    "stolen_card",
    "lost_card",
    "pickup_card",
    "stop_payment_order",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
    "do_not_try_again",
    "authentication_required",
    "highest_risk_level",
]
_PROVIDER_ADVICE: Final = ("try_again_later", "confirm_card_data", "do_not_try_again")
_BRANDS: Final = ("visa", "mastercard", "amex", "discover", "jcb", "diners", "unionpay", "eftpos_au")
# Whole hours from UTC to standard time where most cardholders of a country live; the time zone database, 2026a.
_HOURS_FROM_UTC: Final[Mapping[str, int]] = {
    "US": -6, "CA": -5, "MX": -6, "BR": -3, "GB": 0, "IE": 0, "PT": 0, "DE": 1, "FR": 1, "ES": 1, "IT": 1, "NL": 1,
    "BE": 1, "AT": 1, "CH": 1, "SE": 1, "NO": 1, "DK": 1, "PL": 1, "CZ": 1, "FI": 2, "GR": 2, "RO": 2, "ZA": 2,
    "TR": 3, "KW": 3, "SA": 3, "AE": 4, "IN": 5, "TH": 7, "SG": 8, "HK": 8, "CN": 8, "JP": 9, "KR": 9, "AU": 10,
    "NZ": 12,
}  # fmt: skip
_COUNTRIES: Final = tuple(_HOURS_FROM_UTC)
_FIRST_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday; Monday is 0


def situation(
    decline: PaymentContext | UnifiedPaymentEvent, attempts_s: Sequence[int], own: Values, stored: Values
) -> "Situation":
    """What is known at a decline.

    `attempts_s`: attempts on this card for this amount, ascending, the declined one last. `own`: what the payment shows
    (`mlops/features/payment.py`); `stored`: values of the catalog, of which any may be missing.
    """
    declined_s = attempts_s[-1]
    cycle = [at for at in attempts_s if at > declined_s - CYCLE_S]
    first_s = cycle[0]
    known: list[float | None] = [
        *(own[name] for name in OWN),
        *(stored.get(name) for name in STORED),
        decline.decline_class,
        _place(_FAILURE_CODES, decline.failure_code),
        _number(decline.network_decline_code),
        _number(decline.network_advice_code),
        _place(_PROVIDER_ADVICE, decline.provider_advice_code),
        _place(_BRANDS, decline.card_brand),
        _place(_COUNTRIES, decline.card_country),
        len(cycle),
        (declined_s - first_s) / HOUR_S,
        (declined_s - cycle[-2]) / HOUR_S if len(cycle) > 1 else None,
        int(_day_of_month(np.array([first_s]))[0]),
        int(_weekday(np.array([first_s]))[0]),
    ]
    values = np.array([np.nan if value is None else value for value in known], dtype=np.float64)
    return Situation(values, tuple(cycle), _HOURS_FROM_UTC.get(decline.card_country))


class Situation:
    """A declined payment as the model knows it, and rows for moments at which it could be tried again."""

    __slots__ = ("_known", "attempts_s", "hours_from_utc")

    def __init__(self, known: Floats, attempts_s: tuple[int, ...], hours_from_utc: int | None) -> None:
        self._known = known
        self.attempts_s = attempts_s
        self.hours_from_utc = hours_from_utc

    @property
    def declined_s(self) -> int:
        """When the attempt was declined, seconds since 1970."""
        return self.attempts_s[-1]

    @property
    def first_s(self) -> int:
        """When the payment was first tried."""
        return self.attempts_s[0]

    @property
    def amount_usd(self) -> float:
        """The amount, about; NaN where the currency's worth is not known."""
        return float(self._known[0])

    def value(self, name: str) -> float:
        """What is known by a name that is none of MOMENT's."""
        return float(self._known[FEATURES.index(name)])

    def rows(self, at_s: Ints) -> Floats:
        """A row for each moment, seconds since 1970."""
        made = np.empty((len(at_s), len(FEATURES)))
        made[:, : len(self._known)] = self._known
        made[:, len(self._known) :] = np.column_stack(self._moments(at_s))
        return made

    def _moments(self, at_s: Ints) -> list[Floats]:
        there = np.full(len(at_s), np.nan)
        if self.hours_from_utc is not None:
            there = (at_s / HOUR_S + self.hours_from_utc) % 24
        attempts = np.array(self.attempts_s)
        lately = (attempts[None, :] > at_s[:, None] - DAY_S).sum(axis=1)
        return [
            (at_s - self.declined_s) / HOUR_S,
            (at_s - self.first_s) / HOUR_S,
            at_s / HOUR_S % 24,
            there,
            _weekday(at_s).astype(np.float64),
            _day_of_month(at_s).astype(np.float64),
            lately.astype(np.float64),
        ]


def _weekday(at_s: Ints) -> Ints:
    return (at_s // DAY_S + _FIRST_WEEKDAY) % 7


def _day_of_month(at_s: Ints) -> Ints:
    days = at_s.astype("datetime64[s]").astype("datetime64[D]")
    into_month: Ints = (days - days.astype("datetime64[M]")).astype(np.int64)
    return into_month + 1


def _place(words: Sequence[str], word: str) -> int:
    return words.index(word) + 1 if word in words else 0


def _number(code: str) -> int | None:
    """A network's code of two characters as a number: "05" is 5, "R0" lies beyond all numbers."""
    stripped = code.strip()
    return (
        int(stripped, 36) + (0 if stripped.isdigit() else 100_000)
        if stripped.isalnum() and stripped.isascii()
        else None
    )
