"""A roadblock that takes all its slots or none: which creative goes into which slot. Pure matching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adlayout.decision.field import Candidate, Rank
from adlayout.decision.shortlist import Shortlist


def together(
    shortlists: Sequence[Shortlist], free: Sequence[int], first: Candidate, rank: Rank
) -> tuple[tuple[int, Candidate], ...] | None:
    """A slot for every creative of the flight, `first` in the first free one; None where they do not all fit.

    Slots are given by their index.
    """
    names = first.terms.together if first.terms else ()
    others = [name for name in names if name != first.creative]
    fits: dict[int, Mapping[str, Candidate]] = {}
    for at in free[1:]:
        tier = next((tier for tier in shortlists[at].field if tier.rank == rank), None)
        fits[at] = {one.creative: one for one in (tier.of_flight(first.flight) if tier else ())}
    stands: dict[int, str] = {}
    if not all(_seat(name, fits, stands, set()) for name in others):
        return None
    return ((free[0], first), *((at, fits[at][name]) for at, name in sorted(stands.items())))


def _seat(name: str, fits: Mapping[int, Mapping[str, Candidate]], stands: dict[int, str], tried: set[int]) -> bool:
    """Finds a slot for a creative, moving others where they can go elsewhere (Kuhn's augmenting paths)."""
    for at, takes in fits.items():
        if name in takes and at not in tried:
            tried.add(at)
            if at not in stands or _seat(stands[at], fits, stands, tried):
                stands[at] = name
                return True
    return False
