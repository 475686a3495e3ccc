"""Settings come from the environment under the names of the stack file."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.runtime.settings import KafkaSettings, ProcessSettings, RegistrySettings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("TIDEGATE_KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("TIDEGATE_SCHEMA_REGISTRY_URL", "http://registry")
    return monkeypatch


def test_a_properties_file_reaches_every_client(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("# cloud\nsecurity.protocol=SASL_SSL\n\nsasl.password = a=b\n")
    environment.setenv("TIDEGATE_KAFKA_PROPERTIES_FILE", str(file))
    assert KafkaSettings().client_config() == {  # type: ignore[call-arg]
        "bootstrap.servers": "broker:9092",
        "security.protocol": "SASL_SSL",
        "sasl.password": "a=b",
    }


def test_a_registry_password_is_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TIDEGATE_SCHEMA_REGISTRY_AUTH", "user:hunter2")
    settings = RegistrySettings()  # type: ignore[call-arg]
    assert "hunter2" not in repr(settings)
    assert settings.client_config()["basic.auth.user.info"] == "user:hunter2"


def test_a_missing_address_is_named() -> None:
    with pytest.raises(ValidationError, match="kafka_bootstrap_servers"):
        KafkaSettings()  # type: ignore[call-arg]


def test_settings_do_not_change(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        ProcessSettings().instance = "other"
