"""What one rule says about one payment: a prohibition, a wait, a budget. Values only."""

from dataclasses import dataclass

from tidegate.inference.v1.retry_service_pb2 import RetryAction

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Prohibition:
    """A rule that forbids another try by itself, and what to do instead."""

    name: str
    action: "RetryAction"
    description: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A rule that allows another try no sooner than this after the one that failed."""

    name: str
    seconds: int
    description: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the tries of every payment, whatever its network."""

    # Tries of one payment, the first one included, in a window of this length.
    most_tries: int
    tries_window_s: int
    # No retry is recommended later than this after the failure.
    longest_wait_s: int


@dataclass(frozen=True, slots=True)
class BudgetRule:
    """At most `attempts` attempts, the first one included, in any closed window of this length."""

    name: str
    attempts: int
    window_s: int
    # Whether attempts for other amounts on the card count too.
    any_amount: bool
    description: str
