"""Brings rows of tables that are appended to from PostgreSQL to bronze: exactly once, none skipped."""

from collections.abc import Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table

from mlops.pipelines.lib import rejected
from mlops.pipelines.lib.batch import Batch, Target, bring, judged, rules_of, stamped
from mlops.pipelines.lib.columns import table_columns
from mlops.pipelines.lib.database import Database, Frontier
from mlops.pipelines.lib.filters import between, of_day
from mlops.pipelines.lib.lake import At, IngestReport, Lake, OtherDatabaseError
from mlops.pipelines.lib.sources import SOURCES, Source
from mlops.pipelines.lib.tables import commit, open_table, stage_rows
from mlops.pipelines.lib.watermark import DATABASE, KEYS, Watermark, moment_after, taken_out


def ingest_rows(name: str, lake: Lake, at: At = lambda _: None) -> IngestReport:
    """Bring what is new of one table of `SOURCES`; `at` is told of each step.

    One snapshot is read: rows of transactions that are not over, or that began before one that is not, come with a
    later ingest. Raises IngestRunningError, OtherDatabaseError, TooManyRejectedError, SchemaConflictError,
    SupersededError, LakeUnavailableError; what was committed before stays, and the next ingest goes on behind it.
    """
    source = SOURCES[name]
    with Database(lake.database_url) as database:
        database.take_turn(name)
        identity, frontier, is_unique = database.identity(), database.frontier(), database.keeps_unique(source)
        target, table = _target(source, lake, database, at)
        after = Watermark.of(table.properties)
        check_database(name, table.properties, identity, after, frontier)
        report = IngestReport.nothing(name, _known(after))
        for rows, until in database.rows_after(source, target.columns, after, frontier.xmin, lake.rows_at_once):
            at("read")
            taken = {} if is_unique else taken_keys(table, source, rows)
            batch = _batch(source, rows, (after, until), identity, taken, lake.mark)
            table, verdict = bring(target, table, batch)
            report = report.with_batch(verdict, _known(until), table)
            after = until
    return report


def backfill_day(name: str, day: date, lake: Lake) -> IngestReport:
    """Put what PostgreSQL has of one day, up to the watermark, in the place of that day's partition; in one commit.

    Doing it again does the same again. Late rows do not need it: they land in their day by themselves.
    """
    source = SOURCES[name]
    with Database(lake.database_url) as database:
        database.take_turn(name)
        target, table = _target(source, lake, database, lambda _: None)
        mark = Watermark.of(table.properties)
        check_database(name, table.properties, database.identity(), mark, database.frontier())
        rows = database.rows_of_day(source, target.columns, day, mark)
        verdict = judged(target, rows)
        moment, at_moment = moment_after(table.properties, lake.now)
        bad = rejected.rejected_rows(target.origin, verdict, f"{name}:{day}{lake.mark}", moment)
        rejected.replace_day(lake.catalog, name, bad, day)
        kept, told = stamped(verdict.kept, moment), {**at_moment, **taken_out(moment)}
        table = commit(
            table,
            lambda transaction: stage_rows(transaction, target.columns, kept, told, of_day(source.happened_at, day)),
            lambda found: Watermark.of(found) == mark,
        )
    return IngestReport.nothing(name, _known(mark)).with_batch(verdict, _known(mark), table)


def adopt(name: str, lake: Lake) -> str:
    """Go on with this database from the watermark on; for one that kept its transaction ids, as pg_upgrade does."""
    source = SOURCES[name]
    with Database(lake.database_url) as database:
        database.take_turn(name)
        identity, frontier = database.identity(), database.frontier()
        table = lake.catalog.load_table(source.table)
        check_database(name, {}, identity, Watermark.of(table.properties), frontier)
        with table.transaction() as transaction:
            transaction.set_properties({DATABASE: identity})
    return identity


def forget(name: str, lake: Lake) -> None:
    """Empty a table of bronze, and its watermark with it, in one commit: the next ingest brings everything.

    What rows were rejected is forgotten first: killed between, the watermark still stands, and this can be run again.
    IngestRunningError where an ingest of it runs.
    """
    with Database(lake.database_url) as database:
        database.take_turn(name)
        table = lake.catalog.load_table(SOURCES[name].table)
        rejected.forget(lake.catalog, name)
        with table.transaction() as transaction:
            if table.current_snapshot() is not None:
                transaction.delete("true")
            transaction.remove_properties(*(key for key in KEYS if key in table.properties))
            transaction.set_properties(taken_out(moment_after(table.properties, lake.now)[0]))


def check_database(
    name: str, properties: Mapping[str, str], identity: str, mark: Watermark, frontier: Frontier
) -> None:
    """OtherDatabaseError where transaction ids cannot be those that the watermark was counted in; pure."""
    known = properties.get(DATABASE)
    if known in {None, identity} and mark.xid < frontier.xmax:
        return
    raise OtherDatabaseError(
        f"{name}: this is another database than the one bronze was filled from ({known} then, {identity} now; "
        f"watermark {mark.xid}, next transaction {frontier.xmax}). Was it upgraded with pg_upgrade, which keeps "
        f"transaction ids? Then run `python -m mlops.pipelines adopt {name}`. Was it restored from a dump, or is it "
        f"another one? Then set stored_xid of all rows of tidegate.{name} to '0' as tidegate_owner, and run "
        f"`python -m mlops.pipelines rebuild {name}`"
    )


def taken_keys(table: Table, source: Source, rows: pa.Table) -> Mapping[str, pa.Array]:
    """Those keys of the rows that the table has on the days that they tell of.

    Asked only where PostgreSQL has no primary key that sees to it that there are none.
    """
    moments = rows[source.happened_at].drop_null()
    if not len(moments) or table.current_snapshot() is None:
        return {}
    ends = pc.min_max(moments)
    days = between(source.happened_at, ends["min"].as_py(), ends["max"].as_py())
    wanted = rows[source.key].combine_chunks()
    found = table.scan(days, selected_fields=(source.key,)).to_arrow_batch_reader()
    keys = [part.filter(pc.is_in(part, value_set=wanted)) for part in (batch[0].cast(pa.string()) for batch in found)]
    return {source.key: pa.concat_arrays(keys)} if keys else {}


def _target(source: Source, lake: Lake, database: Database, at: At) -> tuple[Target, Table]:
    columns = table_columns(source.contract, database.columns(source.name))
    table = open_table(lake.catalog, source.table, columns, source.happened_at)
    origin = rejected.Origin(source.name, source.key, source.happened_at, columns)
    return Target(lake, origin, rules_of(source.name, lake), at), table


def _batch(
    source: Source,
    rows: pa.Table,
    ends: tuple[Watermark, Watermark],
    identity: str,
    taken: Mapping[str, pa.Array],
    mark: str,
) -> Batch:
    after, until = ends
    return Batch(
        batch_id=f"{source.name}:{until}{mark}",
        rows=rows,
        follows=lambda found: Watermark.of(found) == after,
        moves_to={**until.properties(), DATABASE: identity},
        taken=taken,
    )


def _known(mark: Watermark) -> str | None:
    return str(mark) if mark.xid or mark.key else None
