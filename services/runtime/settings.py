"""Settings that several services read from the environment, under the names of the stack file."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


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

    def client_config(self) -> dict[str, Any]:
        """Configuration every librdkafka client starts from."""
        return {**self._properties(), "bootstrap.servers": self.kafka_bootstrap_servers}

    def _properties(self) -> dict[str, str]:
        if self.kafka_properties_file is None:
            return {}
        lines = (line.strip() for line in self.kafka_properties_file.read_text().splitlines())
        pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
        return {key.strip(): value.strip() for key, _, value in pairs}


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
        lines = [f"  TIDEGATE_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise SystemExit("settings are missing or wrong in the environment:\n" + "\n".join(lines)) from None
