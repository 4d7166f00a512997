"""What a slot's candidates are drawn from: candidates in lots, lots in tiers, tiers in a field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

from adlayout.decision.draw import PLAIN_DRAWS, hit, numbers, order, words
from adlayout.decision.limits import Terms

# A tier's place among all: its priority, and within it the lottery before those that bid.
Rank: TypeAlias = tuple[int, int, float]
HOUSE_RANK: Rank = (99, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A creative that may stand in a slot; without a flight it is a house creative. `format` is one that fits.

    `terms` is None where it may stand wherever its creative does not stand yet.
    """

    creative: str
    format: str
    flight: str | None
    campaign: str | None
    house: bool
    terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class Lots:
    """A flight's candidates, with their weights summed up; `fixed` ones are taken as they stand."""

    candidates: tuple[Candidate, ...]
    sums: tuple[float, ...]
    fixed: bool

    def draw(self, draws: Iterator[float]) -> Iterator[Candidate]:
        """Each once, in the order of the lottery."""
        return iter(self.candidates) if self.fixed else map(self.candidates.__getitem__, order(self.sums, draws))


class Kept:
    """What is worked out of a tier when it is first asked for; `views`, with a reader and without, of one standing."""

    __slots__ = ("by_flight", "views")

    def __init__(self) -> None:
        self.by_flight: dict[str | None, tuple[Candidate, ...]] | None = None
        self.views: dict[bool, tuple[object, object]] = {}


@dataclass(frozen=True, slots=True)
class Tier:
    """The lots of flights of one priority, one at least, with the weights of the flights summed up.

    `creatives` are those of all its candidates; `house` says whether one of them is of the house, `single` whether
    there is but one in each lot, and `plain` that none has terms. `booked` are lots of flights that run in a share of
    all slots, 0 to 1, whatever the weights of the others.
    """

    rank: Rank
    lots: tuple[Lots, ...]
    sums: tuple[float, ...]
    creatives: frozenset[str]
    house: bool
    single: bool
    plain: bool
    booked: tuple[tuple[float, Lots], ...] = ()
    kept: Kept = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", Kept())

    def draw(self, seed: str) -> Iterator[Candidate]:
        """The candidates flight by flight, in the order of the lottery; what is not read is not drawn.

        A booked flight comes first in its share of the draws and in no other; where shares add up to more than all
        there is, each gets less. What is left of the tier may be nobody's: then the next tier has it.
        """
        draws = numbers(seed)
        if self.booked:
            yield from self.winner(draws)
        if self.lots:
            for at in order(self.sums, draws):
                yield from self.lots[at].draw(draws)

    def winner(self, draws: Iterator[float]) -> Iterator[Candidate]:
        """The candidates of the booked flight in whose share the draw falls; none where it falls in nobody's."""
        point = next(draws) * max(1.0, sum(share for share, _ in self.booked))
        for share, lots in self.booked:
            if point < share:
                yield from lots.draw(draws)
                return
            point -= share

    def of_flight(self, flight: str | None) -> tuple[Candidate, ...]:
        """Those of one flight."""
        found = self.kept.by_flight
        if found is None:
            lots = (*self.lots, *(lots for _, lots in self.booked))
            found = self.kept.by_flight = {lot.candidates[0].flight: lot.candidates for lot in lots}
        return found.get(flight, ())

    def fresh(self, seed: str, taken: AbstractSet[str]) -> Candidate:
        """The first of `draw` whose creative is not taken; one must be left."""
        found = self._likely(seed, taken)
        if found.creative in taken:
            return next(candidate for candidate in self.draw(seed) if candidate.creative not in taken)
        return found

    def _likely(self, seed: str, taken: AbstractSet[str]) -> Candidate:
        """The same, or one that is taken: only the first draws, without the iterators that cost more than they do."""
        lots, sums = self.lots, self.sums
        if len(lots) == 1:
            lot = lots[0]
            return lot.candidates[0 if lot.fixed else hit(lot.sums, words(seed)[0])]
        if not self.single:
            first, second, *_ = words(seed)
            lot = lots[hit(sums, first)]
            return lot.candidates[0 if lot.fixed else hit(lot.sums, second)]
        for word in words(seed)[:PLAIN_DRAWS]:
            candidate = lots[hit(sums, word)].candidates[0]
            if candidate.creative not in taken:
                break
        return candidate


def tier_of(
    lots: Sequence[Lots],
    weights: Iterable[float],
    *,
    rank: Rank = HOUSE_RANK,
    booked: Iterable[tuple[float, Lots]] = (),
) -> Tier:
    """The tier of these lots, whose flights have these weights, and of those that are booked a share."""
    shares = tuple(booked)
    every = [candidate for lot in (*lots, *(lot for _, lot in shares)) for candidate in lot.candidates]
    return Tier(
        rank,
        tuple(lots),
        tuple(accumulate(weights)),
        frozenset([candidate.creative for candidate in every]),
        house=any(candidate.house for candidate in every),
        single=len(every) == len(lots),
        plain=not shares and all(candidate.terms is None for candidate in every),
        booked=shares,
    )


# All that may run in a slot, the best tier first and the house last.
Field: TypeAlias = tuple[Tier, ...]
