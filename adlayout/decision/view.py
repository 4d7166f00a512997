"""A tier as its flights stand: without those that are done, and those that take turns only on their pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from adlayout.decision.draw import numbers, order
from adlayout.decision.field import Candidate, Lots, Tier, tier_of
from adlayout.decision.turns import Standing

_FREE = "\nfree"  # makes a tier's seed that of those who need no store


@dataclass(frozen=True, slots=True)
class View:
    """`steady` are the flights that run on every page, booked ones among them, and `free` those of them that need no
    store; `turns` are the others that are not done, by their ids, each with its weight."""

    steady: Tier
    free: Tier | None
    turns: Mapping[str, tuple[float, Lots]]

    def draw(self, seed: str, taking: AbstractSet[str]) -> Iterator[Candidate]:
        """The candidates flight by flight: the lottery of the steady ones and of those who take their turn."""
        draws = numbers(seed)
        if self.steady.booked:
            for candidate in self.steady.winner(draws):
                if candidate.flight not in self.turns or candidate.flight in taking:
                    yield candidate
        if self.steady.lots or self.turns:
            yield from self._lottery(draws, taking)

    def without_store(self, seed: str) -> Iterator[Candidate]:
        """Those of `free` alone, in a lottery of their own."""
        return self.free.draw(seed + _FREE) if self.free else iter(())

    def _lottery(self, draws: Iterator[float], taking: AbstractSet[str]) -> Iterator[Candidate]:
        """One without replacement: who of the two groups is next goes by what is left of their weights."""
        late = [self.turns[flight] for flight in sorted(taking) if flight in self.turns]
        lots, sums = self.steady.lots, self.steady.sums
        left, left_late = (sums[-1] if sums else 0.0), sum(weight for weight, _ in late)
        steady = order(sums, draws) if sums else iter(())
        for _ in range(len(lots) + len(late)):
            point = next(draws) * (left + left_late) if late else 0.0
            if point < left or not late:
                at = next(steady)
                left = max(0.0, left - (sums[at] - (sums[at - 1] if at else 0.0)))
                yield from lots[at].draw(draws)
            else:
                weight, chosen = late.pop(_hit(late, point - left))
                left_late -= weight
                yield from chosen.draw(draws)


def view_of(tier: Tier, standing: Standing, *, reader: bool) -> View:
    """The tier as its flights stand, for a page with a known reader or without; worked out once for each standing."""
    known = tier.kept.views.get(reader)
    if known is not None and known[0] is standing:
        return cast(View, known[1])  # `Kept` stands below this room and cannot name what is kept
    view = _made(tier, standing, reader=reader)
    tier.kept.views[reader] = (standing, view)
    return view


def _made(tier: Tier, standing: Standing, *, reader: bool) -> View:
    def runs_here(lots: Lots) -> bool:
        return _flight(lots) not in standing.spent and any(_may(one, reader) for one in lots.candidates)

    weighted = list(zip(_weights(tier), tier.lots, strict=True))
    runs = [(weight, lots) for weight, lots in weighted if runs_here(lots)]
    turns = {flight: (weight, lots) for weight, lots in runs if (flight := _flight(lots)) in standing.rates}
    steady = [(weight, lots) for weight, lots in runs if _flight(lots) not in turns]
    booked = [(share, lots) for share, lots in tier.booked if runs_here(lots)]
    free = [(weight, lots) for weight, lots in steady if all(_needs_no_store(one, reader) for one in lots.candidates)]
    return View(
        steady=tier
        if len(steady) == len(weighted) and len(booked) == len(tier.booked)
        else _tier(tier, steady, booked),
        free=_tier(tier, free, []) if free else None,
        turns=turns,
    )


def _weights(tier: Tier) -> list[float]:
    return [after - before for before, after in pairwise((0.0, *tier.sums))]


def _tier(tier: Tier, weighted: list[tuple[float, Lots]], booked: list[tuple[float, Lots]]) -> Tier:
    lots, weights = [lots for _, lots in weighted], [weight for weight, _ in weighted]
    return tier_of(lots, weights, rank=tier.rank, booked=booked)


def _flight(lots: Lots) -> str:
    return lots.candidates[0].flight or ""


def _may(candidate: Candidate, reader: bool) -> bool:
    return candidate.terms is None or candidate.terms.rules(reader=reader) is not None


def _needs_no_store(candidate: Candidate, reader: bool) -> bool:
    rules = candidate.terms.rules(reader=reader) if candidate.terms else None
    return candidate.terms is None or (rules is not None and not rules.limits)


def _hit(late: list[tuple[float, Lots]], point: float) -> int:
    for at, (weight, _) in enumerate(late):
        if point < weight:
            return at
        point -= weight
    return len(late) - 1
