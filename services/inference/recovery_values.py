"""Reads what recovery plans are weighed by: each number with its source, how far to trust it and, for some, a range."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.inference.tables import Class, RuleTableError

RECOVERY_VALUES = Path(__file__).with_name("recovery_values.yaml")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Value(_Strict):
    """A number, and why that one."""

    value: Annotated[float, Field(ge=0)]
    unit: str
    # C, marketing and constants without a source, is left out on purpose: nothing may rest on it.
    grade: Literal["A", "B", "own"]
    source: Annotated[str, Field(min_length=1)]


class Ranged(Value):
    """A number that nobody knows well: plans are weighed at both ends too."""

    low: Annotated[float, Field(ge=0)]
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> "Ranged":
        if not self.low <= self.value <= self.high:
            raise ValueError("low must not be above value, nor value above high")
        return self


class RecoveryValues(_Strict):
    """recovery_values.yaml."""

    brings_card: Mapping[Class, Ranged]
    comes_unasked: Value
    brings_card_days: Ranged
    retries_hold: Ranged
    later_retry_days: Ranged
    attempt_usd_cents: Value
    message_usd_cents: Value
    look_usd_cents: Value
    dispute_usd_cents: Value
    delay_share_a_day: Value
    payments_to_come: Value
    margin: Value
    leaves_if_unpaid: Value
    leaves_if_asked: Value
    stays_if_offered: Value
    offer_share: Value
    pause_after_days: Value
    risky_from: Value
    look_settles: Value
    # Of the file's content.
    version: str


@cache
def read_recovery_values(path: Path = RECOVERY_VALUES) -> RecoveryValues:
    """Read the file; RuleTableError names the row and the fault."""
    try:
        content = path.read_bytes()
        rows: Any = yaml.safe_load(content)
        return RecoveryValues(**rows, version=hashlib.sha256(content).hexdigest()[:12])
    except OSError as error:
        raise RuleTableError(f"cannot read the file {path}: {error.strerror}") from error
    except (yaml.YAMLError, TypeError) as error:
        raise RuleTableError(f"{path} is no table of recovery values: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise RuleTableError(f"{path}: {faults}") from error
