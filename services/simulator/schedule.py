"""When each delivery is to be sent: at a fixed rate or at its own time, which no answer can change (an open loop)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.simulator.injections import Delivery


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A delivery with its number and its due time in seconds after the start."""

    number: int
    due_seconds: float
    delivery: Delivery


def at_own_times(deliveries: Iterable[Delivery], speed: float) -> Iterator[Scheduled]:
    """Each is due when its event arrives in its world, which runs `speed` times as fast as the clock.

    ValueError for an event that has no time of arrival.
    """
    if speed <= 0:
        raise ValueError("a speed is above 0")
    first: float | None = None
    latest = 0.0
    for number, delivery in enumerate(deliveries):
        arrives_at = delivery.event.arrives_at
        if arrives_at is None:
            raise ValueError(f"{delivery.event.type}: only events of a world have a time to be posted at")
        first = arrives_at if first is None else first
        # A repeated or held back delivery comes when its turn is, not in the past.
        latest = max(latest, (arrives_at - first) / speed)
        yield Scheduled(number, latest, delivery)


def at_fixed_rate(deliveries: Iterable[Delivery], per_second: float) -> Iterator[Scheduled]:
    """The n-th delivery is due n / rate seconds after the start."""
    if per_second <= 0:
        raise ValueError("a rate is above 0")
    for number, delivery in enumerate(deliveries):
        yield Scheduled(number, number / per_second, delivery)
