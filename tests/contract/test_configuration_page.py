"""docs/configuration.md has every setting with its default, and none that is gone."""

import importlib
import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from services.runtime.settings import TidegateSettings

PAGE = Path("docs/configuration.md").read_text()
# The simulator reads what the stack wrote: nothing of it is to be configured.
SERVICES = ("runtime", "gateway", "normalizer", "features", "orchestrator", "inference")


def settings() -> dict[str, object]:
    found: dict[str, object] = {}
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.settings")
        kinds = [
            kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, TidegateSettings)
        ]
        for kind in kinds:
            found |= {f"TIDEGATE_{name.upper()}": field.default for name, field in kind.model_fields.items()}
    return found


def rows() -> dict[str, str]:
    return dict(
        re.findall(r"^\| `(TIDEGATE_\w+)` \| (.+?) \|", PAGE.partition("## The embedded stack")[0], re.MULTILINE)
    )


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert set(rows()) == set(settings())


def test_the_defaults_are_true() -> None:
    wrong = {
        name: (default, rows()[name])
        for name, default in settings().items()
        if not isinstance(default, Path | None | type(PydanticUndefined)) and f"`{default}`" != rows()[name]
        if rows()[name] != "required"
    }
    assert wrong == {}


def test_every_row_says_what_it_means() -> None:
    empty = re.findall(r"^\| `(TIDEGATE_\w+)` \| [^|]+ \| +\|$", PAGE, re.MULTILINE)
    assert empty == []
