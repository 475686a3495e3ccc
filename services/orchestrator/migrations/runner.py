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


def upgrade(database_url: str, revision: str = "head") -> str:
    """Bring a database to a version, in one transaction; returns the version it is at."""
    return _migrate(database_url, command.upgrade, revision)


def downgrade(database_url: str, revision: str) -> str:
    """Take a database back to an earlier version, in one transaction; returns the version it is at."""
    return _migrate(database_url, command.downgrade, revision)


def _migrate(database_url: str, move: Callable[[Config, str], None], revision: str) -> str:
    engine = create_engine(_sqlalchemy_url(database_url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        move(_config(connection), revision)
        return _version(connection)


def _version(connection: Connection) -> str:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision() or "empty"


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
