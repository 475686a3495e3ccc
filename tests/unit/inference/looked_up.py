"""What the online store may know of a payment that is asked about."""

from tidegate.inference.v1.payment_context_pb2 import FallbackCause, PaymentContext

from mlops.features.facts import asked_fact, entity_keys
from mlops.features.online import NOTHING, Stored, advanced
from services.inference.features import Features, Found, features_of
from tests.unit.inference.contexts import OCCURRED, payment

US = 1_000_000


def known(*, seconds_ago: int) -> Found:
    """Entities that were heard of this long before the payment."""
    fact = asked_fact(payment(occurred=OCCURRED - seconds_ago), (OCCURRED - seconds_ago) * US)
    return {(entity, key): advanced(NOTHING, entity, fact) for entity, key in entity_keys(fact).items()}


def never_seen(asked: PaymentContext | None = None) -> Found:
    """None of its entities was ever heard of."""
    fact = asked_fact(asked or payment(), OCCURRED * US)
    return {(entity, key): Stored() for entity, key in entity_keys(fact).items()}


def looked_up(found: "Found | FallbackCause", asked: PaymentContext | None = None) -> Features:
    """A payment's features, of what was found."""
    return features_of(asked_fact(asked or payment(), OCCURRED * US), found)
