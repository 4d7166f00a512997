"""Why each flight that is not on a shortlist is not: the same judgements again, this time with their words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from adlayout.decision.fit import judge
from adlayout.decision.inventory import Flight, Inventory
from adlayout.decision.lineup import Kind
from adlayout.decision.occasion import Occasion
from adlayout.decision.reasons import FlightReason
from adlayout.decision.shortlist import Shortlist
from adlayout.decision.targeting import Objection, PageFacts
from adlayout.model import Slot

# A page never needs more candidates for a slot than it has slots; more than that are for refusals still to come.
_LEAST_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Passed:
    """A flight that does not run in a slot, and why."""

    flight: str
    reason: FlightReason
    needed: str
    actual: str


def explain(
    inventory: Inventory, shortlists: Sequence[Shortlist], facts: PageFacts, *, now: datetime
) -> tuple[tuple[Passed, ...], ...]:
    """For each shortlist the flights that a page of so many slots does not try, in the order of the inventory."""
    occasion = Occasion(inventory, facts, now)
    enough = max(_LEAST_CANDIDATES, len(shortlists))
    return tuple(tuple(_passed(inventory, occasion, entry, _tried(entry, enough))) for entry in shortlists)


def _tried(entry: Shortlist, enough: int) -> set[str | None]:
    """The flights that are drawn until there are enough creatives."""
    flights: set[str | None] = set()
    creatives: set[str] = set()
    for candidate in entry.candidates():
        if len(creatives) >= enough:
            break
        flights.add(candidate.flight)
        creatives.add(candidate.creative)
    return flights


def _passed(inventory: Inventory, occasion: Occasion, entry: Shortlist, tried: set[str | None]) -> Iterator[Passed]:
    kind = occasion.kind_of(entry.slot)
    last = max((flight.priority for flight in inventory.flights if flight.id in tried), default=0)
    for flight in inventory.flights:
        if flight.id not in tried:
            why = occasion.refuse(flight) or _refuse_slot(flight, entry.slot, kind) or _lost(flight, last)
            yield Passed(flight.id, why.reason, why.needed, why.actual)


def _refuse_slot(flight: Flight, slot: Slot, kind: Kind) -> Objection | None:
    """What the slot refuses, or what the creative that came closest lacks."""
    if objection := flight.targeting.refuse_slot(slot):
        return objection
    judged = [judge(candidacy, kind) for candidacy in flight.candidacies]
    if any(isinstance(judgement, str) for judgement in judged):
        return None
    return max((no for no in judged if isinstance(no, Objection)), key=lambda no: _CLOSENESS[no.reason])


# How far a creative came before it was refused: the furthest tells ops most.
_CLOSENESS = {
    FlightReason.INACTIVE: 0,
    FlightReason.BAD_MARKUP: 1,
    FlightReason.SLOT_TYPE: 2,
    FlightReason.TARGETING: 3,
    FlightReason.SIZE: 4,
}


def _lost(flight: Flight, last: int) -> Objection:
    if flight.priority > last:
        return Objection(FlightReason.LOST_PRIORITY, f"priority {last} or better", f"priority {flight.priority}")
    return Objection(FlightReason.LOST_LOTTERY, "to be drawn earlier", f"weight {flight.row.weight:g}")
