"""Signatures: the valid one is Stripe's, the others must be refused by whoever checks as Stripe's libraries do."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from services.simulator.signature import Signing, signature_header

BODY, SECRET, NOW = b'{"id": "evt_1"}', "whsec_test", 1_790_000_000
VECTORS = Path(__file__).resolve().parents[4] / "shared/data/stripe/signature_vectors/vectors.json"


def verifies(header: str | None, body: bytes, secret: str, now: int) -> bool:
    pairs = [part.split("=", 1) for part in (header or "").split(",") if "=" in part]
    times = [value for name, value in pairs if name == "t" and value.isdecimal()]
    if not times or abs(now - int(times[0])) > 300:
        return False
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(value, expected) for name, value in pairs if name == "v1")


def test_a_valid_signature_verifies() -> None:
    assert verifies(signature_header(BODY, SECRET, NOW, Signing.VALID), BODY, SECRET, NOW)


@pytest.mark.parametrize("signing", [signing for signing in Signing if signing is not Signing.VALID])
def test_every_other_signing_is_refused(signing: Signing) -> None:
    assert not verifies(signature_header(BODY, SECRET, NOW, signing), BODY, SECRET, NOW)


def test_it_agrees_with_a_published_signature() -> None:
    if not VECTORS.exists():
        pytest.skip("shared/data/stripe/signature_vectors is absent")
    golden = json.loads(VECTORS.read_text())["vectors"][0]
    ours = signature_header(golden["payload"].encode(), golden["secret"], golden["timestamp"], Signing.VALID)
    assert ours == golden["header"].rpartition(",v0=")[0]
