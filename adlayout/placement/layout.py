"""A layout ready to place with: its rules, its distances, its slots' styles. Made once from what ops wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from adlayout.model import Count, Device, Heights, MarkerNames, Needs, Reason, Refusal, Slot, SlotStyle, Weight
from adlayout.placement.distance import Distance, Unit, units_of
from adlayout.placement.heights import heights_of
from adlayout.placement.positions import Positions
from adlayout.placement.rules import AT_END, GATES, HARD, Rule, rules_of
from adlayout.placement.schema import Blocklist, Inline, InlineSlot, LayoutFile, Move, PageSlot


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a due ad does whose gap is refused: `after` and `before` say where it may go, `limit` gaps at most.

    Neither way: it is dropped. No limit: as far as it takes.
    """

    after: bool = False
    before: bool = False
    limit: int | None = None


class Course(Enum):
    """How the gaps for the ads are found."""

    TURN = "turn"  # each ad is due so far from the last one
    GRID = "grid"  # each is due so far from the start
    POSITIONS = "positions"  # each is due where ops say
    SPREAD = "spread"  # as many as possible, as evenly as possible


class Step(NamedTuple):
    """Once so many ads stand, `every` is the distance."""

    from_ads: int
    every: Distance


@dataclass(frozen=True, slots=True)
class Schedule:
    """When ads are due, how near they may come to each other, and how many there may be.

    `steps` begin with the one from no ad on. `max_density` is in percent of the page's height.
    """

    course: Course
    first: Distance
    steps: tuple[Step, ...]
    min_between: Distance
    max_ads: int
    conflict: Conflict
    positions: Positions | None = None
    max_density: int | None = None

    @property
    def every(self) -> Distance:
        """The distance between one ad and the next, before it grows."""
        return self.steps[0].every

    def every_after(self, ads: int) -> Distance:
        """The distance to the next ad once so many stand."""
        if len(self.steps) == 1:
            return self.steps[0].every
        return next(step.every for step in reversed(self.steps) if step.from_ads <= ads)


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout on one device, that `place` works with; `needs` is what it asks of an article.

    The k-th inline ad takes the k-th of `styles`, and the last of them repeats. `end_rules` judge the gap at the end of
    an article that is too short, where it gets an ad there.
    """

    name: str
    template: str
    device: Device
    needs: Needs
    gates: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    end_rules: tuple[Rule, ...] | None
    schedule: Schedule
    styles: tuple[SlotStyle, ...]
    last_slot_fits: bool
    heights: Heights
    blocklist: Blocklist
    page_slots: tuple[Slot, ...] = ()

    def style_for(self, number: int, type: str | None = None) -> SlotStyle:
        """What the inline ad of this number, counted from 0, may be; of a type that an editor asks for, if one does."""
        usual = self.styles[min(number, len(self.styles) - 1)]
        if type is None or type == usual.type:
            return usual
        named = next((style for style in self.styles if style.type == type), usual)
        return replace(named, type=type, lazy=usual.lazy)

    def listed(self, section: str | None, tags: Sequence[str]) -> Refusal | None:
        """What the blocklist has against an article in this section and with these tags."""
        if not self.blocklist.sections and not self.blocklist.tags:
            return None
        for kind, said, listed in (
            ("section", [section or ""], self.blocklist.sections),
            ("tag", tags, self.blocklist.tags),
        ):
            unwanted = {one.casefold() for one in listed}
            for one in said:
                if one.strip().casefold() in unwanted:
                    return Refusal(Reason.BLOCKLISTED, f'no {kind} "{one}"', f'{kind} "{one}"')
        return None

    @property
    def measured(self) -> Needs:
        """What is needed to tell a person everything about an article."""
        return replace(self.needs, words=True, chars=True, heights=self.heights)


def compile_layout(file: LayoutFile, name: str, device: Device = Device.MOBILE) -> Layout:
    """The layout that a file's keys mean on a device, under this name."""
    keys = file.inline.on(device)
    heights = heights_of(keys.estimate, device)
    return Layout(
        name=name,
        template=file.template,
        device=device,
        needs=_needs(keys, heights, device),
        gates=rules_of(GATES, keys, device),
        rules=rules_of(HARD, keys, device),
        end_rules=rules_of(AT_END, keys, device) if keys.short_article == "end" else None,
        schedule=_schedule(keys, device),
        styles=tuple(_inline_styles(keys)),
        last_slot_fits=keys.last_slot_fit == "on",
        heights=heights,
        blocklist=keys.blocklist,
        page_slots=tuple(Slot(id, _style(slot, slot.type or id, keys)) for id, slot in file.page_slots.items()),
    )


def compile_all(file: LayoutFile, name: str) -> Mapping[Device, Layout]:
    """The layout that a file's keys mean, on each device."""
    return {device: compile_layout(file, name, device) for device in Device}


def _needs(keys: Inline, heights: Heights, device: Device) -> Needs:
    units = {unit for distance in keys.distances for unit in units_of(distance)}
    if keys.positions is not None and keys.positions.shares:
        units.add(Unit.PERCENT)
    tall = keys.first_screen == "avoid" or keys.last_slot_fit == "on" or _most_dense(keys, device) is not None
    count, ads = keys.count, keys.existing_ads
    cleared = (selector for one in keys.clearances for selector in (one.selector, one.lift_before_if_next) if selector)
    return Needs(
        count=Count(frozenset(count.tags), count.min_words, count.min_chars, count.bare_text),
        exclude_within=keys.exclude_within,
        container=keys.container,
        enter=keys.enter,
        selectors=tuple(dict.fromkeys((*keys.no_after, *keys.no_before, *keys.keep_with_next, *cleared))),
        # That a block holds one word at all is seen without counting its words.
        words=Unit.WORDS in units or count.min_words > 1,
        chars=bool(units & {Unit.CHARS, Unit.PERCENT}) or count.min_chars > 0,
        weights=tuple(Weight(one.selector, one.words, one.chars) for one in keys.weights),
        heights=heights if tall or Unit.PX in units else None,
        ads=ads.selectors if ads.mode != "ignore" else (),
        ads_count=ads.mode == "count",
        blocklist=keys.blocklist.words,
        markers=MarkerNames(**keys.markers.model_dump()),
    )


def _schedule(keys: Inline, device: Device) -> Schedule:
    wider = (Step(one.from_ads, one.every) for one in keys.escalate)
    return Schedule(
        course=_course(keys),
        first=keys.first,
        steps=(Step(0, keys.every), *sorted(wider, key=lambda step: step.from_ads)),
        min_between=keys.min_between,
        max_ads=keys.max_ads,
        conflict=_conflict(keys),
        positions=keys.positions,
        max_density=_most_dense(keys, device),
    )


def _course(keys: Inline) -> Course:
    if keys.positions is not None:
        return Course.POSITIONS
    if keys.strategy == "spread":
        return Course.SPREAD
    return Course.GRID if keys.anchor == "grid" else Course.TURN


def _most_dense(keys: Inline, device: Device) -> int | None:
    return getattr(keys.max_density, device) if keys.max_density is not None else None


def _inline_styles(keys: Inline) -> Iterator[SlotStyle]:
    """The styles of the first ads, up to the one that all later ones share."""
    for number in range(max(len(keys.slots), keys.lazy_after + 1 if keys.lazy_after < keys.max_ads else 0)):
        slot = keys.slots[min(number, len(keys.slots) - 1)]
        lazy = slot.lazy if slot.lazy is not None else number >= keys.lazy_after
        yield replace(_style(slot, slot.type, keys), lazy=lazy)


def _conflict(keys: Inline) -> Conflict:
    if keys.on_conflict == "drop":
        return Conflict()
    fixed = _course(keys) is not Course.TURN
    move = keys.on_conflict or Move(move="nearest" if fixed else "after")
    usual = 2 if fixed else None
    limit = usual if move.limit is None else None if move.limit == "none" else move.limit
    # From the last ad on, `every` is a minimum: nothing before the due gap is far enough from it.
    return Conflict(after=move.move != "before", before=fixed and move.move != "after", limit=limit)


def _style(slot: InlineSlot | PageSlot, kind: str, keys: Inline) -> SlotStyle:
    return SlotStyle(
        type=kind,
        formats=slot.formats,
        label=slot.label or keys.label,
        on_empty=slot.on_empty,
        reserve=slot.reserve or keys.reserve,
        lazy=slot.lazy is not False,
    )
