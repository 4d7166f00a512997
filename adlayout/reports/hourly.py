"""From the counts of hours to the rows of a report: grouped by one thing, over hours, days or the whole time.

Knows how fields of hours are spelt; never the store, nor what a report looks like on a screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final, NamedTuple

from adlayout.counts import NO_FLIGHT

# What a field of an hour says of an ad, and of the page that it stood on, in this order.
OF_AD: Final = ("flight", "creative", "slot", "layout", "variation", "gap", "device", "site")
OF_PAGE: Final = ("layout", "variation", "device", "site")
# What reports are by; a flight's campaign is that of today.
BY: Final = (*OF_AD, "campaign")

_HOUR: Final = "%Y%m%d%H"
_PAGE_MARK: Final = "@"


class Per(StrEnum):
    """How long a row's time is: days are those of the reporting time zone."""

    HOUR = "hour"
    DAY = "day"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Span:
    """Whole hours from `start` up to `end`, which is not of it."""

    start: datetime
    end: datetime

    def hours(self) -> tuple[str, ...]:
        """The names of its hours, in UTC."""
        first = self.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        count = -(-(self.end - first) // timedelta(hours=1))
        return tuple(f"{first + timedelta(hours=number):{_HOUR}}" for number in range(count))


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is of: by what, per how long, and which values only (by their names, as `flight`)."""

    by: str
    per: Per = Per.HOUR
    only: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC


class Sums(NamedTuple):
    """What was counted; `invalid` events, which no reader is behind, are in none of the others.

    `clicks_unseen` are those of the clicks that came without a view of the same ad on the same page.
    """

    served: int = 0
    views: int = 0
    clicks: int = 0
    clicks_unseen: int = 0
    invalid: int = 0
    pages: int = 0
    slots: int = 0
    filled: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report: when it begins (None for the whole time), of what, and the sums."""

    at: datetime | None
    name: str
    sums: Sums


_LETTERS: Final = {
    "s": "served",
    "v": "views",
    "c": "clicks",
    "uc": "clicks_unseen",
    "p": "pages",
    "n": "slots",
    "m": "filled",
}


def rows(hours: Mapping[str, Mapping[str, int]], question: Question, campaigns: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows of a report, oldest first, then by name; `campaigns` is each flight's."""
    found: dict[tuple[datetime | None, str], dict[str, int]] = {}
    for hour, fields in hours.items():
        at = _time(hour, question)
        for name, what, count in _counted(fields, question, campaigns):
            sums = found.setdefault((at, name), {})
            sums[what] = sums.get(what, 0) + count
    ordered = sorted(found.items(), key=lambda pair: (pair[0][0] or datetime.min.replace(tzinfo=UTC), pair[0][1]))
    return tuple(Row(at, name, Sums(**sums)) for (at, name), sums in ordered)


def _time(hour: str, question: Question) -> datetime | None:
    """When the row begins that the hour goes into."""
    at = datetime.strptime(hour, _HOUR).replace(tzinfo=UTC)
    match question.per:
        case Per.HOUR:
            return at
        case Per.DAY:
            return at.astimezone(question.zone).replace(hour=0)
        case Per.TOTAL:
            return None


def _counted(
    fields: Mapping[str, int], question: Question, campaigns: Mapping[str, str]
) -> Iterator[tuple[str, str, int]]:
    """For each field that the question is about: of what it tells, what was counted, how often."""
    for spelt, count in fields.items():
        what, letter = spelt.rpartition(":")[::2]
        counted = "invalid" if letter.startswith("x") else _LETTERS.get(letter)
        facts = _facts(what, campaigns)
        if counted and question.by in facts and _fits(facts, question.only):
            yield facts[question.by], counted, count


def _facts(what: str, campaigns: Mapping[str, str]) -> dict[str, str]:
    """What a field says, by name; of a field that says nothing to us, nothing."""
    of_page = what.startswith(_PAGE_MARK)
    names = OF_PAGE if of_page else OF_AD
    values = what.removeprefix(_PAGE_MARK).split("|")
    if len(values) != len(names):
        return {}
    facts = dict(zip(names, values, strict=True))
    return facts if of_page else facts | {"campaign": campaigns.get(facts["flight"], NO_FLIGHT)}


def _fits(facts: Mapping[str, str], only: Mapping[str, str]) -> bool:
    return all(facts.get(name) == value for name, value in only.items())


def total(found: Iterable[Row]) -> Sums:
    """All rows together."""
    return Sums(*map(sum, zip(*(row.sums for row in found), strict=True))) if (found := tuple(found)) else Sums()
