"""A layout ready to place with: its rules, its distances, its slots' styles. Made once from what ops wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adlayout.errors import Fault
from adlayout.model import Count, Needs, Slot, SlotStyle
from adlayout.placement.distance import Distance, Unit, units_of
from adlayout.placement.rules import GATES, HARD, Rule, rules_of
from adlayout.placement.schema import Inline, InlineSlot, LayoutFile, Move, PageSlot


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a due ad does whose gap is refused: `after` and `before` say where it may go, `limit` gaps at most.

    Neither way: it is dropped. No limit: as far as it takes.
    """

    after: bool = False
    before: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When ads are due: from the last one's gap on, or, on a grid, from the start."""

    first: Distance
    every: Distance
    min_between: Distance
    max_ads: int
    grid: bool
    conflict: Conflict


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout that `place` works with; `needs` is what it asks of an article, `warnings` what ops should know.

    Warnings stand at dotted paths, as `inline.on_conflict`. The k-th inline ad takes the k-th of `styles`, and the last
    of them repeats.
    """

    name: str
    template: str
    needs: Needs
    gates: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    schedule: Schedule
    styles: tuple[SlotStyle, ...]
    page_slots: tuple[Slot, ...] = ()
    warnings: tuple[Fault, ...] = ()


def compile_layout(file: LayoutFile, name: str) -> Layout:
    """The layout that a file's keys mean, under this name."""
    keys = file.inline
    return Layout(
        name=name,
        template=file.template,
        needs=_needs(keys),
        gates=rules_of(GATES, keys),
        rules=rules_of(HARD, keys),
        schedule=_schedule(keys),
        styles=tuple(_style(slot, slot.type, keys) for slot in keys.slots),
        page_slots=tuple(Slot(id, _style(slot, slot.type or id, keys)) for id, slot in file.page_slots.items()),
        warnings=tuple(_warnings(keys)),
    )


def _needs(keys: Inline) -> Needs:
    units = {unit for distance in keys.distances for unit in units_of(distance)}
    count = keys.count
    return Needs(
        count=Count(frozenset(count.tags), count.min_words, count.min_chars, count.bare_text),
        exclude_within=keys.exclude_within,
        container=keys.container,
        enter=keys.enter,
        selectors=tuple(dict.fromkeys((*keys.no_after, *keys.no_before, *keys.keep_with_next))),
        # That a block holds one word at all is seen without counting its words.
        words=Unit.WORDS in units or count.min_words > 1,
        chars=Unit.CHARS in units or count.min_chars > 0,
    )


def _schedule(keys: Inline) -> Schedule:
    return Schedule(
        first=keys.first,
        every=keys.every,
        min_between=keys.min_between,
        max_ads=keys.max_ads,
        grid=keys.anchor == "grid",
        conflict=_conflict(keys),
    )


def _conflict(keys: Inline) -> Conflict:
    if keys.on_conflict == "drop":
        return Conflict()
    grid = keys.anchor == "grid"
    move = keys.on_conflict or Move(move="nearest" if grid else "after")
    usual = 2 if grid else None
    limit = usual if move.limit is None else None if move.limit == "none" else move.limit
    # From the last ad on, `every` is a minimum: nothing before the due gap is far enough from it.
    return Conflict(after=move.move != "before", before=grid and move.move != "after", limit=limit)


def _style(slot: InlineSlot | PageSlot, kind: str, keys: Inline) -> SlotStyle:
    return SlotStyle(
        type=kind,
        formats=slot.formats,
        label=slot.label or keys.label,
        on_empty=slot.on_empty,
        reserve=slot.reserve or keys.reserve,
    )


def _warnings(keys: Inline) -> Iterator[Fault]:
    if isinstance(keys.on_conflict, Move) and keys.on_conflict.move == "before" and keys.anchor == "since_last":
        message = "with anchor since_last an ad can never move before its gap, so it is dropped"
        yield Fault("inline.on_conflict.move", message)
