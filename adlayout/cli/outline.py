"""Draws an article's outline with the verdict on every gap, for a terminal. Knows values and columns; asks nobody."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adlayout.cli.snippet import columns, cut, padded, plain, snippet
from adlayout.model import Article, Block, Dropped, Judgement, Plan, Reason, Refusal, Slot, Verdict
from adlayout.plans import Planned

_BOLD: Final = "1"
_DIM: Final = "2"
_RED: Final = "31"
_YELLOW: Final = "33"
_AD: Final = "1;32"

_NARROWEST: Final = 60
_TAG_ROOM: Final = 11

MEANING: Final[Mapping[Reason, str]] = {
    Reason.FIRST: "too near to the start",
    Reason.EVERY: "too soon after the last ad",
    Reason.MIN_BETWEEN: "too near to another ad",
    Reason.MIN_ARTICLE: "the article is too short for ads",
    Reason.END_GUARD: "too near to the end",
    Reason.NO_AFTER: "no ad may follow the block above",
    Reason.NO_BEFORE: "no ad may precede the block below",
    Reason.KEEP_WITH_NEXT: "would part a heading from its text",
    Reason.CLEARANCE: "too near to a block that keeps its distance",
    Reason.SMALL_NEIGHBOUR: "a block beside it is short, or no paragraph",
    Reason.FIRST_SCREEN: "on the reader's first screen",
    Reason.POSITIONS: "no position of the layout",
    Reason.EXISTING_ADS: "the article has ads already",
    Reason.MARKER: "an editor wants no ad here",
    Reason.BLOCKLISTED: "the article is on the blocklist",
    Reason.UNSAFE_MARKUP: "an ad here would change the article",
    Reason.MAX_ADS: "the article has all the ads it may have",
    Reason.DENSITY: "too much of the page would be ads",
    Reason.OUT_OF_RANGE: "the article has no such position",
    Reason.CONFLICT: "no gap where it was due takes an ad",
}

WARNINGS: Final[Mapping[str, str]] = {
    "unbalanced_article": "unclosed elements or stray end tags that reach into the page around it",
    "container_not_found": "no element matches the layout's container, so that all of the article was taken",
    "density_over_30": "more than 30 % of the page is ads, for which browsers may block them all",
}


def draw(planned: Planned, *, colour: bool, width: int) -> str:
    """The outline: every block, between the blocks every gap with its verdict and reasons, and the totals.

    `width` is that of the terminal in columns; under 60 it is drawn as for 60.
    """
    article, plan = planned.article, planned.plan
    pen = _Pen(colour, max(width, _NARROWEST), max(3, len(str(len(article.blocks)))))
    return "\n".join([*_outline(pen, article, plan), "", *_totals(pen, article, plan, planned.warnings)])


@dataclass(frozen=True, slots=True)
class _Pen:
    """How wide the page is, whether it has colours, and how many digits the number of a block may have."""

    colour: bool
    width: int
    digits: int

    @property
    def indent(self) -> str:
        """What stands before a gap: the room of a block's number."""
        return " " * (self.digits + 2)

    @property
    def gap_room(self) -> int:
        """The columns of a mark, `gap` and its number."""
        return self.digits + 8

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
        yield from _gap(pen, gaps[number], slots)


def _block(pen: _Pen, block: Block, numbers: tuple[int, int], source: str) -> str:
    """`  3  p          ¶2   The text …   41 words`; a block that does not count has no ¶ and is pale."""
    number, counted = numbers
    size = _size(block)
    nth = f"¶{counted}" if block.counted else ""
    nth_room = pen.digits + 2
    room = pen.width - len(pen.indent) - _TAG_ROOM - nth_room - (len(size) + 2 if size else 0)
    text = "[nothing to see]" if block.hollow else snippet(source[block.start or 0 : block.end or 0])
    shown = padded(text, room) if size else cut(text, room)
    ink = _BOLD if block.counted else _DIM
    tag = pen.ink(padded(plain(block.tag or "text"), _TAG_ROOM - 1), ink)
    body = shown if block.counted else pen.ink(shown, _DIM)
    told = f"  {pen.ink(size, _DIM)}" if size else ""
    return f"{number:>{pen.digits}}  {tag} {nth:<{nth_room}}{body}{told}".rstrip()


def _size(block: Block) -> str:
    if block.words:
        return _many(block.words, "word")
    return _many(block.chars, "char") if block.chars else ""


def _gap(pen: _Pen, judgement: Judgement, slots: Mapping[str, Slot]) -> Iterator[str]:
    if judgement.verdict is Verdict.SLOT:
        yield _ad(pen, judgement.gap, slots[str(judgement.slot)])
        return
    mark, ink = ("✗", _RED) if judgement.verdict is Verdict.REFUSED else ("·", _DIM)
    lead = pen.indent + pen.ink(f"{mark} gap {judgement.gap}".ljust(pen.gap_room), ink)
    for reason in judgement.reasons or (None,):
        for line in _wrapped(_why(reason), pen.width - len(pen.indent) - pen.gap_room):
            yield lead + (line if judgement.verdict is Verdict.REFUSED else pen.ink(line, _DIM))
            lead = pen.indent + " " * pen.gap_room


def _why(reason: Refusal | None) -> str:
    if reason is None:
        return "an ad could stand here; none was due"
    needed, actual = reason.needed, reason.actual
    selector = needed.removeprefix("not ")
    where = f" {reason.where}" if reason.where else ""
    match reason.rule:
        case Reason.NO_AFTER:
            told = f"needs no {selector} above, has {actual}"
        case Reason.NO_BEFORE:
            told = f"needs no {selector} below, has {actual}"
        case Reason.KEEP_WITH_NEXT:
            told = f"{actual if actual == selector else f'{actual} ({selector})'} must not part from the block below"
        case Reason.UNSAFE_MARKUP:
            told = f"needs {needed}, but {actual}"
        case Reason.MAX_ADS:
            told = f"takes {needed}, has {actual} already"
        case Reason.DENSITY:
            told = f"takes ads on {needed} of the page, would have them on {actual}"
        case _:
            told = f"needs {needed}{where}, has {actual}"
    return f"{reason.rule.value}: {told}"


def _wrapped(text: str, room: int) -> list[str]:
    return textwrap.wrap(plain(text), room, subsequent_indent="  ", break_on_hyphens=False)


def _ad(pen: _Pen, gap: int, slot: Slot) -> str:
    """A bar across the page: an ad is what one looks for first."""
    told = [slot.id, plain(slot.style.type)]
    if slot.due_gap is not None and slot.due_gap != gap:
        told.append(f"due at gap {slot.due_gap}, moved {'on' if slot.due_gap < gap else 'up'}")
    lead = f"▶ gap {gap}".ljust(pen.gap_room) + f"━━ AD {' · '.join(told)} "
    room = pen.width - len(pen.indent)
    return pen.indent + pen.ink(cut(lead + "━" * max(0, room - columns(lead)), room), _AD)


def _totals(pen: _Pen, article: Article, plan: Plan, warned: Sequence[str]) -> Iterator[str]:
    """What came of it: the ads, the gaps by verdict and by rule, and what one should know."""
    verdicts = Counter(judgement.verdict for judgement in plan.gaps)
    counted = [block for block in article.blocks if block.counted]
    ads = verdicts[Verdict.SLOT]
    yield (
        f"{pen.ink(_many(ads, 'ad'), _AD)} in {_many(len(article.blocks), 'block')},"
        f" {len(counted)} of them counted as paragraphs"
    )
    words = sum(block.words for block in counted)
    if ads and words:
        yield f"{_many(words, 'word')} in these paragraphs, an ad for every {words // ads}"
    if plan.space.px:
        yield (
            f"about {plan.space.px} px of article and {plan.space.ad_px} px of ads,"
            f" which take {plan.space.density:.0%} of the page"
        )
    yield (
        f"{_many(len(plan.gaps), 'gap')}: {pen.ink('▶', _AD)} {ads} with an ad,"
        f" {pen.ink('✗', _RED)} {verdicts[Verdict.REFUSED]} refused, · {verdicts[Verdict.FREE]} free"
    )
    yield from _tally(pen, plan)
    dropped = [f"the ad {_due(one)}: {one.reason.value}, {MEANING[one.reason]}" for one in plan.dropped]
    warnings = [f"{name}, {WARNINGS[name]}" if name in WARNINGS else name for name in warned]
    said = (*(f"dropped: {text}" for text in dropped), *(f"warning: {text}" for text in warnings))
    yield from (pen.ink(line, _YELLOW) for text in said for line in _wrapped(text, pen.width))


def _due(dropped: Dropped) -> str:
    if dropped.position is None:
        return f"due at gap {dropped.due_gap}"
    return f"at position {dropped.position}"


def _tally(pen: _Pen, plan: Plan) -> Iterator[str]:
    """How often each rule said no, most often first, with what it means."""
    refused = [judgement for judgement in plan.gaps if judgement.verdict is not Verdict.SLOT]
    tally = Counter(reason for judgement in refused for reason in {one.rule for one in judgement.reasons})
    for reason, times in sorted(tally.items(), key=lambda item: (-item[1], item[0])):
        yield f"{times:>{pen.digits + 1}} by {reason.value:<16}{pen.ink(MEANING[reason], _DIM)}"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
