"""Decline codes: which of several is the most telling, and what kind of decline it stands for."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import yaml
from pydantic import BaseModel, ConfigDict, Field
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

# Codes that only say that there was a decline; the later, the less they say.
_VAGUE = ("generic_decline", "card_declined")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern="^[a-z0-9_]+$")
    decline_class: str = Field(alias="class")
    source: str


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Mapping[str, str]
    codes: tuple[_Row, ...]


def load_decline_classes(file: Path) -> Mapping[str, DeclineClass]:
    """The class of every code that a provider's file knows.

    Raises ValueError when a row comes twice, or names a class unknown to the contract or a source unknown to the file.
    """
    table = _Table.model_validate(yaml.safe_load(file.read_text()))
    classes: dict[str, DeclineClass] = {}
    for row in table.codes:
        if row.code in classes or row.source not in table.sources:
            raise ValueError(f"{file}: the row of {row.code} comes twice or names no source of the table")
        # The stubs type an enum's look-up by name as int.
        classes[row.code] = cast("DeclineClass", DeclineClass.Value(f"DECLINE_CLASS_{row.decline_class.upper()}"))
    return classes


def most_specific(codes: Iterable[str | None]) -> str | None:
    """Of the codes for one failure, the one that says most: the first that is not vague, else the least vague."""
    known = [code for code in codes if code is not None]
    telling = next((code for code in known if code not in _VAGUE), None)
    return telling or next((vague for vague in _VAGUE if vague in known), None)
