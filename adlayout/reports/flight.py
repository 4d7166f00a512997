"""How far a flight is delivered: its counts over its life, today and of the last days, beside what was booked.

Knows how fields of flights are spelt; never the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from adlayout.counts import Event
from adlayout.decision.inventory import Flight
from adlayout.decision.limits import counted_event
from adlayout.decision.pacing import Clock, planned, spent
from adlayout.reports.table import as_csv, share, time_of

LAST_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class Counts:
    """What the store counted: over all time, what pages still hold, and by day, today first."""

    totals: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def knows(self, flight: str) -> bool:
        """Whether anything was ever counted for the flight."""
        return any(name.rpartition(":")[0] == flight for name in self.totals)


def days_before(now: datetime, clock: Clock, count: int = LAST_DAYS) -> tuple[str, ...]:
    """The last days of the reporting time zone, today first, as `20261124`."""
    today = clock.wall(now).date()
    return tuple(f"{today - timedelta(days=back):%Y%m%d}" for back in range(count))


def delivery(id: str, flight: Flight | None, counts: Counts, *, now: datetime, clock: Clock) -> dict[str, object]:
    """The delivery as plain values; `flight` is None where the inventory has none that holds and counts are left."""
    today = next(iter(counts.days.values()), {})
    return {
        "flight": id,
        "total": _events(counts.totals, id),
        "today": _events(today, id),
        **(_booked(flight, counts, today, now, clock) if flight else {"status": None}),
        "days": [{"day": _day(day), **_events(fields, id)} for day, fields in counts.days.items()],
    }


def days_sheet(told: Mapping[str, object]) -> str:
    """The days of a delivery as CSV, oldest first."""
    days: Any = told["days"]  # as `delivery` has them
    lines = [{**day, **{f"invalid_{name}": count for name, count in day["invalid"].items()}} for day in reversed(days)]
    return as_csv([name for name in lines[0] if name != "invalid"], lines)


def _booked(flight: Flight, counts: Counts, today: Mapping[str, int], now: datetime, clock: Clock) -> dict[str, object]:
    row, event = flight.row, counted_event(flight.row)
    name = f"{flight.id}:{event.letter}"
    done, expected = counts.totals.get(name, 0), planned(flight, now, clock=clock)
    over = spent(flight, counts.totals, today)
    return {
        "name": row.name,
        "campaign": row.campaign,
        "status": _status(flight, over, now),
        "start_time": time_of(flight.start),
        "end_time": time_of(flight.end),
        "counts": event.value,
        "goal": {"type": row.goal.type, "units": row.goal.units} if row.goal else None,
        "daily_cap": row.daily_cap,
        "lifetime_cap": row.lifetime_cap,
        "delivery_rate": row.delivery_rate,
        "done": done,
        "held": counts.held.get(name, 0),
        "expected": None if expected is None else round(expected),
        "pace": round(done / expected, 3) if expected and expected >= 1 else None,
        "spent": dict(zip(("reason", "needed", "actual"), over, strict=True)) if over else None,
    }


def _status(flight: Flight, over: Sequence[str] | None, now: datetime) -> str:
    """`running`, or in the words of reasons why it does not."""
    if not flight.active:
        return "inactive"
    if flight.start and now < flight.start:
        return "not_started"
    if flight.end and now >= flight.end:
        return "ended"
    return str(over[0]) if over else "running"


def _events(fields: Mapping[str, int], id: str) -> dict[str, object]:
    served, views, clicks = (fields.get(f"{id}:{event.letter}", 0) for event in Event)
    return {
        "served": served,
        "views": views,
        "clicks": clicks,
        "clicks_unseen": fields.get(f"{id}:uc", 0),
        "ctr": share(clicks, served),
        "viewability": share(views, served),
        "invalid": dict(
            zip(
                ("served", "views", "clicks"),
                (fields.get(f"{id}:x{event.letter}", 0) for event in Event),
                strict=True,
            )
        ),
    }


def _day(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"
