"""A change of the contracts is followed to everything that is made of them."""

import shutil
from pathlib import Path

import pytest

from codegen import impact, readers
from codegen.image import ROOT
from codegen.lineage import Lineage, lineage

UNIFIED = "proto/tidegate/payments/v1/unified_payment_event.proto"
LIVEMODE = "  bool livemode = 36;"


@pytest.fixture(scope="module")
def project() -> Lineage:
    return lineage(ROOT / "dbt")


def workspace(folder: Path) -> Path:
    shutil.copytree(ROOT / "proto", folder / "proto")
    shutil.copy(ROOT / "buf.yaml", folder / "buf.yaml")
    return folder


def told(tmp_path: Path, project: Lineage, file: str, old: str, new: str) -> impact.Report:
    base, head = workspace(tmp_path / "base"), workspace(tmp_path / "head")
    path = head / file
    assert old in path.read_text(), f"{file} no longer holds {old!r}: update this test"
    path.write_text(path.read_text().replace(old, new))
    return impact.report(base, head, project, readers.RECIPES)


def test_an_added_field_reaches_the_tables_of_its_topic_and_breaks_nobody(tmp_path: Path, project: Lineage) -> None:
    report = told(tmp_path, project, UNIFIED, LIVEMODE, f"{LIVEMODE}\n  // New.\n  optional string wallet = 37;")
    (touched,) = report.touched
    assert not report.breaking
    assert touched.topics == ["payments.normalized"]
    assert touched.columns == ["bronze.payment_events.wallet"]
    assert touched.dbt_models == ["silver.payment_events"]
    assert not touched.features
    assert not touched.dashboards
    assert not touched.charts


def test_a_changed_type_is_followed_to_the_dashboards(tmp_path: Path, project: Lineage) -> None:
    change = ("optional string card_brand = 10", "optional bytes card_brand = 10")
    report = told(tmp_path, project, UNIFIED, *change)
    (touched,) = report.touched
    assert any("card_brand" in line for line in report.breaking)
    assert touched.columns == ["bronze.payment_events.card_brand"]
    assert {"silver.payment_events", "gold.fct_attempts", "gold.dim_card", "marts.decline_mix"} <= set(
        touched.dbt_models
    )
    assert {"Payment performance", "Recovery"} <= set(touched.dashboards)
    assert "Data quality" not in touched.dashboards
    assert touched.charts


def test_a_masked_column_is_followed_by_the_name_of_its_key(tmp_path: Path, project: Lineage) -> None:
    report = told(tmp_path, project, UNIFIED, "optional string customer_id = 6", "optional string payer_id = 6")
    removed = next(touched for touched in report.touched if touched.change.kind == "removed")
    assert report.breaking
    assert "gold.dim_customer" in removed.dbt_models
    assert "failed_payments_7d" in removed.features
    assert removed.models == ["churn", "fraud", "retry"]


def test_a_word_inside_a_decision_touches_what_holds_the_decision(tmp_path: Path, project: Lineage) -> None:
    file = "proto/tidegate/inference/v1/fraud_service.proto"
    old = "  Provenance provenance = 6 [(buf.validate.field).required = true];"
    report = told(tmp_path, project, file, old, f"{old}\n  // New.\n  double extra = 7;")
    (touched,) = report.touched
    assert "payments.decisions" in touched.topics
    assert touched.columns == ["bronze.decisions.decision"]


def test_contracts_that_do_not_differ_touch_nothing(tmp_path: Path, project: Lineage) -> None:
    report = told(tmp_path, project, UNIFIED, "// Who the payment is for.", "// Whom the payment is for.")
    assert impact.as_text(report) == "The contracts do not differ."


def test_the_comment_is_a_table_with_a_row_for_each_change(tmp_path: Path, project: Lineage) -> None:
    report = told(tmp_path, project, UNIFIED, LIVEMODE, f"{LIVEMODE}\n  // New.\n  optional string wallet = 37;")
    comment = impact.as_markdown(report)
    rows = [line for line in comment.splitlines() if line.startswith("| UnifiedPaymentEvent.wallet added")]
    assert len(rows) == 1
    assert "buf: compatible" in comment
    assert rows[0].count("|") == 9
