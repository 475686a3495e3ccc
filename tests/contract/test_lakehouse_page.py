"""docs/lakehouse.md has every setting of the lakehouse with its default, and none that is gone."""

import re
from pathlib import Path
from types import NoneType

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from mlops.pipelines.settings import LakeSettings
from stack.lake import LAKE

PAGE = Path("docs/lakehouse.md").read_text()


def name_of(field: str, info: FieldInfo) -> str:
    """The variable that people set."""
    alias = info.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"TIDEGATE_{field.upper()}"


def default_of(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    return "not set" if isinstance(info.default, NoneType) else f"`{info.default}`"


def test_every_setting_has_a_row_with_its_default_and_every_row_a_setting() -> None:
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| .+ \|$", PAGE, re.MULTILINE))
    assert rows == {name_of(field, info): default_of(info) for field, info in LakeSettings.model_fields.items()}


def test_every_part_is_described_with_its_memory() -> None:
    described = set(re.findall(r"^\| `?([\w-]+)`?[^|]* \|", PAGE, re.MULTILINE))
    assert {program.name for program in LAKE} <= {name.lower() for name in described}
    memory = PAGE.partition("## Memory")[2].partition("## Settings")[0]
    assert [program.name for program in LAKE if f"| {program.name} |" not in memory] == []
