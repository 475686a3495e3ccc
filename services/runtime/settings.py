"""Settings that several services read from the environment, under the names of the stack file."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException, Producer
from pydantic import SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

# What producers start from, unless the properties file says otherwise. A key's partition is the one that Kafka's own
# clients, Kafka Streams and ksqlDB compute, so that topics can be joined with ours; librdkafka's default is another.
PRODUCER_DEFAULTS: Final[Mapping[str, str]] = {"partitioner": "murmur2_random"}


class TidegateSettings(BaseSettings):
    """Base of every settings class: frozen, prefixed TIDEGATE_, empty means unset."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_", frozen=True, env_ignore_empty=True, extra="ignore")


class ProcessSettings(TidegateSettings):
    """How one process presents itself."""

    # Name of this process among its peers, such as "normalizer-1".
    instance: str = "local"
    # Lowest level that is logged.
    log_level: str = "INFO"
    # Address that /metrics, /healthz and /readyz are bound to: 0.0.0.0 where probes come from outside (Kubernetes).
    metrics_host: str = "127.0.0.1"
    # Port of /metrics, /healthz and /readyz, for processes that are no HTTP servers; 0 takes any free one.
    metrics_port: int = 0


class KafkaSettings(TidegateSettings):
    """How to reach Kafka."""

    # host:port, comma-separated.
    kafka_bootstrap_servers: str
    # File of librdkafka's own settings (key=value a line), for TLS, SASL and the like against one's own cluster.
    kafka_properties_file: Path | None = None

    @field_validator("kafka_properties_file")
    @classmethod
    def _is_understood(cls, file: Path | None) -> Path | None:
        """Find out here what librdkafka would refuse later, of each client anew."""
        if file is not None and (fault := _refused(_properties(file))):
            raise ValueError(
                f"librdkafka does not take {file}: {fault}; its CONFIGURATION.md lists the names and values"
            )
        return file

    def client_config(self) -> dict[str, Any]:
        """Configuration every librdkafka client starts from, without a producer's own: consumers would warn of it."""
        return {name: value for name, value in self.producer_config().items() if name not in PRODUCER_DEFAULTS}

    def producer_config(self) -> dict[str, Any]:
        """Configuration every librdkafka producer starts from."""
        file = self.kafka_properties_file
        properties = {} if file is None else _properties(file)
        return {**PRODUCER_DEFAULTS, **properties, "bootstrap.servers": self.kafka_bootstrap_servers}


def _properties(file: Path) -> dict[str, str]:
    """The key=value lines of a file; ValueError, which repeats no line, where it cannot be read so."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ValueError(f"{file} cannot be read ({reason}); name a file that this process may read") from None
    properties = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"line {number} of {file} is no key=value; correct it, or begin it with #")
        properties[name.strip()] = value.strip()
    return properties


def _refused(properties: Mapping[str, str]) -> str | None:
    """Why librdkafka refuses these properties, without their values. Without servers the client calls nobody."""
    calling_nobody = {name: value for name, value in properties.items() if name != "bootstrap.servers"}
    try:
        Producer({**calling_nobody, "logger": logging.getLogger("librdkafka")})
    except KafkaException as error:
        told = str(error.args[0].str())
        for value in filter(None, properties.values()):
            told = told.replace(f'"{value}"', "its value")
        return told
    return None


class RegistrySettings(TidegateSettings):
    """How to reach the Schema Registry."""

    # Confluent-compatible base URL.
    schema_registry_url: str
    # user:password, where the registry asks for it.
    schema_registry_auth: SecretStr | None = None

    def client_config(self) -> dict[str, Any]:
        """Configuration of Confluent's registry client."""
        config: dict[str, Any] = {"url": self.schema_registry_url}
        if self.schema_registry_auth is not None:
            config["basic.auth.user.info"] = self.schema_registry_auth.get_secret_value()
        return config


S = TypeVar("S", bound=TidegateSettings)


def read_settings(settings_type: type[S]) -> S:
    """Read settings from the environment; end the process with the names of those that are missing or wrong.

    The wrong values themselves are not told: one of them may be a secret.
    """
    try:
        return settings_type()
    except ValidationError as error:
        faults = [_told(details) for details in error.errors()]
        listed = faults[0] if len(faults) == 1 else "".join(f"\n  {fault}" for fault in faults)
        raise SystemExit(f"settings are missing or wrong in the environment: {listed}") from None


def _told(details: ErrorDetails) -> str:
    name = f"TIDEGATE_{'.'.join(map(str, details['loc'])).upper()}"
    return f"{name}: {details['msg'].removeprefix('Value error, ')}"
