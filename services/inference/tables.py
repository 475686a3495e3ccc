"""Reads the rule tables (networks, declines) from YAML, checks their form, and names the version they make."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.functional_validators import BeforeValidator
from tidegate.inference.v1.retry_service_pb2 import RetryAction
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

NETWORK_RULES = Path(__file__).with_name("network_rules.yaml")
DECLINE_RULES = Path(__file__).with_name("decline_rules.yaml")


class RuleTableError(Exception):
    """A rule file cannot be used; the text says which row and why."""


def _action(name: object) -> int:
    if name == "RETRY":
        raise ValueError("RETRY is no rule: leave the action out")
    return RetryAction.Value(f"RETRY_ACTION_{name}")


def _decline_class(name: object) -> int:
    return DeclineClass.Value(f"DECLINE_CLASS_{name}")


# Enum values by their short names, such as DO_NOT_RETRY and INSUFFICIENT_FUNDS. To the type checker an enum is a class
# of its own; at run time Protobuf's values are plain ints.
if TYPE_CHECKING:
    Action = RetryAction
    Class = DeclineClass
else:
    Action = Annotated[int, BeforeValidator(_action)]
    Class = Annotated[int, BeforeValidator(_decline_class)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Hours = Annotated[int, Field(ge=1, le=24 * 366)]


def _once(what: str, codes: Iterable[str]) -> None:
    twice = sorted(code for code, times in Counter(codes).items() if times > 1)
    if twice:
        raise ValueError(f"{what} lists {', '.join(twice)} more than once; which row holds?")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class _Sourced(_Strict):
    """A row that says where it comes from and as of when."""

    source: Name
    date: date


class Never(_Strict):
    """What must not be tried again by itself, and what to do instead."""

    name: Name
    action: Action


class Budget(_Sourced):
    """At most `attempts` attempts, the first one included, in any window of this length."""

    name: Name
    attempts: Annotated[int, Field(ge=1)]
    window_hours: Hours
    # What is counted together: a card's attempts for one amount, or all of them.
    per: Literal["card", "card_and_amount"] = "card_and_amount"


class NeverResponseCode(_Sourced):
    """A response code after which the network forbids another try."""

    code: Name
    name: Name
    meaning: Name


class AdviceCode(_Sourced):
    """A network's advice: another try no sooner than `wait_hours`, or none and `action` instead."""

    code: Name
    name: Name
    meaning: Name
    wait_hours: Hours | None = None
    action: Action | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.wait_hours is None) == (self.action is None):
            raise ValueError("an advice code has either wait_hours or an action")
        return self


class NetworkRow(_Strict):
    """The rules of one network."""

    name: Name
    brands: tuple[Name, ...] = ()
    payment_method_types: tuple[Name, ...] = ()
    budgets: Annotated[tuple[Budget, ...], Field(min_length=1)]
    never_response_codes: tuple[NeverResponseCode, ...] = ()
    advice_codes: tuple[AdviceCode, ...] = ()
    advice_codes_of: Name | None = None


class NetworkTables(_Strict):
    """network_rules.yaml."""

    longest_wait_hours: Hours
    networks: Annotated[tuple[NetworkRow, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        names = {network.name for network in self.networks}
        for network in self.networks:
            if network.advice_codes_of is not None and network.advice_codes_of not in names:
                raise ValueError(f"{network.name} takes advice_codes_of {network.advice_codes_of}, which is not listed")
        if not any(network.brands for network in self.networks):
            raise ValueError("no network has brands, so a card of an unknown network would have no rules")
        for network in self.networks:
            _once(f"never_response_codes of {network.name}", (row.code for row in network.never_response_codes))
            _once(f"advice_codes of {network.name}", (row.code for row in network.advice_codes))
        _once("brands", (brand for network in self.networks for brand in network.brands))
        _once("payment_method_types", (kind for network in self.networks for kind in network.payment_method_types))
        return self


class ClassRow(_Sourced):
    """What follows from a class of decline: a ladder of waits, an action, or a prohibition."""

    decline_class: Annotated[Class, Field(alias="class")]
    meaning: Name
    wait_hours: tuple[Hours, ...] = ()
    action: Action | None = None
    never: Never | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum((bool(self.wait_hours), self.action is not None, self.never is not None)) != 1:
            raise ValueError("a class has exactly one of wait_hours, action and never")
        return self


class DeclineCode(_Sourced):
    """What a provider's decline code means."""

    code: Name
    decline_class: Annotated[Class, Field(alias="class")]
    never: Never | None = None


class ResponseCode(_Sourced):
    """What a network's response code means."""

    code: Name
    decline_class: Annotated[Class, Field(alias="class")]


class ProviderAdvice(_Sourced):
    """A provider's advice."""

    code: Name
    meaning: Name
    never: Never | None = None


class Tries(_Sourced):
    """How often one payment is tried at most."""

    most: Annotated[int, Field(ge=1)]
    window_hours: Hours


class DeclineTables(_Strict):
    """decline_rules.yaml."""

    tries: Tries
    classes: tuple[ClassRow, ...]
    decline_codes: tuple[DeclineCode, ...]
    response_codes: tuple[ResponseCode, ...]
    provider_advice: tuple[ProviderAdvice, ...]

    @model_validator(mode="after")
    def _every_class_once(self) -> Self:
        listed = sorted(row.decline_class for row in self.classes)
        wanted = sorted(value for value in DeclineClass.values() if value)
        if listed != wanted:
            raise ValueError("classes must list every DeclineClass but UNSPECIFIED exactly once")
        _once("decline_codes", (row.code for row in self.decline_codes))
        _once("response_codes", (row.code for row in self.response_codes))
        _once("provider_advice", (row.code for row in self.provider_advice))
        return self


class RuleTables(_Strict):
    """All tables that bound a retry, and the version they make together."""

    networks: NetworkTables
    declines: DeclineTables
    version: str


T = TypeVar("T", NetworkTables, DeclineTables)


def read_rule_tables(network_rules: Path = NETWORK_RULES, decline_rules: Path = DECLINE_RULES) -> RuleTables:
    """Read both files; RuleTableError names the file, the row and the fault.

    The version is made of the files' content, so that an answer names the very tables it was made from.
    """
    digest = hashlib.sha256()
    networks = _read(network_rules, NetworkTables, digest)
    declines = _read(decline_rules, DeclineTables, digest)
    return RuleTables(networks=networks, declines=declines, version=digest.hexdigest()[:12])


def _read(path: Path, table: type[T], digest: "hashlib._Hash") -> T:
    try:
        content = path.read_bytes()
        digest.update(content)
        parsed = yaml.safe_load(content)
    except OSError as error:
        raise RuleTableError(f"cannot read the rule file {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise RuleTableError(f"{path} is not YAML: {error}") from error
    try:
        return table.model_validate(parsed)
    except ValidationError as error:
        faults = "; ".join(f"{_place(fault['loc'], parsed)}: {fault['msg']}" for fault in error.errors())
        raise RuleTableError(f"{path} does not have the form of {table.__doc__} {faults}") from error


def _place(location: tuple[int | str, ...], parsed: object) -> str:
    """Where a fault lies, rows told by their code or name as well as their number."""
    words: list[str] = []
    here = parsed
    for step in location:
        if isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
            words[-1] += f"[{_row_name(here, step)}]"
        else:
            here = here.get(step) if isinstance(here, Mapping) else None
            words.append(str(step))
    return ".".join(words) or "the file"


def _row_name(row: object, number: int) -> str:
    if isinstance(row, Mapping):
        return str(row.get("code") or row.get("name") or row.get("class") or number)
    return str(number)
