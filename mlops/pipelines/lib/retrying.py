"""Which failures of a step are worth another try: a neighbour that is away comes back, bad data stays bad."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

AGAIN: Final = dg.RetryPolicy(max_retries=4, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""After 5, 15, 35 and 75 s, each five more or less."""


@contextmanager
def only_neighbours_again() -> Iterator[None]:
    """Let the retry policy see what is away; whatever else goes wrong fails the step at once, in its own words.

    Around a whole step, as its decorator: an import or a setting that fails within it is no neighbour that is away.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except Exception as error:
        if is_away(error):
            raise
        raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error


def is_away(error: Exception) -> bool:
    """Whether a neighbour did not answer. Asked of an error and not before: those imports take seconds."""
    from pyiceberg.exceptions import ServerError, ServiceUnavailableError, TooManyRequestsError
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import TimeoutError as RedisTimeoutError
    from requests.exceptions import RequestException

    from mlops.monitoring.ports import UnavailableError
    from mlops.pipelines.lib.catalog import LakeUnavailableError
    from mlops.pipelines.lib.database import IngestRunningError
    from mlops.registry.ports import RegistryError

    away = (
        *(ConnectionError, TimeoutError, RequestException, RedisConnectionError, RedisTimeoutError),
        *(ServerError, ServiceUnavailableError, TooManyRequestsError),
        *(IngestRunningError, LakeUnavailableError, RegistryError, UnavailableError),
    )
    return isinstance(error, away)
