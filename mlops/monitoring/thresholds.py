"""From when on a finding is to be looked at, or is an alert: read from a file, applied to figures. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

THRESHOLDS_FILE: Final = Path(__file__).with_name("thresholds.yaml")


class ThresholdsError(ValueError):
    """The file cannot be used; the message says what to mend."""


class State(StrEnum):
    """What a figure is, from the best to the worst; `unknown` where there is too little to tell."""

    OK = "ok"
    UNKNOWN = "unknown"
    WATCH = "watch"
    ALERT = "alert"


def worst(states: Iterable[State]) -> State:
    """The worst of these; ok of none."""
    order = list(State)
    return max(states, key=order.index, default=State.OK)


def overall(states: Iterable[State]) -> State:
    """The worst of those that are known; unknown where none is."""
    return worst({*states} - {State.UNKNOWN} or {State.UNKNOWN})


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Rules):
    """Above `watch` somebody should look; above `alert` somebody must."""

    watch: float = Field(ge=0)
    alert: float = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.alert < self.watch:
            raise ValueError("alert lies below watch")
        return self

    def state(self, value: float) -> State:
        """What a value is."""
        if value > self.alert:
            return State.ALERT
        return State.WATCH if value > self.watch else State.OK


class RaceLimits(Limits):
    """How much the stream may lag."""

    seconds: float = Field(gt=0)


class CalibrationLimits(Limits):
    """By which factor what was said may differ from what happened, either way."""

    least_events: int = Field(ge=1)


class Thresholds(_Rules):
    """The whole file."""

    psi: Limits
    ks: Limits
    chance: float = Field(gt=0, lt=1)
    skew: Limits
    race: RaceLimits
    ahead: Limits
    calibration: CalibrationLimits


def thresholds_of(file: Path = THRESHOLDS_FILE) -> Thresholds:
    """Read the file. ThresholdsError where it is unreadable or means nothing."""
    try:
        return Thresholds.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ThresholdsError(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise ThresholdsError(f"{file}: {error}") from error
