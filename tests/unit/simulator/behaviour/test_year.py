"""A world follows from its seed, entity by entity, and what happens in it keeps its own rules."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from services.simulator.behaviour.collecting import failure_seen
from services.simulator.behaviour.logging_policy import may_try_again
from services.simulator.behaviour.stories import Story
from services.simulator.behaviour.year import Plan, play
from tests.unit.simulator.behaviour.worlds import FIRST_DAY, world

DAY = 86400


def cycles(customers: int = 400) -> list[Story]:
    return [story for story in world(customers).stories if story.kind == "cycle"]


def missed() -> list[Story]:
    return [story for story in cycles(1500) if story.failed_at_first]


def test_a_plan_makes_the_same_world_again_and_another_seed_another() -> None:
    plan = Plan(7, 40, FIRST_DAY, 90)
    assert play(plan).told == play(plan).told
    assert play(plan).told != play(replace(plan, seed=8)).told


def test_more_customers_change_none_that_were_there() -> None:
    few, many = play(Plan(7, 30, FIRST_DAY, 90)), play(Plan(7, 60, FIRST_DAY, 90))
    assert many.lives[:30] == few.lives
    told = {event.event_id for event in many.told}
    assert {event.event_id for event in few.told} <= told


def test_nothing_happens_outside_of_the_period() -> None:
    period = world().plan.period
    assert all(period.start <= event.at < period.end for event in world().told)


def test_nobody_pays_after_leaving() -> None:
    for life in world(1500).lives:
        if life.left_at is not None:
            assert all(story.created <= life.left_at for story in life.stories)


def test_those_who_leave_involuntarily_leave_with_a_payment_that_was_given_up() -> None:
    left = [life for life in world(1500).lives if life.leaving == "involuntary"]
    assert left
    for life in left:
        last = [story for story in life.stories if story.kind == "cycle"][-1]
        assert last.succeeded_at is None
        assert last.decisions[-1].outcome == "stopped"
        assert life.left_at == last.tries[-1].at


def test_every_unpaid_cycle_ends_a_subscription_or_is_open_at_the_end() -> None:
    for life in world(1500).lives:
        unpaid = [story for story in life.stories if story.kind == "cycle" and story.succeeded_at is None]
        assert len(unpaid) <= 1
        if unpaid:
            open_still = unpaid[0].decisions[-1].outcome in {"after_end", "overtaken"}
            assert open_still or life.leaving == "involuntary"


def test_decisions_and_tries_tell_one_story() -> None:
    for story in missed():
        declines = [one for one in story.tries if one.decline is not None]
        assert len(story.decisions) == len(declines)
        for decision, following in zip(story.decisions, [*story.tries[1:], None], strict=False):
            if following is None:
                assert decision.outcome in {"stopped", "after_end", "overtaken"}
            elif following.by == "customer":
                assert decision.outcome == "overtaken"
            else:
                assert decision.retry_at == following.at
                assert decision.probability == pytest.approx(following.probability)
                assert decision.outcome == ("succeeded" if following.decline is None else "failed")


def test_the_policy_never_tries_what_the_rules_forbid() -> None:
    retries = 0
    for story in missed():
        for tried, following in zip(story.tries, story.tries[1:], strict=False):
            if following.by == "policy":
                retries += 1
                assert may_try_again(failure_seen(story, tried))
    assert retries > 100


def test_no_card_is_tried_more_often_than_the_networks_allow() -> None:
    """Visa: 15 in 30 days for one card and amount; Mastercard: 10 declines of a card in 24 hours, 35 in 30 days."""
    by_card: dict[tuple[str, int], list[int]] = defaultdict(list)
    for story in world(1500).stories:
        if story.scenario is None:
            for tried in story.tries:
                by_card[tried.card.fingerprint, story.amount].append(tried.at)
    for ats in by_card.values():
        for at in ats:
            assert sum(at <= other < at + 30 * DAY for other in ats) <= 15
            assert sum(at <= other < at + DAY for other in ats) <= 10


def test_attempts_succeed_as_often_as_their_probabilities_say() -> None:
    tries = [one for story in world(1500).stories for one in story.tries]
    hard = [one for one in tries if one.probability < 0.9]
    assert len(hard) > 300
    for group in (tries, hard):
        expected = sum(one.probability for one in group)
        spread = sum(one.probability * (1 - one.probability) for one in group) ** 0.5
        assert abs(sum(one.decline is None for one in group) - expected) < 4 * spread


def test_all_scenarios_of_fraud_occur_and_are_disputed_later() -> None:
    attacks = [story for story in world(1500).stories if story.scenario]
    assert set(Counter(story.scenario for story in attacks)) == {"card_testing", "account_takeover", "high_amount"}
    disputed = [story for story in attacks if story.dispute]
    assert disputed
    assert all(story.dispute.at > story.tries[-1].at for story in disputed if story.dispute)


def test_card_testing_comes_in_bursts_of_many_cards_at_one_merchant() -> None:
    tests = [story for story in world(1500).stories if story.scenario == "card_testing"]
    by_merchant: dict[str | None, list[Story]] = defaultdict(list)
    for story in tests:
        by_merchant[story.seller.merchant.known_as].append(story)
    for stories in by_merchant.values():
        for story in stories:
            burst = [other for other in stories if abs(other.created - story.created) <= 40 * 60]
            assert len({other.tries[0].card.fingerprint for other in burst}) >= 5


def test_habits_fade_before_somebody_leaves() -> None:
    """Engagement, which moves purchases, is lower in the last month of those who leave by will."""
    lives = [life for life in world(1500).lives if life.subscribes and life.engagement]
    leavers = [life.engagement[-1] for life in lives if life.leaving == "voluntary"]
    others = [life.engagement[-1] for life in lives if life.leaving is None]
    assert sum(leavers) / len(leavers) < sum(others) / len(others) - 0.3
