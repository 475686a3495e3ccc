"""Serves /healthz, /readyz and /metrics for processes that are no HTTP servers."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], str | None]
"""A readiness check: None when ready, else what is missing, in words."""

_OK = 200
_NOT_FOUND = 404
_UNAVAILABLE = 503
_REQUEST_SECONDS = 5.0


class ProbeServer:
    """A small HTTP server on its own thread. Healthy while the process answers; ready when every check passes."""

    def __init__(self, host: str, port: int, ready: Check) -> None:
        """Take the port; SystemExit, which says what to do, where it is not to be had."""
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(ready))
        except OSError as error:
            raise SystemExit(
                f"metrics and probes cannot be served on {host}:{port} ({error.strerror}); "
                "free the port or set TIDEGATE_METRICS_PORT, or TIDEGATE_METRICS_HOST, to another"
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="probes", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


def answer(path: str, ready: Check) -> tuple[int, str, bytes]:
    """Status, content type and body for a probe's path; pure but for the check and the metrics."""
    match path.partition("?")[0]:
        case "/healthz":
            return _OK, "text/plain", b"ok\n"
        case "/readyz":
            missing = ready()
            return (
                (_OK, "text/plain", b"ready\n") if missing is None else (_UNAVAILABLE, "text/plain", missing.encode())
            )
        case "/metrics":
            return _OK, CONTENT_TYPE_LATEST, generate_latest()
        case _:
            return _NOT_FOUND, "text/plain", b"paths: /healthz /readyz /metrics\n"


def _handler(ready: Check) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # Each connection has a thread, which waits so long for its request.
        timeout = _REQUEST_SECONDS

        def do_GET(self) -> None:
            status, content_type, body = answer(self.path, ready)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Probes are asked every few seconds; their lines would drown the log."""

    return Handler
