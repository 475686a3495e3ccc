"""Stripe: payment intents, charges, refunds and disputes, with Stripe's minor units and decline codes."""

from pathlib import Path

from services.normalizer.mappings.stripe.charge import CHARGE
from services.normalizer.mappings.stripe.dispute import DISPUTE
from services.normalizer.mappings.stripe.payment_intent import PAYMENT_INTENT
from services.normalizer.mappings.stripe.refund import REFUND

MAPPINGS = (CHARGE, DISPUTE, PAYMENT_INTENT, REFUND)
DECLINE_CODES = Path(__file__).with_name("decline_codes.yaml")
