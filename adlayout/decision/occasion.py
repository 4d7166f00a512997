"""One page at one moment, as flights see it: which of them run there. Pages that are alike share the work."""

from __future__ import annotations

from datetime import datetime

from adlayout.decision.field import Field
from adlayout.decision.fit import line_up
from adlayout.decision.inventory import Flight, Inventory
from adlayout.decision.lineup import Kind, Lineup
from adlayout.decision.reasons import FlightReason
from adlayout.decision.targeting import Objection, PageFacts, PageValues, Targeting, places_of
from adlayout.model import Slot


class Occasion:
    """A page's facts and the moment, asked once for all that flights want to know."""

    __slots__ = ("_answer", "_blocked", "_fields", "_inventory", "_languages", "_now", "_values")

    def __init__(self, inventory: Inventory, facts: PageFacts, now: datetime) -> None:
        self._inventory, self._values, self._now = inventory, PageValues(facts), now
        self._answer = inventory.asked.answer(self._values, now)
        self._blocked = facts.blocked
        self._languages = inventory.asked.spoken(facts.language)
        self._fields: dict[tuple[str, tuple[str, ...], frozenset[str]], Field] = {}

    def field_of(self, slot: Slot) -> Field:
        """All that may run in a slot."""
        style = slot.style
        key = (style.type, style.formats, self._places(slot))
        found = self._fields.get(key)
        if found is None:
            found = self._fields[key] = self._inventory.kept.field(self.kind_of(slot), self._answer, self._field)
        return found

    def kind_of(self, slot: Slot) -> Kind:
        """What decides which creatives fit."""
        return Kind(slot.style.type, slot.style.formats, self._languages, self._places(slot), self._blocked)

    def refuse(self, flight: Flight) -> Objection | None:
        """Why a flight runs nowhere on the page, None where it may run."""
        return self._refuse_now(flight) or flight.targeting.refuse_page(self._values, self._now)

    def _places(self, slot: Slot) -> frozenset[str]:
        asked = self._inventory.asked.slots
        return asked and asked & places_of(slot)

    def _refuse_now(self, flight: Flight) -> Objection | None:
        now = self._now
        if not flight.active:
            return Objection(FlightReason.INACTIVE, "an active flight in an active campaign", "switched off")
        if flight.start and now < flight.start:
            return Objection(FlightReason.NOT_STARTED, f"from {flight.start.isoformat()}", now.isoformat())
        if flight.end and now >= flight.end:
            return Objection(FlightReason.ENDED, f"until {flight.end.isoformat()}", now.isoformat())
        return None

    def _field(self, kind: Kind) -> Field:
        lineup = self._inventory.kept.lineup(kind, self._answer.passed, self._lineup)
        keys = (key for key, _ in self._inventory.asked.values)
        return lineup.field(zip(keys, self._answer.values, strict=True), self._meets)

    def _lineup(self, kind: Kind) -> Lineup:
        running = (flight for flight in self._inventory.flights if self._refuse_now(flight) is None)
        return line_up(running, self._inventory.house, kind)

    def _meets(self, targeting: Targeting) -> bool:
        return targeting.met(self._values, self._now)
