"""How fast a flight with a goal or a daily cap runs, and when its budget is used up. Pure: counters and time come in.

The plan says how much should have run by now; the rate is the share of pages on which the flight may run. Every step
compares the two. Shortfalls are made up within some minutes, at twice the pace at most, or faster where the end would
come first, so that a night without readers ends neither in a burst nor in a shortfall.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from adlayout.decision.inventory import USUAL_CTR, Flight
from adlayout.decision.limits import counted_event
from adlayout.decision.reasons import FlightReason
from adlayout.decision.targeting import Hours

# What is missing now is to be made up in this time; at random demand an hour then ends within its plan.
_HORIZON_H: Final = 5 / 60
# Demand is judged by the last minutes, those further back counting ever less: one step alone says too little.
_MEMORY_S: Final = 120.0
_CATCH_UP: Final = 2.0
# No step changes a rate by more: what it will bring is known less well the further it moves.
_LARGEST_CHANGE: Final = 4.0
# Never nothing, or nothing would ever be known of the demand again. From here a rate is at 1 in ten steps.
_LOWEST: Final = 1e-6
# Where nothing is known of the demand, a rate begins low: many pages may pass before the next step.
_FIRST: Final = 0.01
_FRONT: Final = 1.4  # density at the start of a frontloaded flight; it falls in a line, to 0.6 at the end
_DAY_H: Final = 24
_EVEN: Final = (1.0,) * _DAY_H
_WEEK_H: Final = 168
_MONDAY: Final = datetime(1970, 1, 5)
# What is known of a click-through rate before there are views: the usual one, worth so many of them.
_PRIOR_VIEWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Clock:
    """The reporting time zone, and how much of a day runs in each of its hours where `delivery_rate` is `curve`."""

    zone: tzinfo
    curve: tuple[float, ...] = _EVEN

    def wall(self, at: datetime) -> datetime:
        """What the clock on the wall shows: twice a year an hour is missing or comes twice, which the plan makes up."""
        return at.astimezone(self.zone).replace(tzinfo=None)

    def hours(self, at: datetime) -> float:
        """The same in hours since a Monday's midnight, long ago."""
        return (self.wall(at) - _MONDAY).total_seconds() / 3600


class Counted(NamedTuple):
    """What a flight's budgets count, holds included: in its life, and today."""

    total: int
    today: int


@dataclass(frozen=True, slots=True)
class Pace:
    """A flight's rate from `at` on, when `total` was counted.

    `came` and `offered` are what came in the last minutes and the rates under which it came, in seconds at rate 1.
    """

    rate: float
    at: datetime
    total: int
    came: float = 0.0
    offered: float = 0.0


class _Budget(NamedTuple):
    """What is to run between two times of the wall's clock, in hours; `begins` is None where nobody said."""

    units: int
    counted: int
    begins: float | None
    ends: float


def steer(flight: Flight, counted: Counted, at: datetime, previous: Pace | None, *, clock: Clock) -> Pace | None:
    """The pace of a flight from now on; None where it runs on every page."""
    if flight.row.delivery_rate == "asap" or not _runs(flight, at):
        return None
    now = clock.hours(at)
    budgets = tuple(_budgets(flight, counted, now, clock))
    if not budgets:
        return None
    if previous is None or at <= previous.at:
        return previous or Pace(_FIRST, at, counted.total)
    seconds = (at - previous.at).total_seconds()
    kept = 0.5 ** (seconds / _MEMORY_S)
    came = previous.came * kept + max(0, counted.total - previous.total)
    offered = previous.offered * kept + previous.rate * seconds
    shape = _shape(flight, now, clock)
    wanted = min(_wanted(budget, now, shape) for budget in budgets)
    rate = wanted * offered / came if came else (1.0 if wanted else 0.0)
    rate = min(max(rate, previous.rate / _LARGEST_CHANGE), previous.rate * _LARGEST_CHANGE)
    return Pace(min(max(rate, _LOWEST), 1.0), at, counted.total, came, offered)


def planned(flight: Flight, at: datetime, *, clock: Clock) -> float | None:
    """How much of the goal should have run by now; None where no plan says so."""
    goal = flight.row.goal
    if not goal or goal.type == "percentage" or not flight.start or not flight.end:
        return None
    if flight.row.delivery_rate == "asap":
        return None
    begins, ends, now = (clock.hours(when) for when in (flight.start, flight.end, at))
    return goal.units * _shape(flight, now, clock).share(begins, ends, min(max(now, begins), ends))


def spent(flight: Flight, totals: Mapping[str, int], today: Mapping[str, int]) -> tuple[str, str, str] | None:
    """The budget that is used up as (reason, needed, actual); None where none is."""
    row = flight.row
    field = f"{flight.id}:{counted_event(row).letter}"
    booked = row.goal.units if row.goal and row.goal.type != "percentage" else None
    budgets = (
        (FlightReason.GOAL_REACHED, booked, totals.get(field, 0), ""),
        (FlightReason.LIFETIME_CAP, row.lifetime_cap, totals.get(field, 0), ""),
        (FlightReason.DAILY_CAP, row.daily_cap, today.get(field, 0), " today"),
    )
    for reason, most, count, span in budgets:
        if most is not None and count >= most:
            return reason, f"at most {most}{span}", f"{count}/{most}{span}"
    return None


def click_rate(views: int, clicks: int) -> float:
    """The click-through rate to expect, to two digits: near the usual one until there are views enough."""
    rate = (clicks + USUAL_CTR * _PRIOR_VIEWS) / (views + _PRIOR_VIEWS)
    return float(f"{rate:.2g}")


def _runs(flight: Flight, at: datetime) -> bool:
    return flight.active and not (flight.start and at < flight.start) and not (flight.end and at >= flight.end)


def _budgets(flight: Flight, counted: Counted, now: float, clock: Clock) -> Iterator[_Budget]:
    row = flight.row
    begins = clock.hours(flight.start) if flight.start else None
    ends = clock.hours(flight.end) if flight.end else None
    if row.goal and row.goal.type != "percentage" and ends is not None:
        yield _Budget(row.goal.units, counted.total, begins, ends)
    if row.daily_cap:
        midnight = now - now % _DAY_H
        next_midnight = midnight + _DAY_H
        yield _Budget(
            row.daily_cap, counted.today, max(begins or 0.0, midnight), min(ends or next_midnight, next_midnight)
        )


@dataclass(frozen=True, slots=True)
class _Shape:
    """How what is to run is laid over time: the running sums of a week's weights, denser at the front or not."""

    sums: tuple[float, ...]
    front: bool

    def share(self, begins: float, ends: float, now: float) -> float:
        """Which share of all that runs between two times should have run by now."""
        first = self._area(begins)
        whole = self._area(ends) - first
        part = (self._area(now) - first) / whole if whole > 0 else (now - begins) / (ends - begins)
        return part * (_FRONT - (_FRONT - 1) * part) if self.front else part

    def _area(self, at: float) -> float:
        """The weights of all hours since long ago."""
        weeks, hours = divmod(at, _WEEK_H)
        hour = int(hours)
        below, above = self.sums[hour], self.sums[hour + 1]
        return weeks * self.sums[-1] + below + (above - below) * (hours - hour)


def _wanted(budget: _Budget, now: float, shape: _Shape) -> float:
    """How much should come in a second, over the next minutes."""
    begins = now if budget.begins is None else budget.begins
    soon = min(now + _HORIZON_H, budget.ends)
    seconds = max((soon - now) * 3600, 1.0)
    done = shape.share(begins, budget.ends, now)
    step = shape.share(begins, budget.ends, soon) - done
    left = max(0, budget.units - budget.counted)
    even = left * step / (1 - done) if done < 1 else left
    if budget.begins is None:
        return even / seconds
    due = budget.units * (done + step) - budget.counted
    return min(max(due, 0.0), max(_CATCH_UP * budget.units * step, even)) / seconds


def _shape(flight: Flight, now: float, clock: Clock) -> _Shape:
    curve = clock.curve if flight.row.delivery_rate == "curve" else _EVEN
    sums = _week(curve, flight.targeting.hours, clock.zone, int(now // _WEEK_H))
    return _Shape(sums, flight.row.delivery_rate == "frontloaded")


@lru_cache(maxsize=1024)
def _week(curve: tuple[float, ...], hours: Hours | None, zone: tzinfo, week: int) -> tuple[float, ...]:
    """The running sums of the weights of a week's hours; those in which the flight never runs weigh nothing."""
    first = _MONDAY + timedelta(weeks=week)
    sums = [0.0]
    for hour in range(_WEEK_H):
        middle = (first + timedelta(hours=hour, minutes=30)).replace(tzinfo=zone)
        sums.append(sums[-1] + (curve[hour % _DAY_H] if hours is None or hours.met(middle) else 0.0))
    return tuple(sums)
