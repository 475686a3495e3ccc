"""Watches a running platform until everything that was sent is through, and opens the books on it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision

from services.runtime.registry import RegistrySchemaIds
from services.runtime.settings import KafkaSettings, RegistrySettings
from services.simulator.adapters.tables import Tables
from services.simulator.adapters.topics import Places, Read, Topics
from services.simulator.balance import DECISIONS, Books, book, event_key, sent_ids
from services.simulator.events import Expected
from services.simulator.report import Answered

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """The books, and every message that was read for them."""

    books: Books
    reads: Sequence[Read]
    # When each event's decision was stored, by PostgreSQL's clock, in seconds since 1970.
    stored_at: Mapping[str, float]

    @property
    def balanced(self) -> bool:
        """Whether every stage gave out what it took in, nothing waits, and each delivery became what it should."""
        lines = self.books.lines()
        return not any(line.missing for line in lines) and not self.books.rows.outbox and not self.books.differences()

    def decisions(self) -> dict[str, tuple[PaymentDecision, float]]:
        """The published decisions by event id, each with Kafka's timestamp in seconds since 1970."""
        ours = self.books.messages[DECISIONS]
        return {
            read.sighting.event_id: (read.message, read.sighting.at)
            for read in self.reads
            if read.sighting.topic == DECISIONS and read.sighting.event_id in ours
        }


class Onlooker:
    """Reads the topics from the moment it was made, and the tables."""

    def __init__(self, topics: Topics, tables: Tables) -> None:
        self._topics = topics
        self._tables = tables
        self._since: Places = topics.ends()

    @classmethod
    def connect(cls, kafka: KafkaSettings, registry: RegistrySettings, database_url: str) -> Self:
        """Remember where every topic ends now."""
        return cls(Topics(kafka.client_config(), RegistrySchemaIds(registry)), Tables(database_url))

    def wait(self, answers: Sequence[Answered], seconds: float, on_progress: Callable[[int, int], None]) -> Outcome:
        """The outcome, as soon as it is in balance; after so many seconds, as it then is.

        `on_progress` is told how many of the expected decisions are stored.
        """
        awaited = sent_ids(answers, {Expected.NORMALISED})
        failures = sent_ids(answers, {Expected.VALIDATION_FAILURE})
        ids = {event_key(answer) for answer in answers}
        deadline = time.monotonic() + seconds
        while True:
            rows = self._tables.rows(ids)
            on_progress(len(awaited & set(rows.decisions)), len(awaited))
            late = time.monotonic() > deadline
            if late or (awaited <= set(rows.decisions) and failures <= set(rows.quarantine) and not rows.outbox):
                reads = self._topics.read(self._since)
                books = book(answers, [read.sighting for read in reads], rows)
                outcome = Outcome(books, reads, self._tables.stored_at(ids))
                if late or outcome.balanced:
                    return outcome
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Leave Kafka."""
        self._topics.close()
