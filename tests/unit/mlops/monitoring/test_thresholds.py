"""Thresholds are data, and a file that means nothing is refused."""

from pathlib import Path

import pytest

from mlops.monitoring.__main__ import main
from mlops.monitoring.predictions import Period
from mlops.monitoring.thresholds import Limits, State, ThresholdsError, overall, thresholds_of, worst
from tests.fakes.times import NOW


def test_a_limit_is_passed_not_reached() -> None:
    limits = Limits(watch=0.1, alert=0.25)
    assert [limits.state(value) for value in (0, 0.1, 0.11, 0.25, 0.26)] == [
        State.OK, State.OK, State.WATCH, State.WATCH, State.ALERT,
    ]  # fmt: skip


def test_the_worst_of_a_row_may_be_unknown_and_that_of_all_rows_only_where_nothing_is_known() -> None:
    assert worst([State.OK, State.UNKNOWN]) is State.UNKNOWN
    assert overall([State.OK, State.UNKNOWN]) is State.OK
    assert overall([State.UNKNOWN]) is State.UNKNOWN
    assert overall([State.WATCH, State.ALERT, State.OK]) is State.ALERT


@pytest.mark.parametrize("text", ["psi: {watch: 0.3, alert: 0.2}", "[]", "psi: [", ""])
def test_a_file_that_means_nothing_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "thresholds.yaml"
    file.write_text(text)
    with pytest.raises(ThresholdsError, match=r"thresholds\.yaml"):
        thresholds_of(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ThresholdsError, match="No such file"):
        thresholds_of(tmp_path / "none.yaml")


def test_days_of_which_the_log_has_lost_a_part_keep_their_rows() -> None:
    today = NOW.date()
    assert Period.ending(today, 7, None).first == today.fromordinal(today.toordinal() - 6)
    kept_from = today.fromordinal(today.toordinal() - 2)
    assert Period.ending(today, 7, kept_from).first == kept_from


def test_without_addresses_the_command_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TIDEGATE_KAFKA_BOOTSTRAP_SERVERS", "TIDEGATE_KAFKA_PROPERTIES_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert main(["skew"]) == 2
    assert "python -m stack env monitor" in capsys.readouterr().err
