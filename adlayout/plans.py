"""The first half of one request: an article becomes a plan, cut at its slots, and is kept for the next reader."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from threading import Lock
from time import perf_counter
from typing import TypeAlias

from adlayout.article.parse import Parsed, parse
from adlayout.article.verify import holds, is_balanced, prove, unsafe_gaps
from adlayout.model import Article, Device, Judgement, Piece, Plan, Reason, Refusal, Timings, Verdict
from adlayout.placement.density import MOST_OF_A_PAGE
from adlayout.placement.explain import explain
from adlayout.placement.layout import Layout
from adlayout.placement.place import place
from adlayout.rendering.slot import SlotBox, box

Key: TypeAlias = tuple[str, str, Device]

# Per worker; an article is counted twice, as the key and in its stretches.
_KEPT_CHARS = 32_000_000
# What an entry costs beside its text: slots, boxes and the table itself.
_ENTRY_CHARS = 4_000
_UNBALANCED = "unbalanced_article"
_UNSAFE = Refusal(Reason.UNSAFE_MARKUP, "an unchanged article", "an ad here would change it")


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made of, for a person who asks."""

    article: Article
    plan: Plan
    layout: str
    device: Device
    balanced: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What ops or the CMS should know of this plan."""
        dense = ("density_over_30",) if self.plan.space.density > MOST_OF_A_PAGE / 100 else ()
        return (*self.article.warnings, *(() if self.balanced else (_UNBALANCED,)), *dense)


@dataclass(frozen=True, slots=True)
class Laid:
    """An article cut at its inline slots: stretch n lies before slot n, and the last one behind them all.

    `bare`: its editor, or a word in it, keeps every ad off its page.
    """

    stretches: tuple[Piece, ...]
    boxes: tuple[SlotBox, ...] = ()
    warnings: tuple[str, ...] = ()
    bare: bool = False


class Plans:
    """The plans that were made, the least used forgotten first; may be asked from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Laid] = OrderedDict()
        self._chars = 0
        self._lock = Lock()

    def find(self, key: Key) -> Laid | None:
        """The plan of an article under a layout and on a device, if it was made."""
        with self._lock:
            laid = self._kept.get(key)
            if laid is not None:
                self._kept.move_to_end(key)
            return laid

    def make(self, key: Key, layout: Layout) -> tuple[Laid, Timings]:
        """Makes the plan and keeps it; says how long each stage took."""
        laid, timings_ms = lay(key[0], layout)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = laid
                self._chars += _size(key)
            while self._chars > _KEPT_CHARS and len(self._kept) > 1:
                self._chars -= _size(self._kept.popitem(last=False)[0])
        return laid, timings_ms


def lay(html: str, layout: Layout) -> tuple[Laid, Timings]:
    """Parses, places and proves: the article cut at the slots that leave its tree alone."""
    clock = [perf_counter()]
    parsed = parse(html, layout.needs)
    clock.append(perf_counter())
    plan = place(parsed.article, layout)
    clock.append(perf_counter())
    proof = prove(parsed, _gaps(plan))
    if not proof.holds:
        plan = _proven(parsed, place(parsed.article, layout, _unsafe(parsed)))
    warnings = (*parsed.article.warnings, *(() if proof.balanced else (_UNBALANCED,)))
    clock.append(perf_counter())
    spent = [(after - before) * 1000 for before, after in pairwise(clock)]
    marks = parsed.article.marks
    bare = marks.off or marks.blocklisted is not None
    laid = Laid(tuple(_stretches(html, plan)), tuple(box(slot) for slot in plan.slots), warnings, bare)
    return laid, tuple(zip(("parse", "place", "verify"), spent, strict=True))


def judge(html: str, layout: Layout, listed: Refusal | None = None) -> Planned:
    """The plan with every gap judged, its safety known and everything measured.

    `listed` is what the blocklist has against the article's section and tags.
    """
    parsed = parse(html, layout.measured)
    plan = _proven(parsed, explain(parsed.article, layout, _unsafe(parsed), listed))
    return Planned(parsed.article, plan, layout.name, layout.device, is_balanced(parsed))


def _unsafe(parsed: Parsed) -> frozenset[int]:
    return unsafe_gaps(parsed, range(len(parsed.points)))


def _proven(parsed: Parsed, plan: Plan) -> Plan:
    """The plan without its last ads, until those that are left hold together."""
    while plan.slots and not holds(parsed, _gaps(plan)):
        plan = _without_last(plan)
    return plan


def _size(key: Key) -> int:
    return 2 * len(key[0]) + _ENTRY_CHARS


def _gaps(plan: Plan) -> list[int]:
    return [slot.gap for slot in plan.slots if slot.gap is not None]


def _without_last(plan: Plan) -> Plan:
    last = plan.slots[-1]
    refused = tuple(
        Judgement(gap.gap, gap.offset, Verdict.REFUSED, None, (_UNSAFE,)) if gap.gap == last.gap else gap
        for gap in plan.gaps
    )
    return replace(plan, slots=plan.slots[:-1], gaps=refused)


def _stretches(html: str, plan: Plan) -> Iterator[Piece]:
    at = 0
    for slot in plan.slots:
        offset = slot.offset or 0
        yield Piece(html[at:offset], sacred=True)
        at = offset
    yield Piece(html[at:], sacred=True)
