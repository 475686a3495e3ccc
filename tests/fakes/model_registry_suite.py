"""What promotion does on every registry, the one in memory and MLflow alike. Test modules subclass it with fixtures."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mlops.registry.evidence import Estimate, Evidence, SegmentFigures
from mlops.registry.policy import Policy, champion_of, policy_for
from mlops.registry.ports import CHALLENGER, CHAMPION, ChampionRegistry, RegistryError, UnknownVersionError, Version
from mlops.registry.promotion import Order, RefusedError, promote, rollback

Add = Callable[[Evidence], Version]

GOOD = Evidence(
    window=("2025-10-03", "2025-12-01"),
    against="logistic regression",
    quality={
        "train_rows": 50_000,
        "train_positives": 400,
        "test_rows": 12_000,
        "test_positives": 65,
        "features_never_known": 0,
        "missing_shift": 0.07,
    },
    figures={name: Estimate(0.8, 0.7, 0.9) for name in ("average_precision", "roc_auc", "brier")},
    gain={name: Estimate(0.3, 0.2, 0.4) for name in ("average_precision", "roc_auc", "brier")},
    calibration={"expected_error": 0.003, "said_to_happened": 1.1},
    false_positive_rate=0.0003,
    segments={"currency=USD": SegmentFigures(8_000, 0.0002, 0.0004)},
)
POLICY: Policy = policy_for("fraud").model_copy(update={"replay": None})
"""The platform's, but for the replay that it asks for: `test_policy.py` has that."""


def order(at_ms: int, why: str = "better") -> Order:
    """Return who asks when."""
    return Order("ada", at_ms, why)


def against(version: Version) -> Evidence:
    """Return good evidence, against this version as the champion."""
    return replace(GOOD, against=champion_of(version.number))


class PromotionSuite:
    """Needs fixtures `registry`, `model` (a name nothing is known of) and `add`, which registers a version of it."""

    def test_what_serves_follows_promotions_and_rollbacks_and_each_is_on_record(
        self, registry: ChampionRegistry, model: str, add: Add
    ) -> None:
        first = add(GOOD)
        promote(registry, model, first.number, POLICY, order(1_000, "first"))
        second = add(against(first))
        registry.point(model, CHALLENGER, second.number)
        promote(registry, model, None, POLICY, order(2_000, "better"))
        serving = registry.by_alias(model, CHAMPION)
        assert serving is not None
        assert serving.number == second.number
        assert registry.by_alias(model, CHALLENGER) is None, "a champion challenges nobody"
        rollback(registry, model, order(3_000, "complaints"))
        serving = registry.by_alias(model, CHAMPION)
        assert serving is not None
        assert serving.number == first.number
        told = [(each.action, each.from_version, each.to_version, each.why, each.by) for each in registry.audit(model)]
        assert told == [
            ("promote", None, first.number, "first", "ada"),
            ("promote", first.number, second.number, "better", "ada"),
            ("rollback", second.number, first.number, "complaints", "ada"),
        ]
        assert registry.audit(model)[1].metrics["gain_average_precision_low"] == 0.2

    def test_a_refused_candidate_changes_nothing(self, registry: ChampionRegistry, model: str, add: Add) -> None:
        worse = add(replace(GOOD, gain={**GOOD.gain, "average_precision": Estimate(0.01, -0.02, 0.04)}))
        with pytest.raises(RefusedError) as refused:
            promote(registry, model, worse.number, POLICY, order(1_000))
        assert [each.rule for each in refused.value.refusals] == ["gain.against_baseline"]
        assert registry.by_alias(model, CHAMPION) is None

    def test_evidence_against_a_version_that_serves_no_more_is_refused(
        self, registry: ChampionRegistry, model: str, add: Add
    ) -> None:
        first, stale = add(GOOD), add(GOOD)
        promote(registry, model, first.number, POLICY, order(1_000))
        with pytest.raises(RefusedError, match=f"version {first.number} serves now"):
            promote(registry, model, stale.number, POLICY, order(2_000))

    def test_a_champion_is_not_promoted_again(self, registry: ChampionRegistry, model: str, add: Add) -> None:
        first = add(GOOD)
        promote(registry, model, first.number, POLICY, order(1_000))
        with pytest.raises(RegistryError, match="champion already"):
            promote(registry, model, first.number, POLICY, order(2_000))

    def test_what_is_not_there_is_named(self, registry: ChampionRegistry, model: str, add: Add) -> None:
        with pytest.raises(RegistryError, match="no champion"):
            rollback(registry, model, order(1_000))
        with pytest.raises(RegistryError, match="no challenger"):
            promote(registry, model, None, POLICY, order(1_000))
        first = add(GOOD)
        with pytest.raises(UnknownVersionError, match="version 99"):
            promote(registry, model, "99", POLICY, order(1_000))
        promote(registry, model, first.number, POLICY, order(1_000))
        with pytest.raises(RegistryError, match="nothing served before"):
            rollback(registry, model, order(2_000))
