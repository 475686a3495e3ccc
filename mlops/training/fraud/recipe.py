"""The recipe of the fraud model on the Handbook's payments, chosen by validation in time (docs/models.md)."""

from dataclasses import replace
from types import MappingProxyType

from mlops.registry.artifact import ReasonText
from mlops.training.fraud import features
from mlops.training.recipe import Costs, Recipe

WARM_UP_DAYS = 30
"""Days at the start of the history that only feed the windows."""

_WORDS = MappingProxyType(
    {
        "tx_amount": ("amount.high", "the amount is {value}"),
        "amount_to_usual": ("amount.times_usual", "the amount is {value} times what the customer usually pays"),
        "amount_zscore": ("amount.zscore", "the amount is {value} standard deviations above the customer's usual one"),
        "customer_usual_amount": ("customer.usual_amount", "the customer usually pays {value}"),
        "customer_unusual_3d": ("customer.unusual_3d", "{value} unusual amounts on the customer's card within 3 days"),
        "customer_unusual_7d": ("customer.unusual_7d", "{value} unusual amounts on the customer's card within a week"),
        "customer_unusual_14d": (
            "customer.unusual_14d",
            "{value} unusual amounts on the customer's card within two weeks",
        ),
        "customer_high_14d": (
            "customer.high_14d",
            "{value} amounts of over four times the customer's usual one within two weeks",
        ),
        "customer_unusual_share_14d": (
            "customer.unusual_share",
            "a share of {value} of the customer's amounts of two weeks was unusual",
        ),
        "terminal_known_run": (
            "terminal.run",
            "the last {value} payments of ordinary amount known of this terminal were frauds",
        ),
        "terminal_run_age_days": ("terminal.run_age", "frauds at this terminal began {value} days ago"),
        "terminal_days_since_known_honest": (
            "terminal.last_honest",
            "the last payment at this terminal known to be honest was {value} days ago",
        ),
        "terminal_own_risk_28d": (
            "terminal.risk_28d",
            "a share of {value} of four weeks' known payments here was fraud",
        ),
    }
)
"""The features the model uses, and how each speaks in a reason. Few on purpose: a feature that says nothing of the
frauds that cannot be seen coming only shuffles them (docs/models.md)."""

_INCREASING = frozenset(
    {
        "tx_amount",
        "amount_to_usual",
        "amount_zscore",
        "customer_unusual_3d",
        "customer_unusual_7d",
        "customer_unusual_14d",
        "customer_high_14d",
        "terminal_known_run",
        "terminal_days_since_known_honest",
        "terminal_own_risk_28d",
    }
)

COSTS = Costs(review=200, wrongly_declined=1_500, missed=10_000)
"""In cents. A review is a few minutes of a person's time; a declined customer is a lost margin and some lost customers;
a missed fraud is the mean fraudulent amount here and a chargeback's fee. Assumptions: put your own."""

RECIPE = Recipe(
    name="fraud-handbook",
    features=tuple(_WORDS),
    increasing=_INCREASING,
    rounds=200,
    params=MappingProxyType(
        {
            "learning_rate": 0.04,
            "num_leaves": 15,
            "min_data_in_leaf": 100,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "monotone_constraints_method": "advanced",
        }
    ),
    keep_negatives=0.5,
    calibration="beta",
    calibration_days=14,
    costs=COSTS,
    reasons=MappingProxyType({name: ReasonText(code, words) for name, (code, words) in _WORDS.items()}),
)

PUBLISHED_ONLY = replace(
    RECIPE, name="fraud-handbook-published", features=features.PUBLISHED, increasing=frozenset(), reasons={}
)
"""The same with the Handbook's features alone: what the others are worth."""
