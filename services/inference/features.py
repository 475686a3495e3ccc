"""What the online store knows of a payment that is asked about, or why there is nothing to go by; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_NO_MODEL, FALLBACK_CAUSE_UNSPECIFIED, FallbackCause

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.online import Stored, ViewVector, vector_for

EntityKey: TypeAlias = tuple[Entity, str]
Found: TypeAlias = Mapping[EntityKey, Stored]
"""What the store holds of each entity that it was asked for."""


@dataclass(frozen=True, slots=True)
class Features:
    """One payment's features by entity; where there are none, `cause` says why a model cannot be asked."""

    vectors: Mapping[Entity, ViewVector] | None
    cause: "FallbackCause"


NOT_READ: Final = Features(None, FALLBACK_CAUSE_NO_MODEL)
"""Where no model asks for features, nobody looks them up."""


def keys_of(facts: Sequence[PaymentFact]) -> Sequence[EntityKey]:
    """Every entity that these are about, once."""
    return list(dict.fromkeys(key for fact in facts for key in entity_keys(fact).items()))


def features_of(fact: PaymentFact, found: "Found | FallbackCause") -> Features:
    """The features for one fact of what was found for all."""
    if not isinstance(found, Mapping):
        return Features(None, found)
    held = {entity: found[entity, key] for entity, key in entity_keys(fact).items()}
    return Features(vector_for(fact, held), FALLBACK_CAUSE_UNSPECIFIED)
