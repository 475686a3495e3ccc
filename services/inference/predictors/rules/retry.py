"""Recommends retries by decline class: a fixed ladder of waits, or what to do instead."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from tidegate.inference.v1.retry_service_pb2 import (
    RETRY_ACTION_RETRY,
    RETRY_ACTION_UPDATE_PAYMENT_METHOD,
    RecommendStrategyResponse,
)
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from services.inference.case import Case
from services.inference.declines import DeclinePolicy, Declines
from services.inference.predictors.rules.provenance import rules_provenance
from services.inference.rules import HOUR_S, Prohibition

NAME = "retry-rules"
# Of the code; the version of an answer has that of the tables behind it.
VERSION = "1"
_ANSWERS_KEPT = 4096


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


class Situation(NamedTuple):
    """What a strategy depends on, but for the times; answers to the same situation are made once."""

    decline_class: "DeclineClass"
    prohibition: Prohibition | None
    tries: int


class RetryRules:
    """RetryPredictor by prohibitions, ladders and actions of the decline tables."""

    def __init__(self, declines: Declines, tables_version: str) -> None:
        self._policies = declines.policies
        self._ladder = Ladder(declines)
        self._provenance = rules_provenance(NAME, f"{VERSION}+{tables_version}")
        self._answer_in = lru_cache(maxsize=_ANSWERS_KEPT)(self._make)

    def recommend(self, cases: Sequence[Case], at: Timestamp) -> list[RecommendStrategyResponse]:
        """One strategy for each failed payment."""
        answers = []
        for case in cases:
            answer = RecommendStrategyResponse()
            answer.CopyFrom(self._answer_in(Situation(case.decline_class, case.prohibition, self._ladder.tries(case))))
            if answer.action == RETRY_ACTION_RETRY:
                answer.retry_at.seconds += case.latest_s
            answer.provenance.predicted_at.CopyFrom(at)
            answers.append(answer)
        return answers

    def _make(self, situation: Situation) -> RecommendStrategyResponse:
        """The answer with retry_at counted from the latest attempt."""
        decline_class, prohibition, tries = situation
        policy = self._policies[decline_class]
        answer = RecommendStrategyResponse(decline_class=decline_class, provenance=self._provenance)
        if prohibition is not None:
            answer.action = prohibition.action
            answer.reasons.add(code=prohibition.name, description=prohibition.description)
            return answer
        if policy.ladder_s:
            self._climb(answer, policy, tries)
        else:
            answer.action = policy.action
        answer.reasons.add(code=f"decline.{policy.name}", description=policy.meaning)
        return answer

    def _climb(self, answer: RecommendStrategyResponse, policy: DeclinePolicy, tries: int) -> None:
        wait_s = self._ladder.wait_s(policy, tries)
        if wait_s is None:
            answer.action = RETRY_ACTION_UPDATE_PAYMENT_METHOD
            used_up = f"{tries} tries did not help; another card may"
            answer.reasons.add(code="ladder.used_up", description=used_up)
        else:
            answer.action = RETRY_ACTION_RETRY
            answer.retry_at.seconds = wait_s
            rung = f"wait {wait_s // HOUR_S} h after try {tries}"
            answer.reasons.add(code=f"ladder.{policy.name}", description=rung)
