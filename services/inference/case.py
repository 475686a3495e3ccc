"""One payment as predictors and guard read it: the message and what the rule tables say about it."""

from bisect import bisect_left
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.payment_context_pb2 import PaymentContext
from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_DO_NOT_RETRY
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from services.inference.declines import Declines, failed
from services.inference.networks import Network, Networks, network_code
from services.inference.rules import Prohibition, Wait
from services.inference.tables import RuleTables

_NANOS_A_SECOND = 1_000_000_000


class Case(NamedTuple):
    """One payment with the rules that hold for it. Times are whole seconds since 1970, rounded up.

    `attempts_s` ascends and holds every attempt on this card for this amount, the one that is asked about included.
    """

    payment: PaymentContext
    failed: bool
    decline_class: "DeclineClass"
    network: Network
    prohibition: Prohibition | None
    wait: Wait | None
    occurred_s: int
    attempts_s: tuple[int, ...]

    @property
    def latest_s(self) -> int:
        """The latest attempt; not the one asked about where its event comes late."""
        return self.attempts_s[-1]

    def tries_within(self, seconds: int) -> int:
        """How many attempts lie in the window of this length that ends with the latest one, it included."""
        return len(self.attempts_s) - bisect_left(self.attempts_s, self.latest_s - seconds)


class CaseReader:
    """Makes cases from payments by the rule tables."""

    def __init__(self, tables: RuleTables) -> None:
        self.declines = Declines(tables.declines)
        self._networks = Networks(tables.networks)

    def read(self, payment: PaymentContext) -> Case:
        """What the tables say about one payment."""
        network = self._networks.of(payment)
        decline_class = self.declines.classify(payment)
        advice = network.advice.get(network_code(payment.network_advice_code))
        occurred_s = seconds_up(payment.occurred_at)
        return Case(
            payment=payment,
            failed=failed(payment),
            decline_class=decline_class,
            network=network,
            prohibition=self._worst_prohibition(payment, network, advice, decline_class),
            wait=advice if isinstance(advice, Wait) else None,
            occurred_s=occurred_s,
            attempts_s=_ascending(payment, occurred_s),
        )

    def _worst_prohibition(
        self,
        payment: PaymentContext,
        network: Network,
        advice: Prohibition | Wait | None,
        decline_class: "DeclineClass",
    ) -> Prohibition | None:
        found = self.declines.prohibitions(payment, decline_class)
        by_code = network.never.get(network_code(payment.network_decline_code))
        by_network = [rule for rule in (by_code, advice) if isinstance(rule, Prohibition)]
        if not (by_network or found):
            return None
        ranked = [*by_network, *found]
        return next((rule for rule in ranked if rule.action == RETRY_ACTION_DO_NOT_RETRY), ranked[0])


def _ascending(payment: PaymentContext, occurred_s: int) -> tuple[int, ...]:
    previous = payment.previous_attempts
    return tuple(sorted([*map(seconds_up, previous), occurred_s])) if previous else (occurred_s,)


def seconds_up(moment: Timestamp) -> int:
    """Seconds since 1970, rounded up: an attempt is never taken for older than it is."""
    return moment.seconds - (-moment.nanos // _NANOS_A_SECOND)


def seconds_down(moment: Timestamp) -> int:
    """Seconds since 1970, rounded down: a recommended time is never taken for later than it is."""
    return moment.seconds + moment.nanos // _NANOS_A_SECOND
