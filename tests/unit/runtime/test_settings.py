"""Settings come from the environment under the names of the stack file."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.runtime.settings import KafkaSettings, ProcessSettings, RegistrySettings, read_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("TIDEGATE_KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("TIDEGATE_SCHEMA_REGISTRY_URL", "http://registry")
    return monkeypatch


def test_a_properties_file_reaches_every_client(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text(
        "# cloud\nsecurity.protocol=SASL_SSL\n\nsasl.mechanisms=PLAIN\nsasl.username=u\nsasl.password = a=b\n"
    )
    environment.setenv("TIDEGATE_KAFKA_PROPERTIES_FILE", str(file))
    assert KafkaSettings().client_config() == {  # type: ignore[call-arg]
        "bootstrap.servers": "broker:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "a=b",
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"security.protocol=SASL_SSL\nsasl.usrname=jane", 'No such configuration property: "sasl.usrname"'),
        (b"security.protocol=hunter2", "security.protocol"),
        (b"ssl.ca.location=/nowhere/ca.pem\nsecurity.protocol=SSL", "ssl.ca.location"),
        (b"# ours\nsasl.password hunter2", "line 2 of"),
        (b"=hunter2", "line 1 of"),
        (b"\xff\xfe", "it is no text in UTF-8"),
        (None, "No such file or directory"),
    ],
)
def test_a_properties_file_of_no_use_ends_the_process_with_one_line_that_names_it(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, told: str
) -> None:
    file = tmp_path / "client.properties"
    if content is not None:
        file.write_bytes(content)
    environment.setenv("TIDEGATE_KAFKA_PROPERTIES_FILE", str(file))
    with pytest.raises(SystemExit) as ended:
        read_settings(KafkaSettings)
    line = str(ended.value)
    assert "\n" not in line
    assert "hunter2" not in line
    for part in (told, "TIDEGATE_KAFKA_PROPERTIES_FILE: ", str(file)):
        assert part in line


def test_several_faults_are_told_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_KAFKA_PROPERTIES_FILE", "/nowhere")
    with pytest.raises(
        SystemExit, match=r"\n  TIDEGATE_KAFKA_BOOTSTRAP_SERVERS: .*\n  TIDEGATE_KAFKA_PROPERTIES_FILE: "
    ):
        read_settings(KafkaSettings)


def test_producers_alone_get_kafkas_own_partitioner(environment: pytest.MonkeyPatch) -> None:
    settings = read_settings(KafkaSettings)
    assert settings.producer_config() == {"bootstrap.servers": "broker:9092", "partitioner": "murmur2_random"}
    assert settings.client_config() == {"bootstrap.servers": "broker:9092"}


def test_the_properties_file_may_name_another_partitioner(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("partitioner=consistent_random")
    environment.setenv("TIDEGATE_KAFKA_PROPERTIES_FILE", str(file))
    settings = read_settings(KafkaSettings)
    assert settings.producer_config()["partitioner"] == "consistent_random"
    assert "partitioner" not in settings.client_config()


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
