"""Nothing acknowledged is lost or doubled while the platform's processes are killed in turn."""

import pytest

from tests.e2e.crash import TARGETS, run, table
from tests.e2e.platform import Platform


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_acknowledged_event_has_one_row_one_decision_and_one_message(platform: Platform) -> None:
    crashes, found = run(platform, seconds=60, rate=30, targets=TARGETS)
    assert found.passed, table(crashes, found)
    assert found.never_acknowledged == 0, table(crashes, found)
    assert [crash.program for crash in crashes] == list(TARGETS)
