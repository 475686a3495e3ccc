"""One answer as two of them are compared: what is to be done, when, how likely, why, and who says so. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.inference.v1.churn_service_pb2 import ChurnRisk, PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import FraudDecision, ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import FallbackCause
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanResponse, RecoveryStepKind
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyResponse, RetryAction

from services.inference.rules import HOUR_S
from services.inference.serving import QuestionName

# Two answers that differ by less do the same.
SAME_MOMENT_S: Final = HOUR_S
NO_STEPS: Final = "nothing"

_Choice: TypeAlias = tuple[str, tuple[int, ...], float | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer. `moments_s` are the times of what is to be done, whole seconds since 1970, in its order."""

    choice: str
    moments_s: tuple[int, ...]
    # Of fraud, of success, of leaving; None where there is none. On a scale of rules where `cause` is not empty.
    probability: float | None
    reasons: tuple[str, ...]
    # Name and version.
    made_by: str
    # Why rules answered, in a word; empty where a model did.
    cause: str

    @property
    def by_model(self) -> bool:
        """Whether a model answered."""
        return not self.cause


def reading(question: QuestionName, assessment: Assessment) -> Reading:
    """The answer to one of the questions that were asked."""
    answer = getattr(assessment, question)
    choice, moments_s, probability = _CHOICES[question](answer)
    made_by = answer.provenance
    return Reading(
        choice=choice,
        moments_s=moments_s,
        probability=probability,
        reasons=tuple(reason.description or reason.code for reason in answer.reasons),
        made_by=f"{made_by.model_name} {made_by.model_version}",
        cause=_word(FallbackCause, made_by.fallback_cause) if made_by.fallback else "",
    )


def flip(before: Reading, after: Reading) -> tuple[str, str] | None:
    """From what to what a decision changes; None where the same is done at about the same time."""
    if before.choice != after.choice:
        return before.choice, after.choice
    apart = (after_s - before_s for before_s, after_s in zip(before.moments_s, after.moments_s, strict=True))
    moved_s = next((each for each in apart if abs(each) > SAME_MOMENT_S), 0)
    if not moved_s:
        return None
    return before.choice, f"{after.choice}, {'later' if moved_s > 0 else 'earlier'}"


def _fraud(answer: ScoreResponse) -> _Choice:
    return _word(FraudDecision, answer.decision), (), answer.fraud_probability


def _retry(answer: RecommendStrategyResponse) -> _Choice:
    moments_s = (answer.retry_at.seconds,) if answer.HasField("retry_at") else ()
    probability = answer.success_probability if answer.HasField("success_probability") else None
    return _word(RetryAction, answer.action), moments_s, probability


def _churn(answer: PredictResponse) -> _Choice:
    return _word(ChurnRisk, answer.risk), (), answer.churn_probability


def _recovery(answer: RecommendPlanResponse) -> _Choice:
    kinds = [_word(RecoveryStepKind, step.kind) for step in answer.steps]
    return _in_short(kinds) or NO_STEPS, tuple(_seconds(step.not_before) for step in answer.steps), None


def _in_short(kinds: Sequence[str]) -> str:
    """Steps in their order, those that follow each other told once."""
    runs = ((kind, len(list(run))) for kind, run in groupby(kinds))
    return ", ".join(kind if times == 1 else f"{kind} x{times}" for kind, times in runs)


def _seconds(moment: Timestamp) -> int:
    return moment.seconds


def _word(enum: Any, number: int) -> str:
    """A value without the enum's name before it: FRAUD_DECISION_ALLOW is allow."""
    prefix = _PREFIXES[enum.DESCRIPTOR.name]
    return str(enum.Name(number)).removeprefix(prefix).lower()


_PREFIXES: Final[Mapping[str, str]] = {
    "FraudDecision": "FRAUD_DECISION_",
    "RetryAction": "RETRY_ACTION_",
    "ChurnRisk": "CHURN_RISK_",
    "RecoveryStepKind": "RECOVERY_STEP_KIND_",
    "FallbackCause": "FALLBACK_CAUSE_",
}
_CHOICES: Final[Mapping[QuestionName, Callable[[Any], _Choice]]] = {
    "fraud": _fraud,
    "retry": _retry,
    "churn": _churn,
    "recovery": _recovery,
}
