"""Which network's rules bound a payment, and what that network's codes forbid or delay."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidegate.inference.v1.retry_service_pb2 import RETRY_ACTION_DO_NOT_RETRY

from services.inference.rules import HOUR_S, BudgetRule, Prohibition, Wait
from services.inference.tables import AdviceCode, Budget, NetworkRow, NetworkTables

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Network:
    """The rules that hold for one payment."""

    name: str
    budgets: tuple[BudgetRule, ...]
    never: Mapping[str, Prohibition]
    advice: Mapping[str, Prohibition | Wait]


class Networks:
    """Every network by its brands and payment method types, and the strictest mix for whatever is not listed."""

    def __init__(self, tables: NetworkTables) -> None:
        rows = {row.name: row for row in tables.networks}
        networks = {name: _network(row, rows) for name, row in rows.items()}
        self._by_brand = {_squeeze(brand): networks[row.name] for row in tables.networks for brand in row.brands}
        self._by_method = {kind: networks[row.name] for row in tables.networks for kind in row.payment_method_types}
        self._unknown = _strictest([networks[row.name] for row in tables.networks if row.brands])

    def of(self, payment_method_type: str, card_brand: str) -> Network:
        """The network of a payment, told by its payment method and card brand; the strictest mix where unknown."""
        by_method = self._by_method.get(payment_method_type)
        return by_method or self._by_brand.get(_squeeze(card_brand), self._unknown)


def network_code(code: str) -> str:
    """A network's code in its usual two-character form: "3" and " r0" are "03" and "R0"; none stays none."""
    stripped = code.strip().upper()
    return stripped.zfill(2) if stripped else ""


def _squeeze(brand: str) -> str:
    """A brand without case and punctuation: "MasterCard", "master card" and "MASTER_CARD" are one."""
    return "".join(filter(str.isalnum, brand)).lower()


def _network(row: NetworkRow, rows: Mapping[str, NetworkRow]) -> Network:
    advice = row.advice_codes or (rows[row.advice_codes_of].advice_codes if row.advice_codes_of else ())
    return Network(
        name=row.name,
        budgets=tuple(_budget(each) for each in row.budgets),
        never={
            network_code(each.code): Prohibition(
                each.name, RETRY_ACTION_DO_NOT_RETRY, _told(row, each.code, each.meaning)
            )
            for each in row.never_response_codes
        },
        advice={network_code(each.code): _advice(each) for each in advice},
    )


def _budget(row: Budget) -> BudgetRule:
    any_amount = row.per == "card"
    amounts = "whatever the amount" if any_amount else "for one amount"
    description = f"at most {row.attempts} attempts in {row.window_hours} h on one card {amounts}"
    return BudgetRule(row.name, row.attempts, row.window_hours * HOUR_S, any_amount, description)


def _advice(row: AdviceCode) -> Prohibition | Wait:
    description = f"network advice code {row.code}: {row.meaning}"
    if row.action is not None:
        return Prohibition(row.name, row.action, description)
    return Wait(row.name, (row.wait_hours or 0) * HOUR_S, description)


def _told(row: NetworkRow, code: str, meaning: str) -> str:
    return f"{row.name} forbids another try after response code {code}: {meaning}"


def _strictest(networks: Iterable[Network]) -> Network:
    """Every budget, every prohibition and the longest waits of all networks together."""
    budgets: list[BudgetRule] = []
    never: dict[str, Prohibition] = {}
    advice: dict[str, Prohibition | Wait] = {}
    for network in networks:
        budgets.extend(network.budgets)
        never = {**network.never, **never}
        for code, rule in network.advice.items():
            advice[code] = _stricter(advice.get(code), rule)
    return Network(UNKNOWN, tuple(budgets), never, advice)


def _stricter(one: Prohibition | Wait | None, other: Prohibition | Wait) -> Prohibition | Wait:
    if one is None:
        return other
    if isinstance(one, Wait) and isinstance(other, Wait):
        return max(one, other, key=lambda wait: wait.seconds)
    prohibitions = [rule for rule in (one, other) if isinstance(rule, Prohibition)]
    return next((rule for rule in prohibitions if rule.action == RETRY_ACTION_DO_NOT_RETRY), prohibitions[0])
