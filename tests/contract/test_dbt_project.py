"""The dbt project keeps to the contracts: its sources are theirs, and nothing personal gets past silver."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen import dbt_sources, gate
from codegen.charts import tables_of_charts
from codegen.image import ROOT, GenerationError
from codegen.tables import tables
from tests.contract.test_sensitivity import level
from tests.contract.test_sensitivity import messages as all_messages

DBT = ROOT / "dbt"
UNIFIED = "proto/tidegate/payments/v1/unified_payment_event.proto"


def tables_of(folder: Path) -> dict[str, Any]:
    listed = yaml.safe_load((folder / dbt_sources.SOURCES).read_text())["sources"][0]["tables"]
    return {table["name"]: {column["name"]: column for column in table["columns"]} for table in listed}


def generated(tmp_path: Path, old: str, new: str) -> dict[str, Any]:
    changed = tmp_path / "changed"
    shutil.copytree(ROOT / "proto", changed / "proto")
    shutil.copy(ROOT / "buf.yaml", changed / "buf.yaml")
    path = changed / UNIFIED
    assert old in path.read_text(), f"{UNIFIED} no longer holds {old!r}: update this test"
    path.write_text(path.read_text().replace(old, new))
    dbt_sources.generate(tmp_path / "dbt", changed)
    return tables_of(tmp_path / "dbt")


def sensitivity(column: dict[str, Any]) -> str:
    return str(column["config"]["meta"]["sensitivity"])


def models() -> Iterator[tuple[str, str, str]]:
    for file in sorted((DBT / "models").rglob("*.sql")):
        yield file.parent.name, file.stem, file.read_text()


def test_generating_sources_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        dbt_sources.generate(tmp_path / folder)
    for file in (dbt_sources.SOURCES, dbt_sources.DECLINE_CLASSES):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_sources_that_were_edited_are_drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt_sources.generate(tmp_path)
    file = tmp_path / dbt_sources.SOURCES
    file.write_text(file.read_text().replace("sensitivity: personal", "sensitivity: operational", 1))
    monkeypatch.setattr(dbt_sources, "OUT", tmp_path)
    with pytest.raises(GenerationError, match=r"dbt/models/bronze/_sources\.yml"):
        gate.check_drift()


def test_a_new_field_is_a_new_column_with_its_comment(tmp_path: Path) -> None:
    livemode = "  bool livemode = 36;"
    column = generated(tmp_path, livemode, f"{livemode}\n  // What was tapped.\n  optional string wallet = 37;")[
        "payment_events"
    ]["wallet"]
    assert column["description"] == "What was tapped."
    assert column["data_type"] == "varchar"
    assert sensitivity(column) == "operational"


def test_a_field_that_is_marked_anew_is_a_personal_column(tmp_path: Path) -> None:
    old = 'optional string card_brand = 10 [(buf.validate.field).string.pattern = "^[a-z0-9_ ]{1,64}$"];'
    new = old.replace("];", ", (tidegate.annotations.v1.sensitivity) = SENSITIVITY_PERSONAL];")
    assert sensitivity(generated(tmp_path, old, new)["payment_events"]["card_brand"]) == "personal"


def test_every_marked_field_is_a_marked_column() -> None:
    by_name = {message.full_name: message for message in all_messages()}
    known = tables_of(DBT)
    for bronze in dbt_sources.BRONZE:
        if bronze.message is None:
            continue
        marked = {field.name for field in by_name[bronze.message].fields if level(field)}
        for name in marked & known[bronze.name].keys():
            assert sensitivity(known[bronze.name][name]) != "operational", f"{bronze.name}.{name}"
        if marked:
            assert any(sensitivity(column) != "operational" for column in known[bronze.name].values())


def test_a_column_that_postgresql_calls_personal_is_marked() -> None:
    known = tables_of(DBT)
    for bronze in dbt_sources.BRONZE:
        for column in tables()[bronze.table].columns if bronze.table else ():
            if column.comment.startswith("PERSONAL"):
                assert sensitivity(known[bronze.name][column.name]) == "personal", f"{bronze.name}.{column.name}"


def test_every_column_says_how_sensitive_it_is() -> None:
    levels = {sensitivity(column) for table in tables_of(DBT).values() for column in table.values()}
    assert levels == {"operational", "personal"}


def test_only_silver_reads_tables_with_personal_columns_and_only_through_the_mask() -> None:
    """No other model names a source with a personal column, but for columns of it that are not."""
    personal = {
        table
        for table, columns in tables_of(DBT).items()
        if any(sensitivity(column) != "operational" for column in columns.values())
    }
    readers = set()
    for folder, name, sql in models():
        for table in re.findall(r"source\('bronze', '(\w+)'\)", sql):
            assert table not in personal or table == "rejected_rows", (
                f"{folder}.{name} reads bronze.{table} past the mask"
            )
        if folder == "silver":
            (table,) = re.findall(r"once_and_masked\(\s*'(\w+)'", sql)
            readers.add(table)
            assert "select" not in sql.lower(), f"silver.{name} selects past the mask"
    assert personal - {"rejected_rows"} <= readers


def test_no_model_names_a_personal_column() -> None:
    known = tables_of(DBT)
    named = [column for table in known.values() for column in table.values()]
    plain = {column["name"] for column in named if sensitivity(column) == "operational"}
    personal = {column["name"] for column in named if sensitivity(column) != "operational"} - plain - {"row"}
    for folder, name, sql in models():
        words = set(re.findall(r"\w+", re.sub(r"--.*|\{#[\s\S]*?#\}", "", sql)))
        assert not words & personal, f"{folder}.{name}"
    rejected = next(sql for _, name, sql in models() if name == "data_quality")
    assert ".row" not in rejected


def test_every_model_has_a_description_that_begins_with_its_grain() -> None:
    for folder, name, _ in models():
        (model,) = yaml.safe_load((DBT / "models" / folder / f"{name}.yml").read_text())["models"]
        assert model["name"] == name
        assert model["description"].startswith("Grain: one row"), name
        tests = [
            *model.get("data_tests", ()),
            *(test for column in model["columns"] for test in column.get("data_tests", ())),
        ]
        assert any(test == "unique" or "unique_together" in test for test in tests), f"no key of {name} is tested"


def test_exposures_name_what_the_dashboards_charts_read() -> None:
    exposed = {
        re.findall(r"ref\('(\w+)'\)", each)[0]
        for file in sorted((DBT / "models" / "exposures").glob("*.yml"))
        for exposure in yaml.safe_load(file.read_text())["exposures"]
        for each in exposure["depends_on"]
    }
    folders = {name: folder for folder, name, _ in models()}
    charts = tables_of_charts()
    assert charts
    assert {f"{folders[name]}.{name}" for name in exposed} == {table for read in charts.values() for table in read}
