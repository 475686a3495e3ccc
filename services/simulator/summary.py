"""Writes down what became of a run, for people: balance, latency, decisions, where to look."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from tidegate.decisions.v1.payment_decision_pb2 import DecisionAction, PaymentDecision
from tidegate.inference.v1.payment_context_pb2 import FallbackCause, Provenance

from services.simulator.balance import Line
from services.simulator.settings import DemoSettings
from services.simulator.tables.currencies import in_words

_SHORTEST_REASON = 24
_MOST_OF_ONE_ACTION = 4
_QUESTIONS = ("fraud", "retry", "churn", "recovery")
_ACTION_PREFIX = "DECISION_ACTION_"
# Rows of the table of decisions, most telling first.
_TELLING = (
    "BLOCK",
    "REVIEW",
    "DO_NOT_RETRY",
    "UPDATE_PAYMENT_METHOD",
    "AUTHENTICATE",
    "RETRY",
    "APPROVE",
    "RECORD",
)


def balance_text(lines: Sequence[Line]) -> str:
    """The equations, one a line; what does not add up is marked."""
    return "\n".join(_equation(line) for line in lines)


def latency_text(latencies: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each stage, in milliseconds."""
    columns = list(next(iter(latencies.values()), {}))
    head = f"  {'ms after the webhook was due':<34}" + "".join(f"{column:>9}" for column in columns)
    rows = [f"  {name:<34}" + "".join(f"{value:>9.0f}" for value in row.values()) for name, row in latencies.items()]
    return "\n".join([head, *rows])


def decisions_text(decisions: Iterable[PaymentDecision], width: int = 120, most: int = 18) -> str:
    """Some decisions that differ from each other: event, amount, action and why, within a width in characters."""
    chosen = _different(decisions, most)
    head = _columns("event", "amount", "decision")
    longest = max(_SHORTEST_REASON, width - len(head))
    rows = (_row(decision) + _cut(why(decision), longest) for decision in chosen)
    return "\n".join([f"{head}why", *rows])


def answers_text(decisions: Iterable[PaymentDecision]) -> str:
    """Who answered which question how often: a version of a model, or rules and why they had to."""
    counted = Counter(
        (question, _answered_by(getattr(decision, question).provenance))
        for decision in decisions
        for question in _QUESTIONS
        if decision.HasField(question)
    )
    ordered = sorted(counted.items(), key=lambda item: (_QUESTIONS.index(item[0][0]), -item[1]))
    rows = (f"  {question:<12}{answered_by:<60}{count:>7}" for (question, answered_by), count in ordered)
    return "\n".join([f"  {'question':<12}{'answered by':<60}{'answers':>7}", *rows])


def _answered_by(made_by: Provenance) -> str:
    if not made_by.fallback:
        alias = f", {made_by.model_alias}" if made_by.model_alias else ""
        return f"{made_by.model_name} {made_by.model_version}{alias}"
    cause = FallbackCause.Name(made_by.fallback_cause).removeprefix("FALLBACK_CAUSE_").lower().replace("_", " ")
    return f"rules: {cause}"


def action_name(decision: PaymentDecision) -> str:
    """Such as "DO_NOT_RETRY"."""
    return DecisionAction.Name(decision.action).removeprefix(_ACTION_PREFIX)


def why(decision: PaymentDecision) -> str:
    """The strongest reason that the decision gives, in its own words."""
    if decision.rule_hits:
        return decision.rule_hits[0].description or decision.rule_hits[0].rule_id
    if decision.degraded:
        return f"without {', '.join(step.step for step in decision.degraded_steps)}"
    if decision.HasField("retry"):
        return _retry_reason(decision)
    if decision.HasField("fraud"):
        said = _first_reason(decision.fraud)
        return f"fraud {decision.fraud.fraud_probability:.1%}" + (f": {said}" if said else "")
    return "recorded"


def _equation(line: Line) -> str:
    name, total = line.total
    first, *rest = line.parts
    parts = " + ".join(f"{count} {part}" for part, count in [first, *(part for part in rest if part[1])])
    verdict = "" if line.missing == 0 else f"   <-- OUT OF BALANCE by {line.missing}"
    return f"  {line.stage:<14}{total:>5} {name:<12} = {parts}{verdict}"


def _retry_reason(decision: PaymentDecision) -> str:
    said = _first_reason(decision.retry)
    rule = f" [{decision.retry.network_rule}]" if decision.retry.network_rule else ""
    if not decision.retry.HasField("retry_at"):
        return f"{said}{rule}"
    at = f"at {decision.retry.retry_at.ToDatetime(UTC):%Y-%m-%d %H:%M} UTC"
    if decision.retry.HasField("success_probability"):
        at += f", {decision.retry.success_probability:.0%} likely"
    return f"{at}: {said}{rule}"


def _first_reason(answer: Any) -> str:
    return str(answer.reasons[0].description) if answer.reasons else ""


def _different(decisions: Iterable[PaymentDecision], most: int) -> list[PaymentDecision]:
    one_each: dict[tuple[str, str, str], PaymentDecision] = {}
    for decision in decisions:
        kind = (action_name(decision), decision.event_type, why(decision) if decision.HasField("retry") else "")
        one_each.setdefault(kind, decision)
    # Most is recorded and nothing else: disputes and refunds are the more telling of those.
    ordered = sorted(one_each.values(), key=lambda decision: decision.event_type.startswith("payment."))
    # Not one kind alone: by turns from each action.
    queues = [[one for one in ordered if action_name(one) == action][:_MOST_OF_ONE_ACTION] for action in _TELLING]
    chosen: list[PaymentDecision] = []
    while any(queues) and len(chosen) < most:
        chosen += [queue.pop(0) for queue in queues if queue]
    return sorted(chosen[:most], key=lambda decision: _TELLING.index(action_name(decision)))


def _row(decision: PaymentDecision) -> str:
    amount = in_words(decision.amount_cents, decision.currency)
    return _columns(decision.event_type, amount, action_name(decision).lower().replace("_", " "))


def _columns(event_type: str, amount: str, action: str) -> str:
    return f"  {event_type:<24}{amount:>16}  {action:<23}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def addresses_text(settings: DemoSettings, env_file: Path) -> str:
    """Where people can look further; what is not known is left out. No password is shown: `env_file` holds it."""
    known = (
        ("webhook endpoint", settings.webhook_url),
        ("gateway's API", settings.gateway_url and f"{settings.gateway_url}/docs"),
        ("inference, JSON", settings.inference_url and f"{settings.inference_url}/docs"),
        ("inference, gRPC", settings.inference_address),
        ("Temporal's UI", settings.temporal_ui_url),
        ("Schema Registry", settings.schema_registry_url and f"{settings.schema_registry_url}/subjects"),
        ("models in MLflow", settings.mlflow_url),
        ("PostgreSQL", f". {env_file} && psql \"$TIDEGATE_DATABASE_URL\" -c 'TABLE tidegate.answers'"),
        ("all of it", "make status"),
    )
    return "\n".join(f"  {name:<18}{where}" for name, where in known if where)
