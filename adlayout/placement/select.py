"""Selection: which of the allowed gaps get the ads, from the top down."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adlayout.model import Dropped
from adlayout.placement.distance import Plain
from adlayout.placement.free import FreeGaps
from adlayout.placement.layout import Schedule
from adlayout.placement.rules import Context


def select(context: Context, allowed: Sequence[bool], schedule: Schedule) -> Choice:
    """The gaps that get ads; `allowed` says of each gap whether every hard rule lets it pass."""
    free = FreeGaps(context, allowed, schedule.min_between)
    choice = Choice(context, schedule)
    if schedule.grid and isinstance(schedule.first, Plain) and isinstance(schedule.every, Plain):
        _place_on_grid(choice, free, list(_due_on_grid(context, schedule.first, schedule.every)))
    else:
        _place_in_turn(choice, free)
    return choice


@dataclass(slots=True)
class Choice:
    """What was chosen, and what it came from: `ads` leads from a gap to the gap where its ad was due.

    `bases` are the gaps that the next distance was counted from, `due` those in which an ad was due, and `capped`
    those in which one would have been.
    """

    context: Context
    schedule: Schedule
    ads: dict[int, int] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    due: set[int] = field(default_factory=set)
    capped: set[int] = field(default_factory=set)

    @property
    def full(self) -> bool:
        """Whether the article holds as many ads as it may."""
        return len(self.ads) >= self.schedule.max_ads

    def put(self, free: FreeGaps, due: int) -> int | None:
        """The gap that takes the ad which is due here, if one does."""
        self.due.add(due)
        gap = free.seek(due, self.schedule.conflict)
        if gap is not None:
            free.take(gap)
            self.ads[gap] = due
        return gap


def _place_in_turn(choice: Choice, free: FreeGaps) -> None:
    """Each ad is due where the one before it, or the gap where that was due, is far enough above."""
    last: int | None = None
    due = _next_due(choice, 0, last)
    while due is not None and not choice.full:
        gap = choice.put(free, due)
        if gap is None:
            choice.dropped.append(Dropped(due))
        else:
            last = gap
        base = due if gap is None else gap
        choice.bases.append(base)
        due = _next_due(choice, base + 1, last)
    if due is not None:
        choice.capped.add(due)


def _next_due(choice: Choice, start: int, last: int | None) -> int | None:
    """The first gap from `start` on that is due; `last` is the gap of the last ad."""
    context, schedule = choice.context, choice.schedule
    base = choice.bases[-1] if choice.bases else None
    distance = schedule.first if base is None else schedule.every
    for gap in range(start, context.last_gap + 1):
        if distance.reached(context.between(base or 0, gap)) and (
            last is None or schedule.min_between.reached(context.between(last, gap))
        ):
            return gap
    return None


def _due_on_grid(context: Context, first: Plain, every: Plain) -> Iterator[tuple[int, int]]:
    """Each gap in which ads are due, with how many: those whose distance from the start is reached there first."""
    reach = [measure[first.at] for measure in context.to_gap]
    due = first.amount
    while due <= reach[-1]:
        gap = bisect_left(reach, due)
        count = (reach[gap] - due) // every.amount + 1
        yield gap, count
        due += count * every.amount


def _place_on_grid(choice: Choice, free: FreeGaps, due: Sequence[tuple[int, int]]) -> None:
    """Each due point is one ad, whatever became of the others.

    What one ad finds no gap for, the next that is due in the same gap does not either. No more drops are told than
    there are gaps, however small the grid.
    """
    room = choice.context.last_gap + 1
    for gap, count in due:
        for left in range(count, 0, -1):
            if choice.full:
                choice.capped.add(gap)
                break
            if choice.put(free, gap) is None:
                choice.dropped.extend([Dropped(gap)] * min(left, room - len(choice.dropped)))
                break
