"""Why each flight that is not on a shortlist is not: the same judgements again, this time with their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adlayout.decision.fit import judge, kind_of
from adlayout.decision.inventory import Flight, Inventory, Kind
from adlayout.decision.reasons import FlightReason
from adlayout.decision.shortlist import Shortlist, refuse_page
from adlayout.decision.targeting import Objection, PageFacts, PageValues
from adlayout.model import Slot


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
    """For each shortlist the flights that are not on it, in the order of the inventory."""
    values = PageValues(facts)
    return tuple(_passed(inventory, entry, facts.language, values, now) for entry in shortlists)


def _passed(
    inventory: Inventory, entry: Shortlist, language: str | None, values: PageValues, now: datetime
) -> tuple[Passed, ...]:
    listed = {candidate.flight for candidate in entry.candidates}
    kind = kind_of(inventory, entry.slot.style, language)
    last = max((flight.priority for flight in inventory.flights if flight.id in listed), default=0)
    out: list[Passed] = []
    for flight in inventory.flights:
        if flight.id not in listed:
            why = refuse_page(flight, values, now) or _refuse_slot(flight, entry.slot, kind) or _lost(flight, last)
            out.append(Passed(flight.id, why.reason, why.needed, why.actual))
    return tuple(out)


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
