"""The rules: each a frozen class with one judgement, and one row in a table. No rule knows another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, Self

from adlayout.model import Block, Device, Reason, Refusal
from adlayout.placement.context import Context, match_of
from adlayout.placement.distance import Distance
from adlayout.placement.heights import screen_px
from adlayout.placement.positions import Positions
from adlayout.placement.schema import Clearance, Inline


class Rule(Protocol):
    """One judgement of a gap, or, of a gate, of the whole article."""

    @classmethod
    def of(cls, keys: Inline, device: Device) -> Self | None:
        """The rule as a layout's keys want it on a device, None where they want none."""

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """What the rule has against an ad in this gap."""


@dataclass(frozen=True, slots=True)
class Composed:
    """An article that was composed before stays as it is."""

    @classmethod
    def of(cls, keys: Inline, device: Device) -> Composed:
        """The gate, which every layout has."""
        return Composed()

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses every gap of an article with a slot of ours in it."""
        if not context.article.marks.composed:
            return None
        return Refusal(Reason.EXISTING_ADS, "an article without data-adl-slot", "data-adl-slot: it was composed before")


@dataclass(frozen=True, slots=True)
class Blocklisted:
    """No ad in an article that holds a word, or has a tag or a section, that none should stand beside."""

    @classmethod
    def of(cls, keys: Inline, device: Device) -> Blocklisted:
        """The gate, which every layout has: what is listed was looked for before."""
        return Blocklisted()

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses every gap of such an article."""
        if context.listed is not None:
            return context.listed
        word = context.article.marks.blocklisted
        return None if word is None else Refusal(Reason.BLOCKLISTED, f'no word "{word}"', f'word "{word}"')


@dataclass(frozen=True, slots=True)
class MarkedOff:
    """No ad in an article whose editor says so."""

    comment: str

    @classmethod
    def of(cls, keys: Inline, device: Device) -> MarkedOff:
        """The gate, which every layout has."""
        return MarkedOff(keys.markers.off)

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses every gap of such an article."""
        if not context.article.marks.off:
            return None
        return Refusal(Reason.MARKER, f"no <!-- {self.comment} -->", f"<!-- {self.comment} -->")


@dataclass(frozen=True, slots=True)
class BringsAds:
    """No ad in an article that brings some of its own, where a layout wants it so."""

    @classmethod
    def of(cls, keys: Inline, device: Device) -> BringsAds | None:
        """The gate of `existing_ads`, if such articles are left alone."""
        return BringsAds() if keys.existing_ads.mode == "stop" else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses every gap of an article with ads."""
        ads = context.article.marks.ads
        return Refusal(Reason.EXISTING_ADS, "0 ads", "1 ad" if ads == 1 else f"{ads} ads") if ads else None


@dataclass(frozen=True, slots=True)
class MinArticle:
    """An article below this length gets no ad at all."""

    least: Distance

    @classmethod
    def of(cls, keys: Inline, device: Device) -> MinArticle | None:
        """The gate of `min_article`, if there is one."""
        return MinArticle(keys.min_article) if keys.min_article is not None else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses every gap of a short article."""
        return _short(Reason.MIN_ARTICLE, self.least, (0, context.last_gap), context)


@dataclass(frozen=True, slots=True)
class NoAfter:
    """No ad right below such a block, even where only blocks without content lie between them."""

    selectors: tuple[str, ...]

    @classmethod
    def of(cls, keys: Inline, device: Device) -> NoAfter | None:
        """The rule of `no_after`, if it lists anything."""
        return NoAfter(keys.no_after) if keys.no_after else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps below a match."""
        seen = context.above(self.selectors)[gap]
        return None if seen is None else _beside(Reason.NO_AFTER, *seen)


@dataclass(frozen=True, slots=True)
class NoBefore:
    """No ad right above such a block, even where only blocks without content lie between them."""

    selectors: tuple[str, ...]

    @classmethod
    def of(cls, keys: Inline, device: Device) -> NoBefore | None:
        """The rule of `no_before`, if it lists anything."""
        return NoBefore(keys.no_before) if keys.no_before else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps above a match."""
        seen = context.below(self.selectors)[gap]
        return None if seen is None else _beside(Reason.NO_BEFORE, *seen)


@dataclass(frozen=True, slots=True)
class KeepWithNext:
    """No ad between such a block and the one that follows it."""

    selectors: tuple[str, ...]

    @classmethod
    def of(cls, keys: Inline, device: Device) -> KeepWithNext | None:
        """The rule of `keep_with_next`, if it lists anything."""
        return KeepWithNext(keys.keep_with_next) if keys.keep_with_next else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gap right below a match that has a next block."""
        if gap in (0, context.last_gap):
            return None
        seen = match_of(context.article.blocks[gap - 1], self.selectors)
        return None if seen is None else _beside(Reason.KEEP_WITH_NEXT, *seen)


@dataclass(frozen=True, slots=True)
class EndGuard:
    """So much of the article must remain below an ad."""

    least: Distance

    @classmethod
    def of(cls, keys: Inline, device: Device) -> EndGuard | None:
        """The rule of `end_guard`, unless nothing has to remain."""
        return None if keys.end_guard.is_zero else EndGuard(keys.end_guard)

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps near the end."""
        if gap <= context.end_of(self.least):
            return None
        return _short(Reason.END_GUARD, self.least, (gap, context.last_gap), context)


@dataclass(frozen=True, slots=True)
class UnsafeMarkup:
    """No ad where its markup would change the article, or where the source has no place for it."""

    @classmethod
    def of(cls, keys: Inline, device: Device) -> UnsafeMarkup:
        """The rule, which every layout has."""
        return UnsafeMarkup()

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps without a point in the source, and those found unsafe."""
        if context.article.offsets[gap] is None:
            return Refusal(Reason.UNSAFE_MARKUP, "a place between two blocks", "no such place in the source")
        if gap in context.unsafe:
            return Refusal(Reason.UNSAFE_MARKUP, "an article that stays as it is", "an ad here changes the article")
        return None


@dataclass(frozen=True, slots=True)
class First:
    """So much of the article must lie above the first ad; nothing stands above it all unless `first` is zero."""

    least: Distance
    everywhere: bool

    @classmethod
    def of(cls, keys: Inline, device: Device) -> First | None:
        """The rule of `first`; on a grid it judges only the gap above everything, beside positions none."""
        if keys.positions is not None:
            return None
        return First(keys.first, everywhere=keys.anchor == "since_last" or keys.strategy == "spread")

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps near the start."""
        if gap >= context.start_of(self.least):
            return None
        return _short(Reason.FIRST, self.least, (0, gap), context) if self.everywhere or gap == 0 else None


@dataclass(frozen=True, slots=True)
class Clearances:
    """Blocks of some kinds keep their distance from the ads below and above them."""

    kept: tuple[Clearance, ...]

    @classmethod
    def of(cls, keys: Inline, device: Device) -> Clearances | None:
        """The rule of `clearances`, if it lists anything."""
        return Clearances(keys.clearances) if keys.clearances else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps too near below the nearest match above, or too near above the nearest match below."""
        refusals = (refusal for one in self.kept for refusal in self._sides(one, gap, context))
        return next((refusal for refusal in refusals if refusal is not None), None)

    def _sides(self, one: Clearance, gap: int, context: Context) -> Iterator[Refusal | None]:
        end = context.nearest_above(one.selector)[gap] if one.after is not None else None
        if one.after is not None and end is not None:
            yield _short(Reason.CLEARANCE, one.after, (end, gap), context, f"after {one.selector}")
        start = context.nearest_below(one.selector)[gap] if one.before is not None else None
        if one.before is not None and start is not None and not _is_lifted(one, gap, context):
            yield _short(Reason.CLEARANCE, one.before, (gap, start), context, f"before {one.selector}")


@dataclass(frozen=True, slots=True)
class SmallNeighbour:
    """Both blocks beside an ad are paragraphs, and of some length."""

    least: Distance

    @classmethod
    def of(cls, keys: Inline, device: Device) -> SmallNeighbour | None:
        """The rule of `small_neighbour`, if there is one."""
        return SmallNeighbour(keys.small_neighbour) if keys.small_neighbour is not None else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps beside a short paragraph, another block or nothing."""
        blocks = context.article.blocks
        for number, side in ((gap, "above"), (gap + 1, "below")):
            if not 1 <= number <= len(blocks):
                return Refusal(Reason.SMALL_NEIGHBOUR, self.least.text(), "no block", side)
            if not blocks[number - 1].counted:
                tag = blocks[number - 1].tag or "text"
                return Refusal(Reason.SMALL_NEIGHBOUR, self.least.text(), f"{tag}, not counted", side)
            refusal = _short(Reason.SMALL_NEIGHBOUR, self.least, (number - 1, number), context, side)
            if refusal is not None:
                return refusal
        return None


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """No ad where the reader sees it before reading anything."""

    least_px: int

    @classmethod
    def of(cls, keys: Inline, device: Device) -> FirstScreen | None:
        """The rule of `first_screen`, where it is to be avoided."""
        return FirstScreen(screen_px(device)) if keys.first_screen == "avoid" else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps whose ad would begin on the first screen."""
        px = context.to_gap[gap].px
        return Refusal(Reason.FIRST_SCREEN, f"{self.least_px} px", f"{px} px") if px < self.least_px else None


@dataclass(frozen=True, slots=True)
class Marked:
    """No ad where an editor wants none."""

    stop: str
    attribute: str

    @classmethod
    def of(cls, keys: Inline, device: Device) -> Marked:
        """The rule of `markers`, which every layout has."""
        return Marked(keys.markers.stop, keys.markers.attribute)

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps of a marked stretch, and those beside a marked block."""
        if not context.is_marked:
            return None
        if gap in context.article.marks.stopped:
            return Refusal(Reason.MARKER, f"no <!-- {self.stop} -->", f"<!-- {self.stop} -->", "above")
        blocks = context.article.blocks
        for number, side in ((gap, "above"), (gap + 1, "below")):
            if 1 <= number <= len(blocks) and blocks[number - 1].stop:
                return Refusal(Reason.MARKER, f"no {self.attribute}", self.attribute, side)
        return None


@dataclass(frozen=True, slots=True)
class AtPositions:
    """Where positions are named, nothing stands above everything without leave, nor where ops say never."""

    positions: Positions

    @classmethod
    def of(cls, keys: Inline, device: Device) -> AtPositions | None:
        """The rule of `positions`, if there are any."""
        return AtPositions(keys.positions) if keys.positions is not None else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gap above everything unless position 0 is named, and the gaps of `!n`."""
        meant = context.meant(self.positions)
        if gap in meant.never or (gap == 0 and not meant.top):
            return Refusal(Reason.POSITIONS, self.positions.text, context.after_text(gap))
        return None


GATES: Final[tuple[type[Rule], ...]] = (Composed, Blocklisted, MarkedOff, BringsAds, MinArticle)
HARD: Final[tuple[type[Rule], ...]] = (
    *(NoAfter, NoBefore, KeepWithNext, Clearances, SmallNeighbour, EndGuard, FirstScreen, Marked, UnsafeMarkup),
    *(First, AtPositions),
)
# The ad at the end of a short article is free of the rules that make it too short.
AT_END: Final = tuple(rule for rule in HARD if rule not in (EndGuard, First, AtPositions))


def rules_of(table: tuple[type[Rule], ...], keys: Inline, device: Device = Device.MOBILE) -> tuple[Rule, ...]:
    """The rules of a table that a layout's keys want on a device, in the table's order."""
    return tuple(rule for kind in table if (rule := kind.of(keys, device)) is not None)


def _short(reason: Reason, least: Distance, gaps: tuple[int, int], context: Context, where: str = "") -> Refusal | None:
    """A refusal where less than a distance lies between two gaps."""
    if context.reached(least, *gaps):
        return None
    return Refusal(reason, least.text(), least.actual(context.between(*gaps)), where)


def _is_lifted(clearance: Clearance, gap: int, context: Context) -> bool:
    """Whether the block right below the gap does away with the room above the match."""
    if clearance.lift_before_if_next is None or gap == context.last_gap:
        return False
    return clearance.lift_before_if_next in context.article.blocks[gap].matches


def _beside(reason: Reason, selector: str, block: Block) -> Refusal:
    return Refusal(reason, f"not {selector}", block.tag or "text")
