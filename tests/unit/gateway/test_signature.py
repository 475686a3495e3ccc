"""Only Stripe's own signature over the exact bytes, in time, opens the endpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.providers.stripe import Proof, SigningSecret, parse_signature, signing_secrets, verify
from tests.unit.gateway.events import NOW_SECONDS, SECRET, header, sign

BODY = b'{"id": "evt_1"}'
SECRETS = signing_secrets(SECRET)
VECTORS = Path(__file__).parents[4] / "shared/data/stripe/signature_vectors/vectors.json"


def check(signature: bytes | None, body: bytes = BODY, secrets: tuple[SigningSecret, ...] = SECRETS) -> Proof | str:
    return verify(signature, body, secrets, received_at=NOW_SECONDS, tolerance_seconds=300)


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no published vectors at {VECTORS}"))]
    return [pytest.param(vector, id=vector["name"]) for vector in json.loads(VECTORS.read_text())["vectors"]]


@pytest.mark.parametrize("vector", vectors())
def test_every_published_vector_is_judged_as_its_publisher_does(vector: dict[str, Any]) -> None:
    judged = verify(
        vector["header"].encode(),
        vector["payload"].encode(),
        signing_secrets(vector["secret"]),
        received_at=vector["check_at"],
        tolerance_seconds=vector["tolerance"],
    )
    assert isinstance(judged, Proof) == vector["valid"]


def test_a_valid_signature_tells_which_secret_and_when() -> None:
    assert check(header(BODY)) == Proof(SECRETS[0].key_id, NOW_SECONDS)


def test_during_a_rotation_either_secret_verifies_and_is_named() -> None:
    rotated = signing_secrets(f"{SECRET},whsec_second")
    for number, secret in enumerate([SECRET, "whsec_second"]):
        assert check(header(BODY, secret), secrets=rotated) == Proof(rotated[number].key_id, NOW_SECONDS)


def test_any_of_several_v1_signatures_accepts() -> None:
    wrong = "0" * 64
    assert isinstance(check(f"t={NOW_SECONDS},v1={wrong},v1={sign(BODY)},v1={wrong}".encode()), Proof)


def test_a_v0_signature_alone_is_refused() -> None:
    assert check(f"t={NOW_SECONDS},v0={sign(BODY)}".encode()) == "signature_malformed"


@pytest.mark.parametrize("offset", [-300, 0, 300])
def test_a_signing_time_up_to_300_seconds_off_is_accepted(offset: int) -> None:
    assert isinstance(check(header(BODY, at=NOW_SECONDS + offset)), Proof)


@pytest.mark.parametrize("offset", [-86_400, -301, 301, 31_536_000])
def test_a_signing_time_further_off_in_either_direction_is_refused(offset: int) -> None:
    assert check(header(BODY, at=NOW_SECONDS + offset)) == "outside_tolerance"


@pytest.mark.parametrize(
    "malformed",
    [
        b"t",
        b",,",
        b"=",
        b"t=,v1=00",
        b"v1=00",
        b"t=1_763_870_000,v1=00",
        b"t=+1763870000,v1=00",
        b"t=1763870000.5,v1=00",
        b"t=0x10,v1=00",
        "t=١٧٦,v1=00".encode(),
        b"t=999999999999,v1=00",
        b"t=1763870000",
        b"t=1763870000,t=1763870000,v1=00",
        b"t=1763870000;v1=00",
        b"\xff\xfe",
    ],
)
def test_a_malformed_header_is_refused(malformed: bytes) -> None:
    assert check(malformed) == "signature_malformed"


@pytest.mark.parametrize("missing", [None, b""])
def test_no_header_is_refused(missing: bytes | None) -> None:
    assert check(missing) == "signature_missing"


def test_an_empty_signature_is_refused() -> None:
    assert check(f"t={NOW_SECONDS},v1=".encode()) == "signature_wrong"


def test_blanks_between_the_parts_do_no_harm() -> None:
    assert isinstance(check(f"t={NOW_SECONDS} , v1={sign(BODY)}".encode()), Proof)


@pytest.mark.parametrize("setting", ["", " ", ",", " , ,"])
def test_a_blank_setting_holds_no_secret(setting: str) -> None:
    assert signing_secrets(setting) == ()


def test_without_a_secret_nothing_verifies_not_even_an_empty_key() -> None:
    assert check(header(BODY, secret=""), secrets=signing_secrets(" ,")) == "signature_wrong"


def test_a_secret_is_not_shown() -> None:
    assert SECRET not in repr(SECRETS)


@given(body=st.binary(max_size=200), other=st.binary(max_size=200))
def test_a_signature_verifies_its_own_bytes_and_no_others(body: bytes, other: bytes) -> None:
    assert isinstance(check(header(body), body=other), Proof) == (body == other)


@given(position=st.integers(0, 63), digit=st.sampled_from("0123456789abcdef"))
def test_changing_a_digit_of_a_signature_breaks_it(position: int, digit: str) -> None:
    valid = sign(BODY)
    changed = valid[:position] + digit + valid[position + 1 :]
    assert isinstance(check(f"t={NOW_SECONDS},v1={changed}".encode()), Proof) == (changed == valid)


@given(st.binary(max_size=120))
def test_no_header_crashes_the_parser(junk: bytes) -> None:
    parsed = parse_signature(junk)
    assert parsed is None or parsed[0].isdigit()
