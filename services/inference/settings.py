"""Settings of the inference process, from the environment."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from services.inference.recovery_values import RECOVERY_VALUES
from services.inference.tables import DECLINE_RULES, NETWORK_RULES
from services.runtime.settings import TidegateSettings

_SCHEMES = {"http": 80, "https": 443}


class InferenceSettings(TidegateSettings):
    """Where to listen, which rule tables hold, and where features and models are."""

    # host:port at which callers reach gRPC; bound as well unless inference_bind says otherwise.
    inference_address: str = "127.0.0.1:50051"
    # Base URL at which callers reach JSON; bound as well unless inference_http_bind says otherwise. https speaks TLS.
    inference_url: str = "http://127.0.0.1:8081"
    # host:port to bind for gRPC where callers use another name, such as 0.0.0.0:50051 in a container.
    inference_bind: str | None = None
    # The same for JSON.
    inference_http_bind: str | None = None
    # PEM files of certificate chain and key: gRPC speaks TLS when both are set.
    inference_tls_cert: Path | None = None
    inference_tls_key: Path | None = None
    # How long to go on answering after health says NOT_SERVING, so that callers turn away first.
    inference_drain_seconds: Annotated[float, Field(ge=0)] = 0.5
    # How long calls in flight may take to finish after that.
    inference_grace_seconds: Annotated[float, Field(ge=0)] = 10.0
    # Rule tables that replace the project's own.
    network_rules_file: Path = NETWORK_RULES
    decline_rules_file: Path = DECLINE_RULES
    # What recovery plans are weighed by: one's own costs in place of the project's assumptions.
    recovery_values_file: Path = RECOVERY_VALUES
    # The online store of features: Valkey, or anything that speaks Redis. Unset: models that need features fall back.
    redis_url: SecretStr | None = None
    # How long one call waits for its features.
    inference_feature_timeout_ms: Annotated[int, Field(ge=1, le=10_000)] = 40
    # Unanswered reads in a row after which the store is not asked until it answers a probe.
    inference_feature_failures: Annotated[int, Field(ge=1)] = 5
    # Base URL of the model registry. Unset: rules answer.
    mlflow_url: str | None = None
    # user:password, where MLflow asks for it.
    mlflow_auth: SecretStr | None = None
    # How often it is asked which versions are to serve.
    inference_model_poll_seconds: Annotated[float, Field(gt=0)] = 3.0
    # Folder where fetched models are kept: with it a restart needs no MLflow.
    inference_model_folder: Path = Path(".cache/models")
    # Where the prediction log goes, with the registry of its schema; unset: there is none, and no challenger is asked.
    kafka_bootstrap_servers: str | None = None
    schema_registry_url: str | None = None

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.inference_tls_cert is None) != (self.inference_tls_key is None):
            raise ValueError("set both TIDEGATE_INFERENCE_TLS_CERT and TIDEGATE_INFERENCE_TLS_KEY, or neither")
        scheme = urlsplit(self.inference_url).scheme
        if scheme not in _SCHEMES:
            raise ValueError("TIDEGATE_INFERENCE_URL starts with http:// or https://")
        if scheme == "https" and self.inference_tls_cert is None:
            raise ValueError("TIDEGATE_INFERENCE_URL is https: set TIDEGATE_INFERENCE_TLS_CERT and _KEY")
        self._http_bind()
        return self

    @property
    def grpc_bind(self) -> str:
        """host:port to bind for gRPC."""
        return self.inference_bind or self.inference_address

    @property
    def http_host_port(self) -> tuple[str, int]:
        """Host and port to bind for JSON."""
        return self._http_bind()

    @property
    def mlflow_credentials(self) -> tuple[str, str] | None:
        """User and password."""
        if self.mlflow_auth is None:
            return None
        user, _, password = self.mlflow_auth.get_secret_value().partition(":")
        return user, password

    @property
    def json_speaks_tls(self) -> bool:
        """Whether JSON is served over TLS."""
        return urlsplit(self.inference_url).scheme == "https"

    def _http_bind(self) -> tuple[str, int]:
        parts = urlsplit(self.inference_url if self.inference_http_bind is None else f"//{self.inference_http_bind}")
        if not parts.hostname:
            raise ValueError("TIDEGATE_INFERENCE_URL or TIDEGATE_INFERENCE_HTTP_BIND names no host to bind")
        return parts.hostname, parts.port if parts.port is not None else _SCHEMES.get(parts.scheme, 80)
