"""Puts rule tables, predictors and guard together into a handler."""

from services.inference.case import CaseReader
from services.inference.guard import NetworkGuard
from services.inference.handler import Handler, Predictors
from services.inference.predictors.rules.churn import ChurnRules
from services.inference.predictors.rules.fraud import FraudRules
from services.inference.predictors.rules.recovery import RecoveryRules
from services.inference.predictors.rules.retry import RetryRules
from services.inference.rules import HOUR_S
from services.inference.tables import RuleTables


def rules_handler(tables: RuleTables) -> Handler:
    """A handler that answers every question by rules."""
    reader = CaseReader(tables)
    predictors = Predictors(
        fraud=FraudRules(),
        retry=RetryRules(reader.declines, tables.version),
        churn=ChurnRules(),
        recovery=RecoveryRules(reader.declines, tables.version),
    )
    return Handler(reader, NetworkGuard(tables.networks.longest_wait_hours * HOUR_S), predictors)
