"""What a benchmark measures and how: interleaved rounds, the median of their ratios."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Result:
    """One figure: ours ÷ baseline, both measured in the same run."""

    id: str
    what: str
    unit: str
    ours: float
    baseline: float
    ratio: float
    # The bar of the project for `ratio`, where there is one, and which side of it is good.
    bar: float | None
    better: Better
    # Further figures worth keeping, such as percentiles.
    detail: dict[str, float]

    @property
    def passes(self) -> bool:
        """Whether the ratio is on the good side of the bar."""
        if self.bar is None:
            return True
        return self.ratio >= self.bar if self.better == "higher" else self.ratio <= self.bar

    def as_json(self) -> dict[str, object]:
        """The result's entry of bench.json, without its id."""
        values = asdict(self)
        del values["id"]
        return {**values, "passes": self.passes}


def seconds_per_call(function: Callable[[], object], calls: int) -> float:
    """Mean time of one call over a tight loop, with the collector off."""
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls
    finally:
        gc.enable()


def interleaved(ours: Callable[[], float], baseline: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Measure both in turn, `rounds` times; the medians of both and the median of the ratios of each round.

    A round's two measurements are seconds apart, so that a noisy neighbour slows both.
    """
    pairs = [(ours(), baseline()) for _ in range(rounds)]
    return (
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[0] / pair[1] for pair in pairs),
    )


def percentile(values: list[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]
