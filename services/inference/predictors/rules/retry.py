"""Recommends retries by decline class: a fixed ladder of waits, or what to do instead."""

from collections.abc import Sequence
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.payment_context_pb2 import Reason
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
)

from services.inference.case import Case
from services.inference.declines import DeclinePolicy, Declines
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.rules import HOUR_S

NAME = "retry-rules"
# Of the code; the version of an answer has that of the tables behind it.
VERSION = "1"


class Ladder:
    """The waits between the tries of one payment, by decline class, up to the most tries in a window."""

    def __init__(self, declines: Declines) -> None:
        self._declines = declines

    def tries(self, case: Case) -> int:
        """Tries of this payment so far, the failed one included."""
        return case.tries_within(self._declines.tries_window_s)

    def wait_s(self, policy: DeclinePolicy, tries: int) -> int | None:
        """Seconds to wait after that many tries; None where the ladder is used up."""
        if tries >= self._declines.most_tries or tries > len(policy.ladder_s):
            return None
        return policy.ladder_s[tries - 1]


class RetryRules:
    """RetryPredictor by prohibitions, ladders and actions of the decline tables."""

    def __init__(self, declines: Declines, tables_version: str) -> None:
        self._policies = declines.policies
        self._meanings = {
            each: Reason(code=f"decline.{policy.name}", description=policy.meaning)
            for each, policy in declines.policies.items()
        }
        self._ladder = Ladder(declines)
        self._blank = RecommendStrategyResponse(provenance=rules_provenance(NAME, f"{VERSION}+{tables_version}"))

    def recommend(self, cases: Sequence[Case], at: Timestamp) -> list[RecommendStrategyResponse]:
        """One strategy for each failed payment."""
        return [self._recommend(case, at) for case in cases]

    def _recommend(self, case: Case, at: Timestamp) -> RecommendStrategyResponse:
        answer = RecommendStrategyResponse()
        answer.CopyFrom(self._blank)
        answer.provenance.predicted_at.CopyFrom(at)
        answer.decline_class = case.decline_class
        policy = self._policies[case.decline_class]
        if case.prohibition is not None:
            answer.action = case.prohibition.action
            answer.reasons.add(code=case.prohibition.name, description=case.prohibition.description)
        elif policy.ladder_s:
            self._climb(answer, case, policy)
        else:
            answer.action = policy.action
            answer.reasons.append(self._meanings[case.decline_class])
        return answer

    def _climb(self, answer: RecommendStrategyResponse, case: Case, policy: DeclinePolicy) -> None:
        tries = self._ladder.tries(case)
        wait_s = self._ladder.wait_s(policy, tries)
        if wait_s is None:
            answer.action = RETRY_ACTION_UPDATE_PAYMENT_METHOD
            answer.reasons.append(_used_up(tries))
        else:
            answer.action = RETRY_ACTION_RETRY
            answer.retry_at.seconds = case.latest_s + wait_s
            answer.reasons.append(_rung(policy.name, tries, wait_s))
        answer.reasons.append(self._meanings[case.decline_class])


@lru_cache(maxsize=256)
def _rung(name: str, tries: int, wait_s: int) -> Reason:
    return Reason(code=f"ladder.{name}", description=f"wait {wait_s // HOUR_S} h after try {tries}")


def _used_up(tries: int) -> Reason:
    return Reason(code="ladder.used_up", description=f"{tries} tries did not help; another card may")
