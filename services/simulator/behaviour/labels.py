"""The truth as tables, for training and judging alone: no event carries any of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.simulator.behaviour.curves import CURVE_FIELDS, Curve
from services.simulator.behaviour.judging import by_retries_alone
from services.simulator.behaviour.stories import Life, Story
from services.simulator.behaviour.year import Year

Row = dict[str, Any]
_MICROS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LabelTable:
    """One table: its columns with their kinds."""

    name: str
    columns: Mapping[str, str]


_PAYMENT: Final = {"payment_id": "text", "merchant_id": "word"}
PAYMENTS: Final = LabelTable(
    "payments",
    {
        **_PAYMENT,
        "customer_id": "text",
        "kind": "word",
        "created_at": "time",
        "amount_usd_cents": "int64",
        "amount_cents": "int64",
        "currency": "word",
        "is_fraud": "bool",
        "fraud_scenario": "word",
        "disputed_at": "time",
        "refunded_at": "time",
        "refunded_cents": "int64",
        "failed_at_first": "bool",
        "attempts": "int32",
        "recovered": "bool",
        "succeeded_at": "time",
        "succeeded_by": "word",
    },
)
ATTEMPTS: Final = LabelTable(
    "attempts",
    {
        **_PAYMENT,
        "charge_id": "text",
        "attempt_number": "int32",
        "attempted_at": "time",
        "caused_by": "word",
        "success_probability": "float",
        "succeeded": "bool",
        "true_cause": "word",
    },
)
DECISIONS: Final = LabelTable(
    "decisions",
    {
        **_PAYMENT,
        "customer_id": "text",
        "charge_id": "text",
        "attempt_number": "int32",
        "decided_at": "time",
        "failure_code": "word",
        "bucket": "word",
        "propensity": "float",
        "wait_hours": "int32",
        "propensity_hour": "float",
        "retry_at": "time",
        "success_probability": "float",
        "outcome": "word",
        "asked_for_card": "bool",
        "ask_propensity": "float",
    },
)
CUSTOMERS: Final = LabelTable(
    "customers",
    {
        "customer_id": "text",
        "merchant_id": "word",
        "subscribes": "bool",
        "annual": "bool",
        "joined_at": "time",
        "churned_at": "time",
        "churn_cause": "word",
        "pay_rhythm": "word",
        "engagement": "floats",
    },
)
_CURVE_KINDS: Final = {
    "paydays": "seconds",
    "spending": "floats",
    "outages": "spans",
    "opened_at": "int64",
    "released_at": "int64",
    "new_card_unasked_at": "int64",
    "new_card_asked_at": "int64",
    "batch_hour": "int32",
    "condition": "word",
    "asked": "bool",
}
CURVES: Final = LabelTable("curves", {**_PAYMENT, **{name: _CURVE_KINDS.get(name, "float") for name in CURVE_FIELDS}})
HOURLY: Final = LabelTable("hourly", {**_PAYMENT, "opened_at": "int64", "success_probability": "floats32"})
# Hour 0 is the first try itself; the last is that of Stripe's two weeks.
HOURLY_HOURS: Final = 14 * 24


def label_rows(year: Year) -> list[tuple[LabelTable, Iterator[Row]]]:
    """Every table with its rows. Times of curves are seconds since 1970, others microseconds."""
    stories = year.stories
    return [
        (PAYMENTS, (_payment(story) for story in stories)),
        (ATTEMPTS, (row for story in stories for row in _attempts(story))),
        (DECISIONS, (row for story in stories for row in _decisions(story))),
        (CUSTOMERS, (_customer(life) for life in year.lives)),
        (CURVES, (_curve(story, story.curve) for story in failed(stories) if story.curve)),
        (HOURLY, (_hourly(story, story.curve) for story in failed(stories) if story.curve and story.decisions)),
    ]


def failed(stories: Iterable[Story]) -> Iterator[Story]:
    """Payments whose first try was declined, without those of attacks."""
    return (story for story in stories if story.failed_at_first and story.curve is not None)


def _payment(story: Story) -> Row:
    succeeded_at = story.succeeded_at
    return {
        **_ids(story),
        "customer_id": story.customer and story.customer.id,
        "kind": story.kind,
        "created_at": story.created * _MICROS,
        "amount_usd_cents": story.usd_cents,
        "amount_cents": story.amount,
        "currency": story.seller.currency.code.upper(),
        "is_fraud": story.scenario is not None,
        "fraud_scenario": story.scenario,
        "disputed_at": None if story.dispute is None else story.dispute.at * _MICROS,
        "refunded_at": None if story.refund is None else story.refund.at * _MICROS,
        "refunded_cents": None if story.refund is None else story.refund.amount,
        "failed_at_first": story.failed_at_first,
        "attempts": len(story.tries),
        "recovered": story.failed_at_first and succeeded_at is not None,
        "succeeded_at": _micros(succeeded_at),
        "succeeded_by": story.tries[-1].by if succeeded_at else None,
    }


def _attempts(story: Story) -> Iterator[Row]:
    for number, tried in enumerate(story.tries, start=1):
        yield {
            **_ids(story),
            "charge_id": tried.charge,
            "attempt_number": number,
            "attempted_at": tried.at * _MICROS,
            "caused_by": tried.by,
            "success_probability": tried.probability,
            "succeeded": tried.decline is None,
            "true_cause": tried.cause,
        }


def _decisions(story: Story) -> Iterator[Row]:
    for decision in story.decisions:
        yield {
            **_ids(story),
            "customer_id": story.customer and story.customer.id,
            "charge_id": story.tries[decision.attempt_number - 1].charge,
            "attempt_number": decision.attempt_number,
            "decided_at": decision.decided_at * _MICROS,
            "failure_code": decision.failure_code,
            "bucket": decision.bucket,
            "propensity": decision.propensity,
            "wait_hours": decision.wait_hours,
            "propensity_hour": decision.propensity_hour,
            "retry_at": _micros(decision.retry_at),
            "success_probability": decision.probability,
            "outcome": decision.outcome,
            "asked_for_card": story.curve is not None and story.curve.asked,
            "ask_propensity": story.ask_propensity,
        }


def _customer(life: Life) -> Row:
    return {
        "customer_id": life.customer.id,
        "merchant_id": life.seller.merchant.known_as,
        "subscribes": life.subscribes,
        "annual": life.annual,
        "joined_at": life.joined_at * _MICROS,
        "churned_at": _micros(life.left_at),
        "churn_cause": life.leaving,
        "pay_rhythm": life.pay_rhythm,
        "engagement": life.engagement,
    }


def _curve(story: Story, curve: Curve) -> Row:
    return {**_ids(story), **{name: getattr(curve, name) for name in CURVE_FIELDS}}


def _hourly(story: Story, curve: Curve) -> Row:
    """The chance of the second try at each hour after the first, if the customer does nothing."""
    alone = by_retries_alone(curve)
    hours = (curve.opened_at + hour * 3600 for hour in range(HOURLY_HOURS + 1))
    chances = [alone.success_probability(at, (curve.opened_at,)) for at in hours]
    return {**_ids(story), "opened_at": curve.opened_at, "success_probability": chances}


def _ids(story: Story) -> Row:
    return {"payment_id": f"stripe:{story.id}", "merchant_id": story.seller.merchant.known_as}


def _micros(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * _MICROS
