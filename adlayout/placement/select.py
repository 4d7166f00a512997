"""Selection: which of the allowed gaps get the ads, from the top down, and why the others stay free."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adlayout.model import Dropped, Reason, Refusal
from adlayout.placement.distance import Distance, Plain
from adlayout.placement.free import FreeGaps
from adlayout.placement.layout import Schedule
from adlayout.placement.measures import Measure
from adlayout.placement.rules import Context


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen: `ads` from gap to the gap where the ad was due, `free` the reasons of gaps that got none."""

    ads: dict[int, int]
    dropped: tuple[Dropped, ...]
    free: dict[int, tuple[Refusal, ...]]


def select(context: Context, allowed: Sequence[bool], schedule: Schedule) -> Selection:
    """The gaps that get ads; `allowed` says of each gap whether every hard rule lets it pass."""
    free = FreeGaps(context, allowed, schedule.min_between)
    choice = _Choice(context, schedule)
    if schedule.grid and isinstance(schedule.first, Plain) and isinstance(schedule.every, Plain):
        _place_on_grid(choice, free, list(_due_on_grid(context, schedule.first, schedule.every)))
        reasons = _grid_reasons(choice, schedule.first, schedule.every)
    else:
        _place_in_turn(choice, free)
        reasons = _turn_reasons(choice)
    left = {gap: reasons[gap] for gap, passes in enumerate(allowed) if passes and gap not in choice.ads}
    return Selection(choice.ads, tuple(choice.dropped), left)


@dataclass(slots=True)
class _Choice:
    """What has been chosen so far. `bases` are the gaps that the next distance was counted from.

    `due` are the gaps in which an ad was due, `capped` those in which one would have been.
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
        return len(self.ads) >= self.schedule.max_ads

    def put(self, free: FreeGaps, due: int) -> int | None:
        """The gap that takes the ad which is due here, if one does."""
        self.due.add(due)
        gap = free.seek(due, self.schedule.conflict)
        if gap is not None:
            free.take(gap)
            self.ads[gap] = due
        return gap


def _place_in_turn(choice: _Choice, free: FreeGaps) -> None:
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


def _next_due(choice: _Choice, start: int, last: int | None) -> int | None:
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


def _turn_reasons(choice: _Choice) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: too little since the last ad was due or stood, or a cap."""
    context, schedule = choice.context, choice.schedule
    bases, ads = iter([*choice.bases, context.last_gap + 1]), choice.ads
    capped = min(choice.capped, default=context.last_gap + 1)
    reasons: dict[int, tuple[Refusal, ...]] = {}
    base: int | None = None
    ad: int | None = None
    coming = next(bases)
    for gap in range(context.last_gap + 1):
        if gap >= capped:
            reasons[gap] = (_cap(schedule.max_ads),)
        else:
            since = None if base is None else context.between(base, gap)
            apart = None if ad is None else context.between(ad, gap)
            reasons[gap] = (
                *_unmet(Reason.EVERY, schedule.every, since),
                *_unmet(Reason.MIN_BETWEEN, schedule.min_between, apart),
            )
        ad = gap if gap in ads else ad
        if gap == coming:
            base, coming = gap, next(bases)
    return reasons


def _unmet(reason: Reason, distance: Distance, measured: Measure | None) -> Iterator[Refusal]:
    if measured is not None and not distance.reached(measured):
        yield Refusal(reason, distance.text(), distance.actual(measured))


def _cap(most: int) -> Refusal:
    return Refusal(Reason.MAX_ADS, f"at most {_ads(most)}", _ads(most))


def _ads(count: int) -> str:
    return f"{count} ad" if count == 1 else f"{count} ads"


def _due_on_grid(context: Context, first: Plain, every: Plain) -> Iterator[tuple[int, int]]:
    """Each gap in which ads are due, with how many: those whose distance from the start is reached there first."""
    reach = [measure[first.at] for measure in context.to_gap]
    due = first.amount
    while due <= reach[-1]:
        gap = bisect_left(reach, due)
        count = (reach[gap] - due) // every.amount + 1
        yield gap, count
        due += count * every.amount


def _place_on_grid(choice: _Choice, free: FreeGaps, due: Sequence[tuple[int, int]]) -> None:
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


def _grid_reasons(choice: _Choice, first: Plain, every: Plain) -> dict[int, tuple[Refusal, ...]]:
    """Why each gap would be free: it is no due point, or an ad is too near, or a cap took its ad."""
    context, taken = choice.context, sorted(choice.ads)
    reasons: dict[int, tuple[Refusal, ...]] = {}
    for gap, measure in enumerate(context.to_gap):
        if gap in choice.capped:
            reasons[gap] = (_cap(choice.schedule.max_ads),)
        elif gap in choice.due:
            reasons[gap] = tuple(_too_near(choice, gap, taken))
        else:
            beyond = max(0, (measure[first.at] - first.amount) // every.amount + 1)
            due = Plain(first.amount + beyond * every.amount, first.unit)
            reasons[gap] = (Refusal(Reason.EVERY, due.text(), due.actual(measure)),)
    return reasons


def _too_near(choice: _Choice, gap: int, taken: list[int]) -> Iterator[Refusal]:
    """The first ad beside the gap, above it or below, that is too near to it."""
    at = bisect_right(taken, gap)
    for other in taken[max(0, at - 1) : at + 1]:
        measured = choice.context.between(min(other, gap), max(other, gap))
        found = tuple(_unmet(Reason.MIN_BETWEEN, choice.schedule.min_between, measured))
        if found:
            yield found[0]
            return
