"""Deals each budget out among the shards, so that what they may spend together never passes it.

Every shard is stamped first, which only lowers its lease; then leases are raised, each only where the stamp still
stands. Stamps grow. Whoever was overtaken between two steps finds a newer stamp and raises nothing, and whoever has
stamped every shard knows the sum: nobody else can have raised since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from adlayout.counts import Ledger, Limit
from adlayout.store import keys
from adlayout.store.lane import Lane
from adlayout.store.scripts import LEASE
from adlayout.store.words import as_json

_BUDGETS_A_CALL: Final = 200
# A flight's day may not be over yet for a worker whose clock is behind.
_KEPT_DAYS: Final = 2


class _Part(NamedTuple):
    """What a shard may spend of a budget, -1 where another dealt it since, and what it has spent."""

    lease: int
    used: int


@dataclass(frozen=True, slots=True)
class Dealer:
    """Deals budgets of one day among the shards of a store."""

    lane: Lane
    shards: int
    hold_ms: int
    day: str

    async def deal(self, limits: Sequence[Limit]) -> int:
        """Deals all budgets of totals and of the day; returns how many leases were raised."""
        budgets = [limit for limit in limits if limit.ledger is not Ledger.READER]
        raised = 0
        for at in range(0, len(budgets), _BUDGETS_A_CALL):
            raised += await self._deal(budgets[at : at + _BUDGETS_A_CALL])
        return raised

    async def _deal(self, budgets: Sequence[Limit]) -> int:
        parts, stamp = await self._look(budgets)
        wanted = [
            deal(limit.most, [part.used for part in row], stamp) for limit, row in zip(budgets, parts, strict=True)
        ]
        stamped = await self._every("stamp", budgets, wanted, stamp)
        shares = [raises(limit.most, row, stamp) for limit, row in zip(budgets, stamped, strict=True)]
        risen = [at for at, (row, share) in enumerate(zip(stamped, shares, strict=True)) if share != leases(row)]
        if not risen:
            return 0
        after = await self._every("raise", [budgets[at] for at in risen], [shares[at] for at in risen], stamp)
        return sum(
            part.lease > old.lease
            for at, row in zip(risen, after, strict=True)
            for part, old in zip(row, stamped[at], strict=True)
        )

    async def _look(self, budgets: Sequence[Limit]) -> tuple[list[list[_Part]], int]:
        answers = await asyncio.gather(
            *(self._step("look", shard, budgets, [0] * len(budgets), 0) for shard in range(self.shards))
        )
        stamp = max(int(answer.pop()) for answer in answers)
        return _by_budget(answers), stamp

    async def _every(
        self, step: str, budgets: Sequence[Limit], numbers: Sequence[Sequence[int]], stamp: int
    ) -> list[list[_Part]]:
        answers = await asyncio.gather(
            *(self._step(step, shard, budgets, [row[shard] for row in numbers], stamp) for shard in range(self.shards))
        )
        return _by_budget(answers)

    async def _step(
        self, step: str, shard: int, budgets: Sequence[Limit], numbers: Sequence[int], stamp: int
    ) -> list[Any]:  # the client's replies are untyped
        rows = [[limit.ledger, limit.field, limit.most, number] for limit, number in zip(budgets, numbers, strict=True)]
        ask = {
            "step": step,
            "shards": self.shards,
            "shard": shard,
            "day": self.day,
            "oldest": _days_before(self.day, _KEPT_DAYS),
            "hold_ms": self.hold_ms,
            "stamp": stamp,
            "budgets": rows,
        }
        of = (keys.leases(shard), keys.totals(shard), keys.day(shard, self.day))
        answer: list[Any] = await self.lane.run(LEASE, of, [as_json(ask)], what="leases cannot be dealt")
        return answer


def deal(most: int, used: Sequence[int], turn: int) -> list[int]:
    """What each shard should have: what it spent, and an even part of what is left; the rest goes round in turns."""
    left = max(0, most - sum(used))
    each, rest = divmod(left, len(used))
    return [spent + each + ((at + turn) % len(used) < rest) for at, spent in enumerate(used)]


def raises(most: int, row: Sequence[_Part], turn: int) -> list[int]:
    """The leases of a budget that every shard was stamped for: none is lowered, and their sum is at most the budget.

    Where another's stamp was newer nothing is known, so nothing is raised.
    """
    if any(part.lease < 0 for part in row):
        return leases(row)
    left = most - sum(max(part.lease, part.used) for part in row)
    if left <= 0:
        return leases(row)
    wanted = deal(most, [part.used for part in row], turn)
    shares = []
    for part, want in zip(row, wanted, strict=True):
        more = min(left, max(0, want - part.lease))
        left -= more
        shares.append(part.lease + more)
    return shares


def leases(row: Sequence[_Part]) -> list[int]:
    """The leases as they stand."""
    return [part.lease for part in row]


def _by_budget(answers: Sequence[Sequence[Any]]) -> list[list[_Part]]:
    return [[_Part(int(lease), int(used)) for lease, used in row] for row in zip(*answers, strict=True)]


def _days_before(day: str, days: int) -> str:
    return (datetime.strptime(day, "%Y%m%d") - timedelta(days=days)).strftime("%Y%m%d")
