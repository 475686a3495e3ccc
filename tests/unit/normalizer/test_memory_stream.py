"""The stream in memory keeps the promises of a Stream, so that tests on it mean something."""

from collections.abc import Sequence

import pytest

from services.normalizer.ports import Stream
from services.runtime.consumer import Record
from services.runtime.errors import Position
from tests.fakes.stream import MemoryBroker
from tests.fakes.stream_suite import StreamSuite


class MemoryPlace:
    topic = "out"

    def __init__(self) -> None:
        self._broker = MemoryBroker(
            [Record(Position("in", 0, offset), None, b"%d" % offset, {}) for offset in range(5)], batch=2
        )

    def connect(self) -> Stream:
        return self._broker.connect()

    def visible(self) -> Sequence[bytes]:
        return [message.value for message in self._broker.delivered]

    def lift(self) -> None:
        self._broker.held = None


class TestMemoryStream(StreamSuite):
    @pytest.fixture
    def place(self) -> MemoryPlace:
        return MemoryPlace()
