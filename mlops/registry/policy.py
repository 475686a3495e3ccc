"""Decides whether a candidate may serve: rules of a file over evidence; pure, and every broken rule is named."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlops.registry.evidence import Evidence
from mlops.registry.replays import Replayed

POLICY_FILE: Final = Path(__file__).with_name("policy.yaml")

Share = Annotated[float, Field(ge=0, le=1)]
Measure = Literal["average_precision", "roc_auc", "brier", "log_loss", "calibration_error"]


class PolicyError(ValueError):
    """The policy's file cannot be used; the message says what to mend."""


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataQuality(_Rules):
    """Whether the data bear a judgement at all."""

    least_train_positives: int = Field(ge=1)
    least_test_positives: int = Field(ge=1)
    most_features_never_known: int = Field(ge=0)
    largest_missing_shift: Share


class Gain(_Rules):
    """By how much the candidate must surely be better."""

    measure: Measure
    least: float
    against_baseline: float


class Guardrails(_Rules):
    """What must hold however large the gain is."""

    largest_expected_calibration_error: Share
    said_to_happened: tuple[float, float]
    largest_false_positive_rate: Share
    largest_segment_false_positive_rate: Share
    largest_segment_rise: Share
    least_segment_rows: int = Field(ge=1)
    least_gain: Mapping[Measure, float]


class Replay(_Rules):
    """What a replay against the version that serves must show; a first champion needs none."""

    least_decisions: int = Field(ge=1)
    largest_flip_share: Share


class Policy(_Rules):
    """The rules for one registered model."""

    data_quality: DataQuality
    gain: Gain
    guardrails: Guardrails
    replay: Replay | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that the evidence breaks, by its place in the file, and how."""

    rule: str
    found: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}"


def policy_for(model: str, file: Path = POLICY_FILE) -> Policy:
    """The rules for a registered model.

    Raises:
        PolicyError: the file is unreadable, has no rules for the model, or rules that mean nothing.
    """
    try:
        rules = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Policy.model_validate(rules[model])
    except OSError as error:
        raise PolicyError(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, TypeError) as error:
        raise PolicyError(f"{file} is not a table of rules by model: {error}") from error
    except KeyError as error:
        raise PolicyError(f"{file} has no rules for the model {model!r}; add them") from error
    except ValidationError as error:
        raise PolicyError(f"{file}, {model}: {error}") from error


def refusals(
    policy: Policy, evidence: Evidence, champion: str | None, replayed: Replayed | None = None
) -> list[Refusal]:
    """Every rule that stands against the candidate; empty where it may serve.

    `champion` is the version that serves, `replayed` the candidate's replay against it.
    """
    return [
        *_against_whom(evidence, champion),
        *_data_quality(policy.data_quality, evidence.quality),
        *_gain(policy, evidence),
        *_calibration(policy.guardrails, evidence.calibration),
        *_false_positives(policy.guardrails, evidence),
        *(_replay(policy.replay, champion, replayed) if policy.replay and champion else ()),
    ]


def champion_of(version: str) -> str:
    """What evidence against a champion calls it."""
    return f"champion {version}"


def _against_whom(evidence: Evidence, champion: str | None) -> Iterator[Refusal]:
    if champion is not None and evidence.against != champion_of(champion):
        yield Refusal(
            "gain", f"compared with {evidence.against}, but version {champion} serves now; train or judge it again"
        )


def _data_quality(rules: DataQuality, quality: Mapping[str, float]) -> Iterator[Refusal]:
    for name, least in (
        ("train_positives", rules.least_train_positives),
        ("test_positives", rules.least_test_positives),
    ):
        if quality[name] < least:
            yield Refusal(f"data_quality.least_{name}", f"{quality[name]:.0f}, at least {least} are asked for")
    for name, most in (
        ("most_features_never_known", rules.most_features_never_known),
        ("largest_missing_shift", rules.largest_missing_shift),
    ):
        found = quality[name.split("_", 1)[1]]
        if found > most:
            yield Refusal(f"data_quality.{name}", f"{found:.4g}, at most {most:g} is allowed")


def _gain(policy: Policy, evidence: Evidence) -> Iterator[Refusal]:
    rules = policy.gain
    known = evidence.against.startswith(champion_of(""))
    rule, least = ("gain.least", rules.least) if known else ("gain.against_baseline", rules.against_baseline)
    gain = evidence.gain[rules.measure]
    if not gain.low > least:
        yield Refusal(
            rule,
            f"{rules.measure} over {evidence.against} {gain.value:+.4f}, surely no more than {gain.low:+.4f} "
            f"(95 %: to {gain.high:+.4f}); it must lie above {least:+.4f}",
        )
    for measure, limit in policy.guardrails.least_gain.items():
        found = evidence.gain[measure]
        if not found.low > limit:
            yield Refusal(
                f"guardrails.least_gain.{measure}",
                f"over {evidence.against} {found.value:+.5f}, lower bound {found.low:+.5f}; "
                f"it must lie above {limit:+.5f}",
            )


def _calibration(rules: Guardrails, calibration: Mapping[str, float]) -> Iterator[Refusal]:
    error = calibration["expected_error"]
    if not error <= rules.largest_expected_calibration_error:
        limit = rules.largest_expected_calibration_error
        yield Refusal("guardrails.largest_expected_calibration_error", f"{error:.5f}, at most {limit:g} is allowed")
    ratio, (low, high) = calibration["said_to_happened"], rules.said_to_happened
    if not low <= ratio <= high:
        yield Refusal("guardrails.said_to_happened", f"{ratio:.3g}, allowed is {low:g} to {high:g}")


def _false_positives(rules: Guardrails, evidence: Evidence) -> Iterator[Refusal]:
    rate = evidence.false_positive_rate
    if not rate <= rules.largest_false_positive_rate:
        limit = rules.largest_false_positive_rate
        yield Refusal("guardrails.largest_false_positive_rate", f"{rate:.4%}, at most {limit:.4%} is allowed")
    for name, part in evidence.segments.items():
        if part.rows < rules.least_segment_rows:
            continue
        share, rise = part.false_positive_rate, part.false_positive_rate - part.others_false_positive_rate
        if not share <= rules.largest_segment_false_positive_rate:
            limit = rules.largest_segment_false_positive_rate
            yield Refusal(
                "guardrails.largest_segment_false_positive_rate", f"{name}: {share:.4%}, at most {limit:.4%} is allowed"
            )
        if not rise <= rules.largest_segment_rise:
            limit = rules.largest_segment_rise
            yield Refusal(
                "guardrails.largest_segment_rise",
                f"{name}: {rise:.4%} over {evidence.against}, at most {limit:.4%} is allowed",
            )


def _replay(rules: Replay, champion: str, replayed: Replayed | None) -> Iterator[Refusal]:
    if replayed is None:
        yield Refusal(
            "replay",
            f"none against version {champion}, which serves, is on record; make one, and read it: "
            f"python -m services.inference.replay MODEL --versions {champion} CANDIDATE --record",
        )
        return
    if replayed.decisions < rules.least_decisions:
        found = f"{replayed.decisions:,} by models on both sides, at least {rules.least_decisions:,} are asked for"
        yield Refusal("replay.least_decisions", found)
    if not replayed.flip_share <= rules.largest_flip_share:
        yield Refusal(
            "replay.largest_flip_share",
            f"{replayed.flips:,} of {replayed.decisions:,} decisions flip ({replayed.flip_share:.2%}), "
            f"at most {rules.largest_flip_share:.2%} may",
        )
