"""What goes into the bundle for Superset, and what of an export comes back into the files."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.superset.publish import DATABASE, ROOT, Settings, bundle, kept_stable, take_back

ADDRESSES = {
    "TIDEGATE_SUPERSET_URL": "http://127.0.0.1:1/",
    "TIDEGATE_SUPERSET_PASSWORD": "secret",
    "TIDEGATE_TRINO_URL": "http://trino:8080",
}


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def archive(**members: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as exported:
        for name, content in members.items():
            exported.writestr(f"dashboard_export/{name}", yaml.safe_dump(content))
    return buffer.getvalue()


def test_the_bundle_holds_the_address_of_the_lake_and_no_password(tmp_path: Path) -> None:
    write(tmp_path / DATABASE, {"uuid": "1", "sqlalchemy_uri": "trino://nobody@nowhere:1/lake"})
    settings = Settings.from_environment({**ADDRESSES, "TIDEGATE_DASHBOARDS_PASSWORD": "hidden"})
    with zipfile.ZipFile(io.BytesIO(bundle(tmp_path, settings.trino_uri))) as made:
        text = made.read(f"{ROOT}/{DATABASE}").decode()
    assert yaml.safe_load(text)["sqlalchemy_uri"] == "trino://dashboards:XXXXXXXXXX@trino:8080/lake_read_only"
    assert "hidden" not in text


def test_superset_never_asks_trino_as_the_user_that_dbt_runs_as() -> None:
    settings = Settings.from_environment(
        {**ADDRESSES, "TIDEGATE_TRINO_USER": "tidegate", "TIDEGATE_TRINO_PASSWORD": "x"}
    )
    assert (settings.trino_user, settings.trino_password) == ("dashboards", "")


def test_trino_behind_tls_is_asked_over_tls() -> None:
    settings = Settings.from_environment({**ADDRESSES, "TIDEGATE_TRINO_URL": "https://trino.example"})
    assert settings.trino_uri == "trino://dashboards@trino.example:443/lake_read_only?http_scheme=https"


def test_what_is_not_set_is_named() -> None:
    with pytest.raises(SystemExit, match="TIDEGATE_TRINO_URL"):
        Settings.from_environment({**ADDRESSES, "TIDEGATE_TRINO_URL": ""})


def test_an_unchanged_chart_leaves_its_file_alone(tmp_path: Path) -> None:
    chart = {"uuid": "c1", "slice_name": "Payments", "params": {"metric": "payments"}, "query_context": "{}"}
    write(tmp_path / "charts" / "payments-count.yaml", chart)
    numbered = {"metric": "payments", "datasource": "7__table", "slice_id": 3}
    exported = {**chart, "params": numbered, "query_context": '{"id": 7}'}
    assert take_back(archive(**{"charts/Payments_3.yaml": exported}), tmp_path) == []


def test_a_changed_chart_keeps_its_file_and_a_new_one_is_named_by_its_title(tmp_path: Path) -> None:
    known = tmp_path / "charts" / "payments-count.yaml"
    write(known, {"uuid": "c1", "slice_name": "Payments", "params": {"metric": "payments"}})
    changed = {"uuid": "c1", "slice_name": "All payments", "params": {"metric": "payments"}}
    new = {"uuid": "c2", "slice_name": "Tries by day", "params": {"metric": "attempts"}}
    told = take_back(archive(**{"charts/All_payments_3.yaml": changed, "charts/Tries_by_day_4.yaml": new}), tmp_path)
    assert told == [known, tmp_path / "charts" / "tries-by-day.yaml"]
    assert yaml.safe_load(known.read_text())["slice_name"] == "All payments"


def test_a_dataset_keeps_the_order_of_its_columns() -> None:
    before = {"columns": [{"column_name": "day"}, {"column_name": "amount"}], "metrics": []}
    exported = {"columns": [{"column_name": "amount", "extra": None}, {"column_name": "a"}, {"column_name": "day"}]}
    after = kept_stable("datasets", exported, before)
    assert [column["column_name"] for column in after["columns"]] == ["day", "amount", "a"]
    assert "extra" not in after["columns"][1]


def test_charts_are_numbered_the_same_in_every_superset() -> None:
    def exported(first: int) -> dict[str, Any]:
        names = ("CHART-b", "CHART-a")
        charts = {name: {"type": "CHART", "meta": {"chartId": first + i}} for i, name in enumerate(names)}
        spared = {"scope": {"excluded": [first]}, "targets": [], "chartsInScope": [first + 1]}
        return {"position": charts, "metadata": {"native_filter_configuration": [spared]}}

    one, other = kept_stable("dashboards", exported(40), {}), kept_stable("dashboards", exported(7), {})
    assert one == other
    assert one["metadata"]["native_filter_configuration"][0]["scope"]["excluded"] == [2]  # CHART-b


def test_that_somebody_looked_at_a_dashboard_changes_no_file() -> None:
    """Superset keeps colours of a page when one who may change it opens it."""
    plain: dict[str, Any] = {"position": {}, "metadata": {"shared_label_colors": []}}
    looked_at = {"color_scheme_domain": ["#1FA8C9"], "shared_label_colors": ["attempts_failed"]}
    seen = {"position": {}, "metadata": {**plain["metadata"], **looked_at}}
    assert kept_stable("dashboards", seen, plain) == kept_stable("dashboards", plain, plain)
