"""A replay as one HTML page that stands by itself: what a reviewer reads before a promotion. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import log10
from pathlib import Path
from typing import Final

from services.inference.replay.diff import SHIFTS, Example, Flips, Money, Part, QuestionDiff
from services.inference.replay.markup import Markup, joined, tag
from services.inference.replay.readings import Reading
from services.inference.replay.report import (
    Report,
    SideNote,
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
from services.inference.replay.segments import UNKNOWN
from services.inference.replay.summary import answered_in_words, events_in_words, parts_of

_PARTS_SHOWN: Final = 8
_CHOICES_SHOWN: Final = 6
_KINDS_SHOWN: Final = 12
_KINDS_WITH_EXAMPLES: Final = 6
_BAR_WIDTH: Final = 340
_ROW_HEIGHT: Final = 20
_LABEL_WIDTH: Final = 150
_STYLE: Final = Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))


def page(report: Report) -> str:
    """The document."""
    title = f"Replay: {report.before.label} → {report.after.label}"
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", title),
        tag("style", _STYLE),
    )
    body = tag(
        "body",
        tag("h1", title),
        tag("p", f"{report.span}: {events_in_words(report)}", class_="soft"),
        tag("p", headline(report), class_="headline"),
        (_question(report, name, diff) for name, diff in report.questions if name == report.question or diff.flipped),
        _unchanged(report),
        _provenance(report),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _question(report: Report, name: str, diff: QuestionDiff) -> Markup:
    labelled = report.diff.labelled and name == "fraud"
    own = name == report.question
    parts: list[Markup] = [tag("h2", name.capitalize())]
    if not own:
        told = f"{counted(diff.asked, 'decision')}, {diff.flipped:,} flip ({share(diff.flipped, diff.asked)})."
        parts.append(tag("p", told))
    if diff.effects:
        parts.append(tag("div", (_card(effect, flips) for effect, flips in by_size(diff.effects)), class_="cards"))
    if diff.flipped:
        parts.append(_flips(diff, labelled=labelled))
    if diff.moved:
        parts.append(_shifts(diff))
    if diff.flipped:
        parts += [_segments(diff), _examples(diff)]
    return tag("section", parts)


def _unchanged(report: Report) -> Markup:
    """The questions beside the one that the replay is about, where nothing flips."""
    told = [
        tag("li", f"{name}: {counted(diff.asked, 'decision')}, none flips")
        for name, diff in report.questions
        if name != report.question and not diff.flipped
    ]
    return tag("section", tag("h2", "Other questions"), tag("ul", told)) if told else Markup("")


def _card(effect: str, flips: Flips) -> Markup:
    stake = flips.stake
    known = _known(stake.frauds, stake.honest) if stake.frauds or stake.honest else Markup("")
    return tag(
        "div",
        tag("b", f"{len(stake.payments):,}"),
        f"payments {effect}, ",
        tag("span", f"about USD {usd_of(stake.money):,}"),
        Markup("<br>"),
        known,
        class_="card",
    )


def _known(frauds: int, honest: int) -> Markup:
    return tag("span", f"{counted(frauds, 'fraud')}, {honest:,} honest", class_="soft")


def _flips(diff: QuestionDiff, *, labelled: bool) -> Markup:
    kinds = by_size(diff.flips)
    truth = ("frauds", "honest") if labelled else ()
    head = ("from", "to", "decisions", "payments", "money at stake", "about USD", *truth)
    rows = [
        (
            before,
            after,
            f"{flips.decisions:,}",
            f"{len(flips.stake.payments):,}",
            _amounts(flips.stake.money),
            f"{usd_of(flips.stake.money):,}",
            *((f"{flips.stake.frauds:,}", f"{flips.stake.honest:,}") if labelled else ()),
        )
        for (before, after), flips in kinds[:_KINDS_SHOWN]
    ]
    more = f" Of {len(kinds)} kinds these are the most frequent; the JSON has all." if len(kinds) > len(rows) else ""
    decided = [(name, f"{before:,}", f"{after:,}") for name, before, after in choices(diff)[:_CHOICES_SHOWN]]
    note = "Each payment counts once. US dollars are an order of magnitude, by a table of rough rates."
    return joined(
        tag("h3", "What flips"),
        tag("div", _table(head, rows, numbers={2, 3, 5, 6, 7}), class_="flips"),
        tag("p", note + more, class_="soft"),
        tag("h3", "What is decided"),
        tag("div", _table(("decision", "before", "after"), decided, numbers={1, 2}), class_="narrow"),
    )


def _amounts(money: Money) -> Markup:
    """No amount is torn from its currency."""
    told = [tag("span", each, class_="amount") for each in each_in_words(money)]
    return Markup(", ".join(told))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: set[int]) -> Markup:
    kinds = [{"class_": "n"} if column in numbers else {} for column in range(len(head))]
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", (tag("th", cell, **kind) for cell, kind in zip(head, kinds, strict=True)))),
            tag(
                "tbody",
                (tag("tr", (tag("td", cell, **kind) for cell, kind in zip(row, kinds, strict=True))) for row in rows),
            ),
        ),
        class_="wide",
    )


def _shifts(diff: QuestionDiff) -> Markup:
    """A bar for each group of decisions by how far the probability moved; long tails need a logarithm."""
    rows = [(label, count) for label, count in zip(_shift_labels(), diff.shifts, strict=True)]
    most = max(diff.shifts)
    note = (
        f"After less before, of {counted(sum(diff.shifts), 'decision')} that models, or rules, made on both sides; "
        "the length of a bar is the logarithm of their number."
    )
    still = len(SHIFTS) // 2
    bars = (_bar(index, label, count, most, still=index == still) for index, (label, count) in enumerate(rows))
    return joined(
        tag("h3", "How far the probability moves"),
        tag(
            "svg",
            bars,
            viewBox=f"0 0 {_LABEL_WIDTH + _BAR_WIDTH + 90} {_ROW_HEIGHT * len(rows)}",
            width=_LABEL_WIDTH + _BAR_WIDTH + 90,
            role="img",
            aria_label="decisions by shift of the probability",
        ),
        tag("p", note, class_="soft"),
    )


def _bar(index: int, label: str, count: int, most: int, *, still: bool) -> Markup:
    y = index * _ROW_HEIGHT
    length = _BAR_WIDTH * log10(1 + count) / log10(1 + most)
    middle = y + _ROW_HEIGHT * 0.7
    return joined(
        tag("text", label, x=_LABEL_WIDTH - 8, y=f"{middle:.1f}", text_anchor="end", class_="soft"),
        tag(
            "rect",
            x=_LABEL_WIDTH,
            y=y + 3,
            width=f"{length:.1f}",
            height=_ROW_HEIGHT - 6,
            class_="still" if still else "moved",
        ),
        tag("text", f"{count:,}", x=f"{_LABEL_WIDTH + length + 6:.1f}", y=f"{middle:.1f}"),
    )


def _shift_labels() -> Iterator[str]:
    yield f"below {SHIFTS[0]:+g}"
    for low, high in pairwise(SHIFTS):
        yield f"{low:+g} to {high:+g}"
    yield f"above {SHIFTS[-1]:+g}"


def _segments(diff: QuestionDiff) -> Markup:
    return joined(
        tag("h3", "Where"),
        tag("div", (_dimension(name, parts) for name, parts in parts_of(diff).items()), class_="parts"),
    )


def _dimension(name: str, parts: Mapping[str, Part]) -> Markup:
    rows = [
        (
            part,
            f"{each.decisions:,}",
            f"{each.asked:,}",
            share(each.decisions, each.asked),
            f"{usd_of(each.stake.money):,}",
        )
        for part, each in list(parts.items())[:_PARTS_SHOWN]
    ]
    more = len(parts) - len(rows)
    return tag(
        "div",
        _table((name, "flips", "decisions", "share", "about USD"), rows, numbers={1, 2, 3, 4}),
        tag("p", f"and {counted(more, 'part')} more, in the JSON", class_="soft") if more else Markup(""),
    )


def _examples(diff: QuestionDiff) -> Markup:
    return joined(
        tag("h3", "The dearest of each"),
        (
            tag(
                "details",
                tag("summary", f"{before} → {after}"),
                (_example(example) for example in flips.examples),
                **({"open": ""} if number == 0 else {}),
            )
            for number, ((before, after), flips) in enumerate(by_size(diff.flips)[:_KINDS_WITH_EXAMPLES])
        ),
    )


def _example(example: Example) -> Markup:
    parts = ", ".join(
        part for name, part in example.segments.items() if name not in {"currency", "amount"} and part != UNKNOWN
    )
    known = Markup("")
    if example.fraud is not None:
        word = "fraud" if example.fraud else "honest"
        known = joined(" ", tag("b", word, class_=word))
    return tag(
        "article",
        tag(
            "p", tag("b", in_words(example.amount_cents, example.currency)), " ", tag("code", example.payment_id), known
        ),
        tag("p", f"{moment(example.occurred_us)}, {parts}, event {example.event_id}", class_="soft"),
        tag("div", _side("before", example.before), _side("after", example.after), class_="sides"),
    )


def _side(name: str, answer: Reading) -> Markup:
    probability = "" if answer.probability is None else f" {answer.probability:.4f}"
    when = f" at {moment(answer.moments_s[0] * 1_000_000)}" if answer.moments_s else ""
    by = f" {answer.made_by}" + (f", since {answer.cause}" if answer.cause else "")
    return tag(
        "div",
        tag("p", tag("span", f"{name}: ", class_="soft"), tag("b", answer.choice), probability, when),
        tag("p", by, class_="soft"),
        tag("ul", (tag("li", reason) for reason in answer.reasons)),
    )


def _provenance(report: Report) -> Markup:
    pairs = [
        ("before", _note(report.before)),
        ("after", _note(report.after)),
        ("window", f"arrivals from {moment(report.window.since_us)} to before {moment(report.window.until_us)}"),
        ("events", events_in_words(report)),
        ("source", report.source),
        (
            "labels",
            "which payments were fraud is known" if report.diff.labelled else "not known: no flip is called right",
        ),
        ("code", report.code_version),
        ("made", f"{moment(int(report.made_at.timestamp()) * 1_000_000)}, in {report.seconds:.0f} s"),
    ]
    answers = [
        (f"{name}, {side}", answered_in_words(answered))
        for name, diff in report.questions
        for side, answered in (("before", diff.before), ("after", diff.after))
    ]
    return tag(
        "section",
        tag("h2", "How this was made"),
        tag("dl", (_pair(*pair) for pair in pairs)),
        tag("h3", "Who answered, and why rules did"),
        tag("dl", (_pair(*pair) for pair in answers)),
        tag(
            "p",
            "Answers are those of the code that serves, in the order of arrival, with features as of each event.",
            class_="soft",
        ),
    )


def _note(note: SideNote) -> str:
    models = "; ".join(
        f"{each.question} {each.version}{'' if each.registered else ' (a folder, not registered)'}, "
        f"artifact {each.digest}, data {each.data_fingerprint[:16]}, code {each.code_version}"
        for each in note.origins
    )
    return f"{note.label}; {models or 'rules alone'}; rule tables {note.tables_version}"


def _pair(name: str, told: str) -> Markup:
    return joined(tag("dt", name), tag("dd", told))
