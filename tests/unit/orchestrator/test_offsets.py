"""An offset may be committed once every record before it is started."""

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.offsets import Offsets
from services.runtime.errors import Position

PARTITION = ("events", 0)


def at(offset: int, partition: int = 0) -> Position:
    return Position("events", partition, offset)


def test_nothing_is_committable_before_the_first_record_is_done() -> None:
    offsets = Offsets()
    offsets.begin(at(5))
    offsets.begin(at(6))
    offsets.finish(at(6))
    assert offsets.committable() == {}
    offsets.finish(at(5))
    assert offsets.committable() == {PARTITION: 7}


def test_gaps_that_transactions_leave_between_offsets_are_passed() -> None:
    offsets = Offsets()
    for offset in (5, 9, 30):
        offsets.begin(at(offset))
        offsets.finish(at(offset))
    assert offsets.committable() == {PARTITION: 31}


def test_what_was_committed_is_not_committed_again() -> None:
    offsets = Offsets()
    offsets.begin(at(5))
    offsets.finish(at(5))
    offsets.committed(offsets.committable())
    assert offsets.committable() == {}


def test_a_commit_that_failed_is_still_to_be_made() -> None:
    offsets = Offsets()
    offsets.begin(at(5))
    offsets.finish(at(5))
    assert offsets.committable() == offsets.committable() == {PARTITION: 6}


def test_a_partition_that_went_away_and_came_back_begins_anew() -> None:
    offsets = Offsets()
    offsets.begin(at(5))
    offsets.begin(at(6))
    offsets.forget([PARTITION])
    offsets.finish(at(5))
    assert offsets.committable() == {}
    offsets.begin(at(5))
    offsets.finish(at(6))
    assert offsets.committable() == {}
    offsets.finish(at(5))
    assert offsets.committable() == {PARTITION: 6}


@given(st.permutations(range(8)), st.integers(0, 8))
def test_whatever_the_order_only_a_prefix_is_committable(order: list[int], done: int) -> None:
    offsets = Offsets()
    for offset in range(8):
        offsets.begin(at(offset))
    finished = set(order[:done])
    for offset in finished:
        offsets.finish(at(offset))
    prefix = next(offset for offset in range(9) if offset not in finished)
    assert offsets.committable() == ({PARTITION: prefix} if prefix else {})
