"""Logs what models were told and said, and asks the challenger besides: after the answer, and never in its way."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from tidegate.inference.v1.assessment_service_pb2 import QUESTION_CHURN, QUESTION_FRAUD, QUESTION_RETRY
from tidegate.inference.v1.churn_service_pb2 import PredictResponse
from tidegate.inference.v1.fraud_service_pb2 import ScoreResponse
from tidegate.inference.v1.payment_context_pb2 import PaymentContext, Provenance
from tidegate.inference.v1.prediction_logged_pb2 import LoggedEntity, LoggedFeature, PredictionLogged
from tidegate.inference.v1.recovery_service_pb2 import RecommendPlanResponse
from tidegate.inference.v1.retry_service_pb2 import RecommendStrategyResponse

from mlops.features.catalog import VIEW_OF
from mlops.features.facts import asked_fact, entity_keys
from services.inference.case import Case
from services.inference.features import Features
from services.inference.predictors.models.churn import ServedChurn
from services.inference.predictors.models.served import ServedModel
from services.inference.serving import QuestionName, Serving
from services.runtime.metrics import counter
from services.runtime.telemetry import logger

Answer: TypeAlias = ScoreResponse | RecommendStrategyResponse | PredictResponse | RecommendPlanResponse

# At 200 bytes of references each, and their answers: a few tens of megabytes while the broker is away.
_MOST_WAITING: Final = 5_000
_AT_ONCE: Final = 50
_QUESTIONS: Final = {"fraud": QUESTION_FRAUD, "churn": QUESTION_CHURN, "retry": QUESTION_RETRY}

_log = logger(__name__)


class Told(NamedTuple):
    """One answer as it was given, with what it was made of."""

    question: QuestionName
    serving: Serving
    payment: PaymentContext
    features: Features
    answer: Answer


class _Said(NamedTuple):
    """The score, and the moment that it is of where the question is when."""

    score: float
    moment_s: int | None = None


class Sink(Protocol):
    """Where the log goes. A caller must not assume that what was written is kept: how many were is told."""

    async def write(self, messages: Sequence[PredictionLogged]) -> int:
        """Return how many were kept. Raises nothing for what is the broker's trouble."""
        ...


class Journal:
    """Bounded: what does not fit is dropped and counted. `run` must run for anything to be written."""

    def __init__(self, sink: Sink, most_waiting: int = _MOST_WAITING) -> None:
        self._sink = sink
        self._most = most_waiting
        self._waiting: deque[Told] = deque()
        self._wake = asyncio.Event()
        self._is_dropping = False
        self._counts = {
            outcome: counter("tidegate_prediction_log_total").labels(outcome)
            for outcome in ("published", "failed", "dropped")
        }

    def note(self, told: Told) -> None:
        """Take an answer for the log; returns at once."""
        if len(self._waiting) >= self._most:
            self._counts["dropped"].inc()
            if not self._is_dropping:
                self._is_dropping = True
                _log.warning("predictions.dropped", waiting=len(self._waiting))
            return
        self._waiting.append(told)
        self._wake.set()

    async def run(self) -> None:
        """Write what comes, for as long as the process runs."""
        while True:
            await self._wake.wait()
            await self._write(await self._messages())
            if not self._waiting:
                self._wake.clear()
                if self._is_dropping:
                    self._is_dropping = False
                    _log.info("predictions.logged_again")

    async def drain(self) -> None:
        """Write what waits; for the end."""
        while self._waiting:
            await self._write(await self._messages())

    async def _messages(self) -> list[PredictionLogged]:
        messages: list[PredictionLogged] = []
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            told = self._waiting.popleft()
            try:
                messages += logged(told)
            except Exception as error:  # noqa: BLE001 - a challenger may do anything: the log goes on with the next
                self._counts["failed"].inc()
                _log.warning("predictions.not_logged", question=told.question, error=type(error).__name__)
            await asyncio.sleep(0)  # calls come first
        return messages

    async def _write(self, messages: Sequence[PredictionLogged]) -> None:
        kept = await self._sink.write(messages)
        self._counts["published"].inc(kept)
        self._counts["failed"].inc(len(messages) - kept)


def logged(told: Told) -> list[PredictionLogged]:
    """The log's messages of an answer: the answer itself, and the challenger's where there is one."""
    case = told.serving.handler.cases([told.payment], [told.features])[0]
    champion, challenger = (ask(told.question) for ask in (told.serving.champion, told.serving.challenger))
    provenance = told.answer.provenance
    messages = [_message(told, case, champion, provenance, _said(told.answer))]
    if challenger is not None and (shadow := _shadow(told, case, challenger)) is not None:
        messages.append(shadow)
    return messages


def _shadow(told: Told, case: Case, challenger: ServedModel) -> PredictionLogged | None:
    if _of_another_horizon(told.answer, challenger):
        return None
    ((verdict, _),) = challenger.outcomes([case])
    if verdict is None:
        return None
    provenance = Provenance()
    challenger.sign(provenance, case, told.answer.provenance.predicted_at)
    said = _Said(verdict.probability, verdict.moment_s)
    return _message(told, case, challenger, provenance, said, shadow=True)


def _of_another_horizon(answer: Answer, challenger: ServedModel) -> bool:
    """A chance of leaving within 30 days is no rival to an answer about 90."""
    return (
        isinstance(answer, PredictResponse)
        and isinstance(challenger, ServedChurn)
        and answer.horizon_days != challenger.horizon_days
    )


def _message(
    told: Told, case: Case, model: ServedModel | None, made_by: Provenance, said: "_Said", *, shadow: bool = False
) -> PredictionLogged:
    payment = told.payment
    return PredictionLogged(
        payment_id=payment.payment_id,
        event_id=payment.event_id or None,
        merchant_id=payment.merchant_id,
        question=_QUESTIONS[told.question],
        model_name=made_by.model_name,
        model_version=made_by.model_version,
        model_alias=made_by.model_alias,
        shadow=shadow,
        fallback=made_by.fallback,
        fallback_cause=made_by.fallback_cause,
        score=said.score,
        features=[] if model is None else _features(model, case, said.moment_s),
        entities=_entities(payment),
        occurred_at=payment.occurred_at,
        predicted_at=made_by.predicted_at,
    )


def _features(model: ServedModel, case: Case, moment_s: int | None) -> list[LoggedFeature]:
    told = Provenance()
    model.inputs.tell_uses(told, case)
    return [
        LoggedFeature(
            name=use.name,
            value=None if math.isnan(value) else value,
            age_ms=use.age_ms if use.HasField("age_ms") else None,
            missing=use.missing,
            stale=use.stale,
        )
        for use, value in zip(told.features, model.row(case, moment_s), strict=True)
    ]


def _entities(payment: PaymentContext) -> list[LoggedEntity]:
    keys = entity_keys(asked_fact(payment, 0))
    return [LoggedEntity(view=VIEW_OF[entity].name, key=key) for entity, key in keys.items()]


def _said(answer: Answer) -> "_Said":
    """Of a retry, the moment that was chosen and its probability; 0 where none was."""
    match answer:
        case ScoreResponse():
            return _Said(answer.fraud_probability)
        case PredictResponse():
            return _Said(answer.churn_probability)
        case RecommendStrategyResponse():
            at_s = answer.retry_at.seconds if answer.HasField("retry_at") else None
            return _Said(answer.success_probability, at_s)
        case _:
            raise TypeError(f"a {type(answer).__name__} has no score")
