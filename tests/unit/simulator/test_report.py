"""The report counts, measures and names what was not as expected."""

import io
import json

import pytest

from services.simulator.events import Event, Expected
from services.simulator.injections import Delivery
from services.simulator.progress import Progress
from services.simulator.report import STATUS_OF, Answered, as_text, percentiles, summarise


def answered(number: int, expected: Expected = Expected.NORMALISED, status: int | None = 202) -> Answered:
    event = Event(f"evt_{number}", "charge.succeeded", b"{}", expected, amount=100, currency="usd")
    error = "refused" if status is None else None
    return Answered(number, Delivery(event, b"{}", expected), number, number + 0.001, number + 0.01, status, error, 1)


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles([float(n) for n in range(1, 101)]) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}
    assert percentiles([7.0]) == {"p50": 7.0, "p90": 7.0, "p99": 7.0, "max": 7.0}
    assert percentiles([]) == {}


def test_every_outcome_has_a_status() -> None:
    assert set(STATUS_OF) == set(Expected)


def test_counts_are_by_expected_outcome_and_answer() -> None:
    summary = summarise([answered(0), answered(1), answered(2, Expected.UNVERIFIED, 401), answered(3, status=None)])
    assert summary.outcomes == {("normalised", "202"): 2, ("unverified", "401"): 1, ("normalised", "refused"): 1}
    assert (summary.sent, summary.unexpected) == (4, 1)
    assert summary.latency_ms["p50"] == pytest.approx(10.0)


def test_what_differs_is_named() -> None:
    answers = [answered(0), answered(1, Expected.UNVERIFIED, 202)]
    text = as_text(summarise(answers), answers)
    assert "1 answers were not as expected" in text
    assert "evt_1 charge.succeeded: 202 instead of 401" in text
    assert "evt_0" not in text


def test_a_clean_run_says_so() -> None:
    answers = [answered(0)]
    assert as_text(summarise(answers), answers).endswith("Every answer was as expected.")


def test_an_entry_of_the_report_file_holds_all_that_a_test_needs() -> None:
    entry = json.loads(json.dumps(answered(3).as_json()))
    assert {"event_id", "type", "amount", "currency", "expected", "status", "sent_at", "answered_at"} <= set(entry)
    assert entry["acknowledged"] is True


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(out: io.StringIO, seconds: float) -> str:
    times = iter([0.0, *(seconds * n for n in range(1, 100))])
    progress = Progress(out, 3, lambda: next(times))
    progress.add(answered(0))
    progress.add(answered(1, Expected.UNVERIFIED, 202))
    progress.finish()
    return out.getvalue()


def test_a_terminal_gets_one_line_rewritten() -> None:
    text = shown(Terminal(), 1.0)
    assert "\n" not in text
    assert "2/3" in text
    assert "202:2" in text
    assert "1 unexpected" in text


def test_a_log_gets_a_line_now_and_then() -> None:
    assert shown(io.StringIO(), 1.0) == ""
    assert shown(io.StringIO(), 6.0).count("\n") == 2
