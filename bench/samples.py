"""Messages that benchmarks work on."""

from datetime import UTC, datetime

from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE
from tidegate.payments.v1.unified_payment_event_pb2 import PAYMENT_STATUS_SUCCEEDED, UnifiedPaymentEvent

from services.runtime.clock import timestamp

_AT = timestamp(datetime(2026, 11, 1, 12, tzinfo=UTC))


def unified_event() -> UnifiedPaymentEvent:
    """A payment event with about as many fields set as a real one has."""
    return UnifiedPaymentEvent(
        event_id="stripe:evt_3MqLnJHfXbQ8wWVU0K8m5V6q",
        provider=PROVIDER_STRIPE,
        provider_event_id="evt_3MqLnJHfXbQ8wWVU0K8m5V6q",
        event_type="payment.succeeded",
        merchant_id="acct_1032D82eZvKYlo2C",
        customer_id="cus_NffrFeUfNV2Hib",
        amount_cents=1099,
        currency="USD",
        payment_method_type="card",
        card_brand="visa",
        card_last_four="4242",
        status=PAYMENT_STATUS_SUCCEEDED,
        metadata={"order": "6735", "plan": "pro"},
        provider_created_at=_AT,
        processed_at=_AT,
        schema_version=1,
        payment_id="stripe:pi_3MqLnJHfXbQ8wWVU0K8m5V6q",
        provider_object_id="pi_3MqLnJHfXbQ8wWVU0K8m5V6q",
        receipt_id="0123456789abcdef0123456789abcdef",
        card_fingerprint="AOB934RVNwzk6xtn",
        card_country="US",
        card_funding="credit",
        card_exp_month=8,
        card_exp_year=2030,
        amount_captured_cents=1099,
        amount_refunded_cents=0,
        livemode=True,
    )
