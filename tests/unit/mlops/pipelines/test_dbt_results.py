"""What a dbt run came to is named, and tried again only where an engine was away."""

from typing import Any

from mlops.pipelines.lib.dbt_results import found_in


def result(status: str, name: str, message: str = "", failures: int | None = None) -> dict[str, Any]:
    return {"status": status, "unique_id": f"test.tidegate.{name}", "message": message, "failures": failures}


def test_a_test_that_fails_is_named_and_not_tried_again() -> None:
    found = found_in([result("pass", "fine"), result("fail", "captured_at_most_authorised", failures=3)])
    assert str(found) == "tidegate.captured_at_most_authorised: 3 rows"
    assert not found.is_away


def test_an_engine_that_is_away_is_tried_again() -> None:
    away = found_in([result("error", "fct_payments", "HTTPConnectionPool: Connection refused"), result("skipped", "x")])
    assert away.is_away
    assert found_in([]).is_away, "dbt did not come so far as to build anything"


def test_a_model_that_cannot_be_built_is_not_tried_again() -> None:
    found = found_in([result("error", "fct_payments", "line 3:1: Column\n 'x' cannot be resolved")])
    assert not found.is_away
    assert str(found) == "tidegate.fct_payments: line 3:1: Column 'x' cannot be resolved"
