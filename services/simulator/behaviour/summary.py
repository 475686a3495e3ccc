"""Measures a played world, for people and against the published claims."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.simulator.behaviour.assumptions import Claim
from services.simulator.behaviour.history import DECLINE_CLASSES
from services.simulator.behaviour.judging import (
    best_hours,
    by_retries_alone,
    eight_in_two_weeks,
    ladder,
    share_recovered,
)
from services.simulator.behaviour.paydays import DAY_SECONDS
from services.simulator.behaviour.stories import Story
from services.simulator.behaviour.year import Year

# The best hours take long to find: of so many payments, evenly spread over all.
_SEARCHED = 400
_TEN_DAYS = 10 * DAY_SECONDS
# Which of our codes stands for which of the published reasons: our reading, as the page does not say.
_REASONS: Mapping[str, frozenset[str]] = {
    "generic": frozenset({"generic_decline"}),
    "hold": frozenset({"do_not_honor", "call_issuer"}),
    "funds": frozenset({"insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded"}),
    "stolen": frozenset({"fraudulent", "stolen_card", "lost_card", "pickup_card"}),
    "bad_number": frozenset({"invalid_account", "invalid_number", "incorrect_number"}),
}
_HONOR_AND_FUNDS = frozenset({"generic_decline", "do_not_honor", "insufficient_funds"})
_MOST_CODES = 24


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim and what the world measures in its place."""

    claim: Claim
    measured: float

    @property
    def holds(self) -> bool:
        """Whether the measured figure lies in the claim's range."""
        return self.claim.low <= self.measured <= self.claim.high


def check(year: Year) -> list[Checked]:
    """Every claim of the assumptions, measured. Needs some thousand customers to be steady."""
    measured = _measured(year)
    return [Checked(claim, measured[claim.name]) for claim in year.assumptions.claims]


def as_text(year: Year, checked: Sequence[Checked]) -> str:
    """All of it as people read it."""
    return "\n\n".join([_size(year), _codes(year), _recoveries(year), _fraud(year), _churn(year), _claims(checked)])


def _measured(year: Year) -> Mapping[str, float]:
    cycles = [story for story in year.stories if story.kind == "cycle"]
    missed = [story for story in cycles if story.failed_at_first]
    monthly = {life.customer.id for life in year.lives if not life.annual}
    by_month = [story for story in cycles if story.customer and story.customer.id in monthly]
    alone = [by_retries_alone(story.curve) for story in missed if story.curve]
    recovered = [story for story in missed if story.succeeded_at is not None]
    left = [life.leaving for life in year.lives if life.subscribes and life.leaving]
    return {
        "subscriptions_at_risk": _share(by_month, [story for story in by_month if story.failed_at_first]),
        **_mix("credit", [story for story in missed if story.tries[0].card.funding == "credit"]),
        **_mix("debit", [story for story in missed if story.tries[0].card.funding != "credit"]),
        "honor_and_funds": _share(missed, [story for story in missed if _code(story) in _HONOR_AND_FUNDS]),
        "ladder_recovery": share_recovered(alone, ladder),
        "eight_in_two_weeks_recovery": share_recovered(alone, eight_in_two_weeks),
        "best_recovery": share_recovered(alone[:: max(1, len(alone) // _SEARCHED)], best_hours),
        "recovered_in_ten_days": _share(recovered, [story for story in recovered if _took(story) <= _TEN_DAYS]),
        "involuntary_share": _share(left, [cause for cause in left if cause == "involuntary"]),
    }


def _mix(funding: str, missed: Sequence[Story]) -> Mapping[str, float]:
    return {
        f"{funding}_{name}": _share(missed, [story for story in missed if _code(story) in codes])
        for name, codes in _REASONS.items()
    }


def _code(story: Story) -> str:
    decline = story.tries[0].decline
    return "" if decline is None else decline.code


def _took(story: Story) -> int:
    return (story.succeeded_at or story.created) - story.created


def _share(of: Sequence[object], those: Sequence[object]) -> float:
    return len(those) / len(of) if of else 0.0


def _size(year: Year) -> str:
    plan = year.plan
    return (
        f"World of seed {plan.seed}: {len(year.lives):,} customers, {plan.days} days from {plan.first_day}; "
        f"{len(year.stories):,} payments, {len(year.told):,} events"
    )


def _codes(year: Year) -> str:
    """Declines of subscription payments by code: how many, how many came in at last, and by whose doing."""
    missed = [story for story in year.stories if story.kind == "cycle" and story.failed_at_first]
    lines = [
        f"  {'first decline of a cycle':<34}{'class':<20}{'count':>7}{'share':>8}{'recovered':>11}{'by customer':>13}"
    ]
    for code, count in Counter(map(_code, missed)).most_common(_MOST_CODES):
        those = [story for story in missed if _code(story) == code]
        back = [story for story in those if story.succeeded_at]
        by_customer = [story for story in back if story.tries[-1].by == "customer"]
        lines.append(
            f"  {code:<34}{DECLINE_CLASSES[code]:<20}{count:>7}{count / len(missed):>8.1%}"
            f"{_share(those, back):>11.1%}{_share(those, by_customer):>13.1%}"
        )
    return "\n".join(lines)


def _recoveries(year: Year) -> str:
    decisions = [decision for story in year.stories for decision in story.decisions]
    outcomes = Counter(decision.outcome for decision in decisions)
    told = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in sorted(outcomes.items()))
    return f"  {len(decisions):,} decisions of the logging policy: {told}"


def _fraud(year: Year) -> str:
    stories = year.stories
    attacks = [story for story in stories if story.scenario]
    collected = [story for story in stories if story.succeeded_at]
    disputed = [story for story in collected if story.dispute]
    scenarios = Counter(story.scenario for story in attacks)
    told = ", ".join(f"{count:,} {scenario}" for scenario, count in sorted(scenarios.items(), key=str))
    return (
        f"  fraud: {_share(stories, attacks):.2%} of payments ({told}); disputed: "
        f"{_share(collected, disputed):.2%} of collected ones"
    )


def _churn(year: Year) -> str:
    return "\n".join(
        _left(name, [life.leaving for life in year.lives if life.subscribes is subscribes])
        for name, subscribes in (("subscribers", True), ("a store's customers", False))
    )


def _left(name: str, leavings: Sequence[str | None]) -> str:
    counts = Counter(leavings)
    return f"  {name}: {len(leavings):,}, left by will {counts['voluntary']:,}, by failure {counts['involuntary']:,}"


def _claims(checked: Iterable[Checked]) -> str:
    title = "measured against published claims (small worlds scatter)"
    head = f"  {title:<84}{'here':>7}{'claim':>7}{'from':>7}{'to':>7}  grade"
    rows = [
        f"  {one.claim.what:<84}{one.measured:>7.3f}{one.claim.claim:>7.3f}{one.claim.low:>7.3f}{one.claim.high:>7.3f}"
        f"  {one.claim.grade}{'' if one.holds else '   <-- OUTSIDE'}"
        for one in checked
    ]
    return "\n".join([head, *rows])
