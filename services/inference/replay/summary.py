"""A replay as text for a terminal. Pure."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from services.inference.replay.diff import Example, Part, QuestionDiff
from services.inference.replay.readings import Reading
from services.inference.replay.report import (
    Report,
    by_size,
    choices,
    counted,
    each_in_words,
    headline,
    in_words,
    moment,
    share,
    usd_of,
)

_PARTS_SHOWN: Final = 4
_EXAMPLES_SHOWN: Final = 2
_CHOICES_SHOWN: Final = 6
_KINDS_SHOWN: Final = 12
_KINDS_WITH_EXAMPLES: Final = 5


def summary(report: Report) -> Iterator[str]:
    """Yield the lines."""
    yield headline(report)
    yield ""
    yield f"before   {_side(report, 'before')}"
    yield f"after    {_side(report, 'after')}"
    yield f"window   {report.span}: {events_in_words(report)}"
    yield f"source   {report.source}"
    for name, diff in report.questions:
        yield ""
        yield from _question(name, diff, labelled=report.diff.labelled and name == "fraud")
    yield ""
    yield f"{report.seconds:.0f} s; code {report.code_version}"


def events_in_words(report: Report) -> str:
    """What was read."""
    counts = report.counts
    told = f"{counted(counts.within, 'event')} decided on, {counts.before:,} before them only made features"
    if counts.scores:
        told += f", {counted(counts.scores, 'score')} besides"
    if counts.duplicates:
        told += f", {counted(counts.duplicates, 'duplicate')} left out"
    return told + (f", {report.unreadable:,} unreadable" if report.unreadable else "")


def _side(report: Report, name: str) -> str:
    note = report.before if name == "before" else report.after
    origin = note.origin(report.question)
    made_of = f", artifact {origin.digest[:12]}" if origin else ""
    return f"{note.label}{made_of}, rule tables {note.tables_version}"


def _question(name: str, diff: QuestionDiff, *, labelled: bool) -> Iterator[str]:
    yield f"{name}: {counted(diff.asked, 'decision')}, {diff.flipped:,} flip ({share(diff.flipped, diff.asked)})"
    for side, answers in (("before", diff.before), ("after", diff.after)):
        yield f"  {side} answered by {answered_in_words(answers)}"
    if not diff.flipped:
        return
    decided = (f"{name} {before:,} -> {after:,}" for name, before, after in choices(diff)[:_CHOICES_SHOWN])
    yield f"  decided: {', '.join(decided)}"
    yield f"  at stake, each payment once: {', '.join(each_in_words(diff.stake.money))}"
    yield ""
    kinds = by_size(diff.flips)
    truth = f"{'frauds':>8}{'honest':>8}" if labelled else ""
    yield f"  {'decisions':>9}{'payments':>10}{'about USD':>11}{truth}  from -> to"
    for (before, after), flips in kinds[:_KINDS_SHOWN]:
        stake = flips.stake
        told = f"{stake.frauds:>8,}{stake.honest:>8,}" if labelled else ""
        figures = f"{flips.decisions:>9,}{len(stake.payments):>10,}{usd_of(stake.money):>11,}{told}"
        yield f"  {figures}  {before} -> {after}"
    if len(kinds) > _KINDS_SHOWN:
        yield f"  and {len(kinds) - _KINDS_SHOWN} kinds more, in the JSON"
    yield ""
    yield from _segments(diff)
    yield ""
    for (before, after), flips in kinds[:_KINDS_WITH_EXAMPLES]:
        yield f"  {before} -> {after}, the dearest:"
        for example in flips.examples[:_EXAMPLES_SHOWN]:
            yield from _example(example)


def _segments(diff: QuestionDiff) -> Iterator[str]:
    for dimension, parts in parts_of(diff).items():
        shown = [
            f"{part} {each.decisions:,} of {each.asked:,} ({share(each.decisions, each.asked)})"
            for part, each in list(parts.items())[:_PARTS_SHOWN]
            if each.decisions
        ]
        yield f"  by {dimension}: {'; '.join(shown)}"


def parts_of(diff: QuestionDiff) -> Mapping[str, Mapping[str, Part]]:
    """By dimension, its parts with the most flips first."""
    ordered = sorted(diff.parts.items(), key=lambda each: (each[0][0], -each[1].decisions, -each[1].asked, each[0][1]))
    return {
        dimension: {part: each for (_, part), each in parts}
        for dimension, parts in groupby(ordered, key=lambda each: each[0][0])
    }


def _example(example: Example) -> Iterator[str]:
    known = "" if example.fraud is None else ", fraud" if example.fraud else ", honest"
    amount = in_words(example.amount_cents, example.currency)
    yield f"    {example.payment_id} {amount}, {moment(example.occurred_us)}, {example.segments['merchant']}{known}"
    yield f"      before: {answer_in_words(example.before)}"
    yield f"      after:  {answer_in_words(example.after)}"


def answer_in_words(answer: Reading) -> str:
    """What is done, how likely, when, why."""
    told = answer.choice
    if answer.probability is not None:
        told += f" {answer.probability:.4f}"
    if answer.moments_s:
        told += f" at {moment(answer.moments_s[0] * 1_000_000)}"
    if answer.cause:
        told += f" [rules: {answer.cause}]"
    return f"{told}: {'; '.join(answer.reasons)}" if answer.reasons else told


def answered_in_words(answers: Mapping[tuple[str, str], int]) -> str:
    """Who answered how often, and why rules did."""
    ordered = sorted(answers.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{by} {count:,}" + (f" ({cause})" if cause else "") for (by, cause), count in ordered)
