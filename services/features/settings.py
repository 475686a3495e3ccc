"""Settings of the feature stream, from the environment; read by its entry point only."""

from pydantic import Field, SecretStr

from services.runtime.settings import TidegateSettings


class FeaturesSettings(TidegateSettings):
    """How one process works. Names in the environment: TIDEGATE_ and the field's name in capitals."""

    # The online store: Valkey, or anything that speaks Redis and runs its scripts on one node. May hold a password.
    redis_url: SecretStr
    # Most messages between two writes to the store.
    features_batch_records: int = Field(default=500, ge=1, le=5_000)
    # The flood limit: more than this many messages that cannot be read ...
    features_flood_failures: int = Field(default=100, ge=1)
    # ... among this many stop the process, loudly.
    features_flood_window: int = Field(default=1_000, ge=2)
