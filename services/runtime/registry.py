"""Schema ids from a Confluent-compatible Schema Registry."""

import httpx2
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.settings import RegistrySettings

_NOT_FOUND = 404
# Without these the client waits for ever for a registry that takes calls and answers none, and for minutes in between:
# whoever asks here tries again anyway.
_PATIENCE = {"timeout": 3.0, "max.retries": 1}


class RegistrySchemaIds:
    """Asks the registry over HTTP. Safe to share between threads."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._url = settings.schema_registry_url
        self._client = SchemaRegistryClient({**settings.client_config(), **_PATIENCE})

    def latest(self, subject: str) -> int:
        """Id of the newest schema of a subject."""
        try:
            schema_id = self._client.get_latest_version(subject).schema_id
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                raise DeployStepMissingError(
                    f"no schema is registered under {subject} at {self._url}; run `make register`"
                ) from error
            raise self._unavailable(error) from error
        except (OSError, httpx2.HTTPError) as error:
            raise self._unavailable(error) from error
        if schema_id is None:
            raise NeighbourUnavailableError("schema registry", f"{self._url} named no id for {subject}")
        return int(schema_id)

    def belongs(self, schema_id: int, subject: str) -> bool:
        """Whether a schema id is a version of a subject."""
        try:
            return any(version.subject == subject for version in self._client.get_schema_versions(schema_id))
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return False
            raise self._unavailable(error) from error
        except (OSError, httpx2.HTTPError) as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        """Close the connections; ids already known stay known to their serdes."""
        self._client.close()

    def _unavailable(self, error: Exception) -> NeighbourUnavailableError:
        return NeighbourUnavailableError("schema registry", f"{self._url} answered {type(error).__name__}")
