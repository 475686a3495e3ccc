"""Makes rows and words of what was found. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from mlops.monitoring.rows import FeatureDriftRow, FeatureSkewRow, PerformanceRow, Row, ScoreDriftRow
from mlops.monitoring.skew import SKEWED, FeatureKey, FeatureSkew, Kind
from mlops.monitoring.thresholds import State, Thresholds, overall, worst

_MOST_TOLD: Final = 12
R = TypeVar("R", bound=Row)


def skew_rows(found: Mapping[FeatureKey, FeatureSkew], thresholds: Thresholds) -> list[FeatureSkewRow]:
    """A row for each feature of each version and day."""
    return [_skew_row(key, each, thresholds) for key, each in sorted(found.items(), key=lambda pair: pair[0])]


def _skew_row(key: FeatureKey, found: FeatureSkew, thresholds: Thresholds) -> FeatureSkewRow:
    (model, version, day), feature = key
    skew, race = found.share(SKEWED), found.share((Kind.BEHIND,))
    if skew is None or race is None:
        state = State.UNKNOWN
    else:
        ahead = found.share((Kind.AHEAD,)) or 0.0
        state = worst(
            (thresholds.skew.state(skew), thresholds.race.state(race), thresholds.ahead.state(ahead)),
        )
    return FeatureSkewRow(
        model,
        version,
        day,
        feature,
        compared=found.compared,
        **{kind.value: found.kinds[kind] for kind in Kind},
        stale=found.stale,
        not_compared={reason.value: number for reason, number in sorted(found.left_out.items())},
        largest_difference=found.largest_difference,
        examples=tuple(found.examples),
        skew_share=skew,
        race_share=race,
        state=state,
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One line that says it all, and one for each finding that somebody should look at."""

    summary: str
    findings: Sequence[str]
    state: State

    def lines(self) -> Iterator[str]:
        """What people read."""
        yield self.summary
        yield from (f"  {finding}" for finding in self.findings[:_MOST_TOLD])
        if len(self.findings) > _MOST_TOLD:
            yield f"  and {len(self.findings) - _MOST_TOLD} more; see the tables"


def told_of_skew(rows: Sequence[FeatureSkewRow], predictions: int) -> Told:
    """What the skew job says."""
    kinds: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for row in rows:
        kinds.update({kind.value: getattr(row, kind.value) for kind in Kind})
        left_out.update(row.not_compared)
    state = overall(row.state for row in rows)
    skewed = sum(kinds[kind] for kind in SKEWED)
    summary = (
        f"skew: {state}; {predictions:,} predictions, {kinds.total():,} values compared: {kinds[Kind.EQUAL]:,} equal, "
        f"{kinds[Kind.CLOSE]:,} within rounding, {kinds[Kind.BEHIND]:,} behind and {kinds[Kind.AHEAD]:,} ahead of the "
        f"stream, {skewed:,} skewed; not compared: {_counts(left_out) or 'none'}"
    )
    return Told(summary, [_skew_finding(row) for row in _worst_first(rows)], state)


def _skew_finding(row: FeatureSkewRow) -> str:
    difference = "" if row.largest_difference is None else f", by up to {row.largest_difference:,.6g}"
    return (
        f"{row.state}: {_whose(row)} {row.feature}: {row.missing_online} missing online, {row.missing_offline} missing "
        f"offline, {row.different} different{difference}, {row.behind} behind, {row.ahead} ahead, of {row.compared}; "
        f"{', '.join(row.examples)}"
    ).removesuffix("; ")


def told_of_drift(
    rows: Sequence[FeatureDriftRow | ScoreDriftRow | PerformanceRow], without_profile: Sequence[str]
) -> Told:
    """What the drift job says."""
    features = [row for row in rows if isinstance(row, FeatureDriftRow)]
    scores = [row for row in rows if isinstance(row, ScoreDriftRow)]
    results = [row for row in rows if isinstance(row, PerformanceRow)]
    state = overall(row.state for row in rows)
    summary = (
        f"drift: {state}; features of a version and day: {_counts(Counter(row.state for row in features)) or 'none'}; "
        f"scores: {_counts(Counter(row.state for row in scores)) or 'none'}; labels: "
        f"{sum(row.settled for row in results):,} settled, {sum(row.pending for row in results):,} pending, "
        f"{sum(row.unobserved for row in results):,} unobserved"
    )
    findings = [*map(_drift_finding, _worst_first(scores)), *map(_result_finding, _worst_first(results))]
    findings += map(_drift_finding, _worst_first(features))
    findings += [f"{version} has no profile.json to compare with: train it again" for version in without_profile]
    return Told(summary, findings, state)


def _drift_finding(row: FeatureDriftRow | ScoreDriftRow) -> str:
    what = row.feature if isinstance(row, FeatureDriftRow) else "score"
    missing = (
        f", {row.missing_share:.0%} missing for {row.reference_missing_share:.0%}"
        if isinstance(row, FeatureDriftRow)
        else ""
    )
    distance = "" if row.ks is None else f", KS {row.ks:.2f}"
    return (
        f"{row.state}: {_whose(row)} {what}: PSI {row.psi or 0:.2f}{distance}{missing}, {row.predictions} predictions"
    )


def _result_finding(row: PerformanceRow) -> str:
    return f"{row.state}: {_whose(row)} said {row.said:.1f}, {row.happened} happened, of {row.settled}"


def _whose(row: Row) -> str:
    return f"{row.model_name} {row.model_version} {row.day}"


def _worst_first(rows: Sequence[R]) -> list[R]:
    order = list(State)
    told = [row for row in rows if row.state in {State.WATCH, State.ALERT}]
    return sorted(told, key=lambda row: -order.index(row.state))


def _counts(counter: "Counter[State] | Counter[str]") -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counter.items()) if number)
