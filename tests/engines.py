"""Starts and finds the engines that a test run uses."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.engines.mlflow import tracking_url
from stack.engines.postgresql import LAKE, MONITOR, OWNER, READER, SUPERUSER, WRITER, database_url
from stack.engines.seaweedfs import endpoint_url, s3_environment
from stack.engines.valkey import redis_url
from stack.environment import engine_addresses
from stack.home import REPOSITORY_ROOT, Home
from stack.processes import is_running
from stack.program import Context

BASE = ("kafka", "postgresql", "apicurio", "temporal")  # what `engines` starts; the others wait until a test asks
STOP_SECONDS = 180
_START_SECONDS = 600  # the first one downloads


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the engines of this run are."""

    home: Path
    kafka_bootstrap_servers: str
    schema_registry_url: str
    temporal_address: str
    temporal_namespace: str

    def database_url(self, role: str = "owner", database: str = "tidegate") -> str:
        """`postgresql://…` of one of the roles owner, writer, reader, monitor, lake, superuser."""
        ours = {"owner": OWNER, "writer": WRITER, "reader": READER, "monitor": MONITOR, "lake": LAKE}
        roles = {**ours, "superuser": SUPERUSER}
        return database_url(_context(self.home), roles[role], database)

    def redis_url(self) -> str:
        """`redis://…` of the online store; the fixture `valkey` starts it."""
        return redis_url(_context(self.home))

    def mlflow_url(self) -> str:
        """Base URL of MLflow; the fixture `mlflow` starts it."""
        return tracking_url(_context(self.home))

    def s3(self) -> dict[str, str]:
        """The object storage's address and credentials, as keyword arguments of `boto3.client("s3", …)`."""
        context = _context(self.home)
        keys = s3_environment(context)
        return {
            "endpoint_url": endpoint_url(context),
            "aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
            "region_name": keys["AWS_DEFAULT_REGION"],
        }

    def environment(self, role: str = "writer", database: str = "tidegate") -> dict[str, str]:
        """Settings for a service started as a process of its own: the engines' addresses and nothing else."""
        addresses = engine_addresses(_context(self.home), WRITER)
        return {**addresses, "TIDEGATE_DATABASE_URL": self.database_url(role, database)}


@dataclass(frozen=True, slots=True)
class Platform:
    """The engines with every service on top; `environment` is what `stack.env` tells people and tools."""

    engines: Engines
    environment: Mapping[str, str]


def start_services(engines: Engines) -> Platform:
    """Deploy topics, schemas and tables to running engines and start every service; fails the test otherwise."""
    done = stack_command(engines.home, "up", timeout=_START_SECONDS)
    if done.returncode:
        pytest.fail(f"the services did not start:\n{done.stdout}", pytrace=False)
    lines = Home(engines.home).env_file.read_text(encoding="utf-8").splitlines()
    return Platform(engines, dict(line.split("=", 1) for line in lines))


def stack_command(home: Path, *arguments: str, timeout: float, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m stack …` on a home and return what it said; `extra` goes to its environment."""
    return subprocess.run(
        [sys.executable, "-m", "stack", *arguments],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "TIDEGATE_HOME": str(home), **extra},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(home: Path) -> None:
    """Start engines that stop with this run, in whatever way it ends; fails the test when they do not start."""
    _stop_when_gone(_controller_pid(), home)
    start_more(home, *BASE)
    _register_schemas(home)


def start_more(home: Path, *names: str) -> None:
    """Start further engines of a home, where they do not run yet; name those that they need as well."""
    done = stack_command(home, "up", "--engines-only", *names, timeout=_START_SECONDS)
    if done.returncode:
        pytest.fail(f"the engines did not start:\n{done.stdout}", pytrace=False)


def _register_schemas(home: Path) -> None:
    """Every service asks for its topics' schemas when it starts."""
    done = subprocess.run(
        [sys.executable, "-m", "codegen.register"],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, **engine_addresses(_context(home), READER)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=STOP_SECONDS,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"the schemas could not be registered:\n{done.stdout}", pytrace=False)


def _stop_when_gone(pid: int, home: Path) -> None:
    """A run that is killed leaves no engine behind: a watcher of its own session stops them."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "stack", "down", "--when-gone", str(pid)],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "TIDEGATE_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    watcher.returncode = 0  # it outlives this process on purpose


def _controller_pid() -> int:
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def running_engines(home: Path) -> Engines:
    """The addresses of the engines of a home; fails the test when one of those that every test may use does not run."""
    records = Home(home).read_state().processes
    missing = [name for name in BASE if name not in records or not is_running(records[name])]
    if missing:
        pytest.fail(f"not running in {home}: {', '.join(missing)}; see {home / 'logs'}", pytrace=False)
    addresses = engine_addresses(_context(home), READER)
    return Engines(
        home=home,
        kafka_bootstrap_servers=addresses["TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"],
        schema_registry_url=addresses["TIDEGATE_SCHEMA_REGISTRY_URL"],
        temporal_address=addresses["TIDEGATE_TEMPORAL_ADDRESS"],
        temporal_namespace=addresses["TIDEGATE_TEMPORAL_NAMESPACE"],
    )


def _context(home: Path) -> Context:
    place = Home(home)
    ports: Mapping[str, int] = place.read_state().ports
    return Context(place, ports, place.secrets([]))


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold a lock between the workers of a run."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
