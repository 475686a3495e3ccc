"""What every Stream promises its user; run against the one in memory and the one over Kafka."""

from collections.abc import Callable, Sequence
from typing import Protocol

import pytest

from services.normalizer.ports import MessagesTooLargeError, Stream, StreamHeldError
from services.runtime.consumer import Record
from services.runtime.producer import Outgoing

Read = Callable[[Stream], Sequence[Record]]


class Place(Protocol):
    """A stream's surroundings: what is on its input, and who else sees its output."""

    topic: str

    def connect(self) -> Stream:
        """A stream over the same input, as another start of the process has it."""
        ...

    def visible(self) -> Sequence[bytes]:
        """The values that a reader of committed messages sees."""
        ...

    def lift(self) -> None:
        """Take holds away, as an operator does."""
        ...


def read_until(stream: Stream, count: int) -> list[Record]:
    """Read batches until one has come, and check that it holds the records to be expected."""
    for _ in range(200):
        if records := stream.read():
            assert len(records) <= count
            return records
    pytest.fail("no batch came")


class StreamSuite:
    """Inherit it beside a fixture `place` whose input has 5 records, valued b"0" to b"4", read at most 2 at a time."""

    def test_records_come_in_order_and_each_once_when_delivered(self, place: Place) -> None:
        stream = place.connect()
        seen: list[bytes | None] = []
        while len(seen) < 5:
            records = read_until(stream, 2)
            stream.deliver([])
            seen += [record.value for record in records]
        assert seen == [b"0", b"1", b"2", b"3", b"4"]
        assert stream.read() == []
        stream.close()

    def test_what_is_delivered_is_seen(self, place: Place) -> None:
        stream = place.connect()
        read_until(stream, 2)
        stream.deliver([Outgoing(place.topic, b"k", b"out", {"h": "v"})])
        assert place.visible() == [b"out"]
        stream.close()

    def test_messages_that_are_too_large_are_named_and_the_batch_can_be_delivered_without_them(
        self, place: Place
    ) -> None:
        stream = place.connect()
        read_until(stream, 2)
        small, large = (Outgoing(place.topic, b"k", value, {}) for value in (b"out", b"x" * 1_100_000))
        with pytest.raises(MessagesTooLargeError) as error:
            stream.deliver([large, small, large])
        assert error.value.numbers == (0, 2)
        assert place.visible() == []
        stream.deliver([small])
        assert place.visible() == [b"out"]
        assert read_until(stream, 2)[0].value == b"2"
        stream.close()

    def test_a_batch_that_is_not_delivered_is_read_again_after_a_rewind(self, place: Place) -> None:
        stream = place.connect()
        first = read_until(stream, 2)
        stream.rewind()
        assert read_until(stream, 2)[0] == first[0]
        assert place.visible() == []
        stream.close()

    def test_a_rewind_does_not_go_behind_what_was_delivered(self, place: Place) -> None:
        stream = place.connect()
        delivered = read_until(stream, 2)
        stream.deliver([])
        read_until(stream, 2)
        stream.rewind()
        assert read_until(stream, 2)[0].position.offset == delivered[-1].position.offset + 1
        stream.close()

    def test_what_one_process_did_not_deliver_the_next_one_reads(self, place: Place) -> None:
        first = place.connect()
        read_until(first, 2)
        first.close()
        second = place.connect()
        assert read_until(second, 2)[0].value == b"0"
        second.close()

    def test_a_hold_keeps_the_next_process_from_reading_until_it_is_lifted(self, place: Place) -> None:
        first = place.connect()
        delivered = read_until(first, 2)
        first.deliver([])
        read_until(first, 2)
        first.hold("too many failed")
        first.close()
        second = place.connect()
        with pytest.raises(StreamHeldError, match="too many failed"):
            read_until(second, 2)
        second.close()
        place.lift()
        third = place.connect()
        assert read_until(third, 2)[0].position.offset == delivered[-1].position.offset + 1
        third.close()

    def test_lag_is_told_and_shrinks(self, place: Place) -> None:
        stream = place.connect()
        read_until(stream, 2)
        stream.deliver([])
        before = sum(stream.lag().values())
        read_until(stream, 2)
        assert 0 < before <= 4
        assert sum(stream.lag().values()) < before
        stream.close()

    def test_a_stream_that_works_misses_nothing(self, place: Place) -> None:
        stream = place.connect()
        read_until(stream, 2)
        assert stream.missing() is None
        stream.close()
