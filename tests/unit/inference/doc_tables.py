"""The tables of docs/inference.md, made from the tables that answer: `python -m tests.unit.inference.doc_tables`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tidegate.inference.v1.retry_service_pb2 import RetryAction
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from services.inference.predictors.rules import churn, fraud
from services.inference.predictors.rules.points import PointRule
from services.inference.tables import AdviceCode, ClassRow, DeclineCode, RuleTables, read_rule_tables

DOCUMENT = Path(__file__).parents[3] / "docs" / "inference.md"
BEGIN = "<!-- tables: made by python -m tests.unit.inference.doc_tables -->"
END = "<!-- end of tables -->"

_PER = {"card": "card", "card_and_amount": "card and amount"}


def rendered() -> str:
    """Everything between the markers."""
    tables = read_rule_tables()
    return "\n\n".join(
        [
            "### Budgets",
            _budgets(tables),
            "### Response codes after which a network forbids another try",
            _never_response_codes(tables),
            "### Network advice codes",
            _advice(tables),
            "### Provider advice",
            _provider_advice(tables),
            "### What follows from a class of decline",
            _classes(tables),
            "### Decline codes",
            _decline_codes(tables),
            "### Response codes and the class they stand for",
            _response_codes(tables),
            "### Fraud points",
            _points(fraud.RULES),
            "### Churn points",
            _points(churn.RULES),
        ]
    )


def document_with(tables: str) -> str:
    """The document with its tables replaced."""
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.split(END)[1]}"


def _budgets(tables: RuleTables) -> str:
    rows = [
        (each.name, str(each.attempts), _PER[each.per], f"{each.window_hours} h", each.source, str(each.date))
        for network in tables.networks.networks
        for each in network.budgets
    ]
    return _table(("Rule", "Attempts, the first included", "per", "in any", "Source", "As of"), rows)


def _never_response_codes(tables: RuleTables) -> str:
    rows = [
        (network.name, each.code, each.meaning, each.name, each.source, str(each.date))
        for network in tables.networks.networks
        for each in network.never_response_codes
    ]
    return _table(("Network", "Code", "Meaning", "Rule", "Source", "As of"), rows)


def _advice(tables: RuleTables) -> str:
    rows = [
        (each.code, each.meaning, _told(each), each.name, each.source, str(each.date))
        for network in tables.networks.networks
        for each in network.advice_codes
    ]
    return _table(("Code", "Meaning", "Answer", "Rule", "Source", "As of"), rows)


def _told(advice: AdviceCode) -> str:
    return f"not before {advice.wait_hours} h" if advice.action is None else _action(advice.action)


def _provider_advice(tables: RuleTables) -> str:
    rows = [
        (each.code, _action(each.never.action) if each.never else "no bound", each.source, str(each.date))
        for each in tables.declines.provider_advice
    ]
    return _table(("Advice", "Answer", "Source", "As of"), rows)


def _classes(tables: RuleTables) -> str:
    rows = [
        (_class(each.decline_class), each.meaning, _follows(each), each.source, str(each.date))
        for each in tables.declines.classes
    ]
    return _table(("Class", "Meaning", "Answer", "Source", "As of"), rows)


def _follows(row: ClassRow) -> str:
    if row.wait_hours:
        return f"retry after {', '.join(map(str, row.wait_hours))} h; then UPDATE_PAYMENT_METHOD"
    return f"{_action(row.never.action)}, never a retry" if row.never else _action(row.action or 0)


def _decline_codes(tables: RuleTables) -> str:
    rows = [
        (f"`{each.code}`", _class(each.decline_class), _forbidden(each), each.source, str(each.date))
        for each in tables.declines.decline_codes
    ]
    return _table(("Code", "Class", "Never a retry: answer, rule", "Source", "As of"), rows)


def _forbidden(row: DeclineCode) -> str:
    return f"{_action(row.never.action)}, {row.never.name}" if row.never else ""


def _response_codes(tables: RuleTables) -> str:
    rows = [
        (each.code, _class(each.decline_class), each.source, str(each.date)) for each in tables.declines.response_codes
    ]
    return _table(("Code", "Class", "Source", "As of"), rows)


def _points(rules: Iterable[PointRule]) -> str:
    return _table(("Reason", "Points", "When"), [(f"`{r.code}`", f"{r.points:+d}", r.description) for r in rules])


def _action(number: int) -> str:
    return str(RetryAction.Name(number)).removeprefix("RETRY_ACTION_")


def _class(number: int) -> str:
    return str(DeclineClass.Name(number)).removeprefix("DECLINE_CLASS_")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    DOCUMENT.write_text(document_with(rendered()))
