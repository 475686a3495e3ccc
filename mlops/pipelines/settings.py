"""Where the lake and its engines are, from the environment; read by entry points only."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, cast

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_HOW_TO_SET: Final = (
    "start the stack with `make up PROFILE=lake`, and read its addresses with "
    '`set -a; eval "$(python -m stack env lake)"; set +a`; on your own cluster set them by hand'
)


class LakeSettingsError(Exception):
    """A setting is missing or wrong; the message says which, what it is for and never what it was."""


class CatalogAuth(StrEnum):
    """How the catalog knows who asks."""

    SIGV4 = "sigv4"  # SeaweedFS, S3 Tables, Glue: requests are signed with the S3 credentials
    OAUTH2 = "oauth2"  # Apache Polaris and the like: a client id and secret are exchanged for a token


class LakeSettings(BaseSettings):
    """Addresses and credentials; frozen. An empty variable is one that is not set."""

    model_config = SettingsConfigDict(
        env_prefix="TIDEGATE_", frozen=True, env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    # Base URL of the Iceberg REST catalog.
    catalog_url: str
    # What the catalog calls the warehouse: s3://<table bucket> (SeaweedFS), a catalog's name (Polaris).
    catalog_warehouse: str
    catalog_auth: CatalogAuth = CatalogAuth.SIGV4
    # Name of the service in the signature (sigv4).
    catalog_signing_name: str = "s3tables"
    # client_id:client_secret (oauth2).
    catalog_credential: SecretStr | None = None
    # What the token is asked for (oauth2), such as PRINCIPAL_ROLE:ALL.
    catalog_scope: str | None = None
    # Where tokens are asked for (oauth2), where that is not the catalog's own /v1/oauth/tokens.
    catalog_token_url: str | None = None
    # S3 endpoint; not set: Amazon's.
    s3_url: str | None = None
    s3_access_key_id: str | None = Field(None, validation_alias=AliasChoices("AWS_ACCESS_KEY_ID"))
    s3_secret_access_key: SecretStr | None = Field(None, validation_alias=AliasChoices("AWS_SECRET_ACCESS_KEY"))
    s3_region: str = Field("us-east-1", validation_alias=AliasChoices("AWS_DEFAULT_REGION", "AWS_REGION"))
    # PostgreSQL, as the role tidegate_lake.
    database_url: SecretStr | None = None
    kafka_bootstrap_servers: str | None = None
    kafka_properties_file: Path | None = None
    # Trino, where there is one: compaction and orphan clean-up are its work.
    trino_url: str | None = None
    trino_user: str = "tidegate"
    trino_password: SecretStr | None = None
    mlflow_url: str | None = None
    redis_url: SecretStr | None = None

    @model_validator(mode="after")
    def _credentials_fit(self) -> "LakeSettings":
        if self.catalog_auth is CatalogAuth.OAUTH2 and self.catalog_credential is None:
            raise ValueError("TIDEGATE_CATALOG_CREDENTIAL (client_id:client_secret) is needed with oauth2")
        if self.catalog_auth is CatalogAuth.SIGV4 and not (self.s3_access_key_id and self.s3_secret_access_key):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed with sigv4")
        return self

    def postgresql(self) -> str:
        """The database's URL, which holds a password; LakeSettingsError where it is not set."""
        if self.database_url is None:
            raise LakeSettingsError(f"TIDEGATE_DATABASE_URL (role tidegate_lake) is not set: {_HOW_TO_SET}")
        return self.database_url.get_secret_value()

    def kafka_config(self) -> dict[str, str]:
        """Configuration of librdkafka: the properties file's key=value lines, where one is named, and the brokers."""
        if self.kafka_bootstrap_servers is None:
            raise LakeSettingsError(f"TIDEGATE_KAFKA_BOOTSTRAP_SERVERS is not set: {_HOW_TO_SET}")
        return {**_properties(self.kafka_properties_file), "bootstrap.servers": self.kafka_bootstrap_servers}


def lake_settings() -> LakeSettings:
    """Read the environment; LakeSettingsError that names what is missing or wrong, without its value."""
    try:
        return cast("Callable[[], LakeSettings]", LakeSettings)()
    except ValidationError as error:
        faults = "; ".join(_told(each["loc"], each["msg"]) for each in error.errors(include_input=False))
        raise LakeSettingsError(f"{faults}. To set them: {_HOW_TO_SET}") from None


def _told(location: tuple[int | str, ...], message: str) -> str:
    words = message.removeprefix("Value error, ")
    if not location:
        return words
    name = str(location[0])
    return f"{name if name.startswith('AWS_') else f'TIDEGATE_{name.upper()}'}: {words}"


def _properties(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise LakeSettingsError(f"TIDEGATE_KAFKA_PROPERTIES_FILE: {file} cannot be read ({error.strerror})") from error
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
