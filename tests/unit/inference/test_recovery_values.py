"""The values that plans are weighed by: sourced, in order, and of evidence that may be rested on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from services.inference.case import CaseReader
from services.inference.predictors.models.recovery import RecoveryByValue
from services.inference.predictors.rules.recovery import HANDED_OVER, RecoveryRules
from services.inference.recovery_values import RECOVERY_VALUES, RecoveryValues, read_recovery_values
from services.inference.tables import RuleTableError
from tests.unit.inference.contexts import AT, TABLES, case, declined
from tests.unit.inference.test_recovery_value import answers


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    rows = yaml.safe_load(RECOVERY_VALUES.read_text())
    change(rows)
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(rows))
    return file


def test_every_class_that_a_customer_can_mend_has_a_share_who_do() -> None:
    listed = set(read_recovery_values().brings_card)
    assert listed == {number for number in DeclineClass.values() if number} - set(HANDED_OVER)


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    other = changed(tmp_path, lambda rows: rows["look_usd_cents"].update(value=300))
    assert read_recovery_values(other).version != read_recovery_values().version


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows["margin"].update(grade="C"), "margin.grade"),
        (lambda rows: rows["retries_hold"].update(low=0.9, value=0.5), "low must not be above value"),
        (lambda rows: rows["margin"].update(low=0.3, high=0.9), "margin.low"),
        (lambda rows: rows["brings_card"].update(STOLEN=rows["margin"]), "brings_card"),
        (lambda rows: rows.pop("attempt_usd_cents"), "attempt_usd_cents"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    with pytest.raises(RuleTableError, match=told):
        read_recovery_values(changed(tmp_path, change))


ROWS = yaml.safe_load(RECOVERY_VALUES.read_text())


@pytest.mark.parametrize(
    ("row", "number"),
    [(row, number) for row, numbers in ROWS.items() for number in ("value", "low", "high") if number in numbers],
)
def test_every_number_changes_a_plan(row: str, number: str) -> None:
    values = read_recovery_values()
    was = getattr(values, row)
    other = was.model_copy(update={number: getattr(was, number) / 4})
    assert plans(values) != plans(values.model_copy(update={row: other}))


def plans(values: RecoveryValues) -> list[tuple[object, ...]]:
    """Of payments that together ask for every number."""
    planner = RecoveryByValue(values, RecoveryRules(CaseReader(TABLES).declines, TABLES.version))
    asked = [
        (declined(recurring=True), answers(fraud=0.1)),
        (declined("incorrect_number", recurring=True), answers(first=None, churn=0.3)),
        (declined("incorrect_number", recurring=True), answers(first=None, churn=0.6)),
        (declined(amount_cents=2_000_000, recurring=True), answers(first=0.1, in_the_end=0.3, days=10)),
    ]
    made = [planner.plan([case(payment)], [told], AT)[0] for payment, told in asked]
    return [(plan.expected_recovered_cents, *map(str, (*plan.steps, *plan.reasons))) for plan in made]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleTableError, match=r"nowhere\.yaml"):
        read_recovery_values(tmp_path / "nowhere.yaml")
