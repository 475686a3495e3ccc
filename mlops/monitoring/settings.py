"""Where the engines are, from the environment; read by the entry point only."""

import os
from pathlib import Path
from typing import Final

from mlops.monitoring.ports import UnavailableError

BROKERS: Final = "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"
PROPERTIES: Final = "TIDEGATE_KAFKA_PROPERTIES_FILE"
DATABASE: Final = "TIDEGATE_DATABASE_URL"


def kafka_config() -> dict[str, str]:
    """Configuration of librdkafka: the properties file's key=value lines, where one is named, and the brokers."""
    file = os.environ.get(PROPERTIES)
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines() if file else []
    except OSError as error:
        raise UnavailableError(f"{PROPERTIES}: {file} cannot be read ({error.strerror})") from error
    pairs = (line.partition("=") for line in map(str.strip, lines) if line and not line.startswith("#"))
    return {**{name.strip(): value.strip() for name, _, value in pairs}, "bootstrap.servers": _required(BROKERS)}


def database_url() -> str:
    """Of the role tidegate_monitor."""
    return _required(DATABASE)


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UnavailableError(
            f"{name} is not set: start the stack with `make up`, and read its addresses as the role that may write "
            'findings with `set -a; eval "$(python -m stack env monitor)"; set +a`'
        )
    return value
