"""What the online store must have held, and may have held, at any moment: the stream applied once more. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.state import State, empty
from mlops.features.transform import apply

EntityKey: TypeAlias = tuple[Entity, str]

_BEGINNING_US: Final = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One fact as it came; in the order of arrival over all topics."""

    # When the broker had it, microseconds since 1970.
    at_us: int
    fact: PaymentFact
    # The event that states it; None for a fraud score.
    event: UnifiedPaymentEvent | None = None


class Held(NamedTuple):
    """A state, and since when it has been the entity's."""

    since_us: int
    state: State


class Replay:
    """Every entity's newest state, and those before it that it had within the last `kept_us`."""

    def __init__(self, kept_us: int) -> None:
        self._kept_us = kept_us
        self._lines: dict[EntityKey, list[Held]] = {}

    def arrive(self, arrival: Arrival) -> None:
        """Apply one fact more to the entities that it is about."""
        for key in entity_keys(arrival.fact).items():
            line = self._line(key)
            after = apply(line[-1].state, arrival.fact)
            if after is line[-1].state:
                continue
            line.append(Held(arrival.at_us, after))
            surplus = _position(line, arrival.at_us - self._kept_us)
            del line[:surplus]

    def state(self, key: EntityKey) -> State:
        """The newest."""
        return self._line(key)[-1].state

    def between(self, key: EntityKey, start_us: int, end_us: int) -> Sequence[Held]:
        """The states that were the entity's at some moment between these, as far as they are kept."""
        line = self._line(key)
        first = _position(line, start_us)
        return line[first : max(first, _position(line, end_us)) + 1]

    def _line(self, key: EntityKey) -> list[Held]:
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = [Held(_BEGINNING_US, empty(key[0]))]
        return line


def _position(line: Sequence[Held], at_us: int) -> int:
    """Of the state that was the entity's at a moment; of the first that is kept where that is gone."""
    return max(0, bisect_right(line, at_us, key=lambda each: each.since_us) - 1)


def nearest(held: Sequence[Held], to_us: int) -> Iterator[Held]:
    """These, the ones of the nearest moments first."""
    return iter(sorted(held, key=lambda each: abs(each.since_us - to_us)))
