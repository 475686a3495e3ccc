"""How far each table of bronze is, and how large."""

from collections.abc import Iterator
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from mlops.pipelines.lib.catalog import open_catalog, told_of_lake
from mlops.pipelines.lib.predictions import offsets
from mlops.pipelines.lib.sources import ALL, NAMESPACE, SOURCES
from mlops.pipelines.lib.watermark import Reach, Watermark
from mlops.pipelines.settings import LakeSettings


@dataclass(frozen=True, slots=True)
class State:
    """One table; None in all but the name where there is none."""

    source: str
    rows: int | None = None
    files: int | None = None
    snapshots: int | None = None
    watermark: str | None = None

    def __str__(self) -> str:
        if self.rows is None:
            return f"{self.source:<18} not there yet: python -m mlops.pipelines ingest {self.source}"
        return (
            f"{self.source:<18} {self.rows:>12,} rows {self.files:>7,} files {self.snapshots:>5,} snapshots   "
            f"{self.watermark or 'nothing read yet'}"
        )


def states(catalog: Catalog) -> Iterator[State]:
    """Of each source, and of the rows that were rejected."""
    for name in (*ALL, "rejected_rows"):
        yield _state(catalog, name)


def reach_of(source: str, settings: LakeSettings) -> Reach:
    """How far the table of one of `SOURCES` has come. LakeUnavailableError."""
    with told_of_lake():
        return Reach.of(open_catalog(settings).load_table(SOURCES[source].table).properties)


def _state(catalog: Catalog, name: str) -> State:
    try:
        table = catalog.load_table(f"{NAMESPACE}.{name}")
    except NoSuchTableError:
        return State(name)
    snapshot = table.current_snapshot()
    totals = snapshot.summary.additional_properties if snapshot and snapshot.summary else {}
    read = ", ".join(f"{number}@{offset}" for number, offset in sorted(offsets(table.properties).items()))
    mark = Watermark.of(table.properties)
    return State(
        name,
        int(totals.get("total-records", 0)),
        int(totals.get("total-data-files", 0)),
        len(table.snapshots()),
        read or (str(mark) if mark.xid else None),
    )
