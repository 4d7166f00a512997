"""What pages worked out for pages after them: for one stretch of time, and never more than fits."""

from __future__ import annotations

from collections.abc import Callable

from adlayout.decision.asked import Answer
from adlayout.decision.field import Field
from adlayout.decision.lineup import Kind, Lineup

# Kinds of slots come from layouts, a few dozen at most; callers that make up their own must not fill the memory.
_MOST_LINEUPS = 256
_MOST_LOTS = 200_000  # in all fields, which comes to some 20 MB


class Kept:
    """Lineups by kind of slot and time, and fields by kind and answer, of the time between two starts or ends."""

    __slots__ = ("_lots", "_passed", "fields", "lineups")

    def __init__(self) -> None:
        self._begin(0)

    def lineup(self, kind: Kind, passed: int, make: Callable[[Kind], Lineup]) -> Lineup:
        """The lineup of a kind after so many starts and ends."""
        if passed != self._passed or len(self.lineups) >= _MOST_LINEUPS:
            self._begin(passed)
        found = self.lineups.get((kind, passed))
        if found is None:
            found = self.lineups[kind, passed] = make(kind)
        return found

    def field(self, kind: Kind, answer: Answer, make: Callable[[Kind], Field]) -> Field:
        """The field of a kind on pages with this answer."""
        found = self.fields.get((kind, answer))
        if found is None:
            found = make(kind)
            size = 1 + sum(len(tier.lots) for tier in found)
            if self._lots + size > _MOST_LOTS:
                self._empty()
            self._lots += size
            self.fields[kind, answer] = found
        return found

    def _begin(self, passed: int) -> None:
        self._passed = passed
        self.lineups: dict[tuple[Kind, int], Lineup] = {}
        self._empty()

    def _empty(self) -> None:
        self._lots = 0
        self.fields: dict[tuple[Kind, Answer], Field] = {}
