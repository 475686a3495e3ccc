"""The recipe of the platform's fraud model: the catalog's features, and what a payment shows by itself."""

from types import MappingProxyType
from typing import Final

from mlops.features.catalog import FEATURES
from mlops.features.payment import OWN_FEATURES
from mlops.training.fraud.recipe import COSTS
from mlops.training.reasons import reason_texts
from mlops.training.recipe import Recipe

REGISTERED_NAME: Final = "fraud"

_LEFT_OUT: Final = frozenset(
    {
        # The model's own earlier answers: it would learn to believe itself.
        "fraud_score_avg_30d",
        "fraud_score_max_30d",
        # Grows with the calendar: it tells which month a row is of, and nothing about the next one.
        "merchant_days_since_first_payment",
        # In minor units: of a currency with small units they look like a fortune.
        "amount_avg_30d",
        "amount_max_30d",
    }
)

RECIPE: Final = Recipe(
    name="fraud",
    features=tuple(name for name in (*OWN_FEATURES, *(each.name for each in FEATURES)) if name not in _LEFT_OUT),
    increasing=frozenset({"provider_risk_score", "distinct_cards_24h", "card_distinct_customers_24h"}),
    rounds=200,
    params=MappingProxyType(
        {
            "learning_rate": 0.03,
            "num_leaves": 15,
            "min_data_in_leaf": 20,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
        }
    ),
    calibration="platt",
    calibration_days=60,
    costs=COSTS,
    reasons=MappingProxyType(reason_texts()),
)
"""Chosen on a smaller world's windows that end 60 and 120 days before its end (docs/models.md)."""
