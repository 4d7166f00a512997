"""How flights are paced over days that are simulated: second by second, with a lunch peak and random readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adlayout.decision.files import parse_inventory
from adlayout.decision.inventory import Flight, read_inventory
from adlayout.decision.pacing import Clock, Counted, Pace, click_rate, planned, spent, steer

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
STEP = timedelta(seconds=10)
EVEN = Clock(UTC)


def flight(**row: Any) -> Flight:
    """A flight of this row."""
    written = {
        "campaigns": [{"id": "c"}],
        "creatives": [{"id": "x", "kind": "html", "markup": "<p>x</p>"}],
        "flights": [{"id": "f", "campaign": "c", "creatives": [{"id": "x"}]} | row],
    }
    return read_inventory(parse_inventory(written))[0].flights[0]


def iso(at: datetime) -> str:
    return at.isoformat()


def one_day(**row: Any) -> Flight:
    """A flight that runs from midnight to midnight."""
    return flight(start_time=iso(MIDNIGHT), end_time=iso(MIDNIGHT + timedelta(days=1)), **row)


def lunch(hour: float) -> float:
    """Pages a second: few at night, many at noon, some in the evening."""
    return 2 + 6 * max(0.0, 1 - abs(hour - 12.5) / 2) + 3 * max(0.0, 1 - abs(hour - 20) / 4) - (hour < 6)


def no_night(hour: float) -> float:
    """The same, and nobody before six."""
    return 0.0 if hour < 6 else lunch(hour)


@dataclass
class Day:
    """What ran in each hour, where the store lets nothing pass the budget."""

    hours: list[int] = field(default_factory=lambda: [0] * 24)
    rates: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.hours)


def simulated(
    one: Flight, pages: Callable[[float], float], *, most: int, clock: Clock = EVEN, begins: datetime = MIDNIGHT
) -> Day:
    """A day at random demand, the same in every run."""
    day, random, pace = Day(), Random(7), None  # noqa: S311 - readers, not secrets
    for step in range(int(timedelta(days=1) / STEP)):
        at = begins + step * STEP
        pace = steer(one, Counted(day.total, day.total), at, pace, clock=clock)
        rate = pace.rate if pace else 1.0
        mean = pages(step / 360) * STEP.total_seconds() * rate
        came = max(0, round(random.gauss(mean, mean**0.5)))
        day.hours[step // 360] += min(came, most - day.total)
        day.rates.append(rate)
    return day


def off(day: Day, plan: list[float]) -> dict[int, float]:
    """The hours that are more than 5 % off their plan."""
    off = {hour: day.hours[hour] / plan[hour] - 1 for hour in range(24) if plan[hour]}
    return {hour: round(by, 3) for hour, by in off.items() if abs(by) > 0.05}


UNITS = 25_000
CURVE = (1, 1, 1, 1, 1, 2, 4, 6, 8, 8, 7, 7, 9, 8, 6, 6, 6, 7, 8, 9, 9, 7, 4, 2)
FRONT = [
    (1.4 * (hour + 1) / 24 - 0.4 * ((hour + 1) / 24) ** 2) - (1.4 * hour / 24 - 0.4 * (hour / 24) ** 2)
    for hour in range(24)
]


@pytest.mark.parametrize(
    ("row", "plan"),
    [
        ({"goal": {"type": "view", "units": UNITS}}, [1 / 24] * 24),
        ({"daily_cap": UNITS}, [1 / 24] * 24),
        ({"goal": {"type": "click", "units": 10 * UNITS}, "daily_cap": UNITS}, [1 / 24] * 24),
        ({"goal": {"type": "served", "units": UNITS}, "delivery_rate": "frontloaded"}, FRONT),
        ({"goal": {"type": "view", "units": UNITS}, "delivery_rate": "curve"}, [one / sum(CURVE) for one in CURVE]),
    ],
    ids=["goal", "daily cap", "the smaller of both", "frontloaded", "curve"],
)
def test_a_day_runs_as_planned_every_hour_whatever_readers_do(row: Mapping[str, Any], plan: list[float]) -> None:
    day = simulated(one_day(**row), lunch, most=UNITS, clock=Clock(UTC, tuple(map(float, CURVE))))
    assert off(day, [share * UNITS for share in plan]) == {}
    assert UNITS * 0.999 < day.total <= UNITS


def test_thousands_of_pages_a_second_are_no_other_case() -> None:
    day = simulated(one_day(daily_cap=UNITS), lambda hour: 500 * lunch(hour), most=UNITS)
    assert (off(day, [UNITS / 24] * 24), UNITS * 0.999 < day.total <= UNITS) == ({}, True)


def test_nothing_at_night_does_not_mean_nothing_all_day() -> None:
    day = simulated(one_day(goal={"type": "view", "units": UNITS}), no_night, most=UNITS)
    assert (day.hours[:6], UNITS * 0.999 < day.total <= UNITS) == ([0] * 6, True)
    # The six hours that were missed come at twice the pace, in six hours more; then all is as planned.
    assert max(day.hours) < 2.5 * UNITS / 24
    assert off(Day(hours=[0] * 13 + day.hours[13:]), [0] * 13 + [UNITS / 24] * 11) == {}


def test_what_readers_cannot_fill_runs_on_every_page() -> None:
    day = simulated(one_day(goal={"type": "view", "units": UNITS}), lambda _: 0.1, most=UNITS)
    assert set(day.rates[6:]) == {1.0}


def test_the_last_hours_take_what_is_left() -> None:
    """Nobody for 22 hours: twice the pace would not do."""
    day = simulated(one_day(goal={"type": "view", "units": UNITS}), lambda hour: 9.0 * (hour >= 22), most=UNITS)
    assert UNITS * 0.999 < day.total <= UNITS


def test_no_plan_means_every_page() -> None:
    for row in (
        {},
        {"goal": {"type": "view", "units": 9}},
        {"goal": {"type": "percentage", "units": 9}, "end_time": iso(MIDNIGHT + timedelta(days=1))},
        {"lifetime_cap": 9, "end_time": iso(MIDNIGHT + timedelta(days=1))},
        {"daily_cap": 9, "delivery_rate": "asap"},
        {"daily_cap": 9, "active": False},
        {"daily_cap": 9, "start_time": iso(MIDNIGHT + timedelta(days=1))},
        {"daily_cap": 9, "end_time": iso(MIDNIGHT)},
    ):
        assert steer(flight(**row), Counted(0, 0), MIDNIGHT, None, clock=EVEN) is None, row


def test_a_goal_without_a_start_is_spread_over_the_time_that_is_left() -> None:
    one = flight(goal={"type": "view", "units": 2 * UNITS}, end_time=iso(MIDNIGHT + timedelta(days=2)))
    assert off(simulated(one, lunch, most=2 * UNITS), [UNITS / 24] * 24) == {}


def test_hours_in_which_a_flight_does_not_run_are_not_waited_for() -> None:
    one = one_day(goal={"type": "view", "units": UNITS}, targeting={"hours": ["8-18"], "timezone": "Europe/Berlin"})
    assert planned(one, MIDNIGHT + timedelta(hours=7), clock=EVEN) == 0
    assert planned(one, MIDNIGHT + timedelta(hours=12), clock=EVEN) == UNITS / 2
    assert planned(one, MIDNIGHT + timedelta(hours=17), clock=EVEN) == UNITS


def test_a_day_is_one_of_the_reporting_time_zone() -> None:
    """At 23:00 in Berlin the day is nearly over: what is left of the cap comes in the last hour."""
    clock, at = Clock(ZoneInfo("Europe/Berlin")), datetime(2026, 11, 24, 22, tzinfo=UTC)
    before = Pace(0.5, at - STEP, 0, came=3600, offered=3600)
    (late, early) = (
        steer(flight(daily_cap=3600), Counted(0, today), at, before, clock=clock) for today in (3600 - 720, 3600)
    )
    assert late is not None
    assert early is not None
    assert (round(late.rate, 2), early.rate) == (0.2, 0.125)


def test_a_step_is_bounded_and_a_rate_is_never_nothing() -> None:
    one = one_day(goal={"type": "view", "units": UNITS})
    noon = MIDNIGHT + timedelta(hours=12)
    ahead = steer(one, Counted(UNITS - 1, 0), noon, Pace(0.4, noon - STEP, UNITS - 1, 100, 100), clock=EVEN)
    behind = steer(one, Counted(0, 0), noon, Pace(0.2, noon - STEP, 0), clock=EVEN)
    lowest = steer(one, Counted(UNITS - 1, 0), noon, Pace(1e-6, noon - STEP, UNITS - 1), clock=EVEN)
    assert [pace and pace.rate for pace in (ahead, behind, lowest)] == [0.1, 0.8, 1e-6]


def test_a_flight_begins_low_and_a_step_without_time_changes_nothing() -> None:
    one = one_day(daily_cap=UNITS)
    first = steer(one, Counted(5, 5), MIDNIGHT, None, clock=EVEN)
    assert first == Pace(0.01, MIDNIGHT, 5)
    assert steer(one, Counted(9, 9), MIDNIGHT, first, clock=EVEN) is first


def test_a_curve_that_runs_at_no_hour_of_the_flight_is_no_curve() -> None:
    clock = Clock(UTC, (1.0,) + (0.0,) * 23)
    one = flight(
        goal={"type": "view", "units": 100},
        delivery_rate="curve",
        start_time=iso(MIDNIGHT + timedelta(hours=10)),
        end_time=iso(MIDNIGHT + timedelta(hours=14)),
    )
    assert planned(one, MIDNIGHT + timedelta(hours=11), clock=clock) == 25


@pytest.mark.parametrize(
    ("row", "hours", "expected"),
    [
        ({"goal": {"type": "view", "units": 240}}, 6, 60.0),
        ({"goal": {"type": "view", "units": 240}, "delivery_rate": "frontloaded"}, 12, 144.0),
        ({"goal": {"type": "view", "units": 240}}, -1, 0.0),
        ({"goal": {"type": "view", "units": 240}}, 25, 240.0),
        ({"goal": {"type": "view", "units": 240}, "delivery_rate": "asap"}, 6, None),
        ({"goal": {"type": "percentage", "units": 40}}, 6, None),
        ({"daily_cap": 40}, 6, None),
    ],
)
def test_a_report_knows_how_much_of_a_goal_was_planned_by_now(
    row: Mapping[str, Any], hours: int, expected: float | None
) -> None:
    assert planned(one_day(**row), MIDNIGHT + timedelta(hours=hours), clock=EVEN) == expected


def test_a_week_is_planned_across_its_days() -> None:
    one = flight(
        goal={"type": "view", "units": 700},
        start_time=iso(MIDNIGHT),
        end_time=iso(MIDNIGHT + timedelta(days=7)),
        targeting={"days": ["mon", "tue"]},
    )
    # It begins on a Tuesday and ends before the next one.
    plan = [planned(one, MIDNIGHT + timedelta(days=day), clock=EVEN) for day in range(8)]
    assert plan == [0, 350, 350, 350, 350, 350, 350, 700]


# What is used up.


def goal(kind: str, **row: int) -> dict[str, Any]:
    return {"goal": {"type": kind, "units": 9}} | row


REACHED = ("goal_reached", "at most 9", "9/9")
LIFETIME = ("lifetime_cap", "at most 9", "9/9")


@pytest.mark.parametrize(
    ("row", "totals", "today", "expected"),
    [
        ({}, {"f:v": 10**9}, {"f:v": 10**9}, None),
        (goal("view"), {"f:v": 9}, {}, REACHED),
        (goal("view"), {"f:v": 8, "f:s": 99, "f:c": 99}, {}, None),
        (goal("served"), {"f:s": 10}, {}, ("goal_reached", "at most 9", "10/9")),
        (goal("click", daily_cap=2), {"f:c": 2}, {"f:c": 2, "f:v": 5}, ("daily_cap", "at most 2 today", "2/2 today")),
        (goal("percentage"), {"f:v": 99}, {}, None),
        (goal("percentage", lifetime_cap=9), {"f:v": 9}, {}, LIFETIME),
        ({"daily_cap": 2}, {"f:v": 9}, {"f:v": 1}, None),
        ({"daily_cap": 2, "lifetime_cap": 9}, {"f:v": 9}, {"f:v": 2}, LIFETIME),
    ],
)
def test_a_budget_that_is_used_up_is_told_with_its_figures(
    row: Mapping[str, Any], totals: Mapping[str, int], today: Mapping[str, int], expected: tuple[str, str, str] | None
) -> None:
    assert spent(flight(**row), totals, today) == expected


@pytest.mark.parametrize(
    ("views", "clicks", "expected"),
    [(0, 0, 0.001), (1000, 1, 0.001), (1000, 9, 0.005), (1_000_000, 20_000, 0.02), (99_000, 0, 0.00001)],
)
def test_a_click_rate_is_the_usual_one_until_there_are_views_enough(views: int, clicks: int, expected: float) -> None:
    assert click_rate(views, clicks) == expected
