"""The same project on another catalog, entered by OAuth2: ingest, Trino and dbt, told by settings alone."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psycopg
import pytest
from trino.dbapi import connect

from services.runtime.clock import SystemClock
from stack.engines import trino
from stack.home import REPOSITORY_ROOT, Home
from stack.ports import choose_ports, is_free
from stack.processes import Launch
from stack.program import Context
from tests.integration.conftest import Database
from tests.integration.lake.nessie import CREDENTIAL, SCOPE, WAREHOUSE, Nessie, nessie, new_key, running, token
from tests.lake import Lake

pytestmark = pytest.mark.timeout(400)

BUCKET = "tidegate-other"
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

    def query(self, statement: str) -> list[list[object]]:
        where = {"host": "127.0.0.1", "port": self.context.ports["trino"], "user": trino.USER, "catalog": "lake"}
        with connect(**where, request_timeout=_SECONDS) as connection:  # type: ignore[no-untyped-call]
            return list(connection.cursor().execute(statement).fetchall())


@pytest.fixture(scope="module")
def other(lake: Lake, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    """PostgreSQL with twenty events, the other catalog on the same object storage, and a second Trino on it."""
    with psycopg.connect(database.url("writer"), autocommit=True) as writer:
        writer.execute(_EVENTS)
    engines, folder = lake.engines, tmp_path_factory.mktemp("other")
    of_run = Home(engines.home)
    ports = choose_ports(["trino", "nessie"], {}, is_free, first=29000).ports
    context = Context(Home(folder), {**of_run.read_state().ports, "trino": ports["trino"]}, of_run.secrets([]))
    with nessie(engines.s3(), ports["nessie"], BUCKET, folder / "nessie.log") as found:
        environment = {
            **lake.environment(database.name),
            "TIDEGATE_CATALOG_URL": found.url,
            "TIDEGATE_CATALOG_WAREHOUSE": WAREHOUSE,
            "TIDEGATE_CATALOG_AUTH": "oauth2",
            "TIDEGATE_CATALOG_CREDENTIAL": CREDENTIAL,
            "TIDEGATE_CATALOG_SCOPE": SCOPE,
            "TIDEGATE_CATALOG_TOKEN_URL": found.token_url,
            "TIDEGATE_TRINO_URL": trino.url(context),
        }
        with running(second_trino(context, environment), folder / "trino.log") as server:
            found.server.wait_for(found.ready)
            server.wait_for(lambda: trino.ENGINE.ready(context))
            yield Other(found, context, environment)


def second_trino(context: Context, environment: Mapping[str, str]) -> Launch:
    """Trino with the catalog file of compose.yaml, addresses and where tokens are had put in."""
    trino.ENGINE.prepare(context)
    file = Path("deploy/compose/trino/catalog/lake.properties").read_text(encoding="utf-8")
    own = {"http://polaris:8181/api/catalog": "CATALOG_URL", "http://seaweedfs:8333": "S3_URL"}
    for address, setting in own.items():
        assert address in file
        file = file.replace(address, environment[f"TIDEGATE_{setting}"])
    file += f"iceberg.rest-catalog.oauth2.server-uri={environment['TIDEGATE_CATALOG_TOKEN_URL']}\n"
    context.home.data("trino").joinpath("catalog", "lake.properties").write_text(file, encoding="utf-8")
    launch = trino.ENGINE.launch(context)
    credential = {"TIDEGATE_CATALOG_CREDENTIAL": environment["TIDEGATE_CATALOG_CREDENTIAL"]}
    return replace(launch, environment={**launch.environment, **credential})


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
