"""A process that cannot be probed says so before it works."""

import socket

import pytest

from services.runtime.probes import ProbeServer


def test_a_port_that_is_not_to_be_had_ends_the_process_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            ProbeServer("127.0.0.1", port, lambda: None)
    assert str(ended.value) == (
        f"metrics and probes cannot be served on 127.0.0.1:{port} (Address already in use); "
        "free the port or set TIDEGATE_METRICS_PORT, or TIDEGATE_METRICS_HOST, to another"
    )


def test_who_connects_and_asks_nothing_is_hung_up_on() -> None:
    server = ProbeServer("127.0.0.1", 0, lambda: None)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=15) as silent:
            assert silent.recv(1) == b""
    finally:
        server.stop()
