from pathlib import Path

import pytest
import yaml
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_CARD_DATA,
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_GENERIC,
    DECLINE_CLASS_HARD,
    DECLINE_CLASS_INSUFFICIENT_FUNDS,
    DECLINE_CLASS_TRANSIENT,
    DECLINE_CLASS_UNKNOWN,
    DeclineClass,
)

from tests.unit.inference.contexts import READER, case, declined, payment

_ROOT = Path(__file__).parents[3]
DECLINES = READER.declines


@pytest.mark.parametrize("spelling", ["stolen_card", "STOLEN_CARD", "Stolen Card", " stolen-card "])
def test_a_code_is_read_in_the_spellings_of_all_providers(spelling: str) -> None:
    assert DECLINES.of_code(spelling).decline_class == DECLINE_CLASS_HARD


def test_a_code_that_no_table_knows_is_unknown_and_not_forbidden() -> None:
    assert case(declined("brand_new_code")).decline_class == DECLINE_CLASS_UNKNOWN
    assert case(declined("brand_new_code")).prohibition is None


def test_the_class_that_the_caller_states_wins_over_the_code() -> None:
    stated = declined("expired_card", decline_class=DECLINE_CLASS_TRANSIENT)
    assert case(stated).decline_class == DECLINE_CLASS_TRANSIENT


def test_a_vague_class_gives_way_to_the_networks_response_code() -> None:
    vague = declined("do_not_honor", decline_class=DECLINE_CLASS_GENERIC, network_decline_code="51")
    assert case(vague).decline_class == DECLINE_CLASS_INSUFFICIENT_FUNDS
    assert case(declined("do_not_honor")).decline_class == DECLINE_CLASS_GENERIC


@pytest.mark.parametrize(
    ("facts", "worst"),
    [
        ({"code": "stolen_card", "decline_class": DECLINE_CLASS_INSUFFICIENT_FUNDS}, DECLINE_CLASS_HARD),
        ({"code": "insufficient_funds", "decline_class": DECLINE_CLASS_HARD}, DECLINE_CLASS_HARD),
        ({"code": "insufficient_funds", "network_decline_code": "43"}, DECLINE_CLASS_HARD),
        ({"code": "fraudulent", "decline_class": DECLINE_CLASS_TRANSIENT}, DECLINE_CLASS_FRAUD),
        ({"code": "generic_decline", "network_decline_code": "59"}, DECLINE_CLASS_FRAUD),
    ],
)
def test_no_statement_makes_light_of_another_that_forbids(facts: dict[str, object], worst: int) -> None:
    judged = case(declined(**facts))  # type: ignore[arg-type]
    assert judged.decline_class == worst
    assert judged.prohibition is not None


def test_a_payment_without_a_failure_has_not_failed() -> None:
    assert not case(payment()).failed
    assert case(declined()).failed
    assert case(payment(network_decline_code="51")).failed
    assert case(payment(decline_class=DECLINE_CLASS_CARD_DATA)).failed


def test_every_code_means_the_same_here_as_in_the_normalizer() -> None:
    """Two services own a table each, since they share no payment words; the class must not depend on who is asked."""
    rows = yaml.safe_load((_ROOT / "services/normalizer/mappings/stripe/decline_codes.yaml").read_text())["codes"]
    theirs = {row["code"]: row["class"].upper() for row in rows}
    ours = {
        code: DeclineClass.Name(DECLINES.of_code(code).decline_class).removeprefix("DECLINE_CLASS_") for code in theirs
    }
    assert ours == theirs
