"""Writes docs/features.md from the catalog: `python -m mlops.features.page`, part of `make gen`."""

from pathlib import Path
from string import Template
from typing import Final

from mlops.features.attempts import ONE_ATTEMPT_US
from mlops.features.catalog import FEATURES, VIEWS, View
from mlops.features.state import ATTEMPTS_KEPT_US, HOURS_KEPT, MOST_ATTEMPTS, MOST_MARKS, MOST_OPEN, MOST_SEEN
from mlops.features.windows import DAY_US, SECOND_US

PAGE: Final = Path("docs/features.md")

_TEMPLATE: Final = Path(__file__).with_suffix(".md")


def page() -> str:
    """The whole page."""
    return Template(_TEMPLATE.read_text()).substitute(
        features=len(FEATURES),
        one_attempt_seconds=ONE_ATTEMPT_US // SECOND_US,
        attempt_days=ATTEMPTS_KEPT_US // DAY_US,
        most_attempts=MOST_ATTEMPTS,
        most_marks=MOST_MARKS,
        hour_days=HOURS_KEPT // 24,
        most_seen=f"{MOST_SEEN:,}",
        most_open=MOST_OPEN,
        views="\n".join(map(_section, VIEWS)),
    )


def _section(view: View) -> str:
    rows = [
        f"| `{each.name}` | {each.window} | {each.unit} | {each.dtype.value} | {each.source} | {each.description} |"
        for each in FEATURES
        if each.view == view.name
    ]
    return "\n".join(
        [
            f"## {view.name}",
            "",
            view.description,
            "",
            f"Entity `{view.entity.value}`, key `{view.join_key}` = `{view.key}`, TTL {view.ttl.days} days.",
            "",
            "| feature | window | unit | type | source | meaning |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
