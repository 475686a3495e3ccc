"""Decline codes: every one that Stripe has is classed, and the most telling one is kept."""

import json
from pathlib import Path

import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_AUTHENTICATION,
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_HARD,
    DECLINE_CLASS_INSUFFICIENT_FUNDS,
    DECLINE_CLASS_UNKNOWN,
)

from services.normalizer.declines import load_decline_classes, most_specific
from services.normalizer.mappings.stripe import DECLINE_CODES

CLASSES = load_decline_classes(DECLINE_CODES)
SHARED = Path(__file__).parents[4] / "shared" / "data"


def test_every_decline_code_of_stripe_has_a_class() -> None:
    enums = SHARED / "stripe" / "spec" / "enums_2026-08.json"
    if not enums.exists():
        pytest.skip(f"{enums} is absent")
    codes = json.loads(enums.read_text())["decline_codes"]
    assert len(codes) == 47
    assert set(codes) <= CLASSES.keys()


@pytest.mark.parametrize(
    ("code", "decline_class"),
    [
        ("insufficient_funds", DECLINE_CLASS_INSUFFICIENT_FUNDS),
        ("lost_card", DECLINE_CLASS_HARD),
        ("revocation_of_all_authorizations", DECLINE_CLASS_HARD),
        ("fraudulent", DECLINE_CLASS_FRAUD),
        ("highest_risk_level", DECLINE_CLASS_FRAUD),
        ("authentication_required", DECLINE_CLASS_AUTHENTICATION),
    ],
)
def test_codes_with_consequences_are_classed_right(code: str, decline_class: int) -> None:
    assert CLASSES[code] == decline_class


def test_no_known_code_is_of_unknown_class() -> None:
    assert DECLINE_CLASS_UNKNOWN not in CLASSES.values()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("{code: a, class: hard, source: nowhere}", "names no source"),
        ("{code: a, class: harder, source: s}", "HARDER"),
        ("{code: a, class: hard, source: s}\n  - {code: a, class: hard, source: s}", "comes twice"),
    ],
)
def test_a_row_that_is_wrong_is_refused(tmp_path: Path, row: str, complaint: str) -> None:
    file = tmp_path / "codes.yaml"
    file.write_text(f"sources: {{s: page}}\ncodes:\n  - {row}\n")
    with pytest.raises(ValueError, match=complaint):
        load_decline_classes(file)


@pytest.mark.parametrize(
    ("codes", "kept"),
    [
        (["insufficient_funds", "card_declined"], "insufficient_funds"),
        (["generic_decline", "expired_card"], "expired_card"),
        (["generic_decline", "card_declined"], "generic_decline"),
        ([None, "card_declined"], "card_declined"),
        (["card_declined", "generic_decline"], "generic_decline"),
        (["a_new_code", "insufficient_funds"], "a_new_code"),
        ([None, None], None),
    ],
)
def test_the_most_specific_code_is_kept(codes: list[str | None], kept: str | None) -> None:
    assert most_specific(codes) == kept
