"""The values that plans are weighed by: sourced, in order, and of evidence that may be rested on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from services.inference.predictors.rules.recovery import HANDED_OVER
from services.inference.recovery_values import RECOVERY_VALUES, read_recovery_values
from services.inference.tables import RuleTableError


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
        (lambda rows: rows["margin"].update(low=0.9, value=0.5), "low must not be above value"),
        (lambda rows: rows["brings_card"].update(STOLEN=rows["margin"]), "brings_card"),
        (lambda rows: rows.pop("attempt_usd_cents"), "attempt_usd_cents"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    with pytest.raises(RuleTableError, match=told):
        read_recovery_values(changed(tmp_path, change))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleTableError, match=r"nowhere\.yaml"):
        read_recovery_values(tmp_path / "nowhere.yaml")
