"""What tests on real engines start from: a migrated database of their own, topics of their own."""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so
from psycopg import sql

from stack.deploy import MIGRATE
from stack.engines.postgresql import LAKE, MONITOR, OWNER, READER, WRITER
from stack.home import REPOSITORY_ROOT
from tests.engines import Engines, only_one
from tests.process_logs import assert_no_unexpected_errors

_TEMPLATE = "tidegate_template"
_MIGRATION_SECONDS = 120
_ADMIN_SECONDS = 30.0

MakeTopic = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database that belongs to one test module."""

    name: str
    engines: Engines

    def url(self, role: str = "owner") -> str:
        """`postgresql://…` of one of the roles owner, writer, reader, monitor, lake, superuser."""
        return self.engines.database_url(role, self.name)

    def environment(self, role: str = "writer") -> dict[str, str]:
        """Settings for a service process that is to use this database."""
        return self.engines.environment(role, self.name)


@pytest.fixture(autouse=True)
def expected_errors(tmp_path: Path) -> Iterator[set[str]]:
    """Names of the errors that the test's processes may log, which it adds to; any other one fails it at its end.

    The processes' logs lie in the test's own folder.
    """
    expected: set[str] = set()
    yield expected
    assert_no_unexpected_errors(tmp_path.glob("*.log"), expected)


@pytest.fixture(scope="module")
def database(engines: Engines) -> Iterator[Database]:
    """A fresh database with all migrations applied, dropped when the module is done."""
    name = f"test_{secrets.token_hex(6)}"
    with only_one(engines.home / "template.lock"), _superuser(engines) as connection:
        _ensure_template(engines, connection)
        _create(connection, name, _TEMPLATE)
    yield Database(name, engines)
    with _superuser(engines) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def unique_name() -> Callable[[str], str]:
    """Makes a name for a topic, a group or a task queue that no other test has: `unique_name("payments")`."""
    return lambda prefix: f"{prefix}.{secrets.token_hex(6)}"


@pytest.fixture(scope="module")
def make_topic(engines: Engines, unique_name: Callable[[str], str]) -> Iterator[MakeTopic]:
    """Creates a topic with a name of its own, `make_topic("payments.normalized", partitions=3)`; deleted afterwards."""
    client = AdminClient({"bootstrap.servers": engines.kafka_bootstrap_servers})
    made: list[str] = []

    def make(prefix: str, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        name = unique_name(prefix)
        topic = NewTopic(name, partitions, replication_factor=1, config=config or {})
        client.create_topics([topic])[name].result(_ADMIN_SECONDS)
        made.append(name)
        return name

    yield make
    if made:
        for deleted in client.delete_topics(made).values():
            deleted.result(_ADMIN_SECONDS)


def _superuser(engines: Engines) -> psycopg.Connection:
    return psycopg.connect(engines.database_url("superuser", "postgres"), autocommit=True)


def _ensure_template(engines: Engines, connection: psycopg.Connection) -> None:
    """Migrate a template once per set of engines; with engines that outlive a run, bring it up to date."""
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone():
        _create(connection, _TEMPLATE, "template0")
    done = subprocess.run(
        MIGRATE,
        cwd=REPOSITORY_ROOT,
        env={**os.environ, **engines.environment("owner", _TEMPLATE)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_MIGRATION_SECONDS,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"the migrations failed:\n{done.stdout}{done.stderr}", pytrace=False)


def _create(connection: psycopg.Connection, name: str, template: str) -> None:
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    connection.execute(create.format(*map(sql.Identifier, (name, OWNER, template))))
    grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}, {}, {}")
    connection.execute(grant.format(*map(sql.Identifier, (name, WRITER, READER, MONITOR, LAKE))))
