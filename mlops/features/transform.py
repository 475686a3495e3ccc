"""The one transform from facts to features, pure: `apply` a fact to a state, read `features` of it at a moment.

A feature's value for an event is that of the state with everything that arrived before the event and the event itself,
evaluated at the event's time. Streaming, batch, training and serving all come here for it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from mlops.features import attempts, cards, customers, merchants
from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact
from mlops.features.state import EventState, MerchantState, State

Values = dict[str, float | None]

_OF_ATTEMPTS: Final[Mapping[Entity, Callable[[EventState, int], Values]]] = {
    Entity.CUSTOMER: customers.features,
    Entity.CARD: cards.features,
}


def apply(state: State, fact: PaymentFact) -> State:
    """The state after one fact more; the state itself where the fact tells nothing new.

    A duplicate, and a second event about one attempt, count nothing. A late fact takes its place in time.
    """
    if isinstance(state, MerchantState):
        return merchants.after(state, fact)
    return attempts.after(state, fact)


def features(state: State, at_us: int) -> Values:
    """The values at a moment, microseconds since 1970, by the names of the catalog and in its order.

    What lies after the moment is not looked at. None where there is nothing to make a value of.
    """
    if isinstance(state, MerchantState):
        return merchants.features(state, at_us)
    return _OF_ATTEMPTS[state.entity](state, at_us)
