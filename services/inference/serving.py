"""What answers: one set of model versions over the rules, made whole before it is used and never changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from services.inference.case import CaseReader
from services.inference.guard import NetworkGuard
from services.inference.handler import Handler, Predictors
from services.inference.ports import ChurnPredictor, FraudPredictor, RetryPredictor
from services.inference.predictors.models.churn import THRESHOLDS as CHURN_THRESHOLDS
from services.inference.predictors.models.churn import ChurnModel, ServedChurn
from services.inference.predictors.models.fraud import THRESHOLDS as FRAUD_THRESHOLDS
from services.inference.predictors.models.fraud import FraudModel
from services.inference.predictors.models.port import ModelPort
from services.inference.predictors.models.recovery import RecoveryByValue
from services.inference.predictors.models.retry import RetryModel, ServedRetry
from services.inference.predictors.models.served import ServedModel, UnfitModelError
from services.inference.predictors.rules.churn import ChurnRules
from services.inference.predictors.rules.fraud import FraudRules
from services.inference.predictors.rules.recovery import RecoveryRules
from services.inference.predictors.rules.retry import RetryRules
from services.inference.recovery_values import RecoveryValues, read_recovery_values
from services.inference.tables import RuleTables

QuestionName = Literal["fraud", "retry", "churn", "recovery"]
QUESTIONS: Final[tuple[QuestionName, ...]] = ("fraud", "retry", "churn", "recovery")

Alias = Literal["champion", "challenger"]
CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
ALIASES: Final[tuple[Alias, ...]] = (CHAMPION, CHALLENGER)


class Kind(NamedTuple):
    """What a question's model must have besides features that can be made."""

    thresholds: Sequence[str] = ()
    served: Callable[[ModelPort], ServedModel] = ServedModel


# The questions that a model can answer. Its registered name is the question's.
MODELS: Final[Mapping[QuestionName, Kind]] = {
    "fraud": Kind(FRAUD_THRESHOLDS),
    "churn": Kind(CHURN_THRESHOLDS, ServedChurn),
    "retry": Kind(served=ServedRetry),
}


Models = Mapping[tuple[QuestionName, Alias], ServedModel]


@dataclass(frozen=True, slots=True)
class Serving:
    """A call keeps the one that it began with, whatever is promoted meanwhile: no answer is made of two versions."""

    handler: Handler
    models: Models = field(default_factory=dict)

    def champion(self, question: QuestionName) -> ServedModel | None:
        """The model that answers; None where rules do."""
        return self.models.get((question, CHAMPION))

    def challenger(self, question: QuestionName) -> ServedModel | None:
        """The model that answers besides, for the log alone."""
        return self.models.get((question, CHALLENGER))

    def looks_up(self, questions: Collection[QuestionName]) -> bool:
        """Whether any of these is answered from features of the store; a plan is, if any other answer is."""
        planned = "recovery" in questions
        return any(
            (planned or question in questions) and model.inputs.needs_store
            for (question, _), model in self.models.items()
        )


def serving_by(tables: RuleTables, values: RecoveryValues | None = None) -> Callable[[Models], Serving]:
    """Makes what answers of models; without any, rules answer every question. Plans are weighed by `values`."""
    reader = CaseReader(tables)
    weighed_by = values or read_recovery_values()
    guard = NetworkGuard()
    rules = Predictors(
        fraud=FraudRules(),
        retry=RetryRules(reader.declines, tables.version),
        churn=ChurnRules(),
        recovery=RecoveryRules(reader.declines, tables.version),
    )

    def serving(models: Models) -> Serving:
        predictors = Predictors(
            fraud=_fraud(models.get(("fraud", CHAMPION)), rules.fraud),
            retry=_retry(models.get(("retry", CHAMPION)), rules.retry),
            churn=_churn(models.get(("churn", CHAMPION)), rules.churn),
            recovery=RecoveryByValue(weighed_by, rules.recovery) if models else rules.recovery,
        )
        return Serving(Handler(reader, guard, predictors), models)

    return serving


def fit(question: QuestionName, model: ModelPort) -> ServedModel:
    """The model, ready to answer. UnfitModelError; UnknownFeaturesError where it wants what nobody can give."""
    if missing := [name for name in MODELS[question].thresholds if name not in model.thresholds]:
        raise UnfitModelError(f"it has no threshold {', '.join(missing)}")
    return MODELS[question].served(model)


def _fraud(served: ServedModel | None, rules: FraudPredictor) -> FraudPredictor:
    return rules if served is None else FraudModel(served, rules)


def _churn(served: ServedModel | None, rules: ChurnPredictor) -> ChurnPredictor:
    return ChurnModel(served, rules) if isinstance(served, ServedChurn) else rules


def _retry(served: ServedModel | None, rules: RetryPredictor) -> RetryPredictor:
    return RetryModel(served, rules) if isinstance(served, ServedRetry) else rules
