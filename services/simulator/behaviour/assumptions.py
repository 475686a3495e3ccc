"""Reads what the behavioural world assumes: every number with its source and how far to trust it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

FILE = Path(__file__).with_name("assumptions.yaml")

# C, marketing and constants without a source, is left out on purpose: nothing may rest on it.
Grade = Literal["A", "B", "own"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Row(_Frozen):
    value: Any
    unit: str
    grade: Grade
    source: str
    note: str = ""


def _value_of(row: Any) -> Any:
    return _Row.model_validate(row).value


Number = Annotated[float, BeforeValidator(_value_of)]
Weights = Annotated[Mapping[str, float], BeforeValidator(_value_of)]


class Population(_Frozen):
    """Who there is."""

    customers_per_merchant: Number
    subscription_merchants: Number
    both_objects: Number
    domestic_cards: Number
    annual_plans: Number
    there_at_start: Number
    second_cards: Number
    card_years_left: Number
    late_events: Number
    late_hours: Number


class WalletRates(_Frozen):
    """Money on the account behind a card."""

    pay_rhythms: Weights
    pay_hour: Number
    level_debit: Number
    level_credit: Number
    level_spread: Number
    lift_weekly: Number
    lift_biweekly: Number
    lift_semimonthly: Number
    lift_monthly: Number
    fade_share: Number
    noise: Number
    noise_memory: Number
    price_weight: Number
    steepness: Number


class IssuerRates(_Frozen):
    """What an issuer does with an attempt."""

    outages_per_month: Number
    outage_hours: Number
    outage_failures: Number
    batch_failures: Number
    background_failures: Number
    caution: Number
    night_caution: Number
    foreign_trouble: Number
    trouble_spread: Number
    velocity: Number
    fatigue: Number
    vague_least: Number
    vague_most: Number
    held_success: Number
    blocked_success: Number


class Conditions(_Frozen):
    """What holds a payment up when it falls due."""

    credit: Weights
    debit: Weights
    by_hand: Number
    brief_hold_hours: Number
    hold_days: Number
    longest_hold_days: Number
    expired_missed: Number
    updater_heals: Number
    updater_days: Number


class Codes(_Frozen):
    """Which decline code tells of which cause."""

    brief_hold: Weights
    hold: Weights
    block: Weights
    caution: Weights
    funds: Weights
    funds_hidden: Weights
    trouble: Weights
    stolen: Weights
    bad_number: Weights
    expired: Weights
    not_permitted: Weights
    revoked: Weights
    authentication: Weights
    never_advised: Number

    def of(self, cause: str) -> Mapping[str, float]:
        """The weights of a cause's codes."""
        weights: Mapping[str, float] = getattr(self, cause)
        return weights


class CustomerRates(_Frozen):
    """What a customer does after a failed payment."""

    asked: Number
    new_card_if_dead: Number
    new_card_if_alive: Number
    unasked: Number
    engagement_weight: Number
    new_card_days: Number
    tries_again: Number
    other_card: Number


class Habits(_Frozen):
    """How often somebody buys and what makes them leave."""

    extra_purchases: Number
    purchases: Number
    purchases_spread: Number
    engagement_memory: Number
    engagement_noise: Number
    engagement_to_purchases: Number
    failure_to_engagement: Number
    cancels: Number
    cancels_early: Number
    engagement_to_cancels: Number
    failure_to_cancels: Number
    lapses: Number
    guests: Number
    hour_spread: Number
    price_spread: Number
    refunds: Number
    refunds_before_leaving: Number
    disputes: Number


class FraudRates(_Frozen):
    """Attacks."""

    testing_bursts: Number
    testing_least: Number
    testing_most: Number
    testing_minutes: Number
    testing_success: Number
    testing_disputes: Number
    takeovers: Number
    takeover_most: Number
    takeover_hours: Number
    takeover_price: Number
    takeover_success: Number
    high_amounts: Number
    high_amount_price: Number
    high_amount_success: Number
    disputed: Number
    dispute_days: Number
    codes: Weights
    risk_mean: Number
    risk_added: Number


class LoggingRates(_Frozen):
    """The policy under which retries were made."""

    most_attempts: Number
    horizon_days: Number
    uniform_share: Number
    stops: Number
    stops_card_data: Number
    weights: Weights


class Claim(_Frozen):
    """What a measured figure of the world must lie between, and the published figure behind it."""

    name: str
    low: float
    high: float
    claim: float
    grade: Literal["A", "B"]
    source: str
    what: str


class Assumptions(_Frozen):
    """The whole file."""

    sources: Mapping[str, str]
    population: Population
    wallet: WalletRates
    issuer: IssuerRates
    conditions: Conditions
    codes: Codes
    customer: CustomerRates
    habits: Habits
    fraud: FraudRates
    logging: LoggingRates
    claims: tuple[Claim, ...]

    @model_validator(mode="before")
    @classmethod
    def _sources_are_named(cls, file: Any) -> Any:
        """Every row names a source of the table at the top."""
        rows = [row for section in file.values() if isinstance(section, Mapping) for row in section.values()]
        named = {row["source"] for row in [*rows, *file["claims"]] if isinstance(row, Mapping) and "source" in row}
        if unknown := named - set(file["sources"]):
            raise ValueError(f"sources without a title: {', '.join(sorted(unknown))}")
        return file


@cache
def load_assumptions(file: Path = FILE) -> Assumptions:
    """The assumptions of a file; ValueError for a number without source or grade, or of grade C."""
    return Assumptions.model_validate(yaml.safe_load(file.read_text()))
