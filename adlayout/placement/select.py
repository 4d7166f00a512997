"""Selection: which of the allowed gaps get the ads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adlayout.model import Dropped, Reason, Refusal
from adlayout.placement.context import Context
from adlayout.placement.distance import Distance, Plain
from adlayout.placement.free import FreeGaps
from adlayout.placement.layout import Course, Schedule
from adlayout.placement.positions import Positions
from adlayout.placement.spread import Candidate, spread
from adlayout.placement.spread import Standing as SpreadAround
from adlayout.placement.standing import Standing, standing


def select(context: Context, allowed: Sequence[bool], schedule: Schedule, *, at_end: bool = False) -> Choice:
    """The gaps that get ads; `allowed` says of each gap whether every hard rule lets it pass.

    An editor's gaps are taken before all others, whatever rules refuse them, where that is safe. `at_end` is the one
    ad at the end of an article that is too short for others.
    """
    # An article that is too short has its one ad at its end and no other.
    wanted = {} if at_end else dict(context.article.marks.slots)
    marked = {gap: type for gap, type in wanted.items() if context.is_safe(gap)}
    choice = Choice(context, schedule, standing(context, marked), marked)
    choice.dropped += [Dropped(gap, Reason.UNSAFE_MARKUP) for gap in wanted if gap not in marked]
    if choice.standing.ads:
        choice.near = dict(_near(choice, allowed))
        allowed = [free and gap not in choice.near for gap, free in enumerate(allowed)]
    free = FreeGaps(context, allowed, schedule.min_between)
    if at_end:
        _place_at_end(choice, free)
    elif schedule.positions is not None:
        _place_at_positions(choice, free, schedule.positions)
    elif isinstance(schedule.first, Plain) and isinstance(schedule.every, Plain) and schedule.course is Course.GRID:
        _place_on_grid(choice, free, schedule.first)
    elif isinstance(schedule.every, Plain) and schedule.course is Course.SPREAD:
        _spread_out(choice, [gap for gap, free in enumerate(allowed) if free], schedule.every)
    else:
        _place_in_turn(choice, free)
    return choice


@dataclass(slots=True)
class Choice:
    """What was chosen, and what it came from: `ads` leads from a gap to the gap where its ad was due.

    `marked` leads from an editor's gaps to the types of their ads. `near` are gaps that are free but for an ad that
    stands too near. `bases` are the gaps that the next distance was counted from, `due` leads from the gaps in which an
    ad was due to where that is, on a grid in its unit, and `coming` is where the next would be. `capped` are those in
    which one would have been, `dense` those whose ad would have been too much.
    """

    context: Context
    schedule: Schedule
    standing: Standing
    marked: dict[int, str] = field(default_factory=dict)
    near: dict[int, Refusal] = field(default_factory=dict)
    ads: dict[int, int] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    due: dict[int, int] = field(default_factory=dict)
    coming: int = 0
    capped: set[int] = field(default_factory=set)
    dense: dict[int, Refusal] = field(default_factory=dict)

    @property
    def others(self) -> int:
        """How many ads there are in the article besides those that are chosen."""
        return self.context.article.marks.ads + len(self.marked)

    @property
    def full(self) -> bool:
        """Whether the article holds as many ads as it may."""
        return len(self.ads) + self.others >= self.schedule.max_ads

    def every(self, gap: int) -> Distance:
        """The distance between ads, with as many as stand above the gap while ads are placed from the top down."""
        if len(self.schedule.steps) == 1:
            return self.schedule.steps[0].every
        return self.schedule.every_after(len(self.ads) + self.standing.over(gap))

    def put(self, free: FreeGaps, due: int) -> int | None:
        """The gap that takes the ad which is due here, if one does."""
        gap = free.seek(due, self.schedule.conflict)
        if gap is not None:
            free.take(gap)
            self.ads[gap] = due
        return gap


def _near(choice: Choice, allowed: Sequence[bool]) -> Iterator[tuple[int, Refusal]]:
    """The gaps that the ads which stand already keep free, and why; an editor's gap is taken."""
    course, everyone = choice.schedule.course, choice.standing
    # On a grid `every` is no distance between ads, and the article's own ads keep it all the same.
    paced = {Course.POSITIONS: None, Course.GRID: everyone.brought}.get(course, everyone)
    for gap in range(len(allowed)):
        refusal = everyone.too_near(gap, choice.schedule.min_between, Reason.MIN_BETWEEN)
        if paced is not None and refusal is None:
            refusal = paced.too_near(gap, choice.schedule.every, Reason.EVERY)
        if refusal is None and gap in choice.marked:
            refusal = Refusal(Reason.MIN_BETWEEN, "one ad in a gap", "the editor's ad")
        if refusal is not None:
            yield gap, refusal


def _place_at_end(choice: Choice, free: FreeGaps) -> None:
    last = choice.context.last_gap
    if choice.full:
        choice.capped.add(last)
    elif free.holds(last):
        choice.ads[last] = last


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
    for gap in range(start, context.last_gap + 1):
        # Too near to an ad that stands already is not yet due, as it is too near to the last one.
        if gap in choice.near:
            continue
        distance = schedule.first if base is None else choice.every(gap)
        if context.reached(distance, base or 0, gap) and (
            last is None or context.reached(schedule.min_between, last, gap)
        ):
            return gap
    return None


def _place_on_grid(choice: Choice, free: FreeGaps, first: Plain) -> None:
    """Each due point is one ad, whatever became of the others.

    What one ad finds no gap for, the next that is due in the same gap does not either. No more drops are told than
    there are gaps, however small the grid.
    """
    whole = choice.context.to_gap[-1].whole
    reach = [first.place(measure) for measure in choice.context.to_gap]
    room = len(reach)
    due = first.size(whole)
    while due <= reach[-1]:
        gap = bisect_left(reach, due)
        choice.due.setdefault(gap, due)
        every = _step(choice, gap, whole)
        left = (reach[gap] - due) // every + 1 if every else 0
        if not left:
            break
        if choice.full:
            choice.capped.add(gap)
        elif choice.put(free, gap) is not None:
            left = 1
            every = _step(choice, gap, whole)
        else:
            choice.dropped.extend([Dropped(gap)] * min(left, room - len(choice.dropped)))
        due += left * every
    choice.coming = due


def _step(choice: Choice, gap: int, whole: int) -> int:
    """How far the next due point is, in the unit of the grid."""
    every = choice.every(gap)
    return every.size(whole) if isinstance(every, Plain) else 0


def _place_at_positions(choice: Choice, free: FreeGaps, positions: Positions) -> None:
    """Each gap that is named is one ad, from the top down."""
    meant = choice.context.meant(positions)
    for gap, text in meant.due:
        choice.due[gap] = gap
        if choice.full:
            choice.capped.add(gap)
        elif choice.put(free, gap) is None:
            choice.dropped.append(Dropped(gap, position=text))
    choice.dropped += [Dropped(None, Reason.OUT_OF_RANGE, text) for text in meant.missing]


def _spread_out(choice: Choice, gaps: Sequence[int], every: Plain) -> None:
    """As many ads as there may be, as evenly as they can stand."""
    context = choice.context
    places = [every.place(measure) for measure in context.to_gap]
    near = (every, choice.schedule.min_between)
    candidates: list[Candidate] = []
    reach = 0
    for gap in gaps:
        while reach < len(candidates) and all(context.reached(distance, gaps[reach], gap) for distance in near):
            reach += 1
        candidates.append(Candidate(places[gap], reach))
    around = [
        SpreadAround(bisect_left(gaps, one.below), places[one.above], places[one.below]) for one in choice.standing.ads
    ]
    chosen = spread(candidates, around, places[-1], choice.schedule.max_ads - choice.others)
    choice.ads = {gaps[at]: gaps[at] for at in chosen}
