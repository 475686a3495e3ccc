"""Keeps tables fast and rid of what was dropped: compaction, old snapshots, files that nobody owns; with figures."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.schema import index_by_id
from pyiceberg.table import Table

from mlops.pipelines.lib.catalog import CATALOG, LakeUnavailableError, open_catalog
from mlops.pipelines.lib.trino_connection import Ask, connected, quoted
from mlops.pipelines.settings import LakeSettings

KEEP_HOURS: Final = 24
"""How long older states of a table can still be read."""
ORPHAN_HOURS: Final = 24
"""How old a file must be before it counts as nobody's: those of a commit that is on its way look the same."""
_FILES_AT_ONCE: Final = 50
_NOT_DATA: Final = ("information_schema", "system")


@dataclass(frozen=True, slots=True)
class Figures:
    """The state of a table: what it consists of, and how long a scan of all of it takes."""

    files: int
    megabytes: float
    snapshots: int
    scan_seconds: float


_NOTHING: Final = Figures(0, 0.0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Maintained:
    """One table before and after."""

    table: str
    before: Figures
    after: Figures
    seconds: float
    # Files that held values of columns that the table no longer has.
    rid: int = 0

    def __str__(self) -> str:
        if not self.before.snapshots:
            return f"{self.table}: nothing was written to it yet"
        b, a = self.before, self.after
        rid = f"{self.rid:,} files rid of dropped columns; " if self.rid else ""
        return (
            f"{self.table}: {rid}files {b.files:,} → {a.files:,}, {b.megabytes:,.1f} → {a.megabytes:,.1f} MB, "
            f"snapshots {b.snapshots:,} → {a.snapshots:,}, scan {b.scan_seconds:.2f} → {a.scan_seconds:.2f} s; took "
            f"{self.seconds:.1f} s"
        )

    def metadata(self) -> Mapping[str, float]:
        """The same as numbers, by name."""
        pairs = {"before": self.before, "after": self.after}
        told = {
            f"{name}_{when}": getattr(figures, name)
            for when, figures in pairs.items()
            for name in ("files", "megabytes", "snapshots", "scan_seconds")
        }
        return {**told, "files_rid_of_dropped_columns": self.rid}


def maintain(
    settings: LakeSettings,
    tables: Sequence[str] = (),
    keep_hours: float = KEEP_HOURS,
    orphan_hours: float = ORPHAN_HOURS,
) -> Iterator[Maintained]:
    """Maintain these tables (`schema.table`), or all of the lake, one after the other.

    Properties stay, and the watermark with them. A table that is written to meanwhile keeps what was written: Trino
    commits against the state that it read, and begins again where that moved. One that is not there yet is passed over,
    with figures of nothing. One that fails holds none of the others up: LakeUnavailableError comes after the last.
    """
    failed: list[str] = []
    catalog = open_catalog(settings)
    with connected(settings, "maintenance is Trino's work") as ask:
        there = _all_tables(ask)
        for table in tables or there:
            # Asked for a part of a table that it lacks, the catalog fails instead of saying so.
            if table not in there:
                yield Maintained(table, _NOTHING, _NOTHING, 0.0)
                continue
            try:
                done = _maintain(ask, catalog, table, keep_hours, orphan_hours)
            except (LakeUnavailableError, NoSuchTableError) as error:
                failed.append(f"{table}: {error}")
            else:
                yield done
    if failed:
        raise LakeUnavailableError("; ".join(failed))


def tables_beside(settings: LakeSettings, tables: Collection[str]) -> Sequence[str]:
    """All that the lake has but these: what dbt builds, and what it once built."""
    with connected(settings, "the catalog's tables are listed by Trino") as ask:
        return [table for table in _all_tables(ask) if table not in tables]


def _maintain(ask: Ask, catalog: Catalog, table: str, keep_hours: float, orphan_hours: float) -> Maintained:
    name = ".".join(f'"{part}"' for part in (CATALOG, *table.split(".")))
    before, start = _figures(ask, table), time.perf_counter()
    if not before.snapshots:  # made, and never written to: Trino 476 fails on it
        return Maintained(table, before, before, 0.0)
    rid = _rewrite(ask, name, files_with_dropped_columns(catalog.load_table(table)))
    kept, owned = (f"{round(hours * 3600)}s" for hours in (keep_hours, orphan_hours))
    for statement in (
        # What is kept is asked for here; the server's own least of seven days is for those who do not ask.
        f"SET SESSION {CATALOG}.expire_snapshots_min_retention = '{kept}'",
        f"SET SESSION {CATALOG}.remove_orphan_files_min_retention = '{owned}'",
        f"ALTER TABLE {name} EXECUTE optimize",
        f"ALTER TABLE {name} EXECUTE optimize_manifests",
        f"ALTER TABLE {name} EXECUTE expire_snapshots(retention_threshold => '{kept}')",
        f"ALTER TABLE {name} EXECUTE remove_orphan_files(retention_threshold => '{owned}')",
    ):
        ask(statement)
    seconds = time.perf_counter() - start
    return Maintained(table, before, _figures(ask, table), seconds, rid)


def files_with_dropped_columns(table: Table) -> Sequence[str]:
    """Files of the current state that hold values of columns which the table no longer has.

    To drop a column changes no file, and compaction leaves a partition alone that is one file: what was dropped because
    it identifies somebody would stay for ever.
    """
    current = index_by_id(table.schema()).keys()
    files = (task.file for task in table.scan().plan_files())
    return [file.file_path for file in files if (file.column_sizes or {}).keys() - current]


def _rewrite(ask: Ask, name: str, files: Sequence[str]) -> int:
    """Write the rows of these files anew, into others; compaction then takes the files away."""
    if files:
        column = ask(f"SHOW COLUMNS FROM {name}")[0][0]
        for start in range(0, len(files), _FILES_AT_ONCE):
            paths = ", ".join(map(quoted, files[start : start + _FILES_AT_ONCE]))
            ask(f'UPDATE {name} SET "{column}" = "{column}" WHERE "$path" IN ({paths})')  # noqa: S608 - the catalog's own
    return len(files)


def _figures(ask: Ask, table: str) -> Figures:
    schema, name = table.split(".")
    # The names are the catalog's own.
    data, history = (f'{CATALOG}."{schema}"."{name}${part}"' for part in ("files", "snapshots"))
    sizes = f"SELECT count(*), coalesce(sum(file_size_in_bytes), 0) FROM {data}"  # noqa: S608
    files, size = ask(sizes)[0]
    snapshots = ask(f"SELECT count(*) FROM {history}")[0][0]  # noqa: S608
    columns = [row[0] for row in ask(f'SHOW COLUMNS FROM {CATALOG}."{schema}"."{name}"')]
    read = ", ".join(f'checksum("{column}")' for column in columns)
    start = time.perf_counter()
    ask(f'SELECT {read} FROM {CATALOG}."{schema}"."{name}"')  # noqa: S608
    return Figures(int(files), round(int(size) / 1e6, 3), int(snapshots), round(time.perf_counter() - start, 3))


def _all_tables(ask: Ask) -> Sequence[str]:
    rows = ask(
        f"SELECT table_schema, table_name FROM {CATALOG}.information_schema.tables "  # noqa: S608 - a constant
        "WHERE table_type = 'BASE TABLE' ORDER BY 1, 2",
    )
    return [f"{schema}.{name}" for schema, name in rows if schema not in _NOT_DATA]
