"""A model that serves one question: verdicts on cases, or the cause why the rules must answer."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_MODEL_ERROR,
    FALLBACK_CAUSE_UNSPECIFIED,
    FallbackCause,
    Provenance,
)

from services.inference.case import Case
from services.inference.predictors.models.inputs import Inputs
from services.inference.predictors.models.port import ModelPort, Verdict


class UnfitModelError(ValueError):
    """A model that loads and cannot answer its question; the message says what it lacks."""


class Outcome(NamedTuple):
    """What the model says of a case, or why it says nothing: one of both."""

    verdict: Verdict | None
    cause: "FallbackCause"


class ServedModel:
    """One version of a model with its inputs. UnknownFeaturesError where it wants what nobody can give."""

    def __init__(self, model: ModelPort, inputs: Inputs | None = None) -> None:
        self.model = model
        self.inputs = inputs or Inputs(model.features)
        self._made_by = Provenance(model_name=model.name, model_version=model.version, model_alias=model.alias)

    def outcomes(self, cases: Sequence[Case]) -> list[Outcome]:
        """One for each case, in order. The model is asked once, for all cases that it can be asked about."""
        causes = [self.inputs.obstacle(case) for case in cases]
        judged = iter(self._judge([case for case, cause in zip(cases, causes, strict=True) if not cause]))
        return [Outcome(None, cause) if cause else next(judged) for cause in causes]

    def row(self, case: Case, moment_s: int | None = None) -> Sequence[float]:
        """What an answer was made of, for the moment that was chosen where the question is when; NaN where unknown."""
        if self.inputs.obstacle(case):
            return [math.nan] * len(self.inputs.full_names)
        return self._row(case, moment_s)

    def _row(self, case: Case, _moment_s: int | None) -> Sequence[float]:
        return self.inputs.row(case)

    def _verdicts(self, cases: Sequence[Case]) -> Sequence[Verdict]:
        return self.model.judge(np.array([self.inputs.row(case) for case in cases]))

    def _judge(self, cases: Sequence[Case]) -> Sequence[Outcome]:
        if not cases:
            return ()
        try:
            verdicts = self._verdicts(cases)
            return [Outcome(verdict, FALLBACK_CAUSE_UNSPECIFIED) for verdict, _ in zip(verdicts, cases, strict=True)]
        except Exception as error:  # noqa: BLE001 - whatever it is, there are rules
            self.model.failed(error)
            return [Outcome(None, FALLBACK_CAUSE_MODEL_ERROR)] * len(cases)

    def sign(self, provenance: Provenance, case: Case, at: Timestamp) -> None:
        """Put into the empty provenance of an answer that the model gave it."""
        provenance.MergeFrom(self._made_by)
        provenance.predicted_at.CopyFrom(at)
        self.inputs.tell_uses(provenance, case)

    def fell_back(self, provenance: Provenance, case: Case, cause: "FallbackCause") -> None:
        """Put into the provenance of the rules' answer why it is theirs."""
        provenance.fallback_cause = cause
        self.inputs.tell_uses(provenance, case)
