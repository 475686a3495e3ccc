"""What a decline means: its class, and whether its codes or advice forbid another try."""

from dataclasses import dataclass

from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_UNSPECIFIED, RetryAction
from tidegate.payments.v1.unified_payment_event_pb2 import (
    DECLINE_CLASS_FRAUD,
    DECLINE_CLASS_GENERIC,
    DECLINE_CLASS_HARD,
    DECLINE_CLASS_UNKNOWN,
    DECLINE_CLASS_UNSPECIFIED,
    DeclineClass,
)

from services.inference.networks import network_code
from services.inference.rules import HOUR_S, Prohibition
from services.inference.tables import ClassRow, DeclineCode, DeclineTables, Never

# Classes that say nothing when another source says more.
_VAGUE = (DECLINE_CLASS_GENERIC, DECLINE_CLASS_UNKNOWN, DECLINE_CLASS_UNSPECIFIED)
_SEPARATORS = str.maketrans(dict.fromkeys(" -./:", "_"))


@dataclass(frozen=True, slots=True)
class DeclinePolicy:
    """What the rules do about one class of decline: a ladder of waits in seconds, or an action."""

    name: str
    meaning: str
    ladder_s: tuple[int, ...]
    action: "RetryAction"
    prohibition: Prohibition | None


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """What a decline code means."""

    decline_class: "DeclineClass"
    prohibition: Prohibition | None


_NO_MEANING = CodeMeaning(DECLINE_CLASS_UNKNOWN, None)


class Declines:
    """The decline tables, looked up by code."""

    def __init__(self, tables: DeclineTables) -> None:
        self.most_tries = tables.tries.most
        self.tries_window_s = tables.tries.window_hours * HOUR_S
        self.policies = {row.decline_class: _policy(row) for row in tables.classes}
        self._codes = {_word(row.code): _meaning(row) for row in tables.decline_codes}
        self._response_classes = {network_code(row.code): row.decline_class for row in tables.response_codes}
        self._never_advice = {
            _word(row.code): _prohibition(row.never, f"provider advice {row.code}: {row.meaning}")
            for row in tables.provider_advice
            if row.never is not None
        }

    def of_code(self, code: str) -> CodeMeaning:
        """What a provider's code means; unknown, and not forbidden, where no table has it."""
        return self._codes.get(_word(code), _NO_MEANING)

    def classify(self, stated: "DeclineClass", code: str, response_code: str) -> "DeclineClass":
        """The class of a decline: the worst that any source states, else the most specific."""
        by_response = self._response_classes.get(network_code(response_code), DECLINE_CLASS_UNKNOWN)
        found = (stated, self.of_code(code).decline_class, by_response)
        for worst in (DECLINE_CLASS_HARD, DECLINE_CLASS_FRAUD):
            if worst in found:
                return worst
        for each in found:
            if each not in _VAGUE:
                return each
        return DECLINE_CLASS_GENERIC if DECLINE_CLASS_GENERIC in found else DECLINE_CLASS_UNKNOWN

    def prohibitions(self, code: str, advice: str, decline_class: "DeclineClass") -> list[Prohibition]:
        """Every rule of issuer or provider that forbids another try by itself."""
        found = (
            self._never_advice.get(_word(advice)),
            self.of_code(code).prohibition,
            self.policies[decline_class].prohibition,
        )
        return [rule for rule in found if rule is not None]


def _word(code: str) -> str:
    """A code as the tables write it: providers write "Stolen Card", "STOLEN_CARD" and "stolen_card"."""
    return code.strip().lower().translate(_SEPARATORS)


def _meaning(row: DeclineCode) -> CodeMeaning:
    never = row.never
    told = f"decline code {row.code} is not to be tried again"
    return CodeMeaning(row.decline_class, None if never is None else _prohibition(never, told))


def _policy(row: ClassRow) -> DeclinePolicy:
    name = DeclineClass.Name(row.decline_class).removeprefix("DECLINE_CLASS_").lower()
    never = None if row.never is None else _prohibition(row.never, row.meaning)
    return DeclinePolicy(
        name=name,
        meaning=row.meaning,
        ladder_s=tuple(hours * HOUR_S for hours in row.wait_hours),
        action=row.action or (never.action if never else RETRY_ACTION_UNSPECIFIED),
        prohibition=never,
    )


def _prohibition(never: Never, description: str) -> Prohibition:
    return Prohibition(never.name, never.action, description)
