"""Promotion as a step of a pipeline: the policy decides, and a refusal is an answer and no fault."""

from dataclasses import replace

from mlops.pipelines.lib.learning import Decided, decide
from mlops.registry.ports import CHALLENGER, CHAMPION
from mlops.registry.promotion import Order
from tests.fakes.model_registry import FakeModelRegistry
from tests.fakes.model_registry_suite import GOOD

ORDER = Order("a run", 1_000, "trained on the lake's history")


def test_a_challenger_that_the_policy_allows_serves_and_is_on_record() -> None:
    registry = FakeModelRegistry()
    registry.point("fraud", CHALLENGER, registry.add("fraud", GOOD).number)
    assert decide(registry, "fraud", ORDER) == Decided("1", "1", ())
    assert registry.aliases == {("fraud", CHAMPION): "1"}
    assert [record.by for record in registry.records] == ["a run"]


def test_a_challenger_that_the_policy_refuses_stays_one_and_every_rule_is_named() -> None:
    registry = FakeModelRegistry()
    few = replace(GOOD, quality={**GOOD.quality, "train_positives": 7})
    registry.point("fraud", CHALLENGER, registry.add("fraud", few).number)
    decided = decide(registry, "fraud", ORDER)
    assert (decided.promoted, decided.serves) == (None, None)
    assert len(decided.refusals) == 1
    assert decided.refusals[0].startswith("data_quality.least_train_positives")
    assert registry.aliases == {("fraud", CHALLENGER): "1"}


def test_without_a_challenger_who_serves_goes_on() -> None:
    registry = FakeModelRegistry()
    registry.point("fraud", CHAMPION, registry.add("fraud", GOOD).number)
    assert decide(registry, "fraud", ORDER) == Decided(None, "1", ())


def test_a_promotion_that_was_killed_in_its_middle_is_ended_by_the_next_try() -> None:
    """The alias of who serves was moved, and that of the challenger not taken away."""
    registry = FakeModelRegistry()
    number = registry.add("fraud", GOOD).number
    registry.point("fraud", CHALLENGER, number)
    decide(registry, "fraud", ORDER)
    registry.point("fraud", CHALLENGER, number)
    assert decide(registry, "fraud", ORDER) == Decided("1", "1", ())
    assert registry.aliases == {("fraud", CHAMPION): "1"}
    assert len(registry.records) == 1, "it was promoted once"
