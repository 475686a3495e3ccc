"""Hypothesis strategies: any payment with any history, and any answer that a predictor could give."""

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st
from tidegate.inference.v1.payment_context_pb2 import PaymentContext, Provenance
from tidegate.inference.v1.recovery_service_pb2 import (
    RecommendPlanResponse,
    RecoveryStep,
    RecoveryStepKind,
)
from tidegate.inference.v1.retry_service_pb2 import (
    RecommendStrategyResponse,
    RetryAction,
)
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from tests.unit.inference.contexts import AT, DAY, HOUR, OCCURRED, TABLES, payment

_BRANDS = st.sampled_from(["visa", "Visa", "mastercard", "MasterCard", "mc", "amex", "", None])
_METHODS = st.sampled_from(["card", "us_bank_account", None])
_DECLINE_CODES = st.sampled_from([row.code for row in TABLES.declines.decline_codes] + ["brand_new_code", "", None])
_RESPONSE_CODES = st.sampled_from([row.code for row in TABLES.declines.response_codes] + ["99", "", None])
_ADVICE_CODES = st.sampled_from([f"{number:02d}" for number in range(45)] + ["3", "", None])
_PROVIDER_ADVICE = st.sampled_from([row.code for row in TABLES.declines.provider_advice] + ["", None])
_CLASSES = st.sampled_from([value for value in DeclineClass.values() if value] + [None])

# Attempts close enough together to spend budgets, now and then after the event, and on the edges of the windows.
_EDGES = [DAY, DAY - 1, DAY + 1, 30 * DAY, 30 * DAY - 1, 30 * DAY + 1, 0, 1, -1]
_AGES = st.one_of(
    st.integers(-2 * DAY, 45 * DAY), st.integers(0, 2 * DAY), st.integers(0, HOUR), st.sampled_from(_EDGES)
)
histories = st.lists(_AGES, max_size=60).map(lambda ages: [OCCURRED - age for age in ages])


_RETRYABLE_CODES = st.sampled_from(["insufficient_funds", "issuer_not_available", "do_not_honor", "brand_new_code"])
_WAITS = st.sampled_from(["02", "24", "25", "26", "27", "28", "29", "30", None])
# Enough attempts, close enough together, to spend every budget.
_BUSY = st.lists(_AGES, min_size=8, max_size=60).map(lambda ages: [OCCURRED - age for age in ages])


def retryable_payments() -> st.SearchStrategy[PaymentContext]:
    """Payments that no code forbids to try again: only waits and budgets bound them."""
    return st.builds(
        payment,
        previous=st.one_of(histories, _BUSY),
        other_amounts=st.one_of(st.just([]), histories, _BUSY),
        card_brand=_BRANDS,
        payment_method_type=_METHODS,
        failure_code=_RETRYABLE_CODES,
        network_advice_code=_WAITS,
        recurring=st.booleans(),
    )


def payments(**fixed: object) -> st.SearchStrategy[PaymentContext]:
    """Any failed payment with any history; what is fixed is not varied."""
    varied: dict[str, st.SearchStrategy[object]] = {
        "previous": histories,
        "other_amounts": st.one_of(st.just([]), histories),
        "card_brand": _BRANDS,
        "payment_method_type": _METHODS,
        "failure_code": _DECLINE_CODES,
        "network_decline_code": _RESPONSE_CODES,
        "network_advice_code": _ADVICE_CODES,
        "provider_advice_code": _PROVIDER_ADVICE,
        "decline_class": _CLASSES,
        "recurring": st.booleans(),
    }
    left = {name: strategy for name, strategy in varied.items() if name not in fixed}
    return st.builds(payment, **left, **{name: st.just(value) for name, value in fixed.items()})


# From long before the payment to long after it, with and without fractions of a second.
_MOMENTS = st.builds(
    Timestamp,
    seconds=st.integers(OCCURRED - 60 * DAY, OCCURRED + 60 * DAY),
    nanos=st.sampled_from([0, 1, 500_000_000, 999_999_999]),
)
_PROVENANCE = Provenance(model_name="adversary", model_version="1", predicted_at=AT)


@st.composite
def strategies(draw: st.DrawFn) -> RecommendStrategyResponse:
    """Any strategy of any predictor, however wrong; mostly retries."""
    return RecommendStrategyResponse(
        action=draw(st.one_of(st.just("RETRY_ACTION_RETRY"), st.sampled_from(RetryAction.keys()[1:]))),
        retry_at=draw(st.one_of(_MOMENTS, st.none())),
        decline_class=draw(st.sampled_from(DeclineClass.keys()[1:])),
        attempts_left=draw(st.integers(0, 1000)),
        network_rule=draw(st.sampled_from(["", "made.up"])),
        success_probability=draw(st.one_of(st.none(), st.floats(0, 1))),
        provenance=_PROVENANCE,
    )


@st.composite
def plans(draw: st.DrawFn) -> RecommendPlanResponse:
    """Any plan of any predictor; its steps in no particular order."""
    kinds = st.one_of(st.just("RECOVERY_STEP_KIND_RETRY"), st.sampled_from(RecoveryStepKind.keys()[1:]))
    steps = draw(st.lists(st.builds(RecoveryStep, kind=kinds, not_before=_MOMENTS), max_size=30))
    return RecommendPlanResponse(steps=steps, provenance=_PROVENANCE)
