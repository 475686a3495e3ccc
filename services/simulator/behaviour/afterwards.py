"""What follows a collected payment: refunds, and disputes of legitimate payments and of attacks."""

from dataclasses import dataclass

from services.simulator.behaviour.assumptions import Assumptions
from services.simulator.behaviour.draws import Draws
from services.simulator.behaviour.paydays import DAY_SECONDS
from services.simulator.behaviour.stories import DisputeStory, Life, RefundStory, Story
from services.simulator.tables.disputes import DISPUTE_REASONS

_FRAUDULENT = next(reason for reason in DISPUTE_REASONS if reason.code == "fraudulent")
_BY_CODE = {reason.code: reason for reason in DISPUTE_REASONS}
_PART = 0.3


@dataclass(frozen=True, slots=True)
class Afterwards:
    """Draws what follows."""

    assumptions: Assumptions

    def follow(self, life: Life, draws: Draws) -> None:
        """Refunds and disputes of a customer's own payments."""
        habits = self.assumptions.habits
        last = life.stories[-1] if life.leaving == "voluntary" and life.stories else None
        for story in life.stories:
            if story.succeeded_at is None:
                continue
            if draws.chance(habits.refunds_before_leaving if story is last else habits.refunds):
                story.refund = self._refund(story, draws)
            elif draws.chance(habits.disputes):
                story.dispute = self.dispute(story, draws)

    def dispute(self, story: Story, draws: Draws) -> DisputeStory:
        """The dispute of a collected payment; an attack's is for fraud."""
        code = draws.pick({code: float(row.weight) for code, row in _BY_CODE.items()})
        reason = _FRAUDULENT if story.scenario else _BY_CODE[code]
        at = story.tries[-1].at + DAY_SECONDS + int(draws.gamma2(self.assumptions.fraud.dispute_days) * DAY_SECONDS)
        return DisputeStory(
            id=draws.id("dp"),
            at=at,
            closed_at=at + draws.whole(20, 60) * DAY_SECONDS,
            reason=reason,
            won=draws.whole(0, 99) < reason.merchant_wins_percent,
        )

    def _refund(self, story: Story, draws: Draws) -> RefundStory:
        at = story.tries[-1].at + 3600 + int(draws.exponential(4 * DAY_SECONDS))
        step = story.seller.currency.step
        half = story.amount // 2 - story.amount // 2 % step
        return RefundStory(
            id=draws.id("re"),
            at=at,
            settled_at=at + draws.whole(3600, 3 * DAY_SECONDS),
            amount=half if half > 0 and draws.chance(_PART) else story.amount,
            reason=draws.pick({"requested_by_customer": 8.0, "duplicate": 1.0}),
            balance_transaction=draws.id("txn"),
        )
