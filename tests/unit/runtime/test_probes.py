"""Probes answer what an orchestrating system asks."""

from services.runtime.probes import answer


def test_ready_says_what_is_missing() -> None:
    assert answer("/readyz", lambda: "Kafka does not answer") == (503, "text/plain", b"Kafka does not answer")
    assert answer("/readyz?verbose", lambda: None)[0] == 200


def test_healthy_does_not_depend_on_neighbours() -> None:
    assert answer("/healthz", lambda: "Kafka does not answer")[0] == 200


def test_metrics_are_prometheus_text() -> None:
    status, content_type, body = answer("/metrics", lambda: None)
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    assert b"# HELP" in body


def test_another_path_names_the_right_ones() -> None:
    assert answer("/", lambda: None) == (404, "text/plain", b"paths: /healthz /readyz /metrics\n")
