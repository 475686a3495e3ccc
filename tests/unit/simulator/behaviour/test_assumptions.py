"""Every number has a source and a grade of trust; what no source stands behind is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.simulator.behaviour.assumptions import FILE, Assumptions, load_assumptions
from services.simulator.behaviour.curves import LASTING
from services.simulator.behaviour.declining import DECLINES_BY_CODE
from services.simulator.behaviour.history import DECLINE_CLASSES


def file_with(change: Callable[[Any], object], folder: Path) -> Path:
    content = yaml.safe_load(FILE.read_text())
    change(content)
    changed = folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(content))
    return changed


def test_the_shipped_file_is_whole() -> None:
    assumptions = load_assumptions()
    assert assumptions.wallet.steepness == 6.0
    assert {claim.grade for claim in assumptions.claims} == {"A", "B"}
    assert all(claim.low <= claim.claim <= claim.high for claim in assumptions.claims)


def test_every_condition_has_codes_and_every_code_a_decline_and_a_class() -> None:
    known = load_assumptions()
    conditions = {*known.conditions.credit, *known.conditions.debit}
    assert {"brief_hold", "hold", "stolen"} <= conditions
    assert conditions <= LASTING | {"brief_hold", "hold"}
    tables = [
        known.codes.of(cause) for cause in (*conditions, "expired", "caution", "funds", "funds_hidden", "trouble")
    ]
    codes = {code for table in [*tables, known.fraud.codes] for code in table}
    assert codes <= set(DECLINES_BY_CODE)
    assert codes <= set(DECLINE_CLASSES)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda file: file["wallet"]["noise"].update(grade="C"), "grade"),
        (lambda file: file["wallet"]["noise"].pop("source"), "source"),
        (lambda file: file["wallet"]["noise"].update(source="hearsay"), "hearsay"),
        (lambda file: file["wallet"].update(noise=0.5), "noise"),
        (lambda file: file["wallet"].update(unused=file["wallet"]["noise"]), "unused"),
        (lambda file: file["claims"][0].update(grade="C"), "grade"),
    ],
    ids=["grade C", "no source", "unknown source", "a bare number", "a number nothing uses", "a claim of grade C"],
)
def test_what_has_no_source_or_grade_is_refused(change: Callable[[Any], object], told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        load_assumptions(file_with(change, tmp_path))


def test_a_changed_number_is_read(tmp_path: Path) -> None:
    changed = load_assumptions(file_with(lambda file: file["wallet"]["noise"].update(value=0.25), tmp_path))
    assert isinstance(changed, Assumptions)
    assert changed.wallet.noise == 0.25
