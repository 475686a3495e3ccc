"""Asks the mart that dashboards read for its totals, by currency."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import trino.dbapi
from trino.auth import BasicAuthentication

from mlops.pipelines.lib.truth import FIGURES
from mlops.pipelines.settings import LakeSettings, LakeSettingsError

_QUERY_SECONDS: Final = 120.0
_QUERY: Final = """
    SELECT currency, sum(payments), sum(captured_cents), sum(refunded_cents), sum(disputed_cents)
    FROM lake.marts.payment_performance GROUP BY currency
"""


def mart_totals(settings: LakeSettings) -> dict[tuple[str, str], int]:
    """By currency and figure."""
    if settings.trino_url is None:
        raise LakeSettingsError("TIDEGATE_TRINO_URL is not set: the marts are read through Trino")
    url, secret = urlsplit(settings.trino_url), settings.trino_password
    connect: Callable[..., Any] = trino.dbapi.connect
    with connect(
        host=url.hostname,
        port=url.port,
        http_scheme=url.scheme,
        user=settings.trino_user,
        auth=BasicAuthentication(settings.trino_user, secret.get_secret_value()) if secret else None,
        request_timeout=_QUERY_SECONDS,
    ) as connection:
        rows = connection.cursor().execute(_QUERY).fetchall()
    return {(row[0], figure): int(value) for row in rows for figure, value in zip(FIGURES, row[1:], strict=True)}
