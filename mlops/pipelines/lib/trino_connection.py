"""Connects to Trino as the settings say, and says what to do where it does not answer."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import trino.dbapi
from trino.auth import BasicAuthentication
from trino.exceptions import TrinoConnectionError, TrinoQueryError

from mlops.pipelines.lib.catalog import CATALOG, LakeUnavailableError
from mlops.pipelines.settings import LakeSettings, LakeSettingsError

# Of one request, not of a query: while one runs, Trino is asked again and again how far it is.
_SECONDS: Final = 300.0
_MOST_TOLD: Final = 120

Ask = Callable[[str], list[list[Any]]]
"""All rows of a statement, in the catalog of the lake. LakeUnavailableError."""


@contextmanager
def connected(settings: LakeSettings, what_for: str) -> Iterator[Ask]:
    """One session: what is set within it holds to its end.

    LakeSettingsError where no address is set, or an open one for a password.
    """
    if settings.trino_url is None:
        raise LakeSettingsError(
            f"TIDEGATE_TRINO_URL is not set: {what_for}; start Trino with `make up PROFILE=lake`, or name your own"
        )
    url, secret = urlsplit(settings.trino_url), settings.trino_password
    if secret and url.scheme != "https":
        raise LakeSettingsError("TIDEGATE_TRINO_PASSWORD goes over https alone, and TIDEGATE_TRINO_URL is not https")
    connect: Callable[..., Any] = trino.dbapi.connect
    connection = connect(
        host=url.hostname,
        port=url.port or (443 if url.scheme == "https" else 8080),
        http_scheme=url.scheme,
        user=settings.trino_user,
        auth=BasicAuthentication(settings.trino_user, secret.get_secret_value()) if secret else None,
        catalog=CATALOG,
        request_timeout=_SECONDS,
    )
    with closing(connection):
        yield lambda statement: _rows(connection, statement)


def quoted(text: str) -> str:
    """A literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _rows(connection: Any, statement: str) -> list[list[Any]]:
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        rows: list[list[Any]] = cursor.fetchall()
    except TrinoQueryError as error:
        raise LakeUnavailableError(f"Trino fails at `{statement.strip()[:_MOST_TOLD]}`: {error.message}") from error
    except (TrinoConnectionError, OSError) as error:
        raise LakeUnavailableError(
            f"Trino does not answer ({type(error).__name__}): `make status` tells whether it runs, TIDEGATE_TRINO_URL "
            "says where it is looked for"
        ) from error
    return rows
