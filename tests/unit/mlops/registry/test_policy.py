"""Every rule of the policy refuses what breaks it, by name, and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlops.registry.evidence import Estimate, Evidence, SegmentFigures
from mlops.registry.policy import PolicyError, champion_of, policy_for, refusals
from mlops.registry.replays import Replayed
from tests.fakes.model_registry_suite import GOOD, POLICY


def broken(evidence: Evidence, champion: str | None = None) -> list[str]:
    return [refusal.rule for refusal in refusals(POLICY, evidence, champion)]


def quality(**changed: float) -> Evidence:
    return replace(GOOD, quality={**GOOD.quality, **changed})


def calibrated(**changed: float) -> Evidence:
    return replace(GOOD, calibration={**GOOD.calibration, **changed})


def gained(measure: str, low: float, against: str = GOOD.against) -> Evidence:
    gain = {**GOOD.gain, measure: Estimate(0.3, low, 0.4)}
    return replace(GOOD, gain=gain, against=against)


def in_segment(rows: int, rate: float, others: float) -> Evidence:
    return replace(GOOD, segments={"currency=EUR": SegmentFigures(rows, rate, others)})


def test_good_evidence_passes() -> None:
    assert broken(GOOD) == []
    assert broken(replace(GOOD, against=champion_of("4")), champion="4") == []


@pytest.mark.parametrize(
    ("evidence", "rule"),
    [
        (quality(train_positives=59), "data_quality.least_train_positives"),
        (quality(test_positives=29), "data_quality.least_test_positives"),
        (quality(features_never_known=1), "data_quality.most_features_never_known"),
        (quality(missing_shift=0.16), "data_quality.largest_missing_shift"),
        (gained("average_precision", low=0.05), "gain.against_baseline"),
        (gained("roc_auc", low=-0.02), "guardrails.least_gain.roc_auc"),
        (gained("brier", low=-0.0006), "guardrails.least_gain.brier"),
        (calibrated(expected_error=0.011), "guardrails.largest_expected_calibration_error"),
        (calibrated(expected_error=float("nan")), "guardrails.largest_expected_calibration_error"),
        (calibrated(said_to_happened=2.6), "guardrails.said_to_happened"),
        (calibrated(said_to_happened=0.39), "guardrails.said_to_happened"),
        (replace(GOOD, false_positive_rate=0.006), "guardrails.largest_false_positive_rate"),
        (in_segment(300, 0.021, 0.02), "guardrails.largest_segment_false_positive_rate"),
        (in_segment(300, 0.015, 0.004), "guardrails.largest_segment_rise"),
    ],
)
def test_a_rule_that_is_broken_is_named(evidence: Evidence, rule: str) -> None:
    assert broken(evidence) == [rule]


def test_a_gain_that_is_not_known_is_none() -> None:
    assert "gain.against_baseline" in broken(gained("average_precision", low=float("nan")))


def test_against_a_champion_any_sure_gain_is_enough_and_none_is_not() -> None:
    assert broken(gained("average_precision", 0.001, champion_of("4")), champion="4") == []
    assert broken(gained("average_precision", 0.0, champion_of("4")), champion="4") == ["gain.least"]


def test_segments_that_are_too_small_to_judge_refuse_nothing() -> None:
    assert broken(in_segment(299, 0.5, 0.0)) == []


def test_all_broken_rules_are_named_at_once() -> None:
    worse = replace(quality(test_positives=3), false_positive_rate=0.2, against="something else")
    assert broken(worse, champion="4") == [
        "gain",
        "data_quality.least_test_positives",
        "guardrails.largest_false_positive_rate",
    ]


def replayed(decisions: int = 2_000, flips: int = 100) -> Replayed:
    return Replayed("4", "a to b", decisions, flips, 1_000, "ada")


@pytest.mark.parametrize(
    ("shown", "rules"),
    [
        (replayed(), []),
        (None, ["replay"]),
        (replayed(decisions=999, flips=0), ["replay.least_decisions"]),
        (replayed(flips=101), ["replay.largest_flip_share"]),
        (replayed(decisions=0, flips=0), ["replay.least_decisions", "replay.largest_flip_share"]),
    ],
)
def test_a_challenger_is_replayed_against_who_serves(shown: Replayed | None, rules: list[str]) -> None:
    challenger = replace(GOOD, against=champion_of("4"))
    found = refusals(policy_for("fraud"), challenger, "4", shown)
    assert [refusal.rule for refusal in found] == rules


def test_a_first_champion_needs_no_replay() -> None:
    assert refusals(policy_for("fraud"), GOOD, None) == []


def test_a_replay_comes_back_from_its_tag_and_stands_for_one_version() -> None:
    tags = dict([replayed().tag()])
    assert Replayed.of_tags(tags, "4") == replayed()
    assert Replayed.of_tags(tags, "5") is None
    assert Replayed.of_tags(dict.fromkeys(tags, "{}"), "4") is None


def test_evidence_comes_back_from_its_file() -> None:
    assert Evidence.of_json(GOOD.as_json()) == GOOD


@pytest.mark.parametrize("text", ["{", "[]", '{"window": ["a", "b"]}', GOOD.as_json().replace("quality", "quantity")])
def test_what_is_no_evidence_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own, or ours
        Evidence.of_json(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fraud: {gain: {measure: luck}}", "luck"),
        ("churn: {}", "no rules for the model 'fraud'"),
        ("a: [", "not a table"),
        ("- fraud", "not a table"),
        (None, "No such file"),
    ],
)
def test_a_policy_that_cannot_be_used_says_why(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "policy.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PolicyError, match=says):
        policy_for("fraud", file)
