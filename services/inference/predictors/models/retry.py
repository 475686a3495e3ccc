"""Recommends retries by a trained model, inside what networks and issuer allow; by rules where it cannot be asked."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.payment_context_pb2 import FallbackCause, PaymentContext, Reason
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
)

from mlops.registry.retry.inputs import DECLINE, FEATURES, MOMENT, OWN, Situation, situation
from mlops.registry.retry.policy import Policy, Rules
from services.inference.case import Case
from services.inference.guard import Attempts, attempts_left, earliest_retry
from services.inference.ports import RetryPredictor
from services.inference.predictors.models.inputs import Inputs, UnknownFeaturesError
from services.inference.predictors.models.port import ModelPort, Rows, Verdict
from services.inference.predictors.models.served import ServedModel, UnfitModelError

_OWN: Final = frozenset((*OWN, *DECLINE, *MOMENT))
_NO_MOMENT: Final = Verdict(0.0, ())
_NOT_WORTH_IT: Final = Reason(
    code="retry.no_moment", description="no moment that the rules allow is worth another attempt; another card may help"
)


class RetryInputs(Inputs):
    """A decline as a retry model is taught to see it."""

    def __init__(self, names: Sequence[str]) -> None:
        if tuple(names) != FEATURES:
            raise UnknownFeaturesError("its columns are not those that this code makes of a decline; train it again")
        super().__init__(names, _OWN)

    def situation(self, case: Case) -> Situation:
        """What is known at the decline."""
        vectors = case.features.vectors or {}
        stored = {name: value for vector in vectors.values() for name, value in vector.values.items()}
        attempts_s = sorted({at for at in case.attempts_s if at <= case.occurred_s})
        return situation(_classified(case), attempts_s, case.shown.values, stored)


def _classified(case: Case) -> PaymentContext:
    """The payment with the class of its decline, where the caller did not name it."""
    if case.payment.decline_class:
        return case.payment
    payment = PaymentContext()
    payment.CopyFrom(case.payment)
    payment.decline_class = case.decline_class
    return payment


class ServedRetry(ServedModel):
    """A retry model with the policy that it was stored with. UnfitModelError where it has none that can be followed."""

    def __init__(self, model: ModelPort) -> None:
        self._situations = RetryInputs(model.features)
        super().__init__(model, self._situations)
        try:
            self._policy = Policy.of_json(model.metadata["policy"])
        except (KeyError, TypeError) as error:
            raise UnfitModelError("it has no policy that this code can read; train it again") from error
        except ValueError as error:
            raise UnfitModelError(f"its policy cannot be followed: {error}; train it again") from error
        self._sane = _Sane(model)

    def _verdicts(self, cases: Sequence[Case]) -> Sequence[Verdict]:
        return [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        """The moment that the policy chooses, with what speaks for it then."""
        allowed = bounds(case)
        if allowed.prohibited:
            return _NO_MOMENT
        known = self._situations.situation(case)
        proposal = self._policy.propose(self._sane, known, allowed)
        if proposal is None:
            return _NO_MOMENT
        (verdict,) = self.model.judge(proposal.row[np.newaxis])
        said = proposal.probability
        return Verdict(said, verdict.reasons, proposal.at_s, min(1.0, said + (1 - said) * proposal.later))

    def _row(self, case: Case, moment_s: int | None) -> Sequence[float]:
        at_s = case.occurred_s if moment_s is None else moment_s
        row: list[float] = self._situations.situation(case).rows(np.array([at_s]))[0].tolist()
        return row if moment_s is not None else [*row[: -len(MOMENT)], *[math.nan] * len(MOMENT)]


class _Sane:
    """A model of which only probabilities are taken: a policy would make the best of anything else."""

    def __init__(self, model: ModelPort) -> None:
        self._model = model

    def predict(self, rows: Rows) -> Rows:
        said = self._model.probabilities(rows)
        if said.shape != (len(rows),) or not ((said >= 0) & (said <= 1)).all():
            raise ArithmeticError("the model's answer is no probability")
        return said


def bounds(case: Case) -> Rules:
    """What network, issuer and the tables allow, as the guard sees it. Nothing where waiting does not help."""
    attempts = Attempts.of(case)
    earliest_s = earliest_retry(case, attempts).earliest_s
    tries_left = case.limits.most_tries - case.tries_within(case.limits.tries_window_s)
    return Rules(
        earliest_s=earliest_s,
        latest_s=case.occurred_s + case.limits.longest_wait_s,
        prohibited=case.prohibition is not None or not case.waiting_helps,
        attempts_left=min(tries_left, attempts_left(case, attempts, earliest_s)[0]),
    )


class RetryModel:
    """RetryPredictor by one version of a model. What the tables forbid, or say to do instead, it is not asked about."""

    def __init__(self, served: ServedRetry, rules: RetryPredictor) -> None:
        self._served = served
        self._rules = rules

    def recommend(self, cases: Sequence[Case], at: Timestamp) -> list[RecommendStrategyResponse]:
        """One strategy for each failed payment."""
        return [
            self._by_rules(case, cause, at) if verdict is None else self._by_model(case, verdict, at)
            for case, (verdict, cause) in zip(cases, self._served.outcomes(cases), strict=True)
        ]

    def _by_model(self, case: Case, verdict: Verdict, at: Timestamp) -> RecommendStrategyResponse:
        if case.prohibition is not None or not case.waiting_helps:
            (answer,) = self._rules.recommend([case], at)
            answer.ClearField("provenance")
            self._served.sign(answer.provenance, case, at)
            return answer
        answer = RecommendStrategyResponse(decline_class=case.decline_class)
        self._served.sign(answer.provenance, case, at)
        if verdict.moment_s is None:
            answer.action = RETRY_ACTION_UPDATE_PAYMENT_METHOD
            answer.reasons.append(_NOT_WORTH_IT)
            return answer
        answer.action = RETRY_ACTION_RETRY
        answer.retry_at.seconds = verdict.moment_s
        answer.success_probability = verdict.probability
        answer.recovery_probability = verdict.in_the_end
        answer.reasons.extend(verdict.reasons)
        return answer

    def _by_rules(self, case: Case, cause: "FallbackCause", at: Timestamp) -> RecommendStrategyResponse:
        (answer,) = self._rules.recommend([case], at)
        self._served.fell_back(answer.provenance, case, cause)
        return answer
