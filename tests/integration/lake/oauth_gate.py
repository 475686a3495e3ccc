"""A catalog that is entered by OAuth2, as Apache Polaris is: it checks tokens and asks SeaweedFS's behind it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mlops.pipelines.settings import LakeSettings

CREDENTIAL, SCOPE = "lake:let-me-in", "PRINCIPAL_ROLE:ALL"
_BASE = "/api/catalog"
_TOKEN = "a-token"
_PASSED_ON = ("content-type", "accept")


@dataclass
class Gate:
    """Where it listens, and what it was asked."""

    behind: LakeSettings
    url: str = ""
    refused: list[str] = field(default_factory=list)

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """The same request, signed, to the catalog behind."""
        assert self.behind.s3_access_key_id
        assert self.behind.s3_secret_access_key
        keys = Credentials(self.behind.s3_access_key_id, self.behind.s3_secret_access_key.get_secret_value())
        request = AWSRequest(method, self.behind.catalog_url + path, data=body, headers=headers)
        SigV4Auth(keys, self.behind.catalog_signing_name, self.behind.s3_region).add_auth(request)
        return httpx.request(
            method, request.url, content=body, headers=dict(request.headers), timeout=60.0, trust_env=False
        )


class _Handler(BaseHTTPRequestHandler):
    """Every method alike."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def handle_one_request(self) -> None:
        self.do_GET = self.do_POST = self.do_DELETE = self.do_HEAD = self._serve
        super().handle_one_request()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == f"{_BASE}/v1/oauth/tokens":
            self._answer(*_token(body))
        elif self.headers.get("Authorization") != f"Bearer {_TOKEN}":
            self._refuse(401, "no token")
        elif "vended-credentials" in self.headers.get("X-Iceberg-Access-Delegation", ""):
            self._refuse(400, "Credential vending was requested, but no credentials are available")
        else:
            kept = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            answer = self.server.gate.forward(self.command, self.path.removeprefix(_BASE), kept, body)
            self._answer(answer.status_code, answer.content)

    def _refuse(self, status: int, reason: str) -> None:
        self.server.gate.refused.append(reason)
        self._answer(status, json.dumps({"error": {"message": reason, "type": reason, "code": status}}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    def __init__(self, gate: Gate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate


@contextmanager
def oauth_gate(behind: LakeSettings) -> Iterator[Gate]:
    """A gate on loopback, as long as the body runs."""
    gate = Gate(behind)
    with _Server(gate) as server:
        gate.url = f"http://127.0.0.1:{server.server_port}{_BASE}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield gate
        server.shutdown()


def _token(form: bytes) -> tuple[int, bytes]:
    asked = {name: values[0] for name, values in parse_qs(form.decode()).items()}
    name, _, secret = CREDENTIAL.partition(":")
    known = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret, "scope": SCOPE}
    if asked != known:
        refusal = {"error": "unauthorized_client", "error_description": "unknown client"}
        return 401, json.dumps(refusal).encode()
    return 200, json.dumps({"access_token": _TOKEN, "token_type": "bearer", "expires_in": 3600}).encode()
