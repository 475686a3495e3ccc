"""The endpoint is configured by secrets, and off without them."""

import pytest

from services.gateway.settings import GatewaySettings
from services.runtime.settings import KafkaSettings, read_settings


@pytest.mark.parametrize("secret", [None, "", " ", ","])
def test_without_a_secret_the_endpoint_is_off(monkeypatch: pytest.MonkeyPatch, secret: str | None) -> None:
    monkeypatch.delenv("TIDEGATE_STRIPE_WEBHOOK_SECRET", raising=False)
    if secret is not None:
        monkeypatch.setenv("TIDEGATE_STRIPE_WEBHOOK_SECRET", secret)
    assert GatewaySettings().stripe_endpoint() is None


def test_several_secrets_are_accepted_during_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b")
    monkeypatch.setenv("TIDEGATE_STRIPE_DEFAULT_MERCHANT_ID", "shop")
    endpoint = GatewaySettings().stripe_endpoint()
    assert endpoint is not None
    assert [secret.value for secret in endpoint.secrets] == [b"whsec_a", b"whsec_b"]
    assert (endpoint.default_merchant_id, endpoint.tolerance_seconds) == ("shop", 300)


def test_the_broker_is_given_less_time_than_a_provider_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_GATEWAY_DELIVERY_TIMEOUT_MS", "30000")
    with pytest.raises(SystemExit, match="TIDEGATE_GATEWAY_DELIVERY_TIMEOUT_MS"):
        read_settings(GatewaySettings)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_STRIPE_WEBHOOK_SECRET", "whsec_sesame")
    settings = GatewaySettings()
    assert "sesame" not in repr(settings)
    assert "sesame" not in repr(settings.stripe_endpoint())


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEGATE_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(SystemExit, match="TIDEGATE_KAFKA_BOOTSTRAP_SERVERS: Field required"):
        read_settings(KafkaSettings)
