"""Failures as types, so that each edge can answer each of them on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One rule that a message broke, told without the value that broke it."""

    rule_id: str
    field_path: str
    message: str
    redacted_value: str = ""


class Findings(NamedTuple):
    """The first rules that a message breaks; none for a valid one."""

    told: Sequence[BrokenRule]
    # How many it breaks besides; None where nobody looked for more.
    more: int | None = 0


class ContractViolationError(ValueError):
    """A message breaks its contract. Its text names rules and fields, never values.

    `more` counts broken rules besides those in `broken`; None where nobody looked for more.
    """

    def __init__(self, message_type: str, broken: Sequence[BrokenRule], more: int | None = 0) -> None:
        self.message_type = message_type
        self.broken = tuple(broken)
        self.more = more
        told = "; ".join(f"{rule.field_path or '(message)'}: {rule.message} [{rule.rule_id}]" for rule in broken)
        super().__init__(f"{message_type} breaks its contract: {told}")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a message lies on Kafka."""

    topic: str
    partition: int
    offset: int


class InvalidMessageError(Exception):
    """Poison: a message on a topic that cannot be read or breaks its contract, and never will be better."""

    def __init__(self, position: Position, broken: Sequence[BrokenRule]) -> None:
        self.position = position
        self.broken = tuple(broken)
        rules = ", ".join(rule.rule_id for rule in broken)
        super().__init__(f"{position.topic}[{position.partition}]@{position.offset} is invalid: {rules}")

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The rules it broke, in the order found."""
        return tuple(rule.rule_id for rule in self.broken)


class NeighbourUnavailableError(Exception):
    """Another process that this one needs does not answer; trying again later can help."""

    def __init__(self, neighbour: str, reason: str) -> None:
        self.neighbour = neighbour
        super().__init__(f"{neighbour} is unavailable: {reason}")


class DeployStepMissingError(Exception):
    """Something that deployment should have made is not there; the text says which command makes it."""
