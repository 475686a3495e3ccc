"""Writes a model's card: what it is for, what it was made of, how it was judged, where it falls short. Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlops.registry.artifact import TrainedModel
from mlops.registry.evidence import Estimate, Evidence


@dataclass(frozen=True, slots=True)
class Purpose:
    """The words of a card that no figure says."""

    title: str
    use: str
    data: str
    limits: Sequence[str]
    wrongly: str = "Wrongly declined"
    """What became of rows without the event that were said to have it."""


def card(purpose: Purpose, model: TrainedModel, evidence: Evidence) -> str:
    """Return the card's text."""
    return "\n".join([*_what(purpose, model), *_judged(purpose, evidence), *_limits(purpose)]) + "\n"


def _what(purpose: Purpose, model: TrainedModel) -> Iterator[str]:
    data, thresholds = model.metadata["data"], ", ".join(f"{name} {at:.4f}" for name, at in model.thresholds.items())
    yield from (f"# {purpose.title}", "", purpose.use, "", "## Made of", "", purpose.data, "")
    yield f"- {data['rows']:,} rows, {data['positives']:,} with the event; fingerprint `{data['fingerprint']}`"
    yield f"- {len(model.features)} features; LightGBM {model.metadata['lightgbm']}, {model.booster.num_trees()} trees"
    yield f"- calibration: {model.calibration.method}; thresholds: {thresholds}"
    yield f"- code `{model.metadata['code_version']}`"
    yield ""


def _judged(purpose: Purpose, evidence: Evidence) -> Iterator[str]:
    quality = evidence.quality
    yield from ("## Judged", "")
    yield (
        f"{evidence.window[0]} to {evidence.window[1]}: {quality['test_rows']:,.0f} rows, "
        f"{quality['test_positives']:,.0f} with the event, all later than what was trained on. Intervals: 95 % of "
        "samples of whole groups."
    )
    yield from ("", f"| figure | value | gain over {evidence.against} |", "|---|---|---|")
    for name, figure in evidence.figures.items():
        yield f"| {name} | {_interval(figure)} | {_interval(evidence.gain[name])} |"
    yield ""
    yield (
        f"Said to happened: {evidence.calibration['said_to_happened']:.2f}; expected calibration error "
        f"{evidence.calibration['expected_error']:.5f}. {purpose.wrongly}: {evidence.false_positive_rate:.4%}."
    )
    yield from ("", f"| segment | rows | {purpose.wrongly.lower()} | by the other |", "|---|---|---|---|")
    for name, part in evidence.segments.items():
        yield f"| {name} | {part.rows:,} | {part.false_positive_rate:.4%} | {part.others_false_positive_rate:.4%} |"
    yield ""


def _limits(purpose: Purpose) -> Iterator[str]:
    yield from ("## Where it falls short", "")
    yield from (f"- {limit}" for limit in purpose.limits)


def _interval(figure: Estimate) -> str:
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"
