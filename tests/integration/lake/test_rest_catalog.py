"""The same project on another catalog, entered by OAuth2, and a Trino by TLS and password: told by settings alone."""

import hashlib
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from requests import RequestException
from trino.auth import BasicAuthentication
from trino.dbapi import connect
from trino.exceptions import HttpError, TrinoConnectionError, TrinoQueryError

from mlops.pipelines.lib.trino_connection import connected
from mlops.pipelines.settings import lake_settings
from services.runtime.clock import SystemClock
from stack.engines import trino
from stack.home import REPOSITORY_ROOT, Home
from stack.ports import choose_ports, is_free
from stack.processes import Launch
from stack.program import Context, NotReadyError
from tests.integration.conftest import Database
from tests.integration.lake.nessie import CREDENTIAL, SCOPE, WAREHOUSE, Nessie, nessie, new_key, running, token
from tests.lake import Lake

pytestmark = pytest.mark.timeout(400)

BUCKET = "tidegate-other"
PAGE = Path("docs/lakehouse.md").read_text(encoding="utf-8")
PASSWORDS = {trino.USER: "of-the-pipelines", trino.DASHBOARDS_USER: "of-the-dashboards"}
_SECONDS = 120
_EVENTS = """
    INSERT INTO tidegate.payment_events (event_id, provider, provider_event_id, event_type, merchant_id, amount_cents,
        currency, status, metadata, provider_created_at, processed_at, schema_version, payment_id, provider_object_id,
        receipt_id, livemode, customer_id)
    SELECT 'stripe:evt_' || n, 'stripe', 'evt_' || n, 'payment.succeeded', 'm1', 100 + n, 'EUR', 'succeeded', '{}',
        timestamptz '2026-01-01 00:00:00Z' + n * interval '7 hours', now(), 1, 'stripe:pi_' || n, 'pi_' || n,
        repeat('0', 32), true, 'cus_ada'
    FROM generate_series(1, 20) AS n
"""


@dataclass(frozen=True, slots=True)
class Other:
    """The other catalog, and what tells ingest and dbt of it and of the Trino that has it."""

    nessie: Nessie
    context: Context
    environment: Mapping[str, str]

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command of the project, told by environment alone."""
        environment = {**os.environ, **self.environment, "DO_NOT_TRACK": "1", **more}
        return subprocess.run(
            command, cwd=REPOSITORY_ROOT, env=environment, text=True, capture_output=True, timeout=_SECONDS, check=False
        )

    def query(self, statement: str, user: str = trino.USER) -> list[list[object]]:
        where = {"host": "127.0.0.1", "port": self.context.ports["trino-tls"], "http_scheme": "https", "user": user}
        where |= {"auth": BasicAuthentication(user, PASSWORDS[user])}
        with connect(**where, catalog="lake", request_timeout=_SECONDS) as connection:  # type: ignore[no-untyped-call]
            return list(connection.cursor().execute(statement).fetchall())


@pytest.fixture(scope="module")
def other(lake: Lake, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    """PostgreSQL with twenty events, the other catalog on the same object storage, and a second Trino on it."""
    with psycopg.connect(database.url("writer"), autocommit=True) as writer:
        writer.execute(_EVENTS)
    engines, folder = lake.engines, tmp_path_factory.mktemp("other")
    of_run = Home(engines.home)
    ports = choose_ports(["trino", "trino-tls", "nessie"], {}, is_free, first=29000).ports
    context = Context(Home(folder), {**of_run.read_state().ports, **ports}, of_run.secrets([]))
    with (
        nessie(engines.s3(), ports["nessie"], BUCKET, folder / "nessie.log") as found,
        pytest.MonkeyPatch.context() as own,
    ):
        own.setenv("REQUESTS_CA_BUNDLE", str(certificate(context)))
        environment = {
            **lake.environment(database.name),
            "TIDEGATE_CATALOG_URL": found.url,
            "TIDEGATE_CATALOG_WAREHOUSE": WAREHOUSE,
            "TIDEGATE_CATALOG_AUTH": "oauth2",
            "TIDEGATE_CATALOG_CREDENTIAL": CREDENTIAL,
            "TIDEGATE_CATALOG_SCOPE": SCOPE,
            "TIDEGATE_CATALOG_TOKEN_URL": found.token_url,
            "TIDEGATE_TRINO_URL": f"https://127.0.0.1:{ports['trino-tls']}",
            "TIDEGATE_TRINO_PASSWORD": PASSWORDS[trino.USER],
        }
        with running(second_trino(context, environment), folder / "trino.log") as server:
            found.server.wait_for(found.ready)
            made = Other(found, context, environment)
            server.wait_for(lambda: ready(made))
            yield made


def ready(other: Other) -> None:
    try:
        other.query("SELECT count(*) FROM system.runtime.nodes WHERE state = 'active'")
    except (HttpError, TrinoConnectionError, TrinoQueryError, RequestException) as error:
        raise NotReadyError(type(error).__name__) from error


def second_trino(context: Context, environment: Mapping[str, str]) -> Launch:
    """Trino with the catalog files of compose.yaml, addresses and where tokens are had put in."""
    trino.ENGINE.prepare(context)
    for name in (trino.CATALOG, trino.READ_ONLY_CATALOG):
        file = Path(f"deploy/compose/trino/catalog/{name}.properties").read_text(encoding="utf-8")
        own = {"http://polaris:8181/api/catalog": "CATALOG_URL", "http://seaweedfs:8333": "S3_URL"}
        for address, setting in own.items():
            assert address in file
            file = file.replace(address, environment[f"TIDEGATE_{setting}"])
        file += f"iceberg.rest-catalog.oauth2.server-uri={environment['TIDEGATE_CATALOG_TOKEN_URL']}\n"
        context.home.data("trino").joinpath("catalog", f"{name}.properties").write_text(file, encoding="utf-8")
    ask_for_passwords(context)
    launch = trino.ENGINE.launch(context)
    credential = {"TIDEGATE_CATALOG_CREDENTIAL": environment["TIDEGATE_CATALOG_CREDENTIAL"]}
    return replace(launch, environment={**launch.environment, **credential, "TRINO_SHARED_SECRET": "of-the-nodes"})


def ask_for_passwords(context: Context) -> None:
    """Configure TLS and passwords by the lines of the page, with files and ports of this test."""
    folder = context.home.data("trino")
    own = {"8443": str(context.ports["trino-tls"]), "/etc/trino/tls": str(folder), "/etc/trino": str(folder)}
    told = PAGE.partition("```properties\n# config.properties\n")[2].partition("```")[0]
    for line, by in own.items():
        assert line in told
        told = told.replace(line, by)
    server, _, authenticator = told.partition("# password-authenticator.properties\n")
    plugins = folder / "plugins"
    plugins.mkdir()
    settings = trino.server_properties(context)
    (found,) = re.findall(r"^plugin\.dir=(.+)$", settings, re.MULTILINE)
    for plugin in (*Path(found).iterdir(), trino.server_folder() / "plugin" / "password-authenticators"):
        (plugins / plugin.name).symlink_to(plugin)
    settings = settings.replace(found, str(plugins))
    files = f"password-authenticator.config-files={folder / 'password-authenticator.properties'}\n"
    (folder / "config.properties").write_text(settings + server + files, encoding="utf-8")
    (folder / "password-authenticator.properties").write_text(authenticator, encoding="utf-8")
    lines = [f"{user}:{hashed(password)}\n" for user, password in PASSWORDS.items()]
    (folder / "password.db").write_text("".join(lines), encoding="utf-8")
    make_certificate(context)


def hashed(password: str) -> str:
    """As Trino's password file takes it besides bcrypt."""
    salt, rounds = b"salt", 1000
    return f"{rounds}:{salt.hex()}:{hashlib.pbkdf2_hmac('sha1', password.encode(), salt, rounds).hex()}"


def certificate(context: Context) -> Path:
    return context.home.data("trino") / "server.pem"


def make_certificate(context: Context) -> None:
    """Key and certificate of a server on loopback, signed by itself."""
    key, now = new_key(), SystemClock().now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trino")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = (
        made.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    )
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = made.add_extension(loopback, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + signed.public_bytes(Encoding.PEM)
    certificate(context).write_bytes(pem)


def ingest(other: Other, **more: str) -> subprocess.CompletedProcess[str]:
    return other.run(sys.executable, "-m", "mlops.pipelines", "ingest", "payment_events", **more)


def test_ingest_trino_and_dbt_meet_on_it(other: Other, tmp_path: Path) -> None:
    ingested = ingest(other)
    assert ingested.returncode == 0, ingested.stderr
    assert other.query("SELECT count(*), sum(amount_cents) FROM bronze.payment_events") == [[20, 2210]]
    again = ingest(other)
    assert again.returncode == 0, again.stderr
    built = other.run(
        *(str(Path(sys.executable).with_name("dbt")), "run", "--select", "masking_salt", "silver.payment_events"),
        *("--project-dir", "dbt", "--profiles-dir", "dbt", "--target-path", str(tmp_path), "--log-path", str(tmp_path)),
    )
    assert built.returncode == 0, built.stdout
    counted = "SELECT count(*), sum(amount_cents), count(DISTINCT customer_key) FROM silver.payment_events"
    assert other.query(counted) == [[20, 2210, 1]]


def test_its_tables_are_not_in_the_catalog_of_the_stack(other: Other, lake: Lake) -> None:
    assert ("bronze",) not in lake.catalog().list_namespaces()


def test_who_has_a_wrong_secret_is_told_so_and_writes_nothing(other: Other) -> None:
    refused = ingest(other, TIDEGATE_CATALOG_CREDENTIAL="lake:guessed")
    assert refused.returncode == 1
    assert "unknown client" in refused.stderr
    assert "guessed" not in refused.stdout + refused.stderr


def test_the_catalog_refuses_a_token_that_another_key_has_signed(other: Other) -> None:
    forged = {"Authorization": f"Bearer {token(new_key(), SystemClock().now())}"}
    answer = httpx.get(f"{other.nessie.url}/v1/config", headers=forged, trust_env=False)
    assert answer.status_code == httpx.codes.UNAUTHORIZED


def by_basic(other: Other, scheme: str, port: str, user: str, password: str | None) -> int:
    """Status of a query asked by this name and password."""
    return httpx.post(
        f"{scheme}://127.0.0.1:{other.context.ports[port]}/v1/statement",
        content="SELECT 1",
        headers={"X-Trino-User": user},
        auth=None if password is None else (user, password),
        verify=ssl.create_default_context(cafile=str(certificate(other.context))),
        trust_env=False,
    ).status_code


def test_trino_knows_who_asks_by_password_over_tls_alone(other: Other) -> None:
    known = PASSWORDS[trino.USER]
    assert by_basic(other, "https", "trino-tls", trino.USER, known) == httpx.codes.OK
    for wrong in (None, "guessed", PASSWORDS[trino.DASHBOARDS_USER]):
        assert by_basic(other, "https", "trino-tls", trino.USER, wrong) == httpx.codes.UNAUTHORIZED
    for any_password in (None, known):
        assert by_basic(other, "http", "trino", trino.USER, any_password) == httpx.codes.FORBIDDEN
    with pytest.raises(TrinoQueryError, match="Access Denied"):
        other.query("SELECT 1 FROM lake.information_schema.tables", user=trino.DASHBOARDS_USER)


def test_maintenance_asks_by_the_same_settings(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in other.environment.items():
        monkeypatch.setenv(name, value)
    with connected(lake_settings(), "a test") as ask:
        assert ask("SELECT current_user") == [[trino.USER]]
