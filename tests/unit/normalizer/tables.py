"""A normalizer with the tables that are shipped, for tests."""

from datetime import UTC, datetime

from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from services.normalizer.currencies import load_currencies
from services.normalizer.declines import load_decline_classes
from services.normalizer.handler import Normalizer
from services.normalizer.mappings.stripe import DECLINE_CODES, MAPPINGS
from services.normalizer.mappings.stripe.amounts import UNITS
from services.normalizer.money import units
from services.runtime.clock import timestamp
from services.runtime.errors import Position

NORMALIZER = Normalizer(MAPPINGS, units(load_currencies(), UNITS), load_decline_classes(DECLINE_CODES))
POSITION = Position("webhooks.stripe.charge", 2, 41)
NOW = timestamp(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))


def event_of(webhook: object) -> UnifiedPaymentEvent:
    """The event that a webhook becomes; a test that expects one fails here where it becomes a failure."""
    outcome = NORMALIZER.normalize(webhook, POSITION, NOW)  # type: ignore[arg-type]
    assert isinstance(outcome, UnifiedPaymentEvent), outcome
    return outcome


def failure_of(webhook: object) -> ValidationFailure:
    """The failure that a webhook becomes."""
    outcome = NORMALIZER.normalize(webhook, POSITION, NOW)  # type: ignore[arg-type]
    assert isinstance(outcome, ValidationFailure), outcome
    return outcome
