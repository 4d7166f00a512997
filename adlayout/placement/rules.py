"""The rules: each a frozen class with one judgement, and one row in a table. No rule knows another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, Self, TypeAlias

from adlayout.model import Article, Block, Reason, Refusal
from adlayout.placement.distance import Distance
from adlayout.placement.measures import Measure, measures_to_gaps
from adlayout.placement.schema import Inline

# The selector and the block that no ad may stand beside, seen from each gap.
Sight: TypeAlias = Sequence[tuple[str, Block] | None]


@dataclass(frozen=True, slots=True)
class Context:
    """The article that is judged, measured to each gap; `unsafe` gaps would change its tree.

    What stands above and below the gaps is looked at once for all of them, so that no run of blocks without
    content is walked through again from each of its gaps.
    """

    article: Article
    unsafe: frozenset[int] = frozenset()
    to_gap: tuple[Measure, ...] = field(init=False)
    _seen: dict[tuple[bool, tuple[str, ...]], Sight] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "to_gap", measures_to_gaps(self.article.blocks))

    @property
    def last_gap(self) -> int:
        """The number of the gap below everything."""
        return len(self.article.blocks)

    def between(self, gap: int, later: int) -> Measure:
        """What lies between two gaps."""
        return self.to_gap[later].since(self.to_gap[gap])

    def above(self, selectors: tuple[str, ...]) -> Sight:
        """For each gap the nearest match above it, up to the first block with content."""
        key = (True, selectors)
        if key not in self._seen:
            self._seen[key] = _sight(self.article.blocks, selectors)
        return self._seen[key]

    def below(self, selectors: tuple[str, ...]) -> Sight:
        """For each gap the nearest match below it, up to the first block with content."""
        key = (False, selectors)
        if key not in self._seen:
            self._seen[key] = _sight(self.article.blocks[::-1], selectors)[::-1]
        return self._seen[key]


class Rule(Protocol):
    """One judgement of a gap."""

    @classmethod
    def of(cls, keys: Inline) -> Self | None:
        """The rule as a layout's keys want it, None where they want none."""

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """What the rule has against an ad in this gap."""


@dataclass(frozen=True, slots=True)
class MinArticle:
    """An article below this length gets no ad at all."""

    least: Distance

    @classmethod
    def of(cls, keys: Inline) -> MinArticle | None:
        """The gate of `min_article`, if there is one."""
        return MinArticle(keys.min_article) if keys.min_article is not None else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses every gap of a short article."""
        return _short(Reason.MIN_ARTICLE, self.least, context.to_gap[-1])


@dataclass(frozen=True, slots=True)
class NoAfter:
    """No ad right below such a block, even where only blocks without content lie between them."""

    selectors: tuple[str, ...]

    @classmethod
    def of(cls, keys: Inline) -> NoAfter | None:
        """The rule of `no_after`, if it lists anything."""
        return NoAfter(keys.no_after) if keys.no_after else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps below a match."""
        return _beside(Reason.NO_AFTER, context.above(self.selectors)[gap])


@dataclass(frozen=True, slots=True)
class NoBefore:
    """No ad right above such a block, even where only blocks without content lie between them."""

    selectors: tuple[str, ...]

    @classmethod
    def of(cls, keys: Inline) -> NoBefore | None:
        """The rule of `no_before`, if it lists anything."""
        return NoBefore(keys.no_before) if keys.no_before else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps above a match."""
        return _beside(Reason.NO_BEFORE, context.below(self.selectors)[gap])


@dataclass(frozen=True, slots=True)
class KeepWithNext:
    """No ad between such a block and the one that follows it."""

    selectors: tuple[str, ...]

    @classmethod
    def of(cls, keys: Inline) -> KeepWithNext | None:
        """The rule of `keep_with_next`, if it lists anything."""
        return KeepWithNext(keys.keep_with_next) if keys.keep_with_next else None

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gap right below a match that has a next block."""
        if gap in (0, context.last_gap):
            return None
        return _beside(Reason.KEEP_WITH_NEXT, _match(context.article.blocks[gap - 1], self.selectors))


@dataclass(frozen=True, slots=True)
class EndGuard:
    """So much of the article must remain below an ad."""

    least: Distance

    @classmethod
    def of(cls, keys: Inline) -> EndGuard | None:
        """The rule of `end_guard`, unless nothing has to remain."""
        return None if keys.end_guard.is_zero else EndGuard(keys.end_guard)

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps near the end."""
        return _short(Reason.END_GUARD, self.least, context.between(gap, context.last_gap))


@dataclass(frozen=True, slots=True)
class UnsafeMarkup:
    """No ad where its markup would change the article, or where the source has no place for it."""

    @classmethod
    def of(cls, keys: Inline) -> UnsafeMarkup:
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
    def of(cls, keys: Inline) -> First:
        """The rule of `first`; on a grid it judges only the gap above everything."""
        return First(keys.first, everywhere=keys.anchor == "since_last")

    def refuse(self, gap: int, context: Context) -> Refusal | None:
        """Refuses the gaps near the start."""
        return _short(Reason.FIRST, self.least, context.to_gap[gap]) if self.everywhere or gap == 0 else None


GATES: Final[tuple[type[Rule], ...]] = (MinArticle,)
HARD: Final[tuple[type[Rule], ...]] = (NoAfter, NoBefore, KeepWithNext, EndGuard, UnsafeMarkup, First)


def rules_of(table: tuple[type[Rule], ...], keys: Inline) -> tuple[Rule, ...]:
    """The rules of a table that a layout's keys want, in the table's order."""
    return tuple(rule for kind in table if (rule := kind.of(keys)) is not None)


def _short(reason: Reason, least: Distance, measured: Measure) -> Refusal | None:
    return None if least.reached(measured) else Refusal(reason, least.text(), least.actual(measured))


def _beside(reason: Reason, seen: tuple[str, Block] | None) -> Refusal | None:
    if seen is None:
        return None
    selector, block = seen
    return Refusal(reason, f"not {selector}", block.tag or "text")


def _sight(blocks: Sequence[Block], selectors: tuple[str, ...]) -> Sight:
    """After each block: the match of it, else, where it has no content, what was seen from before it."""
    sight: list[tuple[str, Block] | None] = [None]
    for block in blocks:
        sight.append(_match(block, selectors) or (sight[-1] if block.hollow else None))
    return sight


def _match(block: Block, selectors: tuple[str, ...]) -> tuple[str, Block] | None:
    """The first of the selectors that the block matches."""
    if not block.matches:
        return None
    return next(((selector, block) for selector in selectors if selector in block.matches), None)
