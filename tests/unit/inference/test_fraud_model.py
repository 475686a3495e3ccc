"""The fraud model behind its port: what it says of itself, and when rules must answer in its place."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tidegate.inference.v1.fraud_service_pb2 import FRAUD_DECISION_BLOCK, FRAUD_DECISION_REVIEW
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_DEADLINE,
    FALLBACK_CAUSE_FEATURES_STALE,
    FALLBACK_CAUSE_FEATURES_UNAVAILABLE,
    FALLBACK_CAUSE_MODEL_ERROR,
    FALLBACK_CAUSE_NOT_COVERED,
    FALLBACK_CAUSE_UNSPECIFIED,
    FallbackCause,
)

from mlops.features.catalog import Entity
from services.inference.adapters.lightgbm_model import LightGbmModel, Paths
from services.inference.predictors.models.inputs import UnknownFeaturesError
from services.inference.predictors.models.port import Rows, Verdict
from services.inference.predictors.models.served import UnfitModelError
from services.inference.serving import CHAMPION, Serving, fit, serving_by
from tests.fakes import models
from tests.unit.inference.contexts import AT, DAY, TABLES, payment
from tests.unit.inference.looked_up import known, looked_up, never_seen


class FailingModel(LightGbmModel):
    """Fails when it is asked."""

    def judge(self, rows: Rows) -> Sequence[Verdict]:
        """Raise."""
        raise RuntimeError("no such leaf")


def model(folder: Path, kind: type[LightGbmModel] = LightGbmModel, **what: object) -> LightGbmModel:
    return kind(models.folder(folder, **what), name="fraud", version="7", alias="champion")


def serving(tested: LightGbmModel) -> Serving:
    return serving_by(TABLES)({("fraud", CHAMPION): fit("fraud", tested)})


def test_the_model_answers_and_says_which_version_with_what(tmp_path: Path) -> None:
    (answer,) = serving(model(tmp_path)).handler.score([payment()], AT, [looked_up(known(seconds_ago=60))])
    provenance = answer.provenance
    assert (provenance.model_name, provenance.model_version, provenance.model_alias) == ("fraud", "7", "champion")
    assert (provenance.fallback, provenance.fallback_cause) == (False, FALLBACK_CAUSE_UNSPECIFIED)
    assert {use.name: use.age_ms for use in provenance.features}["customer_stats:failed_payments_7d"] == 60_000
    assert not any(use.missing or use.stale for use in provenance.features)


def test_an_entity_never_seen_is_missing_and_no_obstacle(tmp_path: Path) -> None:
    (answer,) = serving(model(tmp_path)).handler.score([payment()], AT, [looked_up(never_seen())])
    assert not answer.provenance.fallback
    missing = {use.name for use in answer.provenance.features if use.missing}
    assert "card_stats:card_attempts_1h" in missing
    assert "payment:amount_usd" not in missing


@pytest.mark.parametrize("cause", [FALLBACK_CAUSE_FEATURES_UNAVAILABLE, FALLBACK_CAUSE_DEADLINE])
def test_without_features_rules_answer_and_say_why(tmp_path: Path, cause: "FallbackCause") -> None:
    (answer,) = serving(model(tmp_path)).handler.score([payment()], AT, [looked_up(cause)])
    assert (answer.provenance.model_name, answer.provenance.fallback) == ("fraud-rules", True)
    assert answer.provenance.fallback_cause == cause
    assert len(answer.provenance.features) == len(models.FEATURES)


def test_what_the_payment_does_not_show_is_missing(tmp_path: Path) -> None:
    (answer,) = serving(model(tmp_path)).handler.score(
        [payment(card_country=None)], AT, [looked_up(known(seconds_ago=60))]
    )
    uses = {use.name: use for use in answer.provenance.features}
    assert (uses["payment:card_foreign"].missing, uses["payment:card_foreign"].HasField("age_ms")) == (True, False)
    assert not uses["payment:amount_usd"].missing


def test_an_amount_of_unknown_worth_is_not_covered(tmp_path: Path) -> None:
    (answer,) = serving(model(tmp_path)).handler.score(
        [payment(currency="COP")], AT, [looked_up(known(seconds_ago=60))]
    )
    assert (answer.provenance.fallback, answer.provenance.fallback_cause) == (True, FALLBACK_CAUSE_NOT_COVERED)
    assert "payment:amount_usd" in {use.name for use in answer.provenance.features if use.missing}


def test_a_stale_view_is_reported_and_not_used(tmp_path: Path) -> None:
    (answer,) = serving(model(tmp_path)).handler.score([payment()], AT, [looked_up(known(seconds_ago=40 * DAY))])
    assert answer.provenance.fallback_cause == FALLBACK_CAUSE_FEATURES_STALE
    stale = {use.name for use in answer.provenance.features if use.stale}
    assert stale == {"merchant_stats:merchant_decline_rate_24h"}  # its TTL is 37 days, the others' 97


def test_a_model_that_fails_leaves_the_answer_to_rules(tmp_path: Path) -> None:
    failing = serving(model(tmp_path, FailingModel))
    (answer,) = failing.handler.score([payment()], AT, [looked_up(known(seconds_ago=60))])
    assert answer.provenance.fallback_cause == FALLBACK_CAUSE_MODEL_ERROR


@pytest.mark.parametrize(("always", "decision"), [(0.5, FRAUD_DECISION_REVIEW), (0.9, FRAUD_DECISION_BLOCK)])
def test_the_artifacts_thresholds_decide(tmp_path: Path, always: float, decision: int) -> None:
    tested = serving(model(tmp_path, always=always))
    (answer,) = tested.handler.score([payment()], AT, [looked_up(never_seen())])
    assert answer.fraud_probability == pytest.approx(always)
    assert (answer.decision, answer.review_threshold, answer.block_threshold) == (decision, 0.3, 0.7)


def test_the_strongest_reason_speaks_the_artifacts_words(tmp_path: Path) -> None:
    tested = serving(model(tmp_path))
    (answer,) = tested.handler.score([payment(amount_cents=100_000)], AT, [looked_up(never_seen())])
    assert (answer.reasons[0].code, answer.reasons[0].contribution > 0) == ("amount.high", True)
    assert answer.reasons[0].description.startswith("the amount is about USD 1,0")


def test_one_walk_through_the_trees_gives_the_margin_that_lightgbm_gives() -> None:
    trained = models.trained(trees=30)
    rows = np.random.default_rng(3).normal(50, 40, size=(200, len(models.FEATURES)))
    rows[np.random.default_rng(4).random(rows.shape) < 0.2] = np.nan
    paths = Paths.of(trained)
    reached = np.asarray(trained.booster.predict(rows, pred_leaf=True)) + paths.first
    assert paths.margin[reached].sum(axis=1) == pytest.approx(trained.margin(rows), abs=1e-9)


def test_the_parts_of_all_features_add_up_to_the_margin_but_for_a_constant() -> None:
    trained = models.trained(trees=30)
    rows = np.random.default_rng(3).normal(50, 40, size=(200, len(models.FEATURES)))
    paths = Paths.of(trained)
    reached = np.asarray(trained.booster.predict(rows, pred_leaf=True)) + paths.first
    rest = trained.margin(rows) - paths.parts[reached].sum(axis=(1, 2))
    assert rest == pytest.approx(rest[0], abs=1e-6)


def test_a_model_of_unknown_features_or_without_thresholds_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(UnknownFeaturesError, match="terminal_known_run"):
        fit("fraud", model(tmp_path / "a", features=("amount_usd", "terminal_known_run")))
    with pytest.raises(UnfitModelError, match="decline"):
        fit("fraud", model(tmp_path / "b", thresholds={"review": 0.5}))


def test_a_model_of_the_payment_alone_needs_no_store(tmp_path: Path) -> None:
    alone = serving(model(tmp_path, features=("amount_usd", "guest")))
    assert not alone.looks_up(["fraud"])
    (answer,) = alone.handler.score([payment()], AT)
    assert not answer.provenance.fallback


def test_every_entity_of_a_model_is_told_by_its_own_age(tmp_path: Path) -> None:
    found = {**known(seconds_ago=60), **{k: v for k, v in known(seconds_ago=3600).items() if k[0] is Entity.MERCHANT}}
    (answer,) = serving(model(tmp_path)).handler.score([payment()], AT, [looked_up(found)])
    ages = {use.name.partition(":")[0]: use.age_ms for use in answer.provenance.features}
    assert ages == {"payment": 0, "customer_stats": 60_000, "card_stats": 60_000, "merchant_stats": 3_600_000}
