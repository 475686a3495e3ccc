"""Who asks the registry for a schema's id gets an answer, whatever the registry does."""

import socket
from contextlib import closing

import pytest

from services.runtime.errors import NeighbourUnavailableError
from services.runtime.registry import RegistrySchemaIds
from services.runtime.settings import RegistrySettings


@pytest.mark.timeout(30)
def test_a_registry_that_takes_calls_and_answers_none_is_given_up() -> None:
    """A consumer that waited for it would neither leave its group nor hear that it is to stop."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            closing(RegistrySchemaIds(RegistrySettings(schema_registry_url=url))) as registry,
            pytest.raises(NeighbourUnavailableError, match="ReadTimeout"),
        ):
            registry.latest("payments.normalized-value")
