"""Promotion and rollback on the registry in memory, and what the record of it tells."""

from collections.abc import Callable

import pytest

from mlops.registry.__main__ import FAILED, main
from mlops.registry.audit import AuditRecord, to_go_back_to
from mlops.registry.evidence import Evidence
from mlops.registry.policy import policy_for
from mlops.registry.ports import CHAMPION, Version
from mlops.registry.promotion import RefusedError, promote, rollback
from mlops.registry.replays import Replayed
from tests.fakes.model_registry import FakeModelRegistry
from tests.fakes.model_registry_suite import GOOD, POLICY, PromotionSuite, against, order


@pytest.fixture
def registry() -> FakeModelRegistry:
    return FakeModelRegistry()


@pytest.fixture
def model() -> str:
    return "fraud"


@pytest.fixture
def add(registry: FakeModelRegistry, model: str) -> Callable[[Evidence], Version]:
    return lambda evidence: registry.add(model, evidence)


class TestInMemory(PromotionSuite):
    pass


def test_going_back_twice_goes_back_two_promotions(registry: FakeModelRegistry) -> None:
    first = registry.add("fraud", GOOD)
    promote(registry, "fraud", first.number, POLICY, order(1_000))
    second = registry.add("fraud", against(first))
    promote(registry, "fraud", second.number, POLICY, order(2_000))
    third = registry.add("fraud", against(second))
    promote(registry, "fraud", third.number, POLICY, order(3_000))
    rollback(registry, "fraud", order(4_000))
    rollback(registry, "fraud", order(5_000))
    assert registry.aliases["fraud", CHAMPION] == first.number


def test_the_replay_of_a_candidate_counts_when_it_is_against_who_serves(registry: FakeModelRegistry) -> None:
    policy = policy_for("fraud")
    first = registry.add("fraud", GOOD)
    promote(registry, "fraud", first.number, policy, order(1_000))
    second = registry.add("fraud", against(first))
    for other, is_enough in (("9", False), (first.number, True)):
        registry.tags["fraud", second.number] = dict([Replayed(other, "", 2_000, 10, 1_500, "ada").tag()])
        if is_enough:
            promote(registry, "fraud", second.number, policy, order(3_000))
        else:
            with pytest.raises(RefusedError, match="on record"):
                promote(registry, "fraud", second.number, policy, order(2_000))
    assert registry.aliases["fraud", CHAMPION] == second.number


def test_a_version_promoted_twice_goes_back_to_what_its_last_promotion_replaced() -> None:
    records = [
        AuditRecord("promote", "fraud", before, after, "ada", at_ms, "", {})
        for at_ms, (before, after) in enumerate([(None, "1"), ("1", "2"), ("2", "3"), ("3", "2")])
    ]
    assert to_go_back_to(records, "2") == "3"


def test_a_record_comes_back_from_its_line() -> None:
    record = AuditRecord("rollback", "fraud", "2", "1", "ada", 7, 'a "quoted" why\nof two lines', {"brier": 0.1})
    assert "\n" not in record.as_line()
    assert AuditRecord.of_line(record.as_line()) == record


def test_without_an_address_the_command_says_where_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TIDEGATE_MLFLOW_URL", raising=False)
    assert main(["show"]) == FAILED
    assert "make up" in capsys.readouterr().err
