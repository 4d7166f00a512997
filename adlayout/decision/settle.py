"""Stage: who stands where, so that no creative stands twice on a page."""

from __future__ import annotations

from collections.abc import Sequence

from adlayout.decision.inventory import Candidate
from adlayout.decision.shortlist import Shortlist
from adlayout.model import Decision, Empty, Filled, Unfilled


def settle(shortlists: Sequence[Shortlist]) -> tuple[Decision, ...]:
    """Fills the slots in their order, each with its first candidate that is not yet on the page.

    A house creative may stand again where nothing else is left.
    """
    taken: set[str] = set()
    decisions: list[Decision] = []
    for entry in shortlists:
        decision = _choose(entry, taken)
        if isinstance(decision, Filled):
            taken.add(decision.creative)
        decisions.append(decision)
    return tuple(decisions)


def _choose(entry: Shortlist, taken: set[str]) -> Decision:
    fresh = (candidate for candidate in entry.candidates if candidate.creative not in taken)
    again = (candidate for candidate in entry.candidates if candidate.house)
    chosen = next(fresh, None) or next(again, None)
    if chosen:
        return _filled(entry, chosen)
    return Empty(entry.slot, Unfilled.PAGE_DUPLICATE if entry.candidates else Unfilled.NO_CANDIDATE)


def _filled(entry: Shortlist, chosen: Candidate) -> Filled:
    return Filled(entry.slot, chosen.creative, chosen.flight, chosen.campaign, chosen.house, chosen.format)
