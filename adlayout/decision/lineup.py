"""Flights as they line up for one kind of slot at one time, so that a page finds its own without asking each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from adlayout.decision.field import Field, Lots, Tier, tier_of
from adlayout.decision.targeting import Targeting


class Kind(NamedTuple):
    """What decides which creatives fit a slot: equal for most slots of a page and most pages.

    `languages` of creatives are those that its page speaks; `places` are what flights that ask for slots call it.
    """

    type: str
    formats: tuple[str, ...]
    languages: frozenset[str]
    places: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rank:
    """The flights of one priority, by id; those at `always` run on every page and alone make the tier `base`."""

    lots: tuple[Lots, ...]
    weights: tuple[float, ...]
    always: tuple[int, ...]
    base: Tier | None

    def tier(self, more: Sequence[int]) -> Tier | None:
        """Those that run always, and these."""
        if not more:
            return self.base
        added = tier_of([self.lots[at] for at in more], ())
        base = self.base or added
        at = sorted((*self.always, *more))
        return Tier(
            tuple(map(self.lots.__getitem__, at)),
            tuple(accumulate(map(self.weights.__getitem__, at))),
            base.creatives | added.creatives,
            house=base.house or added.house,
            single=base.single and added.single,
        )


@dataclass(frozen=True, slots=True)
class Choosy:
    """A flight that runs on some pages only: where it stands in which rank, and what it wants."""

    rank: int
    at: int
    targeting: Targeting


@dataclass(frozen=True, slots=True)
class Lineup:
    """All flights that run anywhere, and the house.

    `seekers` lead from a key and a value to those of the `choosy` that run only where a page has it, or another of
    theirs; `others` are the rest of the choosy.
    """

    ranks: tuple[Rank, ...]
    choosy: tuple[Choosy, ...]
    seekers: Mapping[str, Mapping[str, Sequence[int]]]
    others: Sequence[int]
    house: Field

    def field(self, values: Iterable[tuple[str, frozenset[str]]], runs: Callable[[Targeting], bool]) -> Field:
        """What runs on a page that has these values by key."""
        more: list[list[int]] = [[] for _ in self.ranks]
        for one in sorted(self._maybe(values)):
            choosy = self.choosy[one]
            if runs(choosy.targeting):
                more[choosy.rank].append(choosy.at)
        tiers = (rank.tier(added) for rank, added in zip(self.ranks, more, strict=True))
        return (*(tier for tier in tiers if tier), *self.house)

    def _maybe(self, values: Iterable[tuple[str, frozenset[str]]]) -> set[int]:
        maybe = set(self.others)
        for key, found in values:
            if seekers := self.seekers.get(key):
                maybe.update(*(seekers.get(value, ()) for value in found))
        return maybe
