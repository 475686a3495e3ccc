"""Runs Alembic without its command line, so that deployment needs a database URL and nothing else."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

SCHEMA = "tidegate"
# Two deployments at once take turns. Any number will do, as long as it stays.
_LOCK = 7_412_903_551
# A statement that waits for a lock makes all later ones on its table wait behind it: the writer's among them.
_LOCK_TIMEOUT_SECONDS = 5

OnWait = Callable[[], None]


def upgrade(database_url: str, revision: str = "head", on_wait: OnWait = lambda: None) -> str:
    """Bring a database to a version, in one transaction; returns the version it is at.

    `on_wait` is called when another deployment is at it, before waiting for its end.
    """
    return _migrate(database_url, command.upgrade, revision, on_wait)


def downgrade(database_url: str, revision: str, on_wait: OnWait = lambda: None) -> str:
    """Take a database back to an earlier version, in one transaction; returns the version it is at.

    To "base", everything that is stored goes.
    """
    return _migrate(database_url, command.downgrade, revision, on_wait)


def _migrate(database_url: str, move: Callable[[Config, str], None], revision: str, on_wait: OnWait) -> str:
    engine = create_engine(_sqlalchemy_url(database_url), poolclass=NullPool)
    with engine.begin() as connection:
        _take_turn(connection, on_wait)
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        move(_config(connection), revision)
        return _version(connection)


def _version(connection: Connection) -> str:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision() or "empty"


def _take_turn(connection: Connection, on_wait: OnWait) -> None:
    if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}):
        on_wait()
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _sqlalchemy_url(database_url: str) -> str:
    scheme, separator, rest = database_url.partition("://")
    if scheme not in {"postgresql", "postgres"} or not separator:
        raise ValueError("TIDEGATE_DATABASE_URL must look like postgresql://user:password@host:port/database")
    return f"postgresql+psycopg://{rest}"
