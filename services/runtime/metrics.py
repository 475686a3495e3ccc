"""Every Prometheus metric of every process, in one closed list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import Counter, Gauge, Histogram

MetricName = Literal[
    "tidegate_webhooks_total",
    "tidegate_webhook_duration_seconds",
    "tidegate_webhooks_in_flight",
    "tidegate_connections_refused_total",
    "tidegate_contract_drift_total",
    "tidegate_messages_total",
    "tidegate_dead_letters_total",
    "tidegate_unknown_codes_total",
    "tidegate_batch_duration_seconds",
    "tidegate_consumer_lag",
    "tidegate_workflows_total",
    "tidegate_workflow_backlog",
    "tidegate_workflow_losses_total",
    "tidegate_workflow_turns_passed_total",
    "tidegate_step_duration_seconds",
    "tidegate_decisions_total",
    "tidegate_persist_batch_rows",
    "tidegate_outbox_backlog",
    "tidegate_outbox_published_total",
    "tidegate_rpc_duration_seconds",
    "tidegate_predictions_total",
    "tidegate_feature_freshness_seconds",
    "tidegate_feature_reads_total",
    "tidegate_feature_read_seconds",
    "tidegate_feature_store_open",
    "tidegate_model_since_seconds",
    "tidegate_model_refused",
    "tidegate_models_checked_seconds",
    "tidegate_prediction_log_total",
]

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FRESHNESS = (*_FAST, 30.0, 60.0, 300.0, 3600.0)
_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric means and by what it is split."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _FAST


METRICS: Final[Mapping[MetricName, Metric]] = {
    "tidegate_webhooks_total": Metric(
        "counter",
        "Webhooks received, by outcome: accepted, other, dead, unverified, too_large, unavailable, disabled.",
        ("provider", "outcome"),
    ),
    "tidegate_webhook_duration_seconds": Metric(
        "histogram", "Time from the request's arrival to its answer.", ("provider",)
    ),
    "tidegate_webhooks_in_flight": Metric("gauge", "Requests that wait for the broker's acknowledgement."),
    "tidegate_connections_refused_total": Metric(
        "counter",
        "Connections closed before a request was whole: too_many_connections, head_too_large, head_too_late, "
        "body_too_late, too_many_pipelined.",
        ("reason",),
    ),
    "tidegate_contract_drift_total": Metric(
        "counter",
        "Fields of webhook bodies unknown to the contract (unknown_field), of another type (type_change), too long to "
        "be read whole (not_read), or left out of the event or cut since they break its rule (broken_rule).",
        ("provider", "event_type", "api_version", "kind", "field_path"),
    ),
    "tidegate_messages_total": Metric(
        "counter", "Messages a stage has finished, by outcome.", ("stage", "topic", "outcome")
    ),
    "tidegate_dead_letters_total": Metric(
        "counter", "Messages put aside, by the first rule they broke.", ("stage", "rule_id")
    ),
    "tidegate_unknown_codes_total": Metric(
        "counter", "Codes of a provider that the stage's table does not know yet, by table.", ("stage", "table")
    ),
    "tidegate_batch_duration_seconds": Metric("histogram", "Time for one batch of a stage.", ("stage",)),
    "tidegate_consumer_lag": Metric("gauge", "Messages not yet consumed.", ("group", "topic", "partition")),
    "tidegate_workflows_total": Metric(
        "counter", "Workflow starts asked for, by outcome: started, running, finished, failed.", ("workflow", "outcome")
    ),
    "tidegate_workflow_backlog": Metric("gauge", "Workflows started by this process and not finished."),
    "tidegate_workflow_losses_total": Metric(
        "counter",
        "Workflows closed without completing, whose events are not decided: failed, canceled, terminated, timed_out.",
        ("status",),
    ),
    "tidegate_workflow_turns_passed_total": Metric(
        "counter", "Failures decided although the one before them on their card took too long to be."
    ),
    "tidegate_step_duration_seconds": Metric("histogram", "Time of one workflow step.", ("step", "outcome")),
    "tidegate_decisions_total": Metric("counter", "Decisions stored, by action.", ("action", "degraded")),
    "tidegate_persist_batch_rows": Metric("histogram", "Events written in one transaction.", (), _ROWS),
    "tidegate_outbox_backlog": Metric("gauge", "Decisions stored and not yet published."),
    "tidegate_outbox_published_total": Metric("counter", "Decisions published."),
    "tidegate_rpc_duration_seconds": Metric(
        "histogram", "Time of one gRPC or JSON call as the server sees it.", ("method", "code")
    ),
    "tidegate_predictions_total": Metric(
        "counter", "Answers by question and whether a fallback gave them.", ("question", "model", "fallback", "cause")
    ),
    "tidegate_feature_freshness_seconds": Metric(
        "histogram",
        "Age of an event, since it was normalised or decided, when its features can be read.",
        ("topic",),
        _FRESHNESS,
    ),
    "tidegate_feature_reads_total": Metric(
        "counter",
        "Reads of the online store, one for each call that needs it: read, late, failed, rebuilding (entities lack a "
        "part of their past), kept_away (not asked, since it did not answer before).",
        ("outcome",),
    ),
    "tidegate_feature_read_seconds": Metric("histogram", "Time of a read of the online store that was answered."),
    "tidegate_feature_store_open": Metric(
        "gauge", "1 while the online store is not asked, since it did not answer; else 0."
    ),
    "tidegate_model_since_seconds": Metric(
        "gauge",
        "Since when each version has served in this process, seconds since 1970.",
        ("model", "alias", "version"),
    ),
    "tidegate_model_refused": Metric(
        "gauge",
        "1 while the version under an alias cannot be served and the one before it goes on; else 0.",
        ("model", "alias"),
    ),
    "tidegate_models_checked_seconds": Metric(
        "gauge", "When the registry last said which versions are to serve, seconds since 1970; 0 where it never did."
    ),
    "tidegate_prediction_log_total": Metric(
        "counter",
        "Predictions for the log: published, failed (the broker did not take it), dropped (too many waited).",
        ("outcome",),
    ),
}


_counters: dict[str, Counter] = {}
_gauges: dict[str, Gauge] = {}
_histograms: dict[str, Histogram] = {}


def counter(name: MetricName) -> Counter:
    """The counter of that name; the same object each time."""
    if name not in _counters:
        spec = _spec(name, "counter")
        _counters[name] = Counter(name, spec.help, spec.labels)
    return _counters[name]


def gauge(name: MetricName) -> Gauge:
    """The gauge of that name; the same object each time."""
    if name not in _gauges:
        spec = _spec(name, "gauge")
        _gauges[name] = Gauge(name, spec.help, spec.labels)
    return _gauges[name]


def histogram(name: MetricName) -> Histogram:
    """The histogram of that name; the same object each time."""
    if name not in _histograms:
        spec = _spec(name, "histogram")
        _histograms[name] = Histogram(name, spec.help, spec.labels, buckets=spec.buckets)
    return _histograms[name]


def _spec(name: MetricName, kind: str) -> Metric:
    spec = METRICS[name]
    if spec.kind != kind:
        raise TypeError(f"{name} is a {spec.kind}, not a {kind}")
    return spec
