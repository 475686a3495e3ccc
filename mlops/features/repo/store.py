"""Opens Feast's store as feature_store.yaml and the settings say."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlops.features.repo.settings import FeatureRepoSettings

REPO = Path(__file__).parent
_PORT = 6379


class RedisUrlError(ValueError):
    """A URL that Feast's form of an address cannot hold."""


def environment(settings: FeatureRepoSettings) -> Mapping[str, str]:
    """What feature_store.yaml takes from the environment."""
    return {
        "TIDEGATE_FEAST_REGISTRY": str(settings.feast_registry.absolute()),
        "TIDEGATE_FEAST_REDIS": connection_string(settings.redis_url),
        "TIDEGATE_FEATURES_FOLDER": str(settings.features_folder.absolute()),
    }


def connection_string(redis_url: str) -> str:
    """Feast's form of `redis://user:password@host:port/db`; RedisUrlError."""
    url = urlsplit(redis_url)
    if url.scheme not in {"redis", "rediss"} or not url.hostname:
        raise RedisUrlError("TIDEGATE_REDIS_URL is no address; write redis://host:port/db, or rediss:// for TLS")
    parameters = {
        "db": url.path.strip("/") or "0",
        "ssl": "true" if url.scheme == "rediss" else "",
        "username": unquote(url.username or ""),
        "password": unquote(url.password or ""),
    }
    if any("," in value for value in parameters.values()):
        raise RedisUrlError("Feast separates an address at commas; choose a user and a password without one")
    given = (f"{name}={value}" for name, value in parameters.items() if value)
    return ",".join((f"{url.hostname}:{url.port or _PORT}", *given))
