"""What became of every delivery: records, counts, percentiles, and what was not as expected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.simulator.events import Expected
from services.simulator.injections import Delivery

_ACCEPTED, _UNAUTHORIZED, _CONTENT_TOO_LARGE = 202, 401, 413
STATUS_OF: Mapping[Expected, int] = {
    Expected.NORMALISED: _ACCEPTED,
    Expected.OTHER: _ACCEPTED,
    Expected.DEAD: _ACCEPTED,
    Expected.VALIDATION_FAILURE: _ACCEPTED,
    Expected.DUPLICATE: _ACCEPTED,
    Expected.ACCOUNTED: _ACCEPTED,
    Expected.UNVERIFIED: _UNAUTHORIZED,
    Expected.TOO_LARGE: _CONTENT_TOO_LARGE,
}

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Answered:
    """One delivery and its last answer. Times are seconds since 1970; `status` is None where no HTTP answer came."""

    number: int
    delivery: Delivery
    due_at: float
    sent_at: float
    answered_at: float
    status: int | None
    error: str | None
    # How often it was posted, the first time counted.
    attempts: int

    @property
    def as_expected(self) -> bool:
        """Whether the HTTP status is the one that the expected outcome has."""
        return self.status == STATUS_OF[self.delivery.expected]

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has taken responsibility for it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - 2xx

    @property
    def latency_ms(self) -> float:
        """From the moment it was due, not from the moment it was sent: a stalled receiver cannot hide its stall."""
        return (self.answered_at - self.due_at) * 1000

    def as_json(self) -> dict[str, Any]:
        """One entry of the report file."""
        event = self.delivery.event
        return {
            "number": self.number,
            "event_id": event.event_id,
            "type": event.type,
            "amount": event.amount,
            "currency": event.currency,
            "merchant_id": event.merchant_id,
            "payment": event.payment,
            "expected": self.delivery.expected.value,
            "fault": self.delivery.fault,
            "overtaken": self.delivery.overtaken,
            "file": event.file,
            "status": self.status,
            "error": self.error,
            "attempts": self.attempts,
            "acknowledged": self.acknowledged,
            "as_expected": self.as_expected,
            "due_at": self.due_at,
            "sent_at": self.sent_at,
            "answered_at": self.answered_at,
            "latency_ms": round(self.latency_ms, 3),
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run in figures. Latencies and delays in milliseconds."""

    sent: int
    seconds: float
    unexpected: int
    retried: int
    outcomes: Mapping[tuple[str, str], int]
    latency_ms: Mapping[str, float]
    # How late the simulator itself was: when large, it and not the receiver was the bottleneck.
    send_delay_ms: Mapping[str, float]

    @property
    def per_second(self) -> float:
        """Deliveries a second that were really sent."""
        return self.sent / self.seconds if self.seconds > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        """The figures of the report file."""
        counts = [{"expected": was, "answer": answer, "count": n} for (was, answer), n in sorted(self.outcomes.items())]
        return {
            "sent": self.sent,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.per_second, 1),
            "unexpected": self.unexpected,
            "retried": self.retried,
            "outcomes": counts,
            "latency_ms": self.latency_ms,
            "send_delay_ms": self.send_delay_ms,
        }


def summarise(answers: Sequence[Answered]) -> Summary:
    """The figures of a run."""
    return Summary(
        sent=len(answers),
        seconds=max(answer.answered_at for answer in answers) - answers[0].due_at if answers else 0.0,
        unexpected=sum(not answer.as_expected for answer in answers),
        retried=sum(answer.attempts > 1 for answer in answers),
        outcomes=Counter((answer.delivery.expected.value, answer_in_words(answer)) for answer in answers),
        latency_ms=percentiles([answer.latency_ms for answer in answers]),
        send_delay_ms=percentiles([(answer.sent_at - answer.due_at) * 1000 for answer in answers]),
    )


def answer_in_words(answer: Answered) -> str:
    """The HTTP status, or why there was none."""
    return str(answer.status) if answer.status is not None else str(answer.error)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Nearest-rank percentiles and the maximum; empty for no values."""
    if not values:
        return {}
    ordered = sorted(values)
    ranks = {f"p{percent}": ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for percent in PERCENTILES}
    return {name: round(value, 3) for name, value in {**ranks, "max": ordered[-1]}.items()}


def as_text(summary: Summary, answers: Sequence[Answered], most_examples: int = 10) -> str:
    """The report that people read."""
    lines = [
        f"Sent {summary.sent} webhooks in {summary.seconds:.1f} s ({summary.per_second:.1f}/s)"
        + (f", {summary.retried} of them more than once" if summary.retried else ""),
        "",
        f"  {'expected':<20}{'answer':<12}{'count':>8}",
        *(f"  {was:<20}{answer:<12}{count:>8}" for (was, answer), count in sorted(summary.outcomes.items())),
        "",
        f"  answer after (ms, from the due time)  {_in_line(summary.latency_ms)}",
        f"  simulator's own delay (ms)            {_in_line(summary.send_delay_ms)}",
        "",
    ]
    if not summary.unexpected:
        return "\n".join([*lines, "Every answer was as expected."])
    wrong = [answer for answer in answers if not answer.as_expected]
    return "\n".join(
        [*lines, f"{summary.unexpected} answers were not as expected:", *map(_example, wrong[:most_examples])]
    )


def _example(answer: Answered) -> str:
    delivery = answer.delivery
    name = delivery.event.file or delivery.event.event_id
    wanted = STATUS_OF[delivery.expected]
    fault = f" ({delivery.fault})" if delivery.fault else ""
    return f"  {name} {delivery.event.type}{fault}: {answer_in_words(answer)} instead of {wanted}"


def _in_line(figures: Mapping[str, float]) -> str:
    return "   ".join(f"{name} {value:.1f}" for name, value in figures.items())
