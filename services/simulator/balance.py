"""The books of a run: what went into a stage must have come out, and each delivery have become what it should."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.simulator.events import Expected
from services.simulator.report import Answered

CONTRACTED: Final = (
    "webhooks.stripe.payment_intent",
    "webhooks.stripe.charge",
    "webhooks.stripe.refund",
    "webhooks.stripe.dispute",
)
OTHER: Final = "webhooks.stripe.other"
DEAD: Final = "webhooks.dlq"
NORMALIZED: Final = "payments.normalized"
FAILURES: Final = "payments.validation.dlq"
DECISIONS: Final = "payments.decisions"

_UNAUTHORIZED, _CONTENT_TOO_LARGE = 401, 413


@dataclass(frozen=True, slots=True)
class Sighting:
    """A message that was seen on a topic. `body` is the SHA-256 of the webhook's body, on the gateway's topics."""

    topic: str
    event_id: str
    body: str | None
    # Kafka's timestamp, seconds since 1970.
    at: float


@dataclass(frozen=True, slots=True)
class Rows:
    """Event ids that each table holds."""

    events: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    quarantine: tuple[str, ...] = ()
    outbox: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One equation: a total and the parts it must be the sum of."""

    stage: str
    total: tuple[str, int]
    parts: tuple[tuple[str, int], ...]

    @property
    def missing(self) -> int:
        """How much of the total no part accounts for; negative when the parts are too many."""
        return self.total[1] - sum(count for _, count in self.parts)


@dataclass(frozen=True, slots=True)
class Books:
    """All that was sent and all that was seen of it. Messages and rows of others are left out when it is made."""

    answers: Sequence[Answered]
    # Topic to the bodies, or event ids, that were seen on it and how often.
    bodies: Mapping[str, Counter[str]]
    messages: Mapping[str, Counter[str]]
    rows: Rows

    def lines(self) -> list[Line]:
        """The equations, in the order of the flow."""
        contracted = sum(self.bodies[topic].total() for topic in CONTRACTED)
        normalized, failures = self.messages[NORMALIZED], self.messages[FAILURES]
        events, quarantined = len(self.rows.events), len(self.rows.quarantine)
        return [
            Line("gateway", ("posted", len(self.answers)), self._answered(contracted)),
            Line(
                "normalizer",
                ("contracted", contracted),
                (("normalized", normalized.total()), ("failures", failures.total())),
            ),
            Line(
                "orchestrator",
                ("normalized", normalized.total()),
                (("decided", events), ("repeated", _repeated(normalized))),
            ),
            Line("", ("failures", failures.total()), (("quarantined", quarantined), ("repeated", _repeated(failures)))),
            Line("PostgreSQL", ("events", events), (("decisions", len(self.rows.decisions)),)),
            Line(
                "relay",
                ("decisions", len(self.rows.decisions)),
                (("published", self.messages[DECISIONS].total()), ("waiting", len(self.rows.outbox))),
            ),
        ]

    def differences(self) -> list[str]:
        """Every delivery that did not become what it should, in words."""
        return [told for answer in self.answers if (told := self._difference(answer))]

    def outcome(self, answer: Answered) -> str:
        """What became of a delivery: a value of Expected, or words for what went wrong."""
        if not answer.acknowledged:
            refused = {_UNAUTHORIZED: Expected.UNVERIFIED, _CONTENT_TOO_LARGE: Expected.TOO_LARGE}
            return refused.get(answer.status or 0, "not acknowledged")
        body = _digest(answer)
        if self.bodies[DEAD][body]:
            return Expected.DEAD
        if self.bodies[OTHER][body]:
            return Expected.OTHER
        if not any(self.bodies[topic][body] for topic in CONTRACTED):
            return "acknowledged, and on no topic"
        return self._effect(event_key(answer))

    def _answered(self, contracted: int) -> tuple[tuple[str, int], ...]:
        statuses = Counter(answer.status for answer in self.answers)
        acknowledged = sum(answer.acknowledged for answer in self.answers)
        refused = statuses[_UNAUTHORIZED] + statuses[_CONTENT_TOO_LARGE]
        return (
            ("contracted", contracted),
            ("other", self.bodies[OTHER].total()),
            ("dead", self.bodies[DEAD].total()),
            ("unverified (401)", statuses[_UNAUTHORIZED]),
            ("too large (413)", statuses[_CONTENT_TOO_LARGE]),
            ("not acknowledged", len(self.answers) - acknowledged - refused),
        )

    def _effect(self, event_id: str) -> str:
        effects = (
            self.rows.events.count(event_id),
            self.rows.decisions.count(event_id),
            self.messages[DECISIONS][event_id],
        )
        if effects == (1, 1, 1):
            return Expected.NORMALISED
        if event_id in self.rows.quarantine and effects == (0, 0, 0):
            return Expected.VALIDATION_FAILURE
        return "{} rows, {} decisions and {} messages in place of one each".format(*effects)

    def _difference(self, answer: Answered) -> str | None:
        expected, outcome = answer.delivery.expected, self.outcome(answer)
        known = {Expected.NORMALISED, Expected.OTHER, Expected.DEAD, Expected.VALIDATION_FAILURE}
        # A duplicate shares its original's fate, and that has one effect only.
        fine = outcome in known if expected in {Expected.DUPLICATE, Expected.ACCOUNTED} else outcome == expected
        if fine:
            return None
        event = answer.delivery.event
        fault = f" ({answer.delivery.fault})" if answer.delivery.fault else ""
        return f"{event.event_id} {event.type}{fault}: {outcome}; expected: {expected}"


def book(answers: Sequence[Answered], sightings: Iterable[Sighting], rows: Rows) -> Books:
    """The books of these answers; what others sent meanwhile is left out."""
    ours = {event_key(answer) for answer in answers}
    our_bodies = {_digest(answer) for answer in answers}
    bodies: dict[str, Counter[str]] = {topic: Counter() for topic in (*CONTRACTED, OTHER, DEAD)}
    messages: dict[str, Counter[str]] = {topic: Counter() for topic in (NORMALIZED, FAILURES, DECISIONS)}
    for seen in sightings:
        if seen.body is not None and seen.body in our_bodies:
            bodies[seen.topic][seen.body] += 1
        elif seen.body is None and seen.event_id in ours:
            messages[seen.topic][seen.event_id] += 1
    return Books(answers, bodies, messages, rows)


def event_key(answer: Answered) -> str:
    """The platform's event_id of a delivery."""
    return f"stripe:{answer.delivery.event.event_id}"


def sent_ids(answers: Iterable[Answered], expected: Collection[Expected]) -> set[str]:
    """The platform's event ids of acknowledged deliveries with one of these expected outcomes."""
    return {event_key(answer) for answer in answers if answer.acknowledged and answer.delivery.expected in expected}


def _digest(answer: Answered) -> str:
    return hashlib.sha256(answer.delivery.body).hexdigest()


def _repeated(messages: Counter[str]) -> int:
    return messages.total() - len(messages)
