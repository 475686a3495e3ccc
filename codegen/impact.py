"""Says what a change of the contracts touches: topics, columns, dbt models, features, models, dashboards and charts.

Run as `python -m codegen.impact` or `make impact`: the contracts as they lie here against those that `make lint`
compares with. `--base` and `--head` name revisions instead; `--markdown FILE` writes it for a pull request's comment.
The registered champions say which features a model takes where TIDEGATE_MLFLOW_URL is set, the recipes elsewhere.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from codegen import readers
from codegen.charts import tables_of_charts
from codegen.contract_diff import Change, changes, holders
from codegen.dbt_sources import BRONZE, Contracts, columns
from codegen.gate import base_revision, check_breaking
from codegen.image import ROOT, GenerationError, build_image
from codegen.lineage import Lineage, lineage
from codegen.tables import tables
from codegen.topics import load_topics


@dataclass(frozen=True, slots=True)
class Touched:
    """What one change touches, each by the name that people know it by."""

    change: Change
    topics: Sequence[str]
    columns: Sequence[str]
    dbt_models: Sequence[str]
    dashboards: Sequence[str]
    charts: Sequence[str]
    features: Sequence[str]
    models: Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer."""

    # What buf says breaks readers of the contracts; empty where nothing does.
    breaking: Sequence[str]
    touched: Sequence[Touched] = field(default_factory=tuple)


class Reach:
    """Follows a change from the contracts to whatever is made of them."""

    def __init__(
        self, workspace: Path, images: Sequence[FileDescriptorSet], project: Lineage, taken: Mapping[str, Sequence[str]]
    ) -> None:
        self._topics = load_topics(workspace / "proto" / "topics")
        self._holders: dict[str, frozenset[str]] = {}
        for image in images:  # a message that is gone was held by others before
            for name, owners in holders(image).items():
                self._holders[name] = self._holders.get(name, frozenset()) | owners
        contracts, known = Contracts(workspace), tables()
        self._columns = {bronze: [name for name, *_ in columns(bronze, contracts, known)] for bronze in BRONZE}
        self._contracts = contracts
        self._project = project
        self._taken = taken
        self._charts = tables_of_charts()

    def of(self, change: Change) -> Touched:
        """All that one change touches."""
        owners = self._holders.get(change.owner, frozenset({change.owner}))
        reached = [
            (bronze.name, column) for bronze in BRONZE for column in self._bronze(bronze.message, change, owners)
        ]
        nodes = {
            (node.kind, node.told)
            for table, column in reached
            for node in self._project.touched(table, column, read_by_name=change.kind != "added")
        }
        features = readers.features_of(change.owner, change.name) if change.kind != "added" else []
        dbt_models = sorted(told for kind, told in nodes if kind == "model")
        return Touched(
            change,
            topics=[name for name, topic in self._topics.items() if topic.message in owners],
            columns=[f"bronze.{table}.{column}" for table, column in reached],
            dbt_models=dbt_models,
            dashboards=sorted(told for kind, told in nodes if kind == "exposure"),
            charts=sorted(name for name, read in self._charts.items() if read & set(dbt_models)),
            features=features,
            models=sorted(name for name, taken in self._taken.items() if set(taken) & set(features)),
        )

    def _bronze(self, message: str | None, change: Change, owners: frozenset[str]) -> Iterable[str]:
        """Columns of the message's table that hold what changed: the field's own, or those that hold its message."""
        if message is None or message not in owners:
            return
        listed = next(names for bronze, names in self._columns.items() if bronze.message == message)
        # What has no column of its own lies in the message as a whole, where the table keeps that.
        whole = "decision" if "decision" in listed else None
        if change.owner == message:
            yield change.name if change.name in listed else whole or change.name
            return
        for each in self._contracts.message(message).fields:
            inner = each.message_type or each.enum_type
            if inner is not None and inner.full_name in owners:
                yield each.name if each.name in listed else whole or each.name


def report(base: Path, head: Path, project: Lineage, taken: Mapping[str, Sequence[str]]) -> Report:
    """Compare two workspaces of contracts."""
    with tempfile.TemporaryDirectory() as scratch:
        before = build_image(Path(scratch) / "before.binpb", base)
        after = build_image(Path(scratch) / "after.binpb", head)
    found = changes(before, after)
    if not found:
        return Report(breaking=())
    reach = Reach(head, (before, after), project, taken)
    return Report(_breaking(head, base), [reach.of(change) for change in found])


def _breaking(head: Path, base: Path) -> Sequence[str]:
    try:
        check_breaking(head, base)
    except GenerationError as error:
        return [line for line in str(error).splitlines()[1:] if line]
    return ()


def as_text(told: Report) -> str:
    """For a terminal."""
    if not told.touched:
        return "The contracts do not differ."
    verdict = (
        "\n".join(["buf: BREAKING", *(f"  {line}" for line in told.breaking)]) if told.breaking else "buf: compatible"
    )
    return "\n\n".join([verdict, *map(_paragraph, told.touched)])


def _paragraph(touched: Touched) -> str:
    lines = [_sentence(touched.change)]
    lines += [f"  {title:<11} {', '.join(names) if names else '-'}" for title, names in _parts(touched)]
    return "\n".join(lines)


def as_markdown(told: Report) -> str:
    """For a comment on a pull request."""
    if not told.touched:
        return "### Impact on the contracts\n\nThe contracts do not differ.\n"
    verdict = "**breaking**" if told.breaking else "compatible"
    lines = [
        "### Impact of the contracts' change",
        "",
        f"buf: {verdict}; {len(told.touched)} fields or values differ.",
        "",
    ]
    lines += [f"- `{line}`" for line in told.breaking] + ([""] if told.breaking else [])
    titles = [title for title, _ in _parts(told.touched[0])]
    lines += [f"| change | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    for touched in told.touched:
        cells = [", ".join(f"`{name}`" for name in names) or "-" for _, names in _parts(touched)]
        lines.append(f"| {_sentence(touched.change)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _parts(touched: Touched) -> Sequence[tuple[str, Sequence[str]]]:
    return (
        ("topics", touched.topics),
        ("columns", touched.columns),
        ("dbt models", touched.dbt_models),
        ("features", touched.features),
        ("models", touched.models),
        ("dashboards", touched.dashboards),
        ("charts", touched.charts),
    )


def _sentence(change: Change) -> str:
    name = f"{change.owner.rpartition('.')[2]}.{change.name}"
    match change.kind:
        case "added":
            return f"{name} added: {change.after}"
        case "removed":
            return f"{name} removed: {change.before}"
        case _:
            return f"{name} changed: {change.before} -> {change.after}"


def check_out(revision: str, folder: Path, repository: Path = ROOT) -> None:
    """Lay the contracts of a revision into a folder."""
    done = subprocess.run(
        ["git", "archive", revision, "proto", "buf.yaml"], cwd=repository, capture_output=True, check=False
    )
    if done.returncode:
        raise GenerationError(f"no contracts at {revision}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")


def _compared_with() -> str:
    revision = base_revision()
    if revision is None:
        raise GenerationError("there is no earlier commit to compare with; name one with --base")
    return revision


def main(arguments: list[str] | None = None) -> int:
    """Compare, and print what is touched."""
    parser = argparse.ArgumentParser(prog="python -m codegen.impact", description=__doc__)
    parser.add_argument("--base", help="revision to compare with (default: what `make lint` compares with)")
    parser.add_argument("--head", help="revision to judge (default: the files as they lie here)")
    parser.add_argument("--markdown", type=Path, help="file for the report as a comment")
    options = parser.parse_args(arguments)
    mlflow_url = os.environ.get("TIDEGATE_MLFLOW_URL")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            base, head = Path(scratch) / "base", Path(scratch) / "head"
            check_out(options.base or _compared_with(), base)
            if options.head:
                check_out(options.head, head)
            taken = readers.champions(mlflow_url) if mlflow_url else readers.RECIPES
            told = report(base, head if options.head else ROOT, lineage(ROOT / "dbt"), taken)
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    print(as_text(told))
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(as_markdown(told), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
