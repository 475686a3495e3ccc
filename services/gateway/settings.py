"""What the gateway reads from the environment."""

from pydantic import Field, SecretStr

from services.gateway.handler import StripeEndpoint
from services.gateway.providers.stripe import signing_secrets
from services.runtime.settings import ProcessSettings


class GatewaySettings(ProcessSettings):
    """One gateway process, under TIDEGATE_ names."""

    # Address to listen on.
    gateway_host: str = "127.0.0.1"
    # Port to listen on; 0 takes any free one.
    gateway_port: int = Field(default=8080, ge=0, le=65535)

    # Signing secrets of the Stripe endpoint, comma-separated during a rotation. Unset or blank: the endpoint is off.
    stripe_webhook_secret: SecretStr | None = None
    # merchant_id of events that name neither a Connect account nor a merchant in their metadata.
    stripe_default_merchant_id: str = Field(default="default", min_length=1, max_length=128)
    # How far a signing time may lie from the time of receipt.
    stripe_tolerance_seconds: int = Field(default=300, ge=1)

    # Longest body that is read; the contracts take no longer one.
    gateway_max_body_bytes: int = Field(default=1_048_576, ge=1, le=1_048_576)
    # How long a request's head may take to come in, and then its body.
    gateway_head_timeout_seconds: float = Field(default=10.0, gt=0)
    gateway_body_timeout_seconds: float = Field(default=15.0, gt=0)
    # Connections that may be open at a time; beyond it the answer is 503. Each takes an open file.
    gateway_max_connections: int = Field(default=900, ge=1)
    # How long the broker may take to acknowledge; below the 20 s after which providers give a delivery up.
    gateway_delivery_timeout_ms: int = Field(default=10_000, ge=100, le=18_000)
    # When a provider that got a 503 should come again.
    gateway_retry_after_seconds: int = Field(default=15, ge=1)
    # Webhooks that may wait for the broker at a time, and their bodies together; beyond either the answer is 503.
    # Bodies that are still coming in may take as many bytes again.
    gateway_max_in_flight: int = Field(default=2_000, ge=1)
    gateway_max_in_flight_bytes: int = Field(default=64 * 1_048_576, ge=1_048_576)
    # Series of tidegate_contract_drift_total; the rest is counted as "(other)".
    gateway_drift_series: int = Field(default=2_000, ge=1)
    # After SIGTERM: how long answers still ask clients to close their connections, then how long to wait for the rest.
    gateway_drain_seconds: float = Field(default=1.0, ge=0)
    gateway_shutdown_seconds: int = Field(default=20, ge=1)

    def stripe_endpoint(self) -> StripeEndpoint | None:
        """How the Stripe endpoint is configured, or None where it is off."""
        setting = self.stripe_webhook_secret
        secrets = signing_secrets(setting.get_secret_value()) if setting is not None else ()
        if not secrets:
            return None
        return StripeEndpoint(secrets, self.stripe_default_merchant_id, self.stripe_tolerance_seconds)
