"""Stage: for each slot the creatives that may stand there, in the order in which they are to be tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, groupby, islice

from adlayout.decision.draw import numbers, order
from adlayout.decision.fit import field_of, kind_of
from adlayout.decision.inventory import Candidate, Entry, Field, Flight, Inventory, Kind, Lots
from adlayout.decision.reasons import FlightReason
from adlayout.decision.targeting import Objection, PageFacts, PageValues
from adlayout.model import Slot

# A page never needs more candidates for a slot than it has slots; more than that are for refusals still to come.
_LEAST_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Shortlist:
    """A slot's candidates, the first to be tried first."""

    slot: Slot
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class _Tier:
    """Flights of one priority, with their weights summed up."""

    entries: list[Entry]
    sums: list[float]


def shortlist(
    inventory: Inventory, slots: Sequence[Slot], facts: PageFacts, *, now: datetime, seed: str
) -> tuple[Shortlist, ...]:
    """One shortlist per slot: better tiers first, a lottery by weight within each, house creatives last.

    The same seed gives the same order. `now` carries a time zone.
    """
    page = _Page(inventory, facts, now)
    enough = max(_LEAST_CANDIDATES, len(slots))
    return tuple(Shortlist(slot, page.draw(slot, numbers(f"{seed}\n{slot.id}"), enough)) for slot in slots)


def refuse_page(flight: Flight, values: PageValues, now: datetime) -> Objection | None:
    """Why a flight runs nowhere on a page, None where it may run."""
    if not flight.active:
        return Objection(FlightReason.INACTIVE, "an active flight in an active campaign", "switched off")
    if flight.start and now < flight.start:
        return Objection(FlightReason.NOT_STARTED, f"from {flight.start.isoformat()}", now.isoformat())
    if flight.end and now >= flight.end:
        return Objection(FlightReason.ENDED, f"until {flight.end.isoformat()}", now.isoformat())
    return flight.targeting.refuse_page(values, now)


class _Page:
    """What the slots of one page share, so that a flight is judged once and not for each slot."""

    def __init__(self, inventory: Inventory, facts: PageFacts, now: datetime) -> None:
        self._inventory, self._language, self._now = inventory, facts.language, now
        self._values = PageValues(facts)
        self._running: dict[str, bool] = {}
        self._tiers: dict[Kind, list[_Tier]] = {}

    def draw(self, slot: Slot, draws: Iterator[float], enough: int) -> tuple[Candidate, ...]:
        """The candidates of a slot, best first: flights until there are `enough` creatives, then the house."""
        kind = kind_of(self._inventory, slot.style, self._language)
        chosen: list[Candidate] = []
        creatives: set[str] = set()
        for entry in self._in_order(kind, draws):
            if len(creatives) >= enough:
                break
            if entry.flight.targeting.refuse_slot(slot) is None:
                picks = _drawn(entry.lots, draws)
                chosen += picks
                creatives.update(pick.creative for pick in picks)
        house = field_of(self._inventory, kind).house
        return (*chosen, *islice(_drawn(house, draws), enough))

    def _in_order(self, kind: Kind, draws: Iterator[float]) -> Iterator[Entry]:
        for tier in self._tiers_of(kind):
            for at in order(tier.sums, draws):
                yield tier.entries[at]

    def _tiers_of(self, kind: Kind) -> list[_Tier]:
        if kind not in self._tiers:
            field = field_of(self._inventory, kind)
            maybe = (field.entries[at] for at in sorted(self._wanted(field)))
            running = [one for one in maybe if one.unconditional or self._runs(one)]
            groups = [list(group) for _, group in groupby(running, key=lambda one: one.flight.priority)]
            sums = (list(accumulate(one.flight.row.weight for one in group)) for group in groups)
            self._tiers[kind] = [_Tier(group, weights) for group, weights in zip(groups, sums, strict=True)]
        return self._tiers[kind]

    def _wanted(self, field: Field) -> set[int]:
        """The entries that this page does not lack a value for, so that most flights need not be looked at."""
        wanted = set(field.anywhere)
        for key, entries in field.wanting.items():
            for value in self._values.of(key):
                wanted.update(entries.get(value, ()))
        return wanted

    def _runs(self, entry: Entry) -> bool:
        id = entry.flight.id
        if id not in self._running:
            self._running[id] = refuse_page(entry.flight, self._values, self._now) is None
        return self._running[id]


def _drawn(lots: Lots, draws: Iterator[float]) -> Sequence[Candidate]:
    """The candidates in the order in which they are tried."""
    return lots.candidates if lots.fixed else [lots.candidates[at] for at in order(lots.sums, draws)]
