"""A replay as it is handed on: what was compared over what, the sentence that sums it up, and its JSON. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import iso4217

from services.inference.replay.diff import SHIFTS, Diff, Example, Flips, Money, QuestionDiff, Stake
from services.inference.replay.past import Counts, Window
from services.inference.replay.readings import Reading
from services.inference.replay.segments import about_usd
from services.inference.serving import QUESTIONS, QuestionName

FORMAT: Final = 1
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one model of a side comes from."""

    question: QuestionName
    # As it is registered; a folder that is not has the folder's name.
    version: str
    registered: bool
    # SHA-256 of what answers.
    digest: str
    code_version: str
    data_fingerprint: str


@dataclass(frozen=True, slots=True)
class SideNote:
    """What is told of one side."""

    label: str
    tables_version: str
    origins: tuple[Origin, ...]

    def origin(self, question: QuestionName) -> Origin | None:
        """The model that answers a question; None where rules do."""
        return next((each for each in self.origins if each.question == question), None)


@dataclass(frozen=True, slots=True)
class Report:
    """One replay. `question` is the one whose versions, or rules, differ."""

    question: QuestionName
    before: SideNote
    after: SideNote
    window: Window
    source: str
    counts: Counts
    unreadable: int
    diff: Diff
    code_version: str
    made_at: datetime
    seconds: float

    @property
    def questions(self) -> Iterator[tuple[QuestionName, QuestionDiff]]:
        """Those that were asked, the one that the replay is about first."""
        for name in (self.question, *(each for each in QUESTIONS if each != self.question)):
            if name in self.diff.questions:
                yield name, self.diff.questions[name]

    @property
    def span(self) -> str:
        """From the first to the last arrival that was decided on."""
        first_us, last_us = self.counts.first_us, self.counts.last_us
        return "no event" if first_us is None or last_us is None else f"{moment(first_us)} to {moment(last_us)}"


def choices(diff: QuestionDiff) -> list[tuple[str, int, int]]:
    """What is to be done, how often before and after; what is done most comes first."""
    names = {*diff.choices, *diff.choices_after}
    counts = [(name, diff.choices[name], diff.choices_after[name]) for name in names]
    return sorted(counts, key=lambda each: (-each[1], -each[2], each[0]))


def headline(report: Report) -> str:
    """The sentence for whoever reads no other."""
    diff = report.diff.questions.get(report.question)
    if diff is None:
        return f"Nothing in the window asks about {report.question}."
    said = f"Of {diff.asked:,} {report.question} decisions {diff.flipped:,} flip ({share(diff.flipped, diff.asked)})"
    effects = [_effect_in_words(name, flips) for name, flips in by_size(diff.effects)]
    return f"{said}: {'; '.join(effects)}." if effects else f"{said}."


def _effect_in_words(name: str, flips: Flips) -> str:
    stake = flips.stake
    said = f"{counted(len(stake.payments), 'payment')} worth about USD {usd_of(stake.money):,} {name}"
    if not stake.frauds and not stake.honest:
        return said
    return f"{said} ({counted(stake.frauds, 'fraud')}, {stake.honest:,} honest)"


def by_size(flips: Mapping[Any, Flips]) -> list[tuple[Any, Flips]]:
    """The most decisions first."""
    return sorted(flips.items(), key=lambda each: (-each[1].decisions, each[0]))


def counted(number: int, thing: str) -> str:
    """A number with its thing."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """In percent."""
    return f"{100 * part / whole:.2f} %" if whole else "-"


def usd_of(money: Money) -> int:
    """About how many US dollars; currencies of which nothing is known are left out."""
    return sum(about_usd(cents, currency) or 0 for currency, cents in money.items())


def in_words(amount_cents: int, currency: str) -> str:
    """An amount in its currency's units, as exact as it is."""
    exponent = _exponents().get(currency) or 0
    units, rest = divmod(amount_cents, 10**exponent)
    return f"{currency} {units:,}" + (f".{rest:0{exponent}d}" if exponent else "")


def each_in_words(money: Money) -> list[str]:
    """Every currency by itself, the most first."""
    ordered = sorted(money.items(), key=lambda each: (-(about_usd(each[1], each[0]) or 0), each[0]))
    return [in_words(cents, currency) for currency, cents in ordered]


@cache
def _exponents() -> Mapping[str, int | None]:
    return {currency.code: currency.exponent for currency in iso4217.Currency}


def moment(at_us: int) -> str:
    """A moment to the second, UTC."""
    return datetime.fromtimestamp(at_us // _MICROSECONDS, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def as_json(report: Report) -> dict[str, Any]:
    """All of it as what JSON can carry; amounts are integers of minor units."""
    return {
        "format": FORMAT,
        "question": report.question,
        "headline": headline(report),
        "before": asdict(report.before),
        "after": asdict(report.after),
        "window": {"since": moment(report.window.since_us), "until": moment(report.window.until_us)},
        "span": report.span,
        "source": report.source,
        "events": {**asdict(report.counts), "unreadable": report.unreadable},
        "labelled": report.diff.labelled,
        "code_version": report.code_version,
        "made_at": report.made_at.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 1),
        "questions": {name: _question(diff) for name, diff in report.questions},
    }


def _question(diff: QuestionDiff) -> dict[str, Any]:
    return {
        "decisions": diff.asked,
        "decisions_by_models": diff.by_models,
        "choices_before": dict(diff.choices.most_common()),
        "choices_after": dict(diff.choices_after.most_common()),
        "flips": diff.flipped,
        "flips_by_models": diff.by_models_flipped,
        **_stake(diff.stake),
        "by_kind": [{"from": before, "to": after, **_flips(flips)} for (before, after), flips in by_size(diff.flips)],
        "by_effect": {
            name: {"decisions": flips.decisions, **_stake(flips.stake)} for name, flips in by_size(diff.effects)
        },
        "segments": [
            {
                "dimension": dimension,
                "part": part,
                "decisions": each.asked,
                "flips": each.decisions,
                **_stake(each.stake),
            }
            for (dimension, part), each in sorted(diff.parts.items())
        ],
        "probability_shifts": {"bounds": list(SHIFTS), "decisions": diff.shifts},
        "answered_before": _answered(diff.before),
        "answered_after": _answered(diff.after),
    }


def _flips(flips: Flips) -> dict[str, Any]:
    return {
        "decisions": flips.decisions,
        **_stake(flips.stake),
        "examples": [_example(each) for each in flips.examples],
    }


def _stake(stake: Stake) -> dict[str, Any]:
    return {
        "payments": len(stake.payments),
        "amount_cents": dict(sorted(stake.money.items())),
        "about_usd": usd_of(stake.money),
        "frauds": stake.frauds,
        "honest": stake.honest,
    }


def _example(example: Example) -> dict[str, Any]:
    told = example._asdict()
    del told["occurred_us"]
    return {
        **told,
        "occurred_at": moment(example.occurred_us),
        "before": _reading(example.before),
        "after": _reading(example.after),
    }


def _reading(answer: Reading) -> dict[str, Any]:
    told = asdict(answer)
    del told["moments_s"]
    return {**told, "moments": [moment(each * _MICROSECONDS) for each in answer.moments_s]}


def _answered(answers: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    ordered = sorted(answers.items(), key=lambda each: (-each[1], each[0]))
    return [{"by": by, "fallback_cause": cause, "decisions": count} for (by, cause), count in ordered]
