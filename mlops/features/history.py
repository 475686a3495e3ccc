"""The past as rows: what every entity's features were at every event, in the order in which facts arrived."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.state import State, empty
from mlops.features.transform import Values, apply, features


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One entity's features as of one event, the event included."""

    event_id: str
    entity: Entity
    key: str
    # When the event happened, and when it came to us; microseconds since 1970.
    event_us: int
    created_us: int
    values: Values


def feature_rows(facts: Iterable[PaymentFact], states: dict[tuple[Entity, str], State]) -> Iterator[FeatureRow]:
    """A row for each fact and each entity it is about; facts in the order of arrival.

    `states` is where the history before the facts ended, empty for its beginning, and is left at where they end.
    """
    for fact in facts:
        for entity, key in entity_keys(fact).items():
            state = apply(states.get((entity, key)) or empty(entity), fact)
            states[entity, key] = state
            values = features(state, fact.occurred_at_us)
            yield FeatureRow(fact.event_id, entity, key, fact.occurred_at_us, fact.arrived_at_us, values)
