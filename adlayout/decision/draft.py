"""Stage: in which order creatives are tried in the slots of a page, all its slots together, the best tiers first.

A page whose candidates have nothing to heed is done with that. Where one has a budget or a cap, the store is asked
which of the attempts may stand; the page's own rules are kept there and here alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from adlayout.counts import Attempt
from adlayout.decision.board import Board
from adlayout.decision.field import Candidate, Rank, Tier
from adlayout.decision.limits import Rules
from adlayout.decision.roadblock import together
from adlayout.decision.shortlist import Shortlist, tiers
from adlayout.decision.turns import AT_START, Standing
from adlayout.decision.view import view_of

# So many candidates of a slot may wait for the store's word; those behind them are tried where it refuses all.
_MOST_DOUBTFUL: Final = 5
# A page may refuse all of a tier, where they share a label: after so many it is left to the next tier.
MOST_DRAWN: Final = 300
_NO_RULES: Final = Rules()


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a page's flights must know beside the page: whether its reader is known, and how far they are delivered.

    `withheld` says that the reader is not known for want of consent. `seed` decides on which pages those flights run
    that are ahead of their pace.
    """

    seed: str = ""
    reader: bool = False
    withheld: bool = False
    standing: Standing = AT_START


FREE: Final = Conditions()


class Tried(NamedTuple):
    """An attempt with the candidates that it would put into its slots."""

    attempt: Attempt
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A page's attempts, the first to be tried first; `asks` says that the store must be asked which may stand.

    `sure` is who stands in each slot where nobody has anything to heed: then there are no attempts.
    """

    shortlists: tuple[Shortlist, ...]
    conditions: Conditions = FREE
    attempts: tuple[Tried, ...] = ()
    asks: bool = False
    sure: tuple[Candidate | None, ...] | None = None


def draft(shortlists: Sequence[Shortlist], conditions: Conditions = FREE) -> Draft:
    """The order of attempts over the whole page: tier by tier, in each tier slot by slot, in each slot as drawn."""
    lists = tuple(shortlists)
    fields = {id(entry.field): entry.field for entry in lists}.values()
    if all(tier.plain for each in fields for tier in each):
        return Draft(lists, conditions, sure=_plain(lists))
    drafting = _Drafting(lists, conditions)
    drafting.run()
    asks = any(tried.attempt.limits for tried in drafting.attempts)
    return Draft(lists, conditions, tuple(drafting.attempts), asks)


def attempt_of(slot: str, candidate: Candidate, rules: Rules) -> Attempt:
    """The try to put a candidate into a slot."""
    fills = ((slot, candidate.creative),)
    return Attempt(fills, candidate.flight, True, rules.labels, rules.page_caps, rules.limits)


def rules_of(candidate: Candidate, conditions: Conditions) -> Rules | None:
    """What a candidate must heed on this page; None where it may not run."""
    return candidate.terms.rules(reader=conditions.reader) if candidate.terms else _NO_RULES


def _plain(shortlists: Sequence[Shortlist]) -> tuple[Candidate | None, ...]:
    """Who stands where, if no creative stands twice but one of the house where nothing else is left."""
    taken: set[str] = set()
    found: list[Candidate | None] = [None] * len(shortlists)
    first = min([entry.field[0].rank for entry in shortlists if entry.field], default=None)
    for at, entry in enumerate(shortlists):
        if entry.field and entry.field[0].rank == first and not entry.field[0].creatives <= taken:
            found[at] = chosen = entry.field[0].fresh(entry.seed, taken)
            taken.add(chosen.creative)
    if None in found:
        for at, tier, seed in tiers(shortlists):
            if found[at] is None and not tier.creatives <= taken:
                found[at] = chosen = tier.fresh(seed, taken)
                taken.add(chosen.creative)
        found = [one or entry.house() for one, entry in zip(found, shortlists, strict=True)]
    return tuple(found)


@dataclass(slots=True)
class _Drafting:
    """The list while it is made. What `certain` holds stands on the page whatever the store says; what is `maybe` on it
    depends on that, so whoever would clash with it is tried, and somebody after it."""

    shortlists: tuple[Shortlist, ...]
    conditions: Conditions
    attempts: list[Tried] = field(default_factory=list)
    certain: Board = field(default_factory=Board)
    maybe: set[str] = field(default_factory=set)
    entered: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    doubtful: Counter[str] = field(default_factory=Counter)
    asked: set[tuple[str, str | None, object]] = field(default_factory=set)
    turns: frozenset[str] | None = None

    def run(self) -> None:
        for at, tier, seed in tiers(self.shortlists):
            self._try_tier(at, tier, seed)
        for entry in self.shortlists:
            if entry.slot.id not in self.closed and (again := entry.house()) is not None:
                rules = rules_of(again, self.conditions)
                if rules is not None and not rules.limits:
                    attempt = attempt_of(entry.slot.id, again, rules)._replace(once=False)
                    self.attempts.append(Tried(attempt, (again,)))

    def _try_tier(self, at: int, tier: Tier, seed: str) -> None:
        slot = self.shortlists[at].slot.id
        if slot in self.closed:
            return
        conditions = self.conditions
        view = view_of(tier, conditions.standing, reader=conditions.reader)
        # Those who ask the store are tried so often, and then only those who need not.
        for drawn in (view.draw(seed, self._taking()), view.without_store(seed)):
            for candidate in islice(drawn, MOST_DRAWN):
                self._offer(at, candidate, tier.rank)
                if slot in self.closed:
                    return
                if self.doubtful[slot] >= _MOST_DOUBTFUL:
                    break

    def _taking(self) -> frozenset[str]:
        if self.turns is None:
            self.turns = self.conditions.standing.taking(self.conditions.seed)
        return self.turns

    def _offer(self, at: int, candidate: Candidate, rank: Rank) -> None:
        """Adds what a candidate may try, and what follows from it."""
        rules = rules_of(candidate, self.conditions)
        tried = self._tried(at, candidate, rules, rank) if rules is not None else None
        if tried is None or not self.certain.admits(tried.attempt):
            return
        if self._add(at, tried) and candidate.terms is not None and candidate.terms.spreads:
            self._spread(at, candidate, rank)

    def _tried(self, at: int, candidate: Candidate, rules: Rules, rank: Rank) -> Tried | None:
        slot = self.shortlists[at].slot.id
        attempt = attempt_of(slot, candidate, rules)
        if candidate.terms is None or not candidate.terms.together:
            return Tried(attempt, (candidate,))
        free = [at, *(other for other in self._open() if other != at)]
        found = together(self.shortlists, free, candidate, rank)
        if found is None:
            return None
        fills = tuple((self.shortlists[where].slot.id, one.creative) for where, one in found)
        return Tried(attempt._replace(fills=fills), tuple(one for _, one in found))

    def _add(self, at: int, tried: Tried) -> bool:
        """Whether it was worth adding; notes what it leaves to those behind it."""
        attempt, slot = tried.attempt, self.shortlists[at].slot.id
        clashes = not self.maybe.isdisjoint(_claims(attempt))
        key = (slot, attempt.flight, attempt.limits)
        if attempt.limits and key in self.asked and not clashes:
            return False  # the budgets that it would ask for were asked for already
        waits = clashes or bool(attempt.limits)
        if waits and self.doubtful[slot] >= _MOST_DOUBTFUL:
            return False
        self.attempts.append(tried)
        slots = {slot for slot, _ in attempt.fills}
        if not waits and self.entered.isdisjoint(slots):
            self.certain.take(attempt)
            self.closed |= slots
            return True
        if not waits and len(slots) == 1:
            self.closed |= slots
        if not clashes:
            self.asked.add(key)
        self.doubtful[slot] += waits
        self.entered |= slots
        self.maybe.update(_claims(attempt))
        return True

    def _spread(self, at: int, candidate: Candidate, rank: Rank) -> None:
        """The flight's other creatives, in the other slots that are free."""
        used = {candidate.creative}
        for other in self._open():
            if other != at:
                more = _of_flight(self.shortlists[other], candidate.flight, rank)
                one = next((one for one in more if one.creative not in used), None)
                rules = rules_of(one, self.conditions) if one else None
                tried = Tried(attempt_of(self.shortlists[other].slot.id, one, rules), (one,)) if one and rules else None
                if tried and self.certain.admits(tried.attempt) and self._add(other, tried):
                    used.add(tried.candidates[0].creative)

    def _open(self) -> list[int]:
        return [at for at, entry in enumerate(self.shortlists) if entry.slot.id not in self.closed]


def _claims(attempt: Attempt) -> Iterator[str]:
    """What two attempts may clash over, if both stand."""
    yield from (f"creative/{creative}" for _, creative in attempt.fills if attempt.once)
    yield from (f"label/{label}" for label in attempt.labels)
    yield from (key for key, _ in attempt.page_caps)


def _of_flight(entry: Shortlist, flight: str | None, rank: Rank) -> tuple[Candidate, ...]:
    return next((tier.of_flight(flight) for tier in entry.field if tier.rank == rank), ())
