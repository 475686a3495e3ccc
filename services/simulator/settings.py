"""Settings of the simulator: where to post and with which secret."""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from services.runtime.settings import TidegateSettings

WEBHOOK_PATH = "/webhooks/stripe"
_REPOSITORY = Path(__file__).resolve().parents[2]

Settings = TypeVar("Settings", bound=TidegateSettings)


class SimulatorSettings(TidegateSettings):
    """Read from the environment, else from the running stack's `stack.env`."""

    # Base URL of the gateway.
    gateway_url: str | None = None
    # Comma-separated while a secret is rotated; the first one signs.
    stripe_webhook_secret: SecretStr | None = None

    @property
    def webhook_url(self) -> str | None:
        """The gateway's endpoint for Stripe; None where no gateway is configured."""
        return self.gateway_url and self.gateway_url.rstrip("/") + WEBHOOK_PATH

    @property
    def signing_secret(self) -> str | None:
        """The secret to sign with; None where none is configured."""
        if self.stripe_webhook_secret is None:
            return None
        return self.stripe_webhook_secret.get_secret_value().split(",")[0].strip()


class DemoSettings(SimulatorSettings):
    """What the demo looks at besides; addresses that only people use are shown where they are known."""

    database_url: str | None = None
    temporal_address: str | None = None
    temporal_ui_url: str | None = None
    inference_address: str | None = None
    inference_url: str | None = None
    schema_registry_url: str | None = None
    mlflow_url: str | None = None


def stack_env_file() -> Path:
    """Where `make up` writes the stack's addresses: below `$TIDEGATE_HOME`, else `.tidegate/` of the repository."""
    home = os.environ.get("TIDEGATE_HOME")
    return (Path(home).expanduser() if home else _REPOSITORY / ".tidegate") / "stack.env"


def from_stack(settings: type[Settings]) -> Settings:
    """Settings from the environment over the stack's file; ValueError where a required one is in neither."""
    return settings(_env_file=stack_env_file())  # type: ignore[call-arg]  # known to pydantic's mypy plugin only
