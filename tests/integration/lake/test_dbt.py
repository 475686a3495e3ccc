"""dbt on a real Trino: known answers from hand-written events, late ones included, and nobody's name in them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from mlops.pipelines.lib.maintenance import files_with_dropped_columns, maintain
from mlops.pipelines.lib.reconciliation import reconcile
from mlops.pipelines.lib.watermark import Watermark
from tests.integration.conftest import Database
from tests.integration.lake import bronze
from tests.lake import Lake

pytestmark = pytest.mark.timeout(900)

# Figures of a run, not of the data.
_OF_A_RUN = {"bronze.masking_salt", "gold.dim_date"}
Tables = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Built:
    """What was in silver, gold and marts after each run, and the first run's own words."""

    lake: Lake
    said: str
    first: Tables
    second: Tables
    anew: Tables


def dbt(lake: Lake, *arguments: str, project: Path = Path("dbt"), target: Path) -> str:
    command = [
        str(Path(sys.executable).with_name("dbt")), *arguments, "--project-dir", str(project), "--profiles-dir",
        str(project), "--target-path", str(target), "--log-path", str(target),
    ]  # fmt: skip
    environment = {**os.environ, **lake.environment(), "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def contents(lake: Lake) -> Tables:
    listed = lake.query(
        "select table_schema || '.' || table_name from lake.information_schema.tables "
        "where table_schema in ('silver', 'gold', 'marts') order by 1"
    )
    every = "select * from lake."
    return {name: sorted(map(str, lake.query(every + name))) for (name,) in listed}


@pytest.fixture(scope="module")
def built(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Built:
    target = tmp_path_factory.mktemp("dbt")
    bronze.make_tables(lake)
    bronze.append(lake, "payment_events", bronze.EARLY, bronze.FIRST_BATCH)
    bronze.append(lake, "decisions", [bronze.DECISION], bronze.FIRST_BATCH)
    bronze.append(lake, "predictions", [bronze.PREDICTION], bronze.FIRST_BATCH)
    bronze.append(lake, "rejected_rows", [bronze.REJECTED])
    said = dbt(lake, "build", target=target)
    first = contents(lake)
    bronze.append(lake, "payment_events", bronze.LATE, bronze.SECOND_BATCH)
    dbt(lake, "run", target=target)
    second = contents(lake)
    dbt(lake, "run", "--full-refresh", target=target)
    return Built(lake, said, first, second, contents(lake))


def rows(built: Built, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in built.lake.query(statement)]


def test_the_first_run_passes_its_own_tests(built: Built) -> None:
    assert re.search(r"ERROR=0\b", built.said)
    assert "unit_test" in built.said


def test_a_run_with_late_events_gives_what_a_run_from_scratch_gives(built: Built) -> None:
    assert built.second.keys() == built.anew.keys()
    differing = [name for name in built.anew if name not in _OF_A_RUN and built.second[name] != built.anew[name]]
    assert differing == []
    assert built.first["gold.fct_payments"] != built.second["gold.fct_payments"]


def test_payments_stand_where_their_events_put_them(built: Built) -> None:
    found = rows(
        built,
        "select payment_id, currency, captured_cents, refunded_cents, disputed_cents, status, attempts, failed_attempts"
        ", is_recovered, recovered_cents, first_decline_class, cast(event_day as varchar)"
        " from lake.gold.fct_payments order by 1",
    )
    assert found == [
        ("stripe:pi_a", "USD", 1000, 0, 0, "succeeded", 3, 2, True, 1000, "hard", "2024-12-31"),
        ("stripe:pi_b", "JPY", 500, 200, 0, "refunded", 1, 0, False, 0, None, "2025-01-03"),
        ("stripe:pi_c", "KWD", 0, 0, 0, "failed", 1, 1, False, 0, "hard", "2025-01-03"),
        ("stripe:pi_d", "USD", 2000, 0, 1500, "dispute_lost", 1, 0, False, 0, None, "2025-01-04"),
        ("stripe:pi_e", "USD", 0, 0, 0, "failed", 1, 1, False, 0, "generic", "2025-02-01"),
        ("stripe:pi_f", "USD", 700, 0, 0, "succeeded", 1, 0, False, 0, None, "2025-02-11"),
        ("stripe:pi_g", "USD", 90, 40, 0, "refunded", 0, 0, False, 0, None, "2025-02-12"),
        ("stripe:pi_h", "USD", 1000, 1000, 0, "refunded", 1, 0, False, 0, None, "2025-01-06"),
    ]


def test_what_a_late_event_replaces_is_gone(built: Built) -> None:
    """An attempt is known by its charge once that is heard of; a refund by itself, no longer by the charge's sum."""
    assert rows(built, "select attempt_id from lake.gold.fct_attempts where payment_id = 'stripe:pi_e'") == [
        ("stripe:pi_e:ch_e",)
    ]
    refunds = "select refund_id, amount_cents from lake.gold.fct_refunds order by 1"
    left = [("stripe:ch_h:refunded:1000", 700), ("stripe:re_b", 200), ("stripe:re_g", 40), ("stripe:re_h1", 300)]
    assert rows(built, refunds) == left
    first = "\n".join(built.first["gold.fct_refunds"])
    assert "ch_b:refunded:200" in first
    assert "ch_h:refunded:300" in first


def test_marts_tell_each_currency_by_itself(built: Built) -> None:
    assert rows(
        built,
        "select currency, sum(payments), sum(attempts), sum(captured_cents), sum(refunded_cents), sum(recovered_cents) "
        "from lake.marts.payment_performance group by 1 order by 1",
    ) == [("JPY", 1, 1, 500, 200, 0), ("KWD", 1, 1, 0, 0, 0), ("USD", 5, 7, 4790, 1040, 1000)]
    assert rows(
        built,
        "select cast(day as varchar), decline_class, payments_failed, payments_recovered, median_hours_to_recovery "
        "from lake.marts.recovery_funnel where payments_recovered > 0",
    ) == [("2024-12-31", "hard", 1, 1, 35.0)]
    assert rows(built, "select rule_id, rows_rejected from lake.marts.data_quality where rows_rejected > 0") == [
        ("amount_cents.negative", 1)
    ]


def test_postgresql_works_out_the_same_totals_by_its_own_queries(built: Built, database: Database) -> None:
    with psycopg.connect(database.url("writer"), autocommit=True) as writer:
        for row in {row["event_id"]: row for row in (*bronze.EARLY, *bronze.LATE)}.values():
            stored = {**{name: value for name, value in row.items() if name != "stored_at"}, "receipt_id": "0" * 32}
            names, values = map(sql.Identifier, stored), map(sql.Placeholder, stored)
            insert = sql.SQL("INSERT INTO tidegate.payment_events ({}) VALUES ({})")
            writer.execute(insert.format(sql.SQL(", ").join(names), sql.SQL(", ").join(values)), stored)
    with built.lake.catalog().load_table("bronze.payment_events").transaction() as everything_was_ingested:
        everything_was_ingested.set_properties(Watermark(2**62, "").properties())
    totals, differing = reconcile(built.lake.settings(database.name))
    assert differing == []
    assert {each.currency: each.refunded_cents for each in totals} == {"JPY": 200, "KWD": 0, "USD": 1040}


def test_nothing_after_bronze_names_anybody(built: Built) -> None:
    told = "\n".join(row for table in built.anew.values() for row in table)
    assert [secret for secret in bronze.SECRETS if secret in told] == []
    keys = rows(built, "select count(distinct customer_key), count(distinct card_key) from lake.silver.payment_events")
    assert keys == [(2, 2)]
    joined = rows(
        built, "select count(*) from lake.gold.fct_decisions join lake.gold.dim_customer using (customer_key)"
    )
    assert joined == [(1,)]


def test_a_column_that_is_marked_anew_leaves_silver_and_gold_by_itself(built: Built, tmp_path: Path) -> None:
    """Silver takes it out by its mark; gold names its columns, and whoever takes one out of a model is rid of it."""
    project = tmp_path / "dbt"
    shutil.copytree("dbt", project, ignore=shutil.ignore_patterns("target", "logs"))
    marked = r"(- name: invoice_id\n(?:.*\n){4} +sensitivity: )operational"
    edit(project / "models/bronze/_sources.yml", marked, r"\1personal")
    edit(project / "models/gold/fct_payments.sql", r"\n +(bool_or\(.*\) as )?is_invoice,", "")
    edit(project / "models/gold/fct_payments.yml", r"  - name: is_invoice\n.*\n    data_type: boolean\n", "")
    assert {("silver", "invoice_id"), ("gold", "is_invoice")} <= named_after_invoices(built)
    bronze.append(built.lake, "payment_events", [bronze.LATE[-1]], "2025-02-22 00:00:00 UTC")
    models = ("--select", "silver.payment_events", "fct_payments")
    dbt(built.lake, "run", *models, project=project, target=tmp_path / "target")
    assert named_after_invoices(built) == set()
    for table in ("silver.payment_events", "gold.fct_payments"):
        assert files_with_dropped_columns(built.lake.catalog().load_table(table))
        list(maintain(built.lake.settings(), [table], keep_hours=0, orphan_hours=0))
        assert files_with_dropped_columns(built.lake.catalog().load_table(table)) == [], "nor is it in any of its files"


def edit(file: Path, pattern: str, by: str) -> None:
    text, made = re.subn(pattern, by, file.read_text())
    assert made, f"{file} no longer holds {pattern}"
    file.write_text(text)


def named_after_invoices(built: Built) -> set[tuple[Any, ...]]:
    listed = "select table_schema, column_name from lake.information_schema.columns"
    return set(rows(built, f"{listed} where column_name in ('invoice_id', 'is_invoice') and table_schema <> 'bronze'"))
