"""How a model's features and scores were distributed where it was judged: what drift is measured against."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

PROFILE_FILE: Final = "profile.json"
FORMAT: Final = 1

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST_EDGES: Final = 100


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many values lie in each bin. NaN is a value that is not known, and has a bin of its own: `missing`.

    Bin `i` holds what is above `edges[i - 1]` and at most `edges[i]`; the last one what is above all edges. Where there
    were no more than 100 different values each is an edge, else the percentiles are.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Bins of these values, and how many lie in each."""
        known = values[~np.isnan(values)]
        edges = np.unique(known)
        if len(edges) > _MOST_EDGES:
            shares = np.arange(1, _MOST_EDGES + 1) / _MOST_EDGES
            edges = np.unique(np.quantile(known, shares, method="inverted_cdf"))
        counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
        return cls(tuple(edges.tolist()), tuple(counts.tolist()), int(len(values) - len(known)))

    @property
    def rows(self) -> int:
        """How many values there were, those included that are not known."""
        return sum(self.counts) + self.missing


@dataclass(frozen=True, slots=True)
class Profile:
    """One version's distributions on the rows that judged it, and the thresholds that it decides by."""

    features: Mapping[str, Distribution]
    score: Distribution
    thresholds: Mapping[str, float]

    @classmethod
    def of(cls, names: Sequence[str], rows: Floats, probability: Floats, thresholds: Mapping[str, float]) -> Self:
        """Of rows with a column for each name, and the probability that the model gave each row."""
        features = {name: Distribution.of(rows[:, column]) for column, name in enumerate(names)}
        return cls(features, Distribution.of(probability), dict(thresholds))

    def as_json(self) -> str:
        """What `of_json` reads."""
        data = {
            "format": FORMAT,
            "features": {name: _plain(each) for name, each in self.features.items()},
            "score": _plain(self.score),
            "thresholds": dict(self.thresholds),
        }
        return json.dumps(data, sort_keys=True) + "\n"

    @classmethod
    def of_json(cls, text: str) -> Self:
        """Read what `as_json` wrote; ValueError where it is something else."""
        try:
            data: dict[str, Any] = json.loads(text)
            if data["format"] != FORMAT:
                raise ValueError(f"a profile of format {data['format']}, this code reads {FORMAT}; train again")
            features = {name: _distribution(each) for name, each in data["features"].items()}
            return cls(features, _distribution(data["score"]), data["thresholds"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a profile ({error}); train again") from error


def _plain(each: Distribution) -> Mapping[str, Any]:
    return {"edges": each.edges, "counts": each.counts, "missing": each.missing}


def _distribution(data: Mapping[str, Any]) -> Distribution:
    return Distribution(tuple(data["edges"]), tuple(data["counts"]), data["missing"])
