"""Stage: for each slot the creatives that may stand there, in the order in which they are to be tried."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeAlias, TypeVar

from adlayout.decision.inventory import Candidacy, Flight, Inventory
from adlayout.decision.reasons import FlightReason
from adlayout.decision.targeting import Objection, PageFacts, PageValues
from adlayout.model import Creative, Slot

# A page never needs more candidates for a slot than it has slots; more than that are for refusals still to come.
_LEAST_CANDIDATES = 5

_T = TypeVar("_T")
_Fit: TypeAlias = tuple[Candidacy, str]  # a creative and the format in which it fits


@dataclass(frozen=True, slots=True)
class Candidate:
    """A creative that may stand in a slot; without a flight it is a house creative. `format` is one that fits."""

    creative: str
    format: str
    flight: str | None
    campaign: str | None
    house: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """A flight that does not run in a slot, and why."""

    flight: str
    reason: FlightReason
    needed: str
    actual: str


@dataclass(frozen=True, slots=True)
class Shortlist:
    """A slot's candidates, the first to be tried first, and the flights that are not among them."""

    slot: Slot
    candidates: tuple[Candidate, ...]
    passed: tuple[Passed, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A flight that may run in a slot, with those of its creatives that fit."""

    flight: Flight
    fitting: tuple[_Fit, ...]


def shortlist(
    inventory: Inventory, slots: Sequence[Slot], facts: PageFacts, *, now: datetime, seed: str
) -> tuple[Shortlist, ...]:
    """One shortlist per slot: better tiers first, a lottery by weight within each, house creatives last.

    The same seed gives the same order. `now` carries a time zone.
    """
    running, passed = _by_page(inventory.flights, PageValues(facts), now)
    enough = max(_LEAST_CANDIDATES, len(slots))
    return tuple(
        _for_slot(slot, running, passed, _Draw(facts.language, inventory.house, _random(seed, slot), enough))
        for slot in slots
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    """What the draw for one slot needs besides its flights."""

    language: str | None
    house: tuple[Candidacy, ...]
    random: random.Random
    enough: int


def _random(seed: str, slot: Slot) -> random.Random:
    digest = hashlib.blake2b(f"{seed}\n{slot.id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return random.Random(int.from_bytes(digest))  # noqa: S311 (a lottery that must be repeatable, no secret)


def _by_page(flights: Iterable[Flight], values: PageValues, now: datetime) -> tuple[list[Flight], list[Passed]]:
    """Parts the flights that may run somewhere on the page from those that may not, so that slots need not ask."""
    running: list[Flight] = []
    passed: list[Passed] = []
    for flight in flights:
        if objection := _refuse_page(flight, values, now):
            passed.append(_pass(flight, objection))
        else:
            running.append(flight)
    return running, passed


def _refuse_page(flight: Flight, values: PageValues, now: datetime) -> Objection | None:
    if not flight.active:
        return Objection(FlightReason.INACTIVE, "an active flight in an active campaign", "switched off")
    if flight.start and now < flight.start:
        return Objection(FlightReason.NOT_STARTED, f"from {flight.start.isoformat()}", now.isoformat())
    if flight.end and now >= flight.end:
        return Objection(FlightReason.ENDED, f"until {flight.end.isoformat()}", now.isoformat())
    return flight.targeting.refuse_page(values, now)


def _for_slot(slot: Slot, flights: Sequence[Flight], passed: Sequence[Passed], draw: _Draw) -> Shortlist:
    entries: list[_Entry] = []
    out = list(passed)
    for flight in flights:
        fitting = _fitting(flight, slot, draw.language)
        if isinstance(fitting, Objection):
            out.append(_pass(flight, fitting))
        else:
            entries.append(_Entry(flight, fitting))
    chosen, lost = _drawn(entries, draw)
    house = [(one, form) for one in draw.house if isinstance(form := _format(one, slot, draw.language), str)]
    candidates = [_candidate(entry.flight, *pick) for entry in chosen for pick in _rotated(entry, draw.random)]
    candidates += [_candidate(None, *pick) for pick in _lottery(house, [1.0] * len(house), draw.random)[: draw.enough]]
    return Shortlist(slot, tuple(candidates), (*out, *lost))


def _fitting(flight: Flight, slot: Slot, language: str | None) -> tuple[_Fit, ...] | Objection:
    """The flight's creatives that fit the slot, or what the one that came closest lacks."""
    if objection := flight.targeting.refuse_slot(slot):
        return objection
    judged = [(candidacy, _format(candidacy, slot, language)) for candidacy in flight.candidacies]
    fits = tuple((candidacy, form) for candidacy, form in judged if isinstance(form, str))
    return fits or max((no for _, no in judged if isinstance(no, Objection)), key=lambda no: _CLOSENESS[no.reason])


def _format(candidacy: Candidacy, slot: Slot, language: str | None) -> str | Objection:
    """The first of the slot's formats that the creative has, or what it lacks."""
    creative, style = candidacy.creative, slot.style
    if candidacy.barred:
        return Objection(candidacy.barred, "a creative that may run", f"{creative.id}: {candidacy.barred}")
    if creative.slot_types and style.type not in creative.slot_types:
        return Objection(FlightReason.SLOT_TYPE, " or ".join(creative.slot_types), style.type)
    if not _speaks(creative, language):
        return Objection(FlightReason.TARGETING, f"language {creative.lang}", f"language {language}")
    for form in style.formats:
        if form in creative.formats:
            return form
    return Objection(FlightReason.SIZE, " or ".join(creative.formats), ", ".join(style.formats))


# How far a creative came before it was refused: the furthest tells ops most.
_CLOSENESS = {
    FlightReason.INACTIVE: 0,
    FlightReason.BAD_MARKUP: 1,
    FlightReason.SLOT_TYPE: 2,
    FlightReason.TARGETING: 3,
    FlightReason.SIZE: 4,
}


def _speaks(creative: Creative, language: str | None) -> bool:
    """An `en` creative fits an article in `en-GB`; nobody is kept out where the article's language is unknown."""
    if not creative.lang or not language:
        return True
    wanted, found = creative.lang.casefold(), language.casefold().replace("_", "-")
    return found == wanted or found.startswith(f"{wanted}-")


def _drawn(entries: Sequence[_Entry], draw: _Draw) -> tuple[list[_Entry], list[Passed]]:
    """The flights in the order they are tried, tier by tier, until there are enough creatives; and the rest."""
    chosen: list[_Entry] = []
    lost: list[Passed] = []
    creatives: set[str] = set()
    for priority, group in groupby(entries, key=lambda entry: entry.flight.priority):
        tier = list(group)
        if len(creatives) >= draw.enough:
            lost += [_lose(entry, FlightReason.LOST_PRIORITY, priority, chosen) for entry in tier]
            continue
        for entry in _lottery(tier, [entry.flight.row.weight for entry in tier], draw.random):
            if len(creatives) >= draw.enough:
                lost.append(_lose(entry, FlightReason.LOST_LOTTERY, priority, chosen))
            else:
                chosen.append(entry)
                creatives.update(candidacy.creative.id for candidacy, _ in entry.fitting)
    return chosen, lost


def _rotated(entry: _Entry, draw: random.Random) -> Sequence[_Fit]:
    """A flight's creatives in the order they are tried."""
    if entry.flight.row.creative_rotation == "sequential":
        return entry.fitting
    return _lottery(entry.fitting, [candidacy.weight for candidacy, _ in entry.fitting], draw)


def _lottery(entries: Sequence[_T], weights: Sequence[float], draw: random.Random) -> list[_T]:
    """A weighted order without replacement: an entry is first with the share of its weight.

    Each draws an exponential time with its weight as rate; Efraimidis and Spirakis, Information Processing Letters 97.
    """
    if len(entries) < 2:
        return list(entries)
    times = [-math.log(1.0 - draw.random()) / weight for weight in weights]
    return [entries[at] for at in sorted(range(len(entries)), key=times.__getitem__)]


def _candidate(flight: Flight | None, candidacy: Candidacy, form: str) -> Candidate:
    creative = candidacy.creative
    if flight is None:
        return Candidate(creative.id, form, None, None, house=True)
    return Candidate(creative.id, form, flight.id, flight.campaign.id, house=flight.house or creative.house)


def _pass(flight: Flight, objection: Objection) -> Passed:
    return Passed(flight.id, objection.reason, objection.needed, objection.actual)


def _lose(entry: _Entry, reason: FlightReason, priority: int, chosen: Sequence[_Entry]) -> Passed:
    return Passed(entry.flight.id, reason, f"a place among the first {len(chosen)} flights", f"priority {priority}")
