"""The gaps that still take an ad, and the nearest of them, however many were taken. Knows no rule by name."""

from __future__ import annotations

from collections.abc import Sequence

from adlayout.placement.context import Context
from adlayout.placement.distance import Distance
from adlayout.placement.layout import Conflict


class FreeGaps:
    """Gaps that no rule refuses and no ad stands too near to.

    Gone gaps point to their neighbours, and the ways through them are shortened as they are walked (union-find),
    so that all searches of a page together stay near linear in its gaps.
    """

    def __init__(self, context: Context, allowed: Sequence[bool], min_between: Distance) -> None:
        self._context = context
        self._min_between = min_between
        self._last = len(allowed) - 1
        # A place is the gap's number plus one: the first and the last place stand for "none that way".
        self._up = list(range(len(allowed) + 2))
        self._down = list(range(len(allowed) + 2))
        for gap, free in enumerate(allowed):
            if not free:
                self._remove(gap)

    def holds(self, gap: int) -> bool:
        """Whether the gap still takes an ad."""
        return self._up[gap + 1] == gap + 1

    def after(self, gap: int) -> int | None:
        """The first free gap from this one on."""
        found = _root(self._up, gap + 1) - 1
        return found if found <= self._last else None

    def before(self, gap: int) -> int | None:
        """The last free gap up to this one."""
        found = _root(self._down, gap + 1) - 1
        return found if found >= 0 else None

    def seek(self, due: int, conflict: Conflict) -> int | None:
        """The gap for an ad that is due in this one: the gap itself, else where it may move to."""
        if self.holds(due):
            return due
        ways = (self.after(due) if conflict.after else None, self.before(due) if conflict.before else None)
        near = [gap for gap in ways if gap is not None and (conflict.limit is None or abs(gap - due) <= conflict.limit)]
        return min(near, key=lambda gap: abs(gap - due), default=None)

    def take(self, gap: int) -> None:
        """Puts an ad into the gap: it is gone, and so are those too near to it."""
        self._remove(gap)
        other = self.after(gap)
        while other is not None and not self._context.reached(self._min_between, gap, other):
            self._remove(other)
            other = self.after(other)
        other = self.before(gap)
        while other is not None and not self._context.reached(self._min_between, other, gap):
            self._remove(other)
            other = self.before(other)

    def _remove(self, gap: int) -> None:
        self._up[gap + 1] = gap + 2
        self._down[gap + 1] = gap


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place
