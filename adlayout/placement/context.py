"""The article as rules see it: measured to each gap, with what stands above and below. Knows no rule by name."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from adlayout.model import Article, Block, Refusal
from adlayout.placement.distance import Distance
from adlayout.placement.measures import Measure, measures_to_gaps
from adlayout.placement.positions import Meant, Positions

# The selector and the block that no ad may stand beside, seen from each gap.
Sight: TypeAlias = Sequence[tuple[str, Block] | None]
# For each gap the number of a block, None where there is none that way.
Nearest: TypeAlias = Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Context:
    """The article that is judged, measured to each gap; `unsafe` gaps would change its tree.

    `listed` says that its section or a tag is on the blocklist. What stands above and below the gaps is looked at once
    for all of them, so that no run of blocks without content is walked through again from each of its gaps.
    """

    article: Article
    unsafe: frozenset[int] = frozenset()
    listed: Refusal | None = None
    to_gap: tuple[Measure, ...] = field(init=False)
    is_marked: bool = field(init=False)
    # By which list of selectors it is, since one and the same is asked for at every gap, and its hash is never kept.
    _above: dict[int, Sight] = field(init=False, default_factory=dict)
    _below: dict[int, Sight] = field(init=False, default_factory=dict)
    _starts: dict[int, int] = field(init=False, default_factory=dict)
    _ends: dict[int, int] = field(init=False, default_factory=dict)
    _near: dict[tuple[bool, str], Nearest] = field(init=False, default_factory=dict)
    _meant: dict[Positions, Meant] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        article = self.article
        object.__setattr__(self, "to_gap", measures_to_gaps(article.blocks))
        object.__setattr__(self, "is_marked", bool(article.marks.stopped) or any(one.stop for one in article.blocks))

    @property
    def last_gap(self) -> int:
        """The number of the gap below everything."""
        return len(self.article.blocks)

    def is_safe(self, gap: int) -> bool:
        """Whether an ad in the gap leaves the article as it is."""
        return self.article.offsets[gap] is not None and gap not in self.unsafe

    def between(self, gap: int, later: int) -> Measure:
        """What lies between two gaps."""
        return self.to_gap[later].since(self.to_gap[gap])

    def reached(self, distance: Distance, gap: int, later: int) -> bool:
        """Whether at least this distance lies between two gaps."""
        return distance.reached(self.to_gap[gap], self.to_gap[later])

    def above(self, selectors: tuple[str, ...]) -> Sight:
        """For each gap the nearest match above it, up to the first block with content."""
        sight = self._above.get(id(selectors))
        if sight is None:
            sight = self._above[id(selectors)] = _sight(self.article.blocks, selectors)
        return sight

    def below(self, selectors: tuple[str, ...]) -> Sight:
        """For each gap the nearest match below it, up to the first block with content."""
        sight = self._below.get(id(selectors))
        if sight is None:
            sight = self._below[id(selectors)] = _sight(self.article.blocks[::-1], selectors)[::-1]
        return sight

    def start_of(self, distance: Distance) -> int:
        """The first gap that is this distance from the start; one that no article has where none is."""
        first = self._starts.get(id(distance))
        if first is None:
            start = self.to_gap[0]
            first = bisect_left(self.to_gap, True, key=lambda measure: distance.reached(start, measure))
            self._starts[id(distance)] = first
        return first

    def end_of(self, distance: Distance) -> int:
        """The last gap that is this distance from the end; -1 where none is."""
        last = self._ends.get(id(distance))
        if last is None:
            end = self.to_gap[-1]
            last = bisect_left(self.to_gap, True, key=lambda measure: not distance.reached(measure, end)) - 1
            self._ends[id(distance)] = last
        return last

    def nearest_above(self, selector: str) -> Nearest:
        """For each gap the gap right below the nearest match above it, however far."""
        key = (True, selector)
        if key not in self._near:
            self._near[key] = list(_nearest(selector in block.matches for block in self.article.blocks))
        return self._near[key]

    def nearest_below(self, selector: str) -> Nearest:
        """For each gap the gap right above the nearest match below it, however far."""
        key = (False, selector)
        if key not in self._near:
            mirrored = list(_nearest(selector in block.matches for block in reversed(self.article.blocks)))
            self._near[key] = [None if at is None else self.last_gap - at for at in reversed(mirrored)]
        return self._near[key]

    def after_text(self, gap: int) -> str:
        """Which counted block the gap comes after, in words."""
        number = self.to_gap[gap].paragraphs
        return f"after paragraph {number}" if number else "before paragraph 1"

    def meant(self, positions: Positions) -> Meant:
        """The gaps that a layout's positions mean in this article."""
        if positions not in self._meant:
            self._meant[positions] = positions.meant(self.article.blocks, self.to_gap)
        return self._meant[positions]


def match_of(block: Block, selectors: tuple[str, ...]) -> tuple[str, Block] | None:
    """The first of the selectors that the block matches."""
    if not block.matches:
        return None
    return next(((selector, block) for selector in selectors if selector in block.matches), None)


def _sight(blocks: Sequence[Block], selectors: tuple[str, ...]) -> Sight:
    """After each block: the match of it, else, where it has no content, what was seen from before it."""
    sight: list[tuple[str, Block] | None] = [None]
    for block in blocks:
        sight.append(match_of(block, selectors) or (sight[-1] if block.hollow else None))
    return sight


def _nearest(matches: Iterable[bool]) -> Iterator[int | None]:
    """For each gap the last gap up to it that comes right after a match."""
    last: int | None = None
    yield last
    for gap, matched in enumerate(matches, start=1):
        last = gap if matched else last
        yield last
