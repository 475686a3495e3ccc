"""Brings the schema `tidegate` up to date, as the owner role: `python -m services.orchestrator.migrations`."""

import sys

from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import SQLAlchemyError

from services.orchestrator.migrations.runner import upgrade
from services.orchestrator.settings import MigrationSettings
from services.runtime.settings import read_settings


def main() -> int:
    """Upgrade to the newest version; a failure is told in one line that says what to do."""
    settings = read_settings(MigrationSettings)
    try:
        version = upgrade(settings.database_url.get_secret_value(), on_wait=_tell_waiting)
    except SQLAlchemyError as error:
        # The driver's own words hold no password; SQLAlchemy's wrapper may repeat the statement.
        cause = error.__cause__ or error
        sys.stderr.write(f"the migration failed and was rolled back: {str(cause).strip()}\n")
        if isinstance(cause, LockNotAvailable):
            sys.stderr.write("a transaction holds one of the tables: let it end, and run this again\n")
        return 1
    sys.stdout.write(f"schema tidegate is at version {version}\n")
    return 0


def _tell_waiting() -> None:
    sys.stderr.write("waiting for another deployment\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
