"""The supported currencies: a table of exponents and bounds that a setting extends."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Self

import iso4217
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

DEFAULT_FILE = Path(__file__).with_name("currencies.yaml")
_LARGEST_INT64 = 2**63 - 1


class Currency(BaseModel):
    """One row of the table; see currencies.yaml for what the columns mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern="^[A-Z]{3}$")
    exponent: int = Field(ge=0, le=4)
    units_per_usd: Decimal = Field(gt=0)
    upper_bound_cents: int = Field(gt=0, le=_LARGEST_INT64)

    @model_validator(mode="after")
    def _agree_with_iso_4217(self) -> Self:
        exponents = _iso_4217_exponents()
        if self.code not in exponents:
            raise ValueError(f"{self.code} is no currency of ISO 4217")
        if exponents[self.code] != self.exponent:
            raise ValueError(f"ISO 4217 gives {self.code} the exponent {exponents[self.code]}, not {self.exponent}")
        return self


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    currencies: tuple[Currency, ...]

    @model_validator(mode="after")
    def _name_each_once(self) -> Self:
        twice = {code for code, rows in Counter(row.code for row in self.currencies).items() if rows > 1}
        if twice:
            raise ValueError(f"more than one row for {', '.join(sorted(twice))}")
        return self


def load_currencies(extension: Path | None = None) -> Mapping[str, Currency]:
    """The default table by code, with the rows of the extension added or in place of its own.

    Raises ValueError with the file and the row when a file is not in the form of currencies.yaml.
    """
    files = [DEFAULT_FILE] if extension is None else [DEFAULT_FILE, extension]
    return {currency.code: currency for file in files for currency in _read(file)}


@cache
def _iso_4217_exponents() -> Mapping[str, int | None]:
    return {currency.code: currency.exponent for currency in iso4217.Currency}


def _read(file: Path) -> tuple[Currency, ...]:
    try:
        return _Table.model_validate(yaml.safe_load(file.read_text())).currencies
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(
            f"{file} is no currency table (services/normalizer/currencies.yaml shows the form): {error}"
        ) from error
