"""What the orchestrator reads from its environment."""

from pathlib import Path

from pydantic import Field, SecretStr

from services.runtime.settings import TidegateSettings


class MigrationSettings(TidegateSettings):
    """How the migrations reach PostgreSQL: as the owner role."""

    # postgresql://user:password@host:port/database
    database_url: SecretStr


class DatabaseSettings(TidegateSettings):
    """How the orchestrator reaches PostgreSQL: as the writer role."""

    # postgresql://user:password@host:port/database
    database_url: SecretStr
    # Most events that are written in one transaction.
    persist_batch_rows: int = Field(default=500, ge=1, le=10_000)


class TemporalSettings(TidegateSettings):
    """How to reach Temporal."""

    # host:port of the front end.
    temporal_address: str
    temporal_namespace: str = "default"
    temporal_tls: bool = False
    # For Temporal Cloud; implies TLS.
    temporal_api_key: SecretStr | None = None


class InferenceSettings(TidegateSettings):
    """How to reach the inference service over gRPC."""

    # Where it listens, as host:port.
    inference_address: str
    # Certificate of the authority that signed the server's; TLS is used exactly when it is set.
    inference_tls_ca: Path | None = None
    # How long one assessment may take.
    inference_timeout_ms: int = Field(default=2_000, ge=1)
    # How long no workflow is started while inference is away; after that events are decided without it, degraded.
    inference_patience_seconds: float = Field(default=60.0, ge=0)


class OrchestratorSettings(TidegateSettings):
    """How much the orchestrator takes on at once."""

    consumer_group: str = "orchestrator"
    # Workflows started by this process and not finished; at this bound it stops reading.
    workflows_in_flight: int = Field(default=100, ge=1, le=10_000)
    # Undecodable messages in a row of `poison_window` that stop the process loudly.
    poison_limit: int = Field(default=100, ge=1)
    poison_window: int = Field(default=1_000, ge=1)
    # How long a stopping process waits for its workflows; what is left goes on in another process.
    drain_timeout_seconds: float = Field(default=10.0, ge=0)
    # Names the relay to Kafka: one name for all processes of an installation, another for the next on the same cluster.
    relay_transactional_id: str = "tidegate-decision-relay"
    # Most decisions that are published in one transaction.
    relay_batch_rows: int = Field(default=500, ge=1, le=10_000)
