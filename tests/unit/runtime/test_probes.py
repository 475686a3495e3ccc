"""Probes answer what an orchestrating system asks."""

import pytest

from services.runtime.probes import ProbeServer, answer


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


def test_a_port_that_is_not_to_be_had_ends_the_process_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("services.runtime.probes.ThreadingHTTPServer", taken)
    with pytest.raises(SystemExit) as ended:
        ProbeServer("127.0.0.1", 9464, lambda: None)
    assert str(ended.value) == (
        "metrics and probes cannot be served on 127.0.0.1:9464 (Address already in use); "
        "free the port or set TIDEGATE_METRICS_PORT, or TIDEGATE_METRICS_HOST, to another"
    )
