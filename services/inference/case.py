"""One payment as predictors and guard read it: the message and what the rule tables say about it."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_DO_NOT_RETRY
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from mlops.features.payment import context_features
from mlops.features.transform import Values
from services.inference.declines import Declines
from services.inference.features import NOT_READ, Features
from services.inference.networks import Network, Networks, network_code
from services.inference.rules import HOUR_S, Limits, Prohibition, Wait
from services.inference.tables import RuleTables

# An asker who names no event asks about a failed payment, or the question would make no sense.
_TRIED_AGAIN = frozenset(("", "payment.failed"))
_NOT_FAILED = Prohibition(
    "payment.not_failed", RETRY_ACTION_DO_NOT_RETRY, "the payment did not fail: another attempt would charge it again"
)
_NANOS_A_SECOND = 1_000_000_000
_READINGS_KEPT = 8192


class Shown:
    """What a payment shows by itself, as features: made once, when the first model asks; rules never do."""

    __slots__ = ("_payment", "_values")

    def __init__(self, payment: PaymentContext) -> None:
        self._payment = payment
        self._values: Values | None = None

    @property
    def values(self) -> Values:
        """Not to be changed: every model that is asked about the payment reads the same."""
        if self._values is None:
            self._values = context_features(self._payment)
        return self._values


class Case(NamedTuple):
    """One payment with the rules that hold for it. Times are whole seconds since 1970, rounded up.

    `attempts_s` ascends and holds every attempt on this card for this amount, the one that is asked about included;
    `card_attempts_s` holds those for other amounts besides.
    """

    payment: PaymentContext
    # Whether its facts tell of a failed attempt.
    failed: bool
    decline_class: "DeclineClass"
    # Whether a decline of this class may mend by itself.
    waiting_helps: bool
    network: Network
    prohibition: Prohibition | None
    wait: Wait | None
    occurred_s: int
    attempts_s: tuple[int, ...]
    card_attempts_s: tuple[int, ...]
    limits: Limits
    shown: Shown
    # What the online store knows of its customer, card and merchant.
    features: Features = NOT_READ

    @property
    def latest_s(self) -> int:
        """The latest attempt; not the one asked about where its event comes late."""
        return self.attempts_s[-1]

    def tries_within(self, seconds: int) -> int:
        """How many attempts lie in the window of this length that ends with the latest one, it included."""
        return len(self.attempts_s) - bisect_left(self.attempts_s, self.latest_s - seconds)


class Codes(NamedTuple):
    """What decides which rules hold: few combinations come again and again."""

    payment_method_type: str
    card_brand: str
    decline_class: "DeclineClass"
    failure_code: str
    network_decline_code: str
    network_advice_code: str
    provider_advice_code: str


class Reading(NamedTuple):
    """What the tables say about codes."""

    decline_class: "DeclineClass"
    waiting_helps: bool
    network: Network
    prohibition: Prohibition | None
    wait: Wait | None


class CaseReader:
    """Makes cases from payments by the rule tables."""

    def __init__(self, tables: RuleTables) -> None:
        self.declines = Declines(tables.declines)
        self._networks = Networks(tables.networks)
        self._limits = Limits(
            self.declines.most_tries, self.declines.tries_window_s, tables.networks.longest_wait_hours * HOUR_S
        )
        self._reading_of = lru_cache(maxsize=_READINGS_KEPT)(self._look_up)

    def read(self, payment: PaymentContext, features: Features = NOT_READ) -> Case:
        """What the tables say about one payment, with what was looked up of it."""
        codes = Codes(
            payment.payment_method_type,
            payment.card_brand,
            payment.decline_class,
            payment.failure_code,
            payment.network_decline_code,
            payment.network_advice_code,
            payment.provider_advice_code,
        )
        occurred_s = seconds_up(payment.occurred_at)
        failed = bool(codes.failure_code or codes.decline_class or codes.network_decline_code)
        attempts_s = _with((occurred_s,), payment.previous_attempts)
        card_attempts_s = _with(attempts_s, payment.previous_attempts_other_amounts)
        reading = self._reading_of(codes)
        if payment.event_type not in _TRIED_AGAIN:
            reading = reading._replace(prohibition=_NOT_FAILED)
        return Case(
            payment,
            failed,
            *reading,
            occurred_s,
            attempts_s,
            card_attempts_s,
            self._limits,
            Shown(payment),
            features,
        )

    def _look_up(self, codes: Codes) -> Reading:
        network = self._networks.of(codes.payment_method_type, codes.card_brand)
        response = network.never.get(network_code(codes.network_decline_code))
        advice = network.advice.get(network_code(codes.network_advice_code))
        decline_class = self.declines.classify(codes.decline_class, codes.failure_code, codes.network_decline_code)
        by_issuer = self.declines.prohibitions(codes.failure_code, codes.provider_advice_code, decline_class)
        prohibition = _worst(rule for rule in (response, advice, *by_issuer) if isinstance(rule, Prohibition))
        waiting_helps = bool(self.declines.policies[decline_class].ladder_s)
        wait = advice if isinstance(advice, Wait) else None
        return Reading(decline_class, waiting_helps, network, prohibition, wait)


def _worst(prohibitions: Iterable[Prohibition]) -> Prohibition | None:
    """The prohibition that holds: the first that is final, else the first."""
    found = tuple(prohibitions)
    final = (rule for rule in found if rule.action == RETRY_ACTION_DO_NOT_RETRY)
    return next(final, found[0] if found else None)


def _with(attempts_s: tuple[int, ...], more: Sequence[Timestamp]) -> tuple[int, ...]:
    return tuple(sorted([*attempts_s, *map(seconds_up, more)])) if more else attempts_s


def seconds_up(moment: Timestamp) -> int:
    """Seconds since 1970, rounded up: an attempt is never taken for older than it is."""
    return moment.seconds - (-moment.nanos // _NANOS_A_SECOND)


def seconds_down(moment: Timestamp) -> int:
    """Seconds since 1970, rounded down: a recommended time is never taken for later than it is."""
    return moment.seconds + moment.nanos // _NANOS_A_SECOND
