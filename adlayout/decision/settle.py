"""Stage: who stands where, so that no creative stands twice on a page."""

from __future__ import annotations

from collections.abc import Sequence

from adlayout.decision.shortlist import Shortlist
from adlayout.model import Decision, Empty, Filled, Unfilled


def settle(shortlists: Sequence[Shortlist]) -> tuple[Decision, ...]:
    """Fills the slots in their order, each with its first candidate that is not yet on the page.

    A house creative may stand again where nothing else is left.
    """
    taken: set[str] = set()
    return tuple([_fill(entry, taken) for entry in shortlists])


def _fill(entry: Shortlist, taken: set[str]) -> Decision:
    chosen = entry.fresh(taken) or entry.house()
    if chosen is None:
        return Empty(entry.slot, Unfilled.PAGE_DUPLICATE if entry.field else Unfilled.NO_CANDIDATE)
    taken.add(chosen.creative)
    return Filled(entry.slot, chosen.creative, chosen.flight, chosen.campaign, chosen.house, chosen.format)
