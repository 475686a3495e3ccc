from pathlib import Path

import pytest
from pydantic import ValidationError

from services.inference.settings import InferenceSettings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADDRESS", "URL", "BIND", "HTTP_BIND", "TLS_CERT", "TLS_KEY"):
        monkeypatch.delenv(f"TIDEGATE_INFERENCE_{name}", raising=False)


def test_what_callers_use_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_INFERENCE_ADDRESS", "127.0.0.1:6001")
    monkeypatch.setenv("TIDEGATE_INFERENCE_URL", "http://127.0.0.1:6002")
    settings = InferenceSettings()
    assert settings.grpc_bind == "127.0.0.1:6001"
    assert settings.http_host_port == ("127.0.0.1", 6002)


def test_another_address_can_be_bound_than_callers_use() -> None:
    settings = InferenceSettings(
        inference_address="inference:50051",
        inference_url="https://inference.example/api",
        inference_bind="10.0.0.7:50051",
        inference_http_bind="10.0.0.7:8090",
        inference_tls_cert=Path("cert.pem"),
        inference_tls_key=Path("key.pem"),
    )
    assert settings.grpc_bind == "10.0.0.7:50051"
    assert settings.http_host_port == ("10.0.0.7", 8090)
    assert settings.json_speaks_tls


def test_a_certificate_without_its_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="TIDEGATE_INFERENCE_TLS_KEY"):
        InferenceSettings(inference_tls_cert=Path("cert.pem"))


def test_https_without_a_certificate_is_refused() -> None:
    with pytest.raises(ValidationError, match="TIDEGATE_INFERENCE_TLS_CERT"):
        InferenceSettings(inference_url="https://127.0.0.1:8443")


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="http://"):
        InferenceSettings(inference_url="127.0.0.1:8090")
