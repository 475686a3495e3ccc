"""Settings of the feature repository, from the environment; read by its entry points only."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class FeatureRepoSettings(BaseSettings):
    """Where features are kept. Names in the environment: TIDEGATE_ and the field's name in capitals."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_", frozen=True)

    # The online store: Valkey, or anything that speaks Redis.
    redis_url: str = "redis://127.0.0.1:6379/0"
    # The offline store: a Parquet file for each view.
    features_folder: Path = Path(".tidegate/data/features")
    # What Feast knows of entities and views.
    feast_registry: Path = Path(".tidegate/data/feast/registry.db")
