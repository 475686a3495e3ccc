"""Rules part rows: by name, in order, the first of equal keys passes; personal values are not repeated."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.pipelines.commands import parser
from mlops.pipelines.lib.columns import contract_columns
from mlops.pipelines.lib.rejected import Origin, rejected_rows
from mlops.pipelines.lib.rejected_share import Share
from mlops.pipelines.lib.row_rules import RULES_FILE, Limit, RowRulesError, Verdict, judge, row_rules
from mlops.pipelines.lib.sources import SOURCES

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS = SOURCES["payment_events"]
COLUMNS = contract_columns(EVENTS.contract)
GOOD: dict[str, Any] = {
    "event_id": "stripe:evt_1", "provider": "stripe", "event_type": "payment.failed", "merchant_id": "m1",
    "amount_cents": 0, "currency": "JPY", "status": "failed", "payment_id": "stripe:pi_1", "customer_id": "cus_9",
    "metadata": '{"name": "Ada"}', "provider_created_at": NOW, "processed_at": NOW, "livemode": False,
}  # fmt: skip


def rows(*changes: dict[str, Any]) -> pa.Table:
    """Good rows with ids of their own, each with its changes."""
    listed = [{**GOOD, "event_id": f"stripe:evt_{number}", **change} for number, change in enumerate(changes)]
    return pa.Table.from_pylist(listed, pa.schema([(column.name, column.type) for column in COLUMNS]))


def broken(*changes: dict[str, Any], known: tuple[str, ...] = ()) -> list[list[str]]:
    verdict = judge(rows(*changes), row_rules("payment_events"), NOW, {"event_id": pa.array(known, pa.string())})
    assert verdict.kept.num_rows + verdict.rejected.num_rows == len(changes)
    return [list(each) for each in verdict.broken]


@pytest.mark.parametrize(
    ("change", "rule_id"),
    [
        ({"merchant_id": None}, "required.merchant_id"),
        ({"merchant_id": ""}, "required.merchant_id"),
        ({"amount_cents": None}, "required.amount_cents"),
        ({"provider_created_at": None}, "required.provider_created_at"),
        ({"amount_cents": -1}, "not_negative.amount_cents"),
        ({"amount_refunded_cents": -1}, "not_negative.amount_refunded_cents"),
        ({"currency": "eur"}, "matches.currency"),
        ({"currency": "EURO"}, "matches.currency"),
        ({"currency": "EUR\n"}, "matches.currency"),
        ({"provider_created_at": NOW + timedelta(days=1, seconds=1)}, "not_future.provider_created_at"),
        ({"provider_created_at": datetime(1999, 12, 31, tzinfo=UTC)}, "not_before.provider_created_at"),
    ],
)
def test_a_row_that_breaks_a_rule_is_rejected_under_its_name(change: dict[str, Any], rule_id: str) -> None:
    assert broken({}, change, {}) == [[rule_id]]


def test_what_a_rule_allows_passes() -> None:
    assert not broken({}, {"amount_cents": 0}, {"provider_created_at": NOW + timedelta(days=1)}, {"customer_id": None})


def test_of_equal_keys_the_first_good_row_passes() -> None:
    same = {"event_id": "stripe:evt_same"}
    assert broken({**same, "amount_cents": -1}, same, {}, same) == [["not_negative.amount_cents"], ["unique.event_id"]]


def test_a_key_that_the_lake_has_is_rejected() -> None:
    assert broken({}, {}, known=("stripe:evt_1", "stripe:evt_7")) == [["unique.event_id"]]


def test_all_rules_that_a_row_breaks_are_told() -> None:
    assert broken({"merchant_id": None, "amount_cents": -1}) == [["required.merchant_id", "not_negative.amount_cents"]]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), max_size=30))
def test_every_key_with_a_good_row_passes_exactly_once(pairs: list[tuple[int, int]]) -> None:
    listed = [{"event_id": f"stripe:evt_{key}", "amount_cents": amount} for key, amount in pairs]
    verdict = judge(rows(*listed), row_rules("payment_events"), NOW)
    kept = verdict.kept["event_id"].to_pylist()
    assert sorted(kept) == sorted({f"stripe:evt_{key}" for key, amount in pairs if amount >= 0})


def test_small_batches_are_not_judged_by_shares() -> None:
    limit = Limit(share=0.05, least_rows=100, least_a_day=10)
    assert not limit.is_passed(99, 99)
    assert not limit.is_passed(5, 100)
    assert limit.is_passed(6, 100)


@pytest.mark.parametrize(
    ("ingested", "bad", "told"),
    [(0, 0, ""), (0, 9, "warns"), (0, 10, "stops"), (190, 10, ""), (189, 10, "stops")],
)
def test_a_day_of_small_bad_batches_is_told_of_and_stops_once_it_is_no_accident(
    ingested: int, bad: int, told: str
) -> None:
    limit, found = Limit(share=0.05, least_rows=100, least_a_day=10), Share(ingested, {"required.key": bad})
    assert (found.is_over(limit), found.stops(limit)) == (bool(told), told == "stops")


def test_each_source_has_a_limit_of_its_own(tmp_path: Path) -> None:
    text = RULES_FILE.read_text(encoding="utf-8").replace("reject_limit: 0.05", "reject_limit: 0.2", 1)
    (file := tmp_path / "row_rules.yaml").write_text(text, encoding="utf-8")
    assert row_rules("payment_events", file).limit.share == 0.2
    assert row_rules("decisions", file).limit.share == 0.05


@pytest.mark.parametrize(
    ("was", "told"),
    [
        ("reject_limit: 5", r"row_rules.yaml, payment_events: reject_limit is 5, and has to be a share .* 0 to 1"),
        ("reject_limit: few", "reject_limit is 'few'"),
        ("reject_limit: yes", "reject_limit is True"),
        ("nothing: 0", "there is no 'reject_limit'"),
    ],
)
def test_a_limit_that_is_none_is_refused_with_what_it_has_to_be(was: str, told: str, tmp_path: Path) -> None:
    text = RULES_FILE.read_text(encoding="utf-8").replace("reject_limit: 0.05", was, 1)
    (file := tmp_path / "row_rules.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RowRulesError, match=told):
        row_rules("payment_events", file)


def test_a_limit_on_the_command_line_is_a_share(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser().parse_args(["ingest", "--reject-limit", "1"]).reject_limit == 1.0
    with pytest.raises(SystemExit):
        parser().parse_args(["ingest", "--reject-limit", "5"])
    assert "no share from 0 to 1" in capsys.readouterr().err


def test_a_source_without_rules_is_told() -> None:
    with pytest.raises(RowRulesError, match="no_such"):
        row_rules("no_such")


def test_a_rejected_row_is_kept_without_what_is_personal() -> None:
    verdict: Verdict = judge(rows({"amount_cents": -1}), row_rules("payment_events"), NOW)
    origin = Origin("payment_events", "event_id", "provider_created_at", COLUMNS)
    (kept,) = rejected_rows(origin, verdict, "payment_events:7", NOW).to_pylist()
    assert "cus_9" not in kept["row"]
    assert "Ada" not in kept["row"]
    assert '"amount_cents": -1' in kept["row"]
    assert (kept["rule_id"], kept["key"], kept["event_day"]) == (
        "not_negative.amount_cents", "stripe:evt_0", date(2026, 3, 1),
    )  # fmt: skip
