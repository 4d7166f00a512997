"""What a flight wants of a page and a slot, compiled once into sets; pure, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from adlayout.decision.reasons import FlightReason
from adlayout.decision.schema import DAYS, TargetingRow, Terms, zone
from adlayout.model import Slot

_WITHHELD: Final = "not told without the reader's consent"


class PageFacts(NamedTuple):
    """What targeting may know of a page and its reader; None and empty where nobody said.

    `blocked` are the categories that the site does not take, case-folded. `withheld` says that the reader consents to
    no choice by who reads, so that country and the caller's own keys are not told.
    """

    site: str | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    country: str | None = None
    device: str | None = None
    url: str | None = None
    language: str | None = None
    kv: tuple[tuple[str, str], ...] = ()
    blocked: frozenset[str] = frozenset()
    withheld: bool = False

    def without_reader(self) -> PageFacts:
        """The same of a reader who consents to no choice by who reads."""
        return self._replace(country=None, kv=(), withheld=True)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a flight may not run, with what it asked for and what it found."""

    reason: FlightReason
    needed: str
    actual: str


@dataclass(frozen=True, slots=True)
class Term:
    """One key of include or exclude; `wanted` is case-folded, and `prefix` says that a value need only start so."""

    key: str
    wanted: frozenset[str]
    include: bool
    prefix: bool = False

    def refuse(self, found: Collection[str]) -> Objection | None:
        """Judges the values that the page or the slot has for this key, case-folded."""
        if self.met(found):
            return None
        verb = "" if self.include else "not "
        return Objection(
            FlightReason.TARGETING,
            f"{self.key} {verb}{' or '.join(sorted(self.wanted))}",
            f"{self.key} {', '.join(sorted(found)) or 'unknown'}",
        )

    def met(self, found: Collection[str]) -> bool:
        """The same as a claim, for where nobody reads the words."""
        if self.prefix:
            return any(value.startswith(tuple(self.wanted)) for value in found) is self.include
        return self.wanted.isdisjoint(found) is not self.include


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of the week (0 is Monday's first) in which a flight runs, in its own time zone."""

    open: frozenset[int]
    zone: tzinfo
    said: str

    def refuse(self, now: datetime) -> Objection | None:
        """Judges a moment."""
        if self.met(now):
            return None
        local = now.astimezone(self.zone)
        return Objection(FlightReason.TARGETING, self.said, f"{DAYS[local.weekday()]} {local:%H:%M}")

    def met(self, now: datetime) -> bool:
        """The same as a claim, for where nobody reads the words."""
        return hour_of_week(now.astimezone(self.zone)) in self.open


@dataclass(frozen=True, slots=True)
class Targeting:
    """A flight's wishes: those that a page answers, those that a slot answers, and its hours."""

    page: tuple[Term, ...] = ()
    slot: tuple[Term, ...] = ()
    hours: Hours | None = None

    @property
    def choosy(self) -> bool:
        """Whether there are pages or hours that do not do."""
        return bool(self.page or self.hours)

    def refuse_page(self, values: PageValues, now: datetime) -> Objection | None:
        """The first wish that the page or the moment does not meet."""
        if self.hours and (objection := self.hours.refuse(now)):
            return objection
        for term in self.page:
            if objection := term.refuse(values.of(term.key)):
                withheld = values.withheld and (term.key == "country" or term.key.startswith("kv."))
                return replace(objection, reason=FlightReason.CONSENT, actual=_WITHHELD) if withheld else objection
        return None

    def met(self, values: PageValues, now: datetime) -> bool:
        """The same as a claim, for where nobody reads the words."""
        if self.hours and not self.hours.met(now):
            return False
        return all(term.met(values.of(term.key)) for term in self.page)

    def refuse_slot(self, slot: Slot) -> Objection | None:
        """The first wish that the slot does not meet."""
        found = places_of(slot)
        return next((objection for term in self.slot if (objection := term.refuse(found))), None)

    def takes(self, places: frozenset[str]) -> bool:
        """The same as a claim on what a slot is called."""
        return all(term.met(places) for term in self.slot)


class PageValues:
    """A page's facts, case-folded, each worked out when the first flight asks."""

    __slots__ = ("_facts", "_known", "withheld")

    def __init__(self, facts: PageFacts) -> None:
        self._facts = facts
        self.withheld = facts.withheld
        self._known: dict[str, frozenset[str]] = {}

    def of(self, key: str) -> frozenset[str]:
        """The values the page has for a targeting key; `kv.NAME` for those of the caller's own keys."""
        if key not in self._known:
            self._known[key] = _folded(_page_values(self._facts, key))
        return self._known[key]


def hour_of_week(local: datetime) -> int:
    """The hour since Monday began."""
    return local.weekday() * 24 + local.hour


def places_of(slot: Slot) -> frozenset[str]:
    """What targeting may call a slot: its id and its type, case-folded."""
    return _folded((slot.id, slot.style.type))


def compile_targeting(row: TargetingRow, time_zone: str = "UTC") -> Targeting:
    """Turns what ops wrote into sets; `time_zone` is that of hours and days where the row names none."""
    terms = [*_terms(row.include, include=True), *_terms(row.exclude, include=False)]
    return Targeting(
        page=tuple(term for term in terms if term.key != "slot"),
        slot=tuple(term for term in terms if term.key == "slot"),
        hours=_hours(row, row.timezone or time_zone),
    )


def _terms(terms: Terms, *, include: bool) -> Iterable[Term]:
    for key in Terms.model_fields:
        if key != "kv" and (wanted := getattr(terms, key)):
            yield Term(key, _folded(wanted), include, prefix=key == "url")
    for name, wanted in terms.kv.items():
        yield Term(f"kv.{name}", _folded(wanted), include)


def _hours(row: TargetingRow, time_zone: str) -> Hours | None:
    if not row.days and not row.hours:
        return None
    days = [DAYS.index(day) for day in row.days] or range(7)
    hours = row.hours or range(24)
    said = " ".join((*row.days, *(f"{hour}:00" for hour in row.hours), time_zone))
    return Hours(frozenset(day * 24 + hour for day in days for hour in hours), zone(time_zone), said)


def _folded(values: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str.casefold, values))


def _some(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


def _addresses(facts: PageFacts) -> tuple[str, ...]:
    """The whole address and its path."""
    try:
        return (facts.url, urlsplit(facts.url).path or "/") if facts.url else ()
    except ValueError:  # the CMS may send anything
        return _some(facts.url)


# How a page answers each key of `Terms` but `slot` and `kv`.
_PAGE: Final[Mapping[str, Callable[[PageFacts], tuple[str, ...]]]] = {
    "site": lambda facts: _some(facts.site),
    "section": lambda facts: _some(facts.section),
    "category": lambda facts: (*_some(facts.section), *facts.tags),
    "tag": lambda facts: facts.tags,
    "keyword": lambda facts: (*facts.keywords, *facts.tags),
    "country": lambda facts: _some(facts.country),
    "device": lambda facts: _some(facts.device),
    "url": _addresses,
}


def _page_values(facts: PageFacts, key: str) -> tuple[str, ...]:
    if answer := _PAGE.get(key):
        return answer(facts)
    return tuple(value for name, value in facts.kv if name == key.removeprefix("kv."))
