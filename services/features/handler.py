"""What facts make of entities: from a run of each partition's facts to what the store has to write. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mlops.features.catalog import Entity
from mlops.features.facts import Outcome, PaymentFact, entity_keys
from mlops.features.online import NOTHING, Stored, advanced

Partition: TypeAlias = "tuple[str, int]"
"""A topic and the number of one of its partitions."""

EntityKey: TypeAlias = "tuple[Entity, str]"


@dataclass(frozen=True, slots=True)
class Run:
    """Facts of one partition in its order, and the message behind them."""

    partition: Partition
    facts: Sequence[PaymentFact]
    next_offset: int


@dataclass(frozen=True, slots=True)
class PartitionWrite:
    """What a run of one partition's messages makes of the store. All of it is written, or nothing."""

    partition: Partition
    # Where the store has to stand in this partition; None for nowhere yet.
    expected_offset: int | None
    # Where it stands afterwards: the next message to apply.
    next_offset: int
    # What each entity becomes. Its revision is the one that was read, and has to be the store's still.
    entities: Mapping[EntityKey, Stored]

    @property
    def revision(self) -> str:
        """Of the entities afterwards. A count would not do: of two writes on one revision, both would make the next."""
        topic, number = self.partition
        return f"{topic}/{number}@{self.next_offset}"


def touched(fact: PaymentFact) -> Sequence[EntityKey]:
    """The entities that a fact changes.

    Only a customer has scores: leaving the merchant out keeps decisions, whose partitions are no merchant's, from
    writing what the merchant's own partition writes all the time.
    """
    tells_a_score_only = fact.fraud_score is not None and fact.outcome is Outcome.OTHER
    keys = entity_keys(fact).items()
    return [(entity, key) for entity, key in keys if entity is Entity.CUSTOMER or not tells_a_score_only]


def all_touched(runs: Sequence[Run]) -> Sequence[EntityKey]:
    """Each entity once, in order of appearance."""
    return list(dict.fromkeys(key for run in runs for fact in run.facts for key in touched(fact)))


def writes(
    runs: Sequence[Run], found: Mapping[EntityKey, Stored], offsets: Mapping[Partition, int | None]
) -> Sequence[PartitionWrite]:
    """What to write, one after the other: each takes for granted that those before it were written."""
    held = dict(found)
    return [_write(run, held, offsets[run.partition]) for run in runs]


def _write(run: Run, held: dict[EntityKey, Stored], expected_offset: int | None) -> PartitionWrite:
    changed: dict[EntityKey, Stored] = {}
    for fact in run.facts:
        for key in touched(fact):
            before = changed.get(key) or held.get(key, NOTHING)
            after = advanced(before, key[0], fact)
            if after is not before:
                changed[key] = after
    write = PartitionWrite(run.partition, expected_offset, run.next_offset, changed)
    held.update({key: replace(after, revision=write.revision) for key, after in changed.items()})
    return write
