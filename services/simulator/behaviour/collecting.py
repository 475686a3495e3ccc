"""Collects one payment: tries it, and after a decline lets the logging policy, the customer or both act."""

from dataclasses import dataclass, replace
from math import exp, log

from services.simulator.behaviour.assumptions import Assumptions
from services.simulator.behaviour.curves import LASTING, Curve, failing_cause
from services.simulator.behaviour.declining import advice_code, decline_for
from services.simulator.behaviour.draws import Draws
from services.simulator.behaviour.logging_policy import Choice, Failure, LoggingPolicy
from services.simulator.behaviour.paydays import DAY_SECONDS
from services.simulator.behaviour.population import Period, Person, build_card, has_expired, headroom, renewed, replaced
from services.simulator.behaviour.stories import By, Decision, Outcome, Story, Try

_HOUR_SECONDS = 3600
_HIGHEST_RISK_SCORE = 99
_PER_MILLE = 1000
_MOST_TRIES_BY_HAND = 3
_DUE: By = "schedule"


@dataclass(frozen=True, slots=True)
class Collector:
    """What collecting needs besides the payment."""

    assumptions: Assumptions
    policy: LoggingPolicy
    period: Period

    def open_curve(self, person: Person, at: int, usd_cents: int, *, present: bool, draws: Draws) -> Curve:
        """The truth about a payment that is first tried now; `present`: the customer is, so less goes wrong."""
        issuer, wallet, rates = person.issuer, person.wallet, self.assumptions.issuer
        condition = self._condition(person, at, present=present, draws=draws)
        return Curve(
            opened_at=at,
            headroom=headroom(wallet.level, usd_cents, self.assumptions.wallet.price_weight),
            lift=wallet.lift,
            fade_days=wallet.fade_days,
            steepness=self.assumptions.wallet.steepness,
            paydays=wallet.paydays_around(at),
            spending=wallet.spending_from(at),
            offset_hours=issuer.offset_hours,
            outages=issuer.outages_within(at, at + 40 * DAY_SECONDS),
            outage_failures=rates.outage_failures,
            batch_hour=issuer.batch_hour,
            batch_failures=rates.batch_failures,
            background_failures=rates.background_failures,
            caution=rates.caution,
            night_caution=rates.night_caution,
            velocity=rates.velocity,
            fatigue=rates.fatigue,
            condition=condition,
            released_at=self._released_at(condition, at, draws),
            held_success=rates.blocked_success if condition in LASTING else rates.held_success,
            new_card_unasked_at=None,
            new_card_asked_at=None,
            asked=False,
        )

    def collect(self, story: Story, person: Person, curve: Curve, draws: Draws) -> None:
        """Tries a subscription's payment when it is due and until the policy stops, the customer pays, or it ends."""
        story.curve = curve
        at, by = story.created, _DUE
        while True:
            if curve.condition == "expired" and curve.released_at is not None and at >= curve.released_at:
                person.card = renewed(person.card, at)
            tried = self._try(story, person, at, by, draws)
            if story.decisions and story.decisions[-1].outcome == "after_end":
                story.decisions[-1].outcome = "failed" if tried.decline else "succeeded"
            if tried.decline is None:
                return
            if len(story.tries) == 1:
                story.curve = self._with_customer(story, person, draws)
            step = self._next(story, tried, draws)
            if step is None:
                return
            at, by = step
            if by == "customer":
                person.card = replaced(draws, person.card, at, self.assumptions)

    def collect_by_hand(self, story: Story, person: Person, curve: Curve, draws: Draws) -> None:
        """Tries a purchase whose buyer is there to try again, maybe with another card."""
        story.curve = curve
        rates, at, card = self.assumptions.customer, story.created, person.card
        for _ in range(_MOST_TRIES_BY_HAND):
            tried = self._try(story, person, at, "customer", draws)
            at += 40 + int(draws.exponential(240))
            if tried.decline is None or at >= self.period.end or not draws.chance(rates.tries_again):
                break
            if story.curve.new_card_at is None and draws.chance(rates.other_card):
                person.card = build_card(draws, person.customer.country, Period(at, self.period.end), self.assumptions)
                story.curve = replace(story.curve, asked=False, new_card_unasked_at=at, new_card_asked_at=at)
        if draws.chance(0.5):
            # Half of them go back to the usual card next time.
            person.card = card

    def _try(self, story: Story, person: Person, at: int, by: By, draws: Draws) -> Try:
        curve = story.curve
        if curve is None:
            raise ValueError("a payment is tried along its curve")
        factors = curve.factors(at, story.declined_at)
        cause = failing_cause(curve, factors, at, draws)
        codes = self.assumptions.codes
        decline = None if cause is None else decline_for(cause, person.card, person.issuer.vagueness, codes, draws)
        tried = Try(
            charge=draws.id("ch"),
            at=at,
            card=person.card,
            decline=decline,
            network_advice_code=None
            if cause is None or decline is None
            else advice_code(decline, cause, person.card, codes, draws),
            risk_score=risk_score(self.assumptions, draws),
            balance_transaction=draws.id("txn"),
            by=by,
            probability=factors.success,
            cause=cause,
        )
        story.tries.append(tried)
        return tried

    def _next(self, story: Story, tried: Try, draws: Draws) -> tuple[int, By] | None:
        choice = self.policy.choose(failure_seen(story, tried), draws)
        retry_at = None if choice.wait_hours is None else tried.at + choice.wait_hours * _HOUR_SECONDS
        customer_at = story.curve.new_card_at if story.curve else None
        if customer_at is not None and tried.at < customer_at and (retry_at is None or customer_at < retry_at):
            story.decisions.append(_decision(story, tried, choice, retry_at, "overtaken"))
            return (customer_at, "customer") if customer_at < self.period.end else None
        story.decisions.append(_decision(story, tried, choice, retry_at, "after_end" if retry_at else "stopped"))
        return None if retry_at is None or retry_at >= self.period.end else (retry_at, "policy")

    def _condition(self, person: Person, at: int, *, present: bool, draws: Draws) -> str:
        rates, card = self.assumptions.conditions, person.card
        if has_expired(card, at):
            if draws.chance(rates.expired_missed) and not present:
                return "expired"
            person.card = renewed(card, at)
        factor = person.issuer.trouble * (rates.by_hand if present else 1.0)
        if card.issuer.country != person.seller.country:
            factor *= self.assumptions.issuer.foreign_trouble
        point = draws.uniform() * _PER_MILLE / factor
        for name, share in (rates.credit if card.funding == "credit" else rates.debit).items():
            point -= share
            if point < 0:
                return name
        return ""

    def _released_at(self, condition: str, at: int, draws: Draws) -> int | None:
        rates = self.assumptions.conditions
        if condition == "brief_hold":
            return at + 60 + int(draws.exponential(rates.brief_hold_hours * _HOUR_SECONDS))
        if condition == "hold":
            return at + int(min(draws.gamma2(rates.hold_days), rates.longest_hold_days) * DAY_SECONDS)
        if condition in {"expired", "bad_number"} and draws.chance(rates.updater_heals):
            return at + int(draws.exponential(rates.updater_days * DAY_SECONDS))
        return None

    def _with_customer(self, story: Story, person: Person, draws: Draws) -> Curve:
        """The curve with what the customer will do, drawn both for being asked and for not."""
        rates, curve = self.assumptions.customer, story.curve
        if curve is None:
            raise ValueError("a payment is tried along its curve")
        usual = rates.new_card_if_dead if curve.condition in LASTING else rates.new_card_if_alive
        odds = log(usual / (1 - usual)) + rates.engagement_weight * person.engagement
        chance, point = 1 / (1 + exp(-odds)), draws.uniform()
        at = story.created + 600 + int(draws.exponential(rates.new_card_days * DAY_SECONDS))
        story.ask_propensity = rates.asked
        return replace(
            curve,
            asked=draws.chance(rates.asked),
            new_card_asked_at=at if point < chance else None,
            new_card_unasked_at=at + DAY_SECONDS if point < chance * rates.unasked else None,
        )


def failure_seen(story: Story, tried: Try) -> Failure:
    """A decline as the merchant's API version shows it."""
    decline, brand = tried.decline, tried.card.issuer.brand
    if decline is None:
        raise ValueError("only a failed try is decided on")
    shows = story.seller.version.names_advice
    return Failure(
        brand=brand,
        code=decline.code,
        advice=decline.advice,
        network_code=decline.network_code(brand) if shows else None,
        network_advice_code=tried.network_advice_code if shows else None,
        attempt_number=len(story.tries),
        hours_since_first=(tried.at - story.created) / _HOUR_SECONDS,
    )


def risk_score(assumptions: Assumptions, draws: Draws, added: float = 0.0) -> int:
    """The provider's own score, 0 to 99, of which it says little."""
    return max(0, min(_HIGHEST_RISK_SCORE, int(draws.exponential(assumptions.fraud.risk_mean) + added)))


def _decision(story: Story, tried: Try, choice: Choice, retry_at: int | None, outcome: Outcome) -> Decision:
    return Decision(
        decided_at=tried.at,
        attempt_number=len(story.tries),
        failure_code=tried.decline.code if tried.decline else "",
        bucket=choice.bucket,
        propensity=choice.propensity,
        wait_hours=choice.wait_hours,
        propensity_hour=choice.propensity_hour,
        retry_at=retry_at,
        probability=story.curve.success_probability(retry_at, story.declined_at) if story.curve and retry_at else None,
        outcome=outcome,
    )
