"""One payment as predictors and guard read it: the message and what the rule tables say about it."""

from bisect import bisect_left
from collections.abc import Sequence
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
        by_code = self.declines.of_code(payment.failure_code)
        decline_class = self.declines.classify(payment, by_code)
        by_network = _network_rules(payment, network)
        by_issuer = self.declines.prohibitions(payment, by_code, decline_class)
        advice = by_network[-1] if by_network else None
        occurred_s = seconds_up(payment.occurred_at)
        return Case(
            payment=payment,
            failed=failed(payment),
            decline_class=decline_class,
            network=network,
            prohibition=_worst([*by_network, *by_issuer]) if by_network or by_issuer else None,
            wait=advice if isinstance(advice, Wait) else None,
            occurred_s=occurred_s,
            attempts_s=_ascending(payment, occurred_s),
        )


def _network_rules(payment: PaymentContext, network: Network) -> list[Prohibition | Wait]:
    """What the network's response code and, last, its advice code say about another try."""
    response, advice = payment.network_decline_code, payment.network_advice_code
    found = (
        network.never.get(network_code(response)) if response else None,
        network.advice.get(network_code(advice)) if advice else None,
    )
    return [rule for rule in found if rule is not None]


def _worst(rules: Sequence[Prohibition | Wait]) -> Prohibition | None:
    """The prohibition that holds: the first that is final, else the first."""
    prohibitions = [rule for rule in rules if isinstance(rule, Prohibition)]
    final = (rule for rule in prohibitions if rule.action == RETRY_ACTION_DO_NOT_RETRY)
    return next(final, prohibitions[0] if prohibitions else None)


def _ascending(payment: PaymentContext, occurred_s: int) -> tuple[int, ...]:
    previous = payment.previous_attempts
    return tuple(sorted([*map(seconds_up, previous), occurred_s])) if previous else (occurred_s,)


def seconds_up(moment: Timestamp) -> int:
    """Seconds since 1970, rounded up: an attempt is never taken for older than it is."""
    return moment.seconds - (-moment.nanos // _NANOS_A_SECOND)


def seconds_down(moment: Timestamp) -> int:
    """Seconds since 1970, rounded down: a recommended time is never taken for later than it is."""
    return moment.seconds + moment.nanos // _NANOS_A_SECOND
