"""When each delivery is to be sent: at a fixed rate that no answer can change (an open loop)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.simulator.injections import Delivery


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A delivery with its number and its due time in seconds after the start."""

    number: int
    due_seconds: float
    delivery: Delivery


def at_fixed_rate(deliveries: Iterable[Delivery], per_second: float) -> Iterator[Scheduled]:
    """The n-th delivery is due n / rate seconds after the start."""
    if per_second <= 0:
        raise ValueError("a rate is above 0")
    for number, delivery in enumerate(deliveries):
        yield Scheduled(number, number / per_second, delivery)
