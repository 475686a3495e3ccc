"""Makes a model's rows from cases by the names of its features, and tells how each value came to be used."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_FEATURES_STALE,
    FALLBACK_CAUSE_NOT_COVERED,
    FALLBACK_CAUSE_UNSPECIFIED,
    FallbackCause,
    FeatureUse,
    Provenance,
)

from mlops.features.catalog import FEATURES, VIEWS, Entity
from mlops.features.currencies import ABOUT_USD_1000
from mlops.features.online import ViewVector
from mlops.features.payment import OWN_FEATURES
from services.inference.case import Case

OWN_VIEW: Final = "payment"
"""What the payment itself shows: never stored, of age 0 where it shows it."""
_WORTH: Final = "amount_usd"

_ENTITY_OF_VIEW: Final = {view.name: view.entity for view in VIEWS}
_CATALOG: Final = {feature.name: feature for feature in FEATURES}
_MILLISECOND_US: Final = 1000


class UnknownFeaturesError(ValueError):
    """A model wants features that serving cannot make; the message names them."""


class Inputs:
    """The columns of one model's rows: the catalog's features, and `own`, which the payment shows by itself.

    To be used by one thread at a time.
    """

    def __init__(self, names: Sequence[str], own: Collection[str] = OWN_FEATURES) -> None:
        if unknown := [name for name in names if name not in _CATALOG and name not in own]:
            raise UnknownFeaturesError(f"no feature is called {', '.join(unknown)}; see docs/features.md")
        self._names = tuple(names)
        views = [_CATALOG[name].view if name in _CATALOG else OWN_VIEW for name in names]
        self._full_names = tuple(f"{view}:{name}" for view, name in zip(views, names, strict=True))
        # The name in full and whose it is; None where the payment itself shows it.
        self._sources = tuple(zip(self._full_names, map(_ENTITY_OF_VIEW.get, views), strict=True))
        self._entities = frozenset(entity for _, entity in self._sources if entity is not None)
        # What `tell_uses` adds to: making sixty messages one by one would take as long as the model does.
        self._uses = Provenance(features=[FeatureUse(name=name, age_ms=0) for name in self._full_names])
        self._columns = {
            entity: [column for column, (_, whose) in enumerate(self._sources) if whose is entity]
            for entity in self._entities
        }
        # Held: to find one among sixty takes longer than to write an age into it.
        self._uses_of = {
            entity: [self._uses.features[column] for column in columns] for entity, columns in self._columns.items()
        }
        self._own = [(column, name) for column, name in enumerate(names) if name in OWN_FEATURES]
        self._needs_worth = _WORTH in names

    @property
    def full_names(self) -> Sequence[str]:
        """View and name of each column."""
        return self._full_names

    @property
    def needs_store(self) -> bool:
        """Whether any column is looked up."""
        return bool(self._entities)

    def obstacle(self, case: Case) -> "FallbackCause":
        """Why no row can be made of a case; unspecified where one can.

        An entity that was never seen is none: the model knows such. What is too old is: it may not be used, and an
        entity that was heard of is no new one. Nor has any model been taught by amounts of unknown worth.
        """
        if self._needs_worth and case.payment.currency not in ABOUT_USD_1000:
            return FALLBACK_CAUSE_NOT_COVERED
        if not self._entities:
            return FALLBACK_CAUSE_UNSPECIFIED
        vectors = case.features.vectors
        if vectors is None:
            return case.features.cause
        if any(vectors[entity].stale for entity in self._entities):
            return FALLBACK_CAUSE_FEATURES_STALE
        return FALLBACK_CAUSE_UNSPECIFIED

    def row(self, case: Case) -> list[float]:
        """The values; NaN where there is none."""
        values = dict(case.shown.values)
        for entity in self._entities:
            values |= _vectors(case)[entity].values
        return [math.nan if (value := values[name]) is None else value for name in self._names]

    def tell_uses(self, provenance: Provenance, case: Case) -> None:
        """Add how each feature came to the answer, or why it did not."""
        vectors = _vectors(case)
        for entity, aged in self._uses_of.items():
            age_ms = _age_ms(vectors.get(entity))
            for use in aged:
                use.age_ms = age_ms
        provenance.MergeFrom(self._uses)
        self._tell_exceptions(provenance.features, case)

    def _tell_exceptions(self, uses: Sequence[FeatureUse], case: Case) -> None:
        """Of what is missing or stale."""
        shown = case.shown.values
        for column, name in self._own:
            if shown[name] is None:
                _tell_missing(uses[column])
        vectors = _vectors(case)
        for entity, columns in self._columns.items():
            vector = vectors.get(entity)
            if vector is None or vector.missing:
                for column in columns:
                    _tell_missing(uses[column])
            elif vector.stale:
                for column in columns:
                    uses[column].stale = True


def _age_ms(vector: ViewVector | None) -> int:
    return 0 if vector is None or vector.age_us is None else vector.age_us // _MILLISECOND_US


def _tell_missing(use: FeatureUse) -> None:
    use.ClearField("age_ms")
    use.missing = True


def _vectors(case: Case) -> Mapping[Entity, ViewVector]:
    return case.features.vectors or {}
