"""Draws an article's outline with the verdict on every gap, for a terminal. Knows values and columns; asks nobody."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adlayout.cli.snippet import columns, cut, padded, snippet
from adlayout.model import Article, Block, Judgement, Plan, Reason, Refusal, Slot, Verdict

_BOLD: Final = "1"
_DIM: Final = "2"
_RED: Final = "31"
_YELLOW: Final = "33"
_AD: Final = "1;32"

_NARROWEST: Final = 60
_TAG_ROOM: Final = 11
_GAP_INDENT: Final = " " * 5
_GAP_ROOM: Final = 11

MEANING: Final[Mapping[Reason, str]] = {
    Reason.FIRST: "too near to the start",
    Reason.EVERY: "too soon after the last ad",
    Reason.MIN_BETWEEN: "too near to another ad",
    Reason.MIN_ARTICLE: "the article is too short for ads",
    Reason.END_GUARD: "too near to the end",
    Reason.NO_AFTER: "no ad may follow the block above",
    Reason.NO_BEFORE: "no ad may precede the block below",
    Reason.KEEP_WITH_NEXT: "would part a heading from its text",
    Reason.UNSAFE_MARKUP: "an ad here would change the article",
    Reason.MAX_ADS: "the article has all the ads it may have",
    Reason.CONFLICT: "no gap where it was due takes an ad",
}


def draw(article: Article, plan: Plan, *, colour: bool, width: int) -> str:
    """The outline: every block, between the blocks every gap with its verdict and reasons, and the totals.

    `width` is that of the terminal in columns; under 60 it is drawn as for 60.
    """
    pen = _Pen(colour, max(width, _NARROWEST))
    return "\n".join([*_outline(pen, article, plan), "", *_totals(pen, article, plan)])


@dataclass(frozen=True, slots=True)
class _Pen:
    """How wide the page is, and whether it has colours."""

    colour: bool
    width: int

    def ink(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def _outline(pen: _Pen, article: Article, plan: Plan) -> Iterator[str]:
    slots = {slot.id: slot for slot in plan.slots}
    gaps = {judgement.gap: judgement for judgement in plan.gaps}
    counted = 0
    for number in range(len(article.blocks) + 1):
        if number:
            block = article.blocks[number - 1]
            counted += block.counted
            yield _block(pen, block, (number, counted), article.html)
        if judgement := gaps.get(number):
            yield from _gap(pen, judgement, slots)


def _block(pen: _Pen, block: Block, numbers: tuple[int, int], source: str) -> str:
    """`  3  p          ¶2   The text …   41 words`; a block that does not count has no ¶ and is pale."""
    number, counted = numbers
    size = _size(block)
    nth = f"¶{counted}" if block.counted else ""
    room = pen.width - 5 - _TAG_ROOM - 5 - (len(size) + 2 if size else 0)
    text = "[nothing to see]" if block.hollow else snippet(source[block.start or 0 : block.end or 0])
    shown = padded(text, room) if size else cut(text, room)
    ink = _BOLD if block.counted else _DIM
    tag = pen.ink(padded(block.tag or "text", _TAG_ROOM - 1), ink)
    body = shown if block.counted else pen.ink(shown, _DIM)
    return f"{number:>3}  {tag} {nth:<5}{body}{f'  {pen.ink(size, _DIM)}' if size else ''}".rstrip()


def _size(block: Block) -> str:
    if block.words:
        return _many(block.words, "word")
    return _many(block.chars, "char") if block.chars else ""


def _gap(pen: _Pen, judgement: Judgement, slots: Mapping[str, Slot]) -> Iterator[str]:
    if judgement.verdict is Verdict.SLOT:
        yield _ad(pen, judgement, slots.get(judgement.slot or ""))
        return
    mark, ink = ("✗", _RED) if judgement.verdict is Verdict.REFUSED else ("·", _DIM)
    lead = _GAP_INDENT + pen.ink(f"{mark} gap {judgement.gap}".ljust(_GAP_ROOM), ink)
    for reason in judgement.reasons or (None,):
        for line in _wrapped(_why(reason), pen.width - len(_GAP_INDENT) - _GAP_ROOM):
            yield lead + (line if judgement.verdict is Verdict.REFUSED else pen.ink(line, _DIM))
            lead = " " * (len(_GAP_INDENT) + _GAP_ROOM)


def _why(reason: Refusal | None) -> str:
    if reason is None:
        return "an ad could stand here; none was due"
    return f"{reason.rule.value}: needs {reason.needed}, has {reason.actual}"


def _wrapped(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, subsequent_indent="  ", break_on_hyphens=False)


def _ad(pen: _Pen, judgement: Judgement, slot: Slot | None) -> str:
    """A bar across the page: an ad is what one looks for first."""
    told = [judgement.slot or "an ad"]
    if slot is not None:
        told.append(slot.style.type)
        if slot.due_gap is not None and slot.due_gap != judgement.gap:
            told.append(f"due at gap {slot.due_gap}, moved on")
    lead = f"▶ gap {judgement.gap}".ljust(_GAP_ROOM) + f"━━ AD {' · '.join(told)} "
    room = pen.width - len(_GAP_INDENT)
    return _GAP_INDENT + pen.ink(cut(lead + "━" * max(0, room - columns(lead)), room), _AD)


def _totals(pen: _Pen, article: Article, plan: Plan) -> Iterator[str]:
    verdicts = Counter(judgement.verdict for judgement in plan.gaps)
    counted = sum(block.counted for block in article.blocks)
    ads = _many(verdicts[Verdict.SLOT], "ad")
    yield f"{pen.ink(ads, _AD)} in {_many(len(article.blocks), 'block')}, {counted} of them counted as paragraphs"
    yield (
        f"{_many(len(plan.gaps), 'gap')}: {verdicts[Verdict.SLOT]} with an ad,"
        f" {verdicts[Verdict.REFUSED]} refused, {verdicts[Verdict.FREE]} free"
    )
    yield from _tally(pen, plan)
    said = [
        f"dropped: the ad due at gap {dropped.due_gap}: {dropped.reason.value}, {MEANING[dropped.reason]}"
        for dropped in plan.dropped
    ]
    for text in (*said, *(f"warning: {warning}" for warning in article.warnings)):
        yield from (pen.ink(line, _YELLOW) for line in _wrapped(text, pen.width))


def _tally(pen: _Pen, plan: Plan) -> Iterator[str]:
    """How often each rule said no, most often first, with what it means."""
    refused = [judgement for judgement in plan.gaps if judgement.verdict is not Verdict.SLOT]
    tally = Counter(reason for judgement in refused for reason in {one.rule for one in judgement.reasons})
    for reason, times in sorted(tally.items(), key=lambda item: (-item[1], item[0])):
        yield f"{times:>4} by {reason.value:<15}{pen.ink(MEANING[reason], _DIM)}"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
