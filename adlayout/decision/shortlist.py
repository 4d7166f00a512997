"""Stage: for each slot the creatives that may stand there, in the order in which they are to be tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

from adlayout.decision.field import Candidate, Field, Tier
from adlayout.decision.inventory import Inventory
from adlayout.decision.occasion import Occasion
from adlayout.decision.targeting import PageFacts
from adlayout.model import Slot

_NEXT = "\n"  # makes a tier's seed that of the next tier
_NOTHING: AbstractSet[str] = frozenset()


# A page makes one for each of its slots, and a tuple in half the time of a frozen dataclass.
class Shortlist(NamedTuple):
    """A slot's candidates, the first to be tried first: drawn as they are read, and from nothing but the seed.

    So it does not matter who reads them, how often, or how far. Each tier has numbers of its own, so that one whose
    creatives all stand on the page already need not be drawn.
    """

    slot: Slot
    field: Field
    seed: str

    def candidates(self) -> Iterator[Candidate]:
        """All of them, in their order."""
        seed = self.seed
        for tier in self.field:
            yield from tier.draw(seed)
            seed += _NEXT

    def of_flight(self, flight: str | None) -> Iterator[Candidate]:
        """Those of one flight, or of none."""
        for tier in self.field:
            yield from tier.of_flight(flight)

    def house(self) -> Candidate | None:
        """The first candidate of the house."""
        seed = self.seed
        for tier in self.field:
            if tier.house:
                found = tier.fresh(seed, _NOTHING)
                return found if found.house else next(one for one in tier.draw(seed) if one.house)
            seed += _NEXT
        return None


def tiers(shortlists: Sequence[Shortlist]) -> list[tuple[int, Tier, str]]:
    """Every tier of every slot, the best first and in the order of the slots: (slot's index, tier, its seed)."""
    found: list[tuple[int, Tier, str]] = []
    for at, entry in enumerate(shortlists):
        seed = entry.seed
        for tier in entry.field:
            found.append((at, tier, seed))
            seed += _NEXT
    return sorted(found, key=lambda one: one[1].rank)


def shortlist(
    inventory: Inventory, slots: Sequence[Slot], facts: PageFacts, *, now: datetime, seed: str
) -> tuple[Shortlist, ...]:
    """One shortlist per slot: better tiers first, a lottery by weight within each, house creatives last.

    The same seed gives the same order. `now` carries a time zone.
    """
    occasion = Occasion(inventory, facts, now)
    return tuple([Shortlist(slot, occasion.field_of(slot), f"{seed}\n{slot.id}") for slot in slots])
