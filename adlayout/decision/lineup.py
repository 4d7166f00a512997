"""Flights as they line up for one kind of slot at one time, so that a page finds its own without asking each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from adlayout.decision.field import Field, Lots, Rank, Tier, tier_of
from adlayout.decision.targeting import Targeting


class Kind(NamedTuple):
    """What decides which creatives fit a slot: equal for most slots of a page and most pages.

    `languages` of creatives are those that its page speaks; `places` are what flights that ask for slots call it;
    `blocked` are the categories that its site does not take.
    """

    type: str
    formats: tuple[str, ...]
    languages: frozenset[str]
    places: frozenset[str]
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """The flights of one rank, by id; those at `always` run on every page and alone make the tier `base`.

    `shares` are above 0 for flights that are booked a share of the slots.
    """

    rank: Rank
    lots: tuple[Lots, ...]
    weights: tuple[float, ...]
    shares: tuple[float, ...]
    always: tuple[int, ...]
    base: Tier | None

    def tier(self, more: Sequence[int]) -> Tier | None:
        """Those that run always, and these."""
        if not more:
            return self.base
        at = sorted((*self.always, *more))
        if self.base is None or self.base.booked or any(self.shares[one] for one in more):
            return tier_at(self, at)
        added = tier_of([self.lots[one] for one in more], ())
        return Tier(
            self.rank,
            tuple(map(self.lots.__getitem__, at)),
            tuple(accumulate(map(self.weights.__getitem__, at))),
            self.base.creatives | added.creatives,
            house=self.base.house or added.house,
            single=self.base.single and added.single,
            plain=self.base.plain and added.plain,
        )


def tier_at(row: Row, at: Sequence[int]) -> Tier:
    """The tier of those flights of a row."""
    drawn = [one for one in at if not row.shares[one]]
    return tier_of(
        [row.lots[one] for one in drawn],
        [row.weights[one] for one in drawn],
        rank=row.rank,
        booked=[(row.shares[one], row.lots[one]) for one in at if row.shares[one]],
    )


@dataclass(frozen=True, slots=True)
class Choosy:
    """A flight that runs on some pages only: where it stands in which row, and what it wants."""

    row: int
    at: int
    targeting: Targeting


@dataclass(frozen=True, slots=True)
class Lineup:
    """All flights that run anywhere, and the house.

    `seekers` lead from a key and a value to those of the `choosy` that run only where a page has it, or another of
    theirs; `others` are the rest of the choosy.
    """

    rows: tuple[Row, ...]
    choosy: tuple[Choosy, ...]
    seekers: Mapping[str, Mapping[str, Sequence[int]]]
    others: Sequence[int]
    house: Field

    def field(self, values: Iterable[tuple[str, frozenset[str]]], runs: Callable[[Targeting], bool]) -> Field:
        """What runs on a page that has these values by key."""
        more: list[list[int]] = [[] for _ in self.rows]
        for one in sorted(self._maybe(values)):
            choosy = self.choosy[one]
            if runs(choosy.targeting):
                more[choosy.row].append(choosy.at)
        tiers = (row.tier(added) for row, added in zip(self.rows, more, strict=True))
        return (*(tier for tier in tiers if tier), *self.house)

    def _maybe(self, values: Iterable[tuple[str, frozenset[str]]]) -> set[int]:
        maybe = set(self.others)
        for key, found in values:
            if seekers := self.seekers.get(key):
                maybe.update(*(seekers.get(value, ()) for value in found))
        return maybe
