"""Stage: who stands where, once the store has said which attempts may stand, or could not be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from typing import NamedTuple, TypeAlias

from adlayout.counts import Pick, Reserved
from adlayout.decision.board import Board
from adlayout.decision.draft import MOST_DRAWN, Draft, Tried, attempt_of, rules_of
from adlayout.decision.field import Candidate
from adlayout.decision.shortlist import Shortlist, tiers
from adlayout.decision.view import view_of
from adlayout.model import Decision, Empty, Filled, Unfilled


class Word(Enum):
    """What holds instead of the store's answer: nothing is counted here, or the store did not answer."""

    GRANTED = "granted"
    FAILED = "failed"


Outcome: TypeAlias = Reserved | Word


class Settled(NamedTuple):
    """A page's decisions, slot by slot, with what they were made of, for whoever asks why."""

    draft: Draft
    outcome: Outcome
    decisions: tuple[Decision, ...]


def settle(draft: Draft, outcome: Outcome = Word.GRANTED) -> tuple[Decision, ...]:
    """Fills the slots: with what was reserved, then with whoever needs no reservation, at last with the house again.

    Where the store failed, flights with budgets or caps stand only if they are served all the same.
    """
    if draft.sure is not None:
        return tuple([_decision(entry, one) for entry, one in zip(draft.shortlists, draft.sure, strict=True)])
    settling = _Settling(draft, outcome)
    return settling.run()


class _Settling:
    def __init__(self, draft: Draft, outcome: Outcome) -> None:
        self._draft = draft
        self._outcome = outcome
        self._board = Board()
        self._stands: dict[str, Candidate] = {}

    def run(self) -> tuple[Decision, ...]:
        outcome = self._outcome
        for tried in self._reserved(outcome.picks) if isinstance(outcome, Reserved) else self._admitted():
            self._take(tried)
        if len(self._stands) < len(self._draft.shortlists):
            self._fill()
        return tuple([self._decision(entry) for entry in self._draft.shortlists])

    def _decision(self, entry: Shortlist) -> Decision:
        chosen = self._stands.get(entry.slot.id)
        if chosen is not None or not entry.field:
            return _decision(entry, chosen)
        if self._outcome is Word.FAILED and self._was_limited(entry.slot.id):
            return Empty(entry.slot, Unfilled.STORE_ERROR)
        shown = any(not tier.creatives.isdisjoint(self._board.creatives) for tier in entry.field)
        return Empty(entry.slot, Unfilled.PAGE_DUPLICATE if shown else Unfilled.NO_CANDIDATE)

    def _was_limited(self, slot: str) -> bool:
        return any(
            tried.attempt.limits and any(slot == filled for filled, _ in tried.attempt.fills)
            for tried in self._draft.attempts
        )

    def _take(self, tried: Tried) -> None:
        self._board.take(tried.attempt)
        self._stands.update({slot: one for (slot, _), one in zip(tried.attempt.fills, tried.candidates, strict=True)})

    def _reserved(self, picks: Iterable[Pick]) -> Iterator[Tried]:
        """What the store picked; a memo may name what is not there any more, and that is left out."""
        lists = {entry.slot.id: entry for entry in self._draft.shortlists}
        for slot, creative, flight in picks:
            found = lists[slot].of_flight(flight) if slot in lists else ()
            candidate = next((one for one in found if one.creative == creative), None)
            rules = rules_of(candidate, self._draft.conditions) if candidate is not None else None
            if candidate is not None and rules is not None:
                yield Tried(attempt_of(slot, candidate, rules), (candidate,))

    def _admitted(self) -> Iterator[Tried]:
        """Every attempt that the page admits when its turn comes, if it needs no store or is served without."""
        for tried in self._draft.attempts:
            if self._may(tried.candidates[0], bool(tried.attempt.limits)) and self._board.admits(tried.attempt):
                yield tried

    def _may(self, candidate: Candidate, limited: bool) -> bool:
        if not limited:
            return True
        if self._outcome is Word.GRANTED:
            return True
        return self._outcome is Word.FAILED and candidate.terms is not None and candidate.terms.served_anyway

    def _fill(self) -> None:
        """The slots that are left: whoever needs no reservation, then the house again."""
        conditions = self._draft.conditions
        for at, tier, seed in tiers(self._draft.shortlists):
            entry = self._draft.shortlists[at]
            if entry.slot.id not in self._stands:
                view = view_of(tier, conditions.standing, reader=conditions.reader)
                self._offer(entry, islice(view.without_store(seed), MOST_DRAWN), once=True)
        for entry in self._draft.shortlists:
            again = entry.house() if entry.slot.id not in self._stands else None
            if again is not None:
                self._offer(entry, (again,), once=False)

    def _offer(self, entry: Shortlist, candidates: Iterable[Candidate], *, once: bool) -> None:
        for candidate in candidates:
            rules = rules_of(candidate, self._draft.conditions)
            alone = candidate.terms is None or not candidate.terms.together
            if rules is not None and alone and not rules.limits:
                attempt = attempt_of(entry.slot.id, candidate, rules)._replace(once=once)
                if self._board.admits(attempt):
                    self._take(Tried(attempt, (candidate,)))
                    return


def _decision(entry: Shortlist, chosen: Candidate | None) -> Decision:
    if chosen is None:
        return Empty(entry.slot, Unfilled.PAGE_DUPLICATE if entry.field else Unfilled.NO_CANDIDATE)
    return Filled(entry.slot, chosen.creative, chosen.flight, chosen.campaign, chosen.house, chosen.format)
