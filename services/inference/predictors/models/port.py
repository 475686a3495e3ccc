"""What a trained model must be able to do to answer, whatever its question and its library."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from tidegate.inference.v1.payment_context_pb2 import Reason

Rows = npt.NDArray[np.float64]


class Verdict(NamedTuple):
    """A calibrated probability, and what raised it most, strongest first."""

    probability: float
    reasons: Sequence[Reason]
    # Where the question is when: the moment that the probability is of, seconds since 1970; None: none is worth it.
    moment_s: int | None = None
    # And what is expected then or later, as a share: what comes later is cautious, and less for each day of delay.
    in_the_end: float = 0.0


class ModelPort(Protocol):
    """One version of one model. Stateless: a caller may keep asking a version after another has taken its place."""

    @property
    def name(self) -> str:
        """As it is registered."""
        ...

    @property
    def version(self) -> str:
        """As it is registered."""
        ...

    @property
    def alias(self) -> str:
        """The alias that it was fetched under."""
        ...

    @property
    def features(self) -> Sequence[str]:
        """The names of a row's columns."""
        ...

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Probabilities from which on something is decided, by what."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was stored with it besides, such as the policy of a model that chooses."""
        ...

    def probabilities(self, rows: Rows) -> Rows:
        """The probability of each row alone, at less cost than `judge`. Any exception: the model failed."""
        ...

    def judge(self, rows: Rows) -> Sequence[Verdict]:
        """One verdict for each row; NaN is a value that is not known. Any exception: the model failed."""
        ...

    def failed(self, error: Exception) -> None:
        """Tell who operates it that it gave no answer, or none that can be used: once for each call that hears none."""
        ...
