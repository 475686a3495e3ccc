"""The one table of features: what each is called, where it lives, what it means.

Feast's objects and docs/features.md are made from it; a test proves that the transform yields exactly these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias


class Entity(StrEnum):
    """Whom features are about. Keys are scoped by merchant, so that one partition of the stream owns them."""

    CUSTOMER = "customer"
    CARD = "card"
    MERCHANT = "merchant"


class Dtype(StrEnum):
    """How a value is stored."""

    INT64 = "int64"
    FLOAT64 = "float64"


@dataclass(frozen=True, slots=True)
class View:
    """The features of one entity, which are written and expire together."""

    name: str
    entity: Entity
    # Name of the key's column.
    join_key: str
    key: str
    # Beyond this age what is stored is stale: reported, and not used.
    ttl: timedelta
    description: str


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: a row of the table."""

    name: str
    view: str
    dtype: Dtype
    # How far back it looks, such as "30d"; "all" where it is not bounded by a window of its own.
    window: str
    unit: str
    source: str
    description: str


CUSTOMER_STATS: Final = View(
    "customer_stats",
    Entity.CUSTOMER,
    "customer_key",
    "merchant_id|customer_id",
    timedelta(days=97),
    "How a merchant's customer pays: attempts one by one over 90 days.",
)
CARD_STATS: Final = View(
    "card_stats",
    Entity.CARD,
    "card_key",
    "merchant_id|card_id",
    timedelta(days=97),
    "How a card behaves at a merchant, across customers: attempts one by one over 90 days.",
)
MERCHANT_STATS: Final = View(
    "merchant_stats",
    Entity.MERCHANT,
    "merchant_id",
    "merchant_id",
    timedelta(days=37),
    "How a merchant's payments go: counts by hour over 30 days. A window is the hour under way and the whole hours"
    " before it.",
)
VIEWS: Final = (CUSTOMER_STATS, CARD_STATS, MERCHANT_STATS)
VIEW_OF: Final[Mapping[Entity, View]] = {view.entity: view for view in VIEWS}

_ATTEMPTS: Final = "payment.succeeded, payment.captured, payment.failed"
_FAILURES: Final = "payment.failed"
_SUCCESSES: Final = "payment.succeeded, payment.captured"
_DECISIONS: Final = "payments.decisions"
_REFUNDS: Final = "payment.refunded, refund.created"
_DISPUTES: Final = "dispute.created"
_REFUNDS_AND_SUCCESSES: Final = f"{_REFUNDS}, {_SUCCESSES}"
_DISPUTES_AND_SUCCESSES: Final = f"{_DISPUTES}, {_SUCCESSES}"

_TRIES: Final = "Attempts to pay, whatever became of them."
_FAILED: Final = "Attempts that failed."
_DECLINE_RATE: Final = "Failed attempts as a share of all; none without an attempt."
_HARD: Final = "Failed with a decline after which the card must never be tried again."
_IN_A_ROW: Final = "Failed attempts since the last success, as far as attempts are kept (97 days, 512 attempts)."
_CARDS: Final = "Different cards among the attempts that say which."
_CUSTOMERS: Final = "Different customers among the attempts that say who."
_SINCE_SUCCESS: Final = "Since the last payment that succeeded; 0 where the event is one."
_GAP: Final = "From the attempt before the latest to the latest."
_KNOWN_FOR: Final = "Since the first attempt that is known."
_MERCHANT_TRIES: Final = "Attempts of all customers."
_FRAUD_RATE: Final = "Attempts declined as suspected fraud as a share of all; none without an attempt."

# name, type, window, unit, source, what it means
_Row: TypeAlias = tuple[str, Dtype, str, str, str, str]
_COUNT: Final = Dtype.INT64
_NUMBER: Final = Dtype.FLOAT64

_CUSTOMER: Final[tuple[_Row, ...]] = (
    ("total_payments_24h", _COUNT, "24h", "attempts", _ATTEMPTS, _TRIES),
    ("total_payments_7d", _COUNT, "7d", "attempts", _ATTEMPTS, _TRIES),
    ("total_payments_30d", _COUNT, "30d", "attempts", _ATTEMPTS, _TRIES),
    ("total_payments_90d", _COUNT, "90d", "attempts", _ATTEMPTS, _TRIES),
    ("failed_payments_24h", _COUNT, "24h", "attempts", _FAILURES, _FAILED),
    ("failed_payments_7d", _COUNT, "7d", "attempts", _FAILURES, _FAILED),
    ("failed_payments_30d", _COUNT, "30d", "attempts", _FAILURES, _FAILED),
    ("succeeded_payments_90d", _COUNT, "90d", "payments", _SUCCESSES, "Payments that succeeded."),
    ("decline_rate_7d", _NUMBER, "7d", "share", _ATTEMPTS, _DECLINE_RATE),
    ("decline_rate_30d", _NUMBER, "30d", "share", _ATTEMPTS, _DECLINE_RATE),
    ("insufficient_funds_declines_30d", _COUNT, "30d", "attempts", _FAILURES, "Failed for lack of funds."),
    ("hard_declines_30d", _COUNT, "30d", "attempts", _FAILURES, _HARD),
    ("fraud_declines_30d", _COUNT, "30d", "attempts", _FAILURES, "Declined as suspected fraud."),
    ("failures_in_a_row", _COUNT, "all", "attempts", _ATTEMPTS, _IN_A_ROW),
    ("distinct_cards_24h", _COUNT, "24h", "cards", _ATTEMPTS, _CARDS),
    ("distinct_cards_30d", _COUNT, "30d", "cards", _ATTEMPTS, _CARDS),
    (
        "amount_zscore",
        _NUMBER,
        "90d",
        "standard deviations",
        _ATTEMPTS,
        (
            "How far the latest attempt's amount lies above the mean of those before it, in the same currency; a"
            " deviation below a tenth of the mean is taken as that; none with fewer than two before it."
        ),
    ),
    (
        "amount_avg_30d",
        _NUMBER,
        "30d",
        "minor units",
        _ATTEMPTS,
        "Mean amount of the attempts in the currency of the latest one.",
    ),
    (
        "amount_max_30d",
        _COUNT,
        "30d",
        "minor units",
        _ATTEMPTS,
        "Largest amount of the attempts in the currency of the latest one.",
    ),
    ("days_since_last_success", _NUMBER, "all", "days", _SUCCESSES, _SINCE_SUCCESS),
    (
        "days_since_last_failure",
        _NUMBER,
        "all",
        "days",
        _FAILURES,
        "Since the last attempt that failed; 0 where the event is one.",
    ),
    (
        "days_since_first_payment",
        _NUMBER,
        "all",
        "days",
        _ATTEMPTS,
        "Since the first attempt that is known: how long the customer has been one.",
    ),
    ("hours_since_previous_payment", _NUMBER, "97d", "hours", _ATTEMPTS, _GAP),
    (
        "success_interval_days_90d",
        _NUMBER,
        "90d",
        "days",
        _SUCCESSES,
        "How far apart successful payments lie on average; none with fewer than two.",
    ),
    (
        "fraud_score_avg_30d",
        _NUMBER,
        "30d",
        "probability",
        _DECISIONS,
        "Mean of our own fraud scores, the latest for each payment, as of when it was decided.",
    ),
    (
        "fraud_score_max_30d",
        _NUMBER,
        "30d",
        "probability",
        _DECISIONS,
        "Highest of our own fraud scores, the latest for each payment, as of when it was decided.",
    ),
    (
        "refunded_payments_90d",
        _COUNT,
        "90d",
        "payments",
        _REFUNDS,
        "Payments that were given back, in part or whole, where the event names the customer.",
    ),
    (
        "disputed_payments_90d",
        _COUNT,
        "90d",
        "payments",
        _DISPUTES,
        "Payments that were contested, where the event names the customer (Stripe's does not).",
    ),
)
_CARD: Final[tuple[_Row, ...]] = (
    ("card_attempts_1h", _COUNT, "1h", "attempts", _ATTEMPTS, "Attempts on the card, whatever became of them."),
    ("card_attempts_24h", _COUNT, "24h", "attempts", _ATTEMPTS, "Attempts on the card, whatever became of them."),
    ("card_attempts_30d", _COUNT, "30d", "attempts", _ATTEMPTS, "Attempts on the card, whatever became of them."),
    ("card_failed_24h", _COUNT, "24h", "attempts", _FAILURES, _FAILED),
    ("card_failed_7d", _COUNT, "7d", "attempts", _FAILURES, _FAILED),
    ("card_decline_rate_30d", _NUMBER, "30d", "share", _ATTEMPTS, _DECLINE_RATE),
    ("card_hard_declines_30d", _COUNT, "30d", "attempts", _FAILURES, _HARD),
    ("card_failures_in_a_row", _COUNT, "all", "attempts", _ATTEMPTS, _IN_A_ROW),
    ("card_distinct_customers_24h", _COUNT, "24h", "customers", _ATTEMPTS, _CUSTOMERS),
    ("card_distinct_customers_30d", _COUNT, "30d", "customers", _ATTEMPTS, _CUSTOMERS),
    (
        "card_distinct_amounts_24h",
        _COUNT,
        "24h",
        "amounts",
        _ATTEMPTS,
        "Different amounts tried, other than 0: card testing varies them.",
    ),
    (
        "card_same_amount_attempts_30d",
        _COUNT,
        "30d",
        "attempts",
        _ATTEMPTS,
        "Attempts for the amount and currency of the latest one, it included.",
    ),
    ("card_days_since_last_success", _NUMBER, "all", "days", _SUCCESSES, _SINCE_SUCCESS),
    ("card_days_since_first_attempt", _NUMBER, "all", "days", _ATTEMPTS, _KNOWN_FOR),
    ("card_hours_since_previous_attempt", _NUMBER, "97d", "hours", _ATTEMPTS, _GAP),
)
_MERCHANT: Final[tuple[_Row, ...]] = (
    ("merchant_attempts_1h", _COUNT, "1h", "attempts", _ATTEMPTS, _MERCHANT_TRIES),
    ("merchant_attempts_24h", _COUNT, "24h", "attempts", _ATTEMPTS, _MERCHANT_TRIES),
    ("merchant_attempts_7d", _COUNT, "7d", "attempts", _ATTEMPTS, _MERCHANT_TRIES),
    ("merchant_decline_rate_1h", _NUMBER, "1h", "share", _ATTEMPTS, _DECLINE_RATE),
    ("merchant_decline_rate_24h", _NUMBER, "24h", "share", _ATTEMPTS, _DECLINE_RATE),
    ("merchant_decline_rate_7d", _NUMBER, "7d", "share", _ATTEMPTS, _DECLINE_RATE),
    ("merchant_fraud_decline_rate_24h", _NUMBER, "24h", "share", _ATTEMPTS, _FRAUD_RATE),
    ("merchant_fraud_decline_rate_7d", _NUMBER, "7d", "share", _ATTEMPTS, _FRAUD_RATE),
    (
        "merchant_refund_rate_30d",
        _NUMBER,
        "30d",
        "share",
        _REFUNDS_AND_SUCCESSES,
        "Payments given back as a share of those that succeeded in the same window; none without a success.",
    ),
    (
        "merchant_dispute_rate_30d",
        _NUMBER,
        "30d",
        "share",
        _DISPUTES_AND_SUCCESSES,
        "Payments contested as a share of those that succeeded in the same window; none without a success.",
    ),
    ("merchant_days_since_first_payment", _NUMBER, "all", "days", _ATTEMPTS, _KNOWN_FOR),
    (
        "merchant_days_known_30d",
        _NUMBER,
        "30d",
        "days",
        _ATTEMPTS,
        "Since the first attempt that is known, no more than 30: how much of what is new is new to us alone.",
    ),
)
FEATURES: Final = tuple(
    Feature(name, view.name, dtype, window, unit, source, description)
    for view, rows in ((CUSTOMER_STATS, _CUSTOMER), (CARD_STATS, _CARD), (MERCHANT_STATS, _MERCHANT))
    for name, dtype, window, unit, source, description in rows
)


def names(entity: Entity) -> tuple[str, ...]:
    """The names of an entity's features in the order of the table."""
    return tuple(feature.name for feature in FEATURES if feature.view == VIEW_OF[entity].name)
