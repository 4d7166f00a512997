"""The ads that stand in an article before any is placed: those it brought, and those its editor marked a gap for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from adlayout.model import Reason, Refusal
from adlayout.placement.context import Context
from adlayout.placement.distance import Distance


class Stand(NamedTuple):
    """One such ad: the gap right above it and the one right below; an editor's gap is both."""

    above: int
    below: int
    marked: bool


class Standing:
    """Such ads from the top down, and what lies between them and a gap."""

    def __init__(self, context: Context, ads: Iterable[Stand]) -> None:
        self._context = context
        self.ads = sorted(ads)

    @property
    def brought(self) -> Standing:
        """Only those that came with the article."""
        return Standing(self._context, (one for one in self.ads if not one.marked))

    def over(self, gap: int) -> int:
        """How many of them stand above a gap, or in it."""
        return bisect_right(self.ads, gap, key=lambda one: one.below)

    def too_near(self, gap: int, distance: Distance, reason: Reason) -> Refusal | None:
        """What the nearest of them, above the gap or below it, has against an ad there, if it is nearer than this."""
        for one, ends in self._beside(gap):
            if not self._context.reached(distance, *ends):
                actual = distance.actual(self._context.between(*ends))
                return Refusal(reason, distance.text(), actual, _WHOSE[one.marked])
        return None

    def _beside(self, gap: int) -> Iterator[tuple[Stand, tuple[int, int]]]:
        """The nearest above and the nearest below, with the gaps between which their distance lies."""
        over, under = self.over(gap), bisect_left(self.ads, gap, key=lambda one: one.above)
        if over:
            yield self.ads[over - 1], (self.ads[over - 1].below, gap)
        if under < len(self.ads):
            yield self.ads[under], (gap, self.ads[under].above)


_WHOSE = {True: "from the editor's ad", False: "from the article's own ad"}


def standing(context: Context, marked: Iterable[int]) -> Standing:
    """The ads that stand in an article whose editor marked these gaps."""
    blocks = enumerate(context.article.blocks, start=1)
    brought = (Stand(number - 1, number, marked=False) for number, block in blocks if block.ads)
    return Standing(context, [*brought, *(Stand(gap, gap, marked=True) for gap in marked)])
