"""How the retry model is made of randomised retries: trees, calibration on customers not seen, and an outlook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import lightgbm
import numpy as np

from mlops.registry.artifact import ReasonText, TrainedModel
from mlops.registry.calibration import Calibration
from mlops.registry.retry.inputs import FEATURES, Floats
from mlops.registry.retry.policy import Policy, Terms
from mlops.training import evaluation
from mlops.training.calibrate import fit
from mlops.training.dataset import Dataset
from mlops.training.reasons import reason_texts
from mlops.training.retry.decisions import Decision
from mlops.training.retry.outlook import continuation

NAME: Final = "retry"
LIKELY: Final = "likely"
"""The threshold from which an attempt is said to succeed rather than not. Nothing is decided by it: the policy weighs
money."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what comes out of retries. Two trainings of one recipe and data are the same."""

    rounds: int = 250
    params: Mapping[str, float | int | str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "learning_rate": 0.04,
                "num_leaves": 7,
                "min_data_in_leaf": 80,
                "feature_fraction": 0.5,
                "bagging_fraction": 0.8,
                "bagging_freq": 1,
                "lambda_l2": 10.0,
            }
        )
    )
    rising: frozenset[str] = frozenset({"wait_hours", "at_hours_since_first"})
    """Features in which the probability never falls: holds end, outages pass. What comes and goes, such as money after
    a payday or an issuer's nights, has features of its own."""
    most_weight: float = 1.0
    """Long waits were seldom chosen: a retry may count as its chance says, against an even choice of hours, within this
    factor up and down. 1 counts all the same, which did as well in worlds left out: trees follow the wait anyway."""
    outlook_share: float = 1.0
    """How much of the learned outlook is believed: where retries are few, the best of many moments is mostly luck, and
    the outlook takes the best anew for every attempt that is left."""
    folds: int = 4
    """Customers are divided into so many parts; each is asked of trees grown on the others, to calibrate on."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class _Unfolded:
    """Trees that have not seen some customers, with the calibration of all such trees."""

    booster: lightgbm.Booster
    calibration: Calibration

    def predict(self, rows: Floats) -> Floats:
        return self.calibration.probability(_margin(self.booster, rows))


def train(decided: Sequence[Decision], recipe: Recipe, terms: Terms, *, code_version: str) -> TrainedModel:
    """Return the model, with its policy under `metadata["policy"]`."""
    tried = [each for each in decided if each.retry_s is not None]
    table = dataset(tried)
    weights = hour_weights(tried, recipe.most_weight)
    fold_of = _folds(decided, recipe)
    fold = np.array([fold_of[each.customer_id] for each in tried])
    boosters = [_grow(table.where(fold != part), weights[fold != part], recipe) for part in range(recipe.folds)]
    margin = np.empty(len(table))
    for part, booster in enumerate(boosters):
        margin[fold == part] = _margin(booster, table.values[fold == part])
    calibration = fit("beta", margin, table.label)
    unfolded = [_Unfolded(booster, calibration) for booster in boosters]
    learned = continuation(decided, [unfolded[fold_of[each.customer_id]] for each in decided], terms)
    return TrainedModel(
        _grow(table, weights, recipe),
        FEATURES,
        calibration,
        {LIKELY: 0.5},
        REASONS,
        {
            "name": NAME,
            "recipe": _described(recipe),
            "policy": Policy(terms, learned.scaled(recipe.outlook_share)).as_json(),
            "data": {"fingerprint": table.fingerprint(), "rows": len(table), "positives": int(table.label.sum())},
            "code_version": code_version,
            "lightgbm": lightgbm.__version__,
            "metrics": {"unseen_customers": figures(table.label, calibration.probability(margin))},
        },
    )


def policy_of(model: TrainedModel) -> Policy:
    """The policy that a model was stored with."""
    return Policy.of_json(model.metadata["policy"])


def dataset(tried: Sequence[Decision]) -> Dataset:
    """Retries as a table: what was known at the decline, and the moment of the attempt."""
    customers: dict[str, int] = {}
    values = np.vstack([each.situation.rows(np.array([each.retry_s])) for each in tried])
    return Dataset(
        features=FEATURES,
        values=values,
        label=np.array([each.succeeded for each in tried]),
        seconds=np.array([each.situation.declined_s for each in tried]),
        card=np.array([customers.setdefault(each.customer_id, len(customers)) for each in tried]),
        amount_cents=np.zeros(len(tried), dtype=np.int64),
        asked=np.ones(len(tried), dtype=bool),
    )


def hour_weights(tried: Sequence[Decision], most: float) -> Floats:
    """How much each retry counts, 1 on average."""
    chance = np.array([each.propensity for each in tried])
    weights = np.clip(np.median(chance) / chance, 1 / most, most)
    return np.asarray(weights / weights.mean())


def _folds(decided: Sequence[Decision], recipe: Recipe) -> dict[str, int]:
    """The part that each customer is in."""
    customers = sorted({each.customer_id for each in decided})
    parts = np.random.default_rng(recipe.seed).integers(0, recipe.folds, len(customers))
    return dict(zip(customers, parts.tolist(), strict=True))


def _margin(booster: lightgbm.Booster, rows: Floats) -> Floats:
    return np.asarray(booster.predict(rows, raw_score=True, num_threads=1), dtype=np.float64)


def _grow(table: Dataset, weights: Floats, recipe: Recipe) -> lightgbm.Booster:
    """A booster of these rows. One thread, so that sums come in one order."""
    rows = lightgbm.Dataset(
        table.values, table.label.astype(np.float64), weight=weights, feature_name=list(table.features)
    )
    settled = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": recipe.seed,
        "monotone_constraints": [int(name in recipe.rising) for name in table.features],
    }
    return lightgbm.train({**recipe.params, **settled}, rows, num_boost_round=recipe.rounds)


def figures(label: evaluation.Bools, probability: Floats) -> dict[str, float]:
    """Return the figures that probabilities are judged by."""
    return {
        "rows": float(len(label)),
        "rate": float(label.mean()),
        "roc_auc": evaluation.roc_auc(label, probability),
        "log_loss": evaluation.log_loss(label, probability),
        "ece": evaluation.expected_calibration_error(label, probability),
    }


def _described(recipe: Recipe) -> dict[str, Any]:
    return {
        "rounds": recipe.rounds,
        "params": dict(recipe.params),
        "rising": sorted(recipe.rising),
        "most_weight": recipe.most_weight,
        "outlook_share": recipe.outlook_share,
        "folds": recipe.folds,
        "seed": recipe.seed,
    }


_DECLINE_WORDS: Final = MappingProxyType(
    {
        "decline_class": "what the issuer's decline says of its cause",
        "failure_code": "the decline code",
        "network_decline_code": "the network's response code",
        "network_advice_code": "the network's advice code is {value}",
        "provider_advice_code": "the provider's advice",
        "card_brand": "the card's brand",
        "card_country": "the card's country",
        "attempts_so_far": "attempts so far: {value}",
        "hours_since_first": "hours from the first attempt to the decline: {value}",
        "hours_since_previous": "hours from the attempt before to the decline: {value}",
        "due_day_of_month": "day of the month of the first attempt: {value}",
        "due_weekday": "weekday (Monday 0) of the first attempt: {value}",
    }
)
_MOMENT_WORDS: Final = MappingProxyType(
    {
        "wait_hours": "{value} hours after the decline",
        "at_hours_since_first": "{value} hours after the first attempt",
        "at_hour_utc": "it is {value} o'clock UTC",
        "at_hour_there": "it is {value} o'clock in the card's country",
        "at_weekday": "the weekday (Monday 0) is {value}",
        "at_day_of_month": "it is day {value} of the month",
        "at_declines_24h": "attempts within the day before: {value}",
    }
)
REASONS: Final[Mapping[str, ReasonText]] = MappingProxyType(
    {name: text for name, text in reason_texts().items() if name in FEATURES}
    | {name: ReasonText(f"decline.{name}", words) for name, words in _DECLINE_WORDS.items()}
    | {name: ReasonText(f"moment.{name}", words) for name, words in _MOMENT_WORDS.items()}
)
