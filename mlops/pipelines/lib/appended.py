"""Brings rows of tables that are appended to from PostgreSQL to bronze: exactly once, none skipped."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table, Transaction

from mlops.pipelines.lib import rejected
from mlops.pipelines.lib.columns import INGESTED_AT, TIMESTAMP, table_columns
from mlops.pipelines.lib.database import Database, Frontier
from mlops.pipelines.lib.filters import between, of_day
from mlops.pipelines.lib.lake import At, IngestReport, Lake, OtherDatabaseError, TooManyRejectedError
from mlops.pipelines.lib.row_rules import RowRules, Verdict, judge, row_rules
from mlops.pipelines.lib.sources import SOURCES, Source
from mlops.pipelines.lib.tables import commit, open_table, stage_rows
from mlops.pipelines.lib.watermark import DATABASE, KEYS, REJECTED_BATCH, Watermark


def ingest_rows(name: str, lake: Lake, at: At = lambda _: None) -> IngestReport:
    """Bring what is new of one table of `SOURCES`; `at` is told of each step.

    One snapshot is read: rows of transactions that are not over, or that began before one that is not, come with a
    later ingest. Raises IngestRunningError, OtherDatabaseError, TooManyRejectedError, SchemaConflictError,
    SupersededError, LakeUnavailableError; what was committed before stays, and the next ingest goes on behind it.
    """
    source = SOURCES[name]
    with Database(lake.database_url) as database:
        database.take_turn(name)
        return _Ingest(source, lake, database, at).run()


class _Ingest:
    """One table's ingest within one snapshot of the database."""

    def __init__(self, source: Source, lake: Lake, database: Database, at: At) -> None:
        self._source, self._lake, self._database, self._at = source, lake, database, at
        self._columns = table_columns(source.contract, database.columns(source.name))
        self._rules = _rules(source, lake)
        self._table = open_table(lake.catalog, source.table, self._columns, source.happened_at)
        self._identity, self._is_unique = database.identity(), database.keeps_unique(source)

    def run(self) -> IngestReport:
        frontier = self._database.frontier()
        begin = Watermark.of(self._table.properties)
        check_database(self._source.name, self._table.properties, self._identity, begin, frontier)
        report = IngestReport(self._source.name, 0, 0, _known(begin), _known(begin), None, {}, 0)
        after = begin
        batches = self._database.rows_after(self._source, self._columns, after, frontier.xmin, self._lake.rows_at_once)
        for rows, until in batches:
            self._at("read")
            verdict = self._bring(rows, after, until)
            report = _added(report, verdict, until, self._table)
            after = until
        return report

    def _bring(self, rows: pa.Table, after: Watermark, until: Watermark) -> Verdict:
        verdict = judge(rows, self._rules, self._lake.now, self._taken(rows))
        stop_if_too_many(self._source.name, verdict, self._rules)
        self._at("judged")
        batch_id = f"{self._source.name}:{until}"
        before = self._table.properties.get(REJECTED_BATCH)
        origin = rejected.Origin(self._source.name, self._source.key, self._source.happened_at, self._columns)
        bad = rejected.rejected_rows(origin, verdict, batch_id, self._lake.now)
        rejected.keep(self._lake.catalog, self._source.name, bad, batch_id, before)
        self._at("rejected")
        properties = {**until.properties(), DATABASE: self._identity}
        if bad.num_rows:
            properties[REJECTED_BATCH] = batch_id
        self._commit(stamped(verdict.kept, self._lake.now), after, properties)
        self._at("committed")
        return verdict

    def _commit(self, rows: pa.Table, after: Watermark, properties: Mapping[str, str]) -> None:
        def stage(transaction: Transaction) -> None:
            stage_rows(transaction, self._columns, rows, properties)
            self._at("staged")

        self._table = commit(self._table, stage, lambda found: Watermark.of(found) == after)

    def _taken(self, rows: pa.Table) -> Mapping[str, pa.Array]:
        """Keys that bronze has already; asked only where PostgreSQL does not see to it that there are none."""
        if self._is_unique or self._table.current_snapshot() is None:
            return {}
        return {self._source.key: keys_of_days(self._table, self._source, rows)}


def backfill_day(name: str, day: date, lake: Lake) -> IngestReport:
    """Put what PostgreSQL has of one day, up to the watermark, in the place of that day's partition; in one commit.

    Doing it again does the same again. Late rows are not needed for it: they land in their day by themselves.
    """
    source = SOURCES[name]
    with Database(lake.database_url) as database:
        database.take_turn(name)
        columns = table_columns(source.contract, database.columns(name))
        table = open_table(lake.catalog, source.table, columns, source.happened_at)
        mark = Watermark.of(table.properties)
        check_database(name, table.properties, database.identity(), mark, database.frontier())
        rows = database.rows_of_day(source, columns, day, mark)
    rules = _rules(source, lake)
    verdict = judge(rows, rules, lake.now)
    stop_if_too_many(name, verdict, rules)
    origin = rejected.Origin(name, source.key, source.happened_at, columns)
    bad = rejected.rejected_rows(origin, verdict, f"{name}:{day}", lake.now)
    rejected.replace_day(lake.catalog, name, bad, day)
    kept = stamped(verdict.kept, lake.now)
    table = commit(
        table,
        lambda transaction: stage_rows(transaction, columns, kept, {}, of_day(source.happened_at, day)),
        lambda found: Watermark.of(found) == mark,
    )
    report = IngestReport(name, 0, 0, _known(mark), _known(mark), None, {}, 0)
    return _added(report, verdict, mark, table)


def adopt(name: str, lake: Lake) -> str:
    """Go on with this database from the watermark on; for one that kept its transaction ids, as pg_upgrade does."""
    source = SOURCES[name]
    with Database(lake.database_url) as database:
        identity, frontier = database.identity(), database.frontier()
    table = lake.catalog.load_table(source.table)
    mark = Watermark.of(table.properties)
    check_database(name, {DATABASE: identity}, identity, mark, frontier)
    with table.transaction() as transaction:
        transaction.set_properties({DATABASE: identity})
    return identity


def forget(name: str, catalog: Catalog) -> None:
    """Empty a table of bronze, and its watermark with it, in one commit: the next ingest brings everything."""
    table = catalog.load_table(SOURCES[name].table)
    with table.transaction() as transaction:
        transaction.delete("true")
        transaction.remove_properties(*(key for key in KEYS if key in table.properties))


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


def stop_if_too_many(name: str, verdict: Verdict, rules: RowRules) -> None:
    """TooManyRejectedError where a batch passes the limit; pure."""
    bad, rows = verdict.rejected.num_rows, verdict.rejected.num_rows + verdict.kept.num_rows
    if not rules.limit.is_passed(bad, rows):
        return
    raise TooManyRejectedError(
        f"{name}: {bad:,} of {rows:,} rows break a rule ({rejected.told_counts(verdict.counts)}), more than "
        f"{rules.limit.share:.0%}: nothing of this batch was ingested, and the watermark stays. Correct the rows or "
        "the rule in mlops/pipelines/lib/row_rules.yaml; or let the good ones pass with --reject-limit 1"
    )


def keys_of_days(table: Table, source: Source, rows: pa.Table) -> pa.Array:
    """Those keys of the rows that the table has on the days that they tell of."""
    moments = rows[source.happened_at].drop_null()
    if not len(moments):
        return pa.array([], pa.string())
    ends = pc.min_max(moments)
    days = between(source.happened_at, ends["min"].as_py(), ends["max"].as_py())
    found = table.scan(days, selected_fields=(source.key,)).to_arrow_batch_reader()
    wanted = rows[source.key].combine_chunks()
    parts = [batch.column(0).cast(pa.string()) for batch in found]
    kept = [part.filter(pc.is_in(part, value_set=wanted)) for part in parts]
    return pa.concat_arrays(kept) if kept else pa.array([], pa.string())


def stamped(rows: pa.Table, now: datetime) -> pa.Table:
    """Rows with the moment at which they came into the lake."""
    moment = pa.scalar(now, TIMESTAMP)
    return rows.append_column(INGESTED_AT, pa.repeat(moment, rows.num_rows))


def _rules(source: Source, lake: Lake) -> RowRules:
    rules = row_rules(source.name)
    return rules if lake.reject_limit is None else replace(rules, limit=replace(rules.limit, share=lake.reject_limit))


def _added(report: IngestReport, verdict: Verdict, until: Watermark, table: Table) -> IngestReport:
    by_rule = dict(report.rejected_by_rule)
    for rule_id, count in verdict.counts.items():
        by_rule[rule_id] = by_rule.get(rule_id, 0) + count
    snapshot = table.current_snapshot()
    return replace(
        report,
        rows=report.rows + verdict.kept.num_rows,
        rejected=report.rejected + verdict.rejected.num_rows,
        watermark_to=_known(until),
        snapshot_id=None if snapshot is None else snapshot.snapshot_id,
        rejected_by_rule=by_rule,
        commits=report.commits + 1,
    )


def _known(mark: Watermark) -> str | None:
    return str(mark) if mark.xid or mark.key else None
