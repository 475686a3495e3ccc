"""Fraud: card testing in bursts, taken over accounts, and stolen cards used for high amounts."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.simulator.behaviour.afterwards import Afterwards
from services.simulator.behaviour.assumptions import Assumptions
from services.simulator.behaviour.collecting import risk_score
from services.simulator.behaviour.declining import advice_code, drawn
from services.simulator.behaviour.draws import ATTACK, TAKEOVER, Draws
from services.simulator.behaviour.paydays import DAY_SECONDS
from services.simulator.behaviour.population import Period, Seller, build_card, build_customer, renewed
from services.simulator.behaviour.stories import Life, Scenario, Story, Try
from services.simulator.world import Card, Customer

_YEAR_DAYS = 365.0
_TESTED_AMOUNTS = (100, 100, 150, 200, 499)
_SAME_CARD_AGAIN = 0.15
_GUEST = 0.6
_KNOWN_CARD = 0.6
_MOST_HIGH_AMOUNTS = 3


@dataclass(frozen=True, slots=True)
class Attacks:
    """Draws attacks on a seller or on a customer, each from its own seed."""

    seed: int
    assumptions: Assumptions
    period: Period
    afterwards: Afterwards

    def on_seller(self, seller: Seller) -> Iterator[Story]:
        """Bursts of card testing, and stolen cards that buy much."""
        draws = Draws(self.seed, ATTACK, seller.number)
        rates, years = self.assumptions.fraud, self.period.days / _YEAR_DAYS
        for _ in range(draws.poisson(rates.testing_bursts * years)):
            yield from self._card_testing(seller, draws)
        for _ in range(draws.poisson(rates.high_amounts * years)):
            yield from self._high_amounts(seller, draws)

    def on_customer(self, number: int, life: Life) -> Iterator[Story]:
        """The takeover of a customer's account, for the few that it happens to."""
        draws = Draws(self.seed, TAKEOVER, number)
        rates = self.assumptions.fraud
        if not life.stories or not draws.chance(rates.takeovers * self.period.days / _YEAR_DAYS):
            return
        since, until = life.stories[0].created, life.left_at or self.period.end
        start = draws.whole(since, max(since, until))
        known = next((one for one in reversed(life.stories) if one.created <= start), life.stories[0]).tries[-1].card
        card = renewed(known, start) if draws.chance(_KNOWN_CARD) else self._stolen(start, draws)
        for _ in range(draws.whole(2, int(rates.takeover_most))):
            at = start + int(draws.uniform() * rates.takeover_hours * 3600)
            price = life.price_usd_cents * rates.takeover_price * draws.between(0.5, 2.0)
            yield from self._told(
                draws, life.seller, life.customer, card, "account_takeover", at, price, rates.takeover_success
            )

    def _card_testing(self, seller: Seller, draws: Draws) -> Iterator[Story]:
        rates = self.assumptions.fraud
        start = draws.whole(self.period.start, self.period.end)
        amount = _TESTED_AMOUNTS[draws.whole(0, len(_TESTED_AMOUNTS) - 1)]
        card = self._stolen(start, draws)
        account = None if draws.chance(_GUEST) else build_customer(draws, card)
        for _ in range(draws.whole(int(rates.testing_least), int(rates.testing_most))):
            if not draws.chance(_SAME_CARD_AGAIN):
                card = self._stolen(start, draws)
            at = start + int(draws.uniform() * rates.testing_minutes * 60)
            yield from self._told(
                draws, seller, account, card, "card_testing", at, float(amount), rates.testing_success
            )

    def _high_amounts(self, seller: Seller, draws: Draws) -> Iterator[Story]:
        rates = self.assumptions.fraud
        at = draws.whole(self.period.start, self.period.end)
        card = self._stolen(at, draws)
        account = build_customer(draws, card)
        for _ in range(draws.whole(1, _MOST_HIGH_AMOUNTS)):
            price = seller.prices[1] * rates.high_amount_price * draws.between(0.4, 2.0)
            yield from self._told(draws, seller, account, card, "high_amount", at, price, rates.high_amount_success)
            at += 120 + int(draws.exponential(DAY_SECONDS / 8))

    def _stolen(self, at: int, draws: Draws) -> Card:
        # Good at the time: an expired card that pays would give the attack away.
        return build_card(draws, None, Period(at, self.period.end), self.assumptions)

    def _told(
        self,
        draws: Draws,
        seller: Seller,
        customer: Customer | None,
        card: Card,
        scenario: Scenario,
        at: int,
        usd_cents: float,
        success: float,
    ) -> Iterator[Story]:
        """One payment of an attack; none once the period is over."""
        story = Story(
            id=draws.id("pi"),
            seller=seller,
            customer=customer,
            kind="attack",
            created=at,
            amount=seller.amount(usd_cents),
            usd_cents=int(usd_cents),
            invoice=None,
            scenario=scenario,
        )
        story.tries.append(self._try(draws, card, at, success))
        disputed = self.assumptions.fraud.testing_disputes if scenario == "card_testing" else None
        if story.succeeded_at and draws.chance(disputed or self.assumptions.fraud.disputed):
            story.dispute = self.afterwards.dispute(story, draws)
        if at < self.period.end:
            yield story

    def _try(self, draws: Draws, card: Card, at: int, success: float) -> Try:
        codes, rates = self.assumptions.codes, self.assumptions.fraud
        decline = None if draws.chance(success) else drawn(rates.codes, card, draws)
        added = draws.normal(rates.risk_added, rates.risk_added)
        return Try(
            charge=draws.id("ch"),
            at=at,
            card=card,
            decline=decline,
            network_advice_code=None if decline is None else advice_code(decline, "caution", card, codes, draws),
            risk_score=risk_score(self.assumptions, draws, added),
            balance_transaction=draws.id("txn"),
            by="fraudster",
            probability=success,
            cause=None if decline is None else "fraud",
        )
