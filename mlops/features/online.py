"""What the online store holds of an entity, and a payment's features from it; pure, for the writer and for readers.

Beside Feast's fields an entity's hash holds the state that its values were made of, and a revision that names the
write it is from. A reader who has the state need not wait for the stream: it applies the event itself, which changes
nothing where the stream was faster, and evaluates at the event's time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from mlops.features import state as states
from mlops.features.catalog import VIEW_OF, VIEWS, Entity, View, names
from mlops.features.facts import PaymentFact, entity_keys
from mlops.features.online_layout import (
    COLUMNS,
    PROJECT,
    decode_moment,
    decode_value,
    encode_moment,
    encode_value,
    moment_field,
)
from mlops.features.state import State, StateFormatError
from mlops.features.transform import Values, apply, features

# An entity is dropped when nothing was heard of it for the longest TTL and this long, by our clock: as long as a
# stream that stood still can be caught up with.
KEPT_AFTER_TTL: Final = timedelta(days=30)
KEPT: Final = max(view.ttl for view in VIEWS) + KEPT_AFTER_TTL

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store holds of one entity."""

    # None where it holds none that this code can read.
    state: State | None = None
    # Names the write that made it; empty before the first.
    revision: str = ""
    # The newest moment that the entity was heard of; microseconds since 1970.
    moment_us: int | None = None


NOTHING: Final = Stored()


def rebuilding_key(project: str = PROJECT) -> str:
    """The key of a hash that exists while the store is built anew and entities lack a part of their past.

    Each of its fields is a partition that is not read to its end yet.
    """
    return f"tidegate:features:rebuilding:{project}"


@dataclass(frozen=True, slots=True)
class ViewVector:
    """One view's features for one event, and what an answer must say about them."""

    values: Values
    # How long before the event the entity was last heard of; None where the store holds nothing.
    age_us: int | None
    # Whether what the store holds is older than the view's TTL: never to be used without saying so.
    stale: bool

    @property
    def missing(self) -> bool:
        """Whether the store holds nothing of the entity, as for one that was never seen."""
        return self.age_us is None


def state_field(entity: Entity) -> bytes:
    """Under what the state stands in the entity's hash."""
    return f"_state:{VIEW_OF[entity].name}".encode()


def revision_field(entity: Entity) -> bytes:
    """Under what the revision stands."""
    return f"_rev:{VIEW_OF[entity].name}".encode()


STORED_FIELDS: Final[Mapping[Entity, tuple[bytes, ...]]] = {
    entity: (state_field(entity), revision_field(entity), moment_field(VIEW_OF[entity].name)) for entity in Entity
}
"""What to ask an entity's hash for, to have `stored` of the reply."""

VALUE_FIELDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    view.name: (*(field for field, _, _ in COLUMNS[view.name]), moment_field(view.name)) for view in VIEWS
}
"""The same to have `stored_values`: what Feast asks for."""


def stored(reply: Sequence[bytes | None]) -> Stored:
    """From a reply to STORED_FIELDS. A state of another version is none. LayoutError."""
    state, revision, moment = reply
    return Stored(_readable(state), (revision or b"").decode(), decode_moment(moment))


def _readable(data: bytes | None) -> State | None:
    try:
        return states.decode(data) if data else None
    except StateFormatError:
        return None


def advanced(before: Stored, entity: Entity, fact: PaymentFact) -> Stored:
    """With one fact more; the very same where it tells nothing new."""
    state = before.state or states.empty(entity)
    after = apply(state, fact)
    # No wrong date of a provider makes values of a time to come.
    heard_us = min(fact.occurred_at_us, fact.arrived_at_us)
    moment_us = heard_us if before.moment_us is None else max(before.moment_us, heard_us)
    if after is before.state and moment_us == before.moment_us:
        return before
    return replace(before, state=after, moment_us=moment_us)


def fields(entity: Entity, state: State, moment_us: int, revision: str) -> list[bytes]:
    """All fields of an entity's hash and their values in turn: Feast's, the state and the revision."""
    view = VIEW_OF[entity].name
    values = features(state, moment_us)
    written = [state_field(entity), states.encode(state), revision_field(entity), revision.encode()]
    written += [moment_field(view), encode_moment(moment_us)]
    for field, name, dtype in COLUMNS[view]:
        written += (field, encode_value(dtype, values[name]))
    return written


def stored_values(view: View, reply: Sequence[bytes | None], at_us: int) -> ViewVector:
    """From a reply to VALUE_FIELDS: the values as they were at the entity's last event. LayoutError.

    Beyond the TTL they are stale, and None.
    """
    *values, moment = reply
    age_us = _age_us(decode_moment(moment), at_us)
    stale = is_stale(view, age_us)
    read = (None if stale else decode_value(value) for value in values)
    return ViewVector(dict(zip(names(view.entity), read, strict=True)), age_us, stale)


def vector_for(fact: PaymentFact, found: Mapping[Entity, Stored]) -> Mapping[Entity, ViewVector]:
    """The features for an event, whether or not the stream has come to it: each view's, all three.

    The event need not be one that the stream carries. Of an entity that the event does not name, all values are None;
    where the store holds nothing, they are those of one that was never seen before. A state tells what its values are
    at the event's time however old it is: those of a stale one are the offline row's too, and whoever asks decides
    whether to use them. Leaving them out here would make the values depend on whether the stream was faster.
    """
    named = entity_keys(fact)
    return {
        entity: _view_vector(fact, entity, found.get(entity, NOTHING)) if entity in named else _absent(entity)
        for entity in Entity
    }


def _view_vector(fact: PaymentFact, entity: Entity, held: Stored) -> ViewVector:
    at_us = fact.occurred_at_us
    age_us = _age_us(held.moment_us, at_us) if held.state is not None else None
    state = states.empty(entity) if held.state is None else held.state
    return ViewVector(features(apply(state, fact), at_us), age_us, is_stale(VIEW_OF[entity], age_us))


def _absent(entity: Entity) -> ViewVector:
    return ViewVector(dict.fromkeys(names(entity)), None, stale=False)


def _age_us(moment_us: int | None, at_us: int) -> int | None:
    return None if moment_us is None else max(0, at_us - moment_us)


def is_stale(view: View, age_us: int | None) -> bool:
    """Whether a view's values of this age may no longer be used."""
    return age_us is not None and age_us > view.ttl // _MICROSECOND
