"""Budgets dealt among shards: what they may spend together never passes the budget, whoever deals, however often."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from adlayout.counts import Limit, shard_of
from adlayout.rows import Rows
from adlayout.store import keys, leases
from adlayout.store.client import Store
from adlayout.store.leases import Dealer, deal, raises

from .pages import TODAY, ask, asking, attempt, daily, goal, view

SHARDS = 3
# A page of each shard.
PAGES = tuple(next(str(n) for n in range(99) if shard_of(str(n), SHARDS) == shard) for shard in range(SHARDS))
FIELD = goal(1).field


async def spend(store: Store, shard: int, *limits: Limit, pages: int = 1) -> int:
    """How many of so many pages of one shard at once get an ad."""
    asked = [store.reserve(asking(attempt(*limits), shard_key=PAGES[shard])) for _ in range(pages)]
    return sum(len(answer.picks) for answer in await asyncio.gather(*asked))


def rebalance(url: str, *limits: Limit) -> int:
    return ask(url, lambda store: store.rebalance(limits, day=TODAY), shards=SHARDS)


def dealt(url: str, field: str = FIELD) -> list[int]:
    """The lease of each shard."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return [int(str(client.hget(keys.leases(shard), field)).split("|")[0]) for shard in range(SHARDS)]


@pytest.mark.parametrize(("most", "expected"), [(10, [4, 3, 3]), (3, [1, 1, 1]), (2, [1, 1, 0]), (0, [0, 0, 0])])
def test_shards_share_evenly_before_anything_is_dealt(clean_store: str, most: int, expected: list[int]) -> None:
    async def all_shards(store: Store) -> list[int]:
        return [await spend(store, shard, goal(most), pages=12) for shard in range(SHARDS)]

    assert ask(clean_store, all_shards, shards=SHARDS) == expected


def test_a_day_is_shared_as_well(clean_store: str) -> None:
    assert ask(clean_store, lambda store: spend(store, 0, daily(6), pages=5), shards=SHARDS) == 2


def test_what_others_do_not_need_goes_where_it_is_needed(clean_store: str) -> None:
    """All pages come to one shard: it gets the whole budget little by little, and never more."""

    async def lopsided(store: Store) -> int:
        spent = 0
        for _ in range(30):
            spent += await spend(store, 1, goal(100), pages=40)
            await store.rebalance([goal(100)], day=TODAY)
        return spent

    assert ask(clean_store, lopsided, shards=SHARDS) == 100


def test_a_day_that_is_over_keeps_no_lease(clean_store: str) -> None:
    async def three_days(store: Store) -> None:
        for day in ("20261120", "20261123", "20261124"):
            await store.rebalance([daily(9), goal(9, field="20240101:v")], day=day)

    ask(clean_store, three_days, shards=SHARDS)
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        kept = client.hkeys(keys.leases(2))
    assert sorted(kept) == ["20240101:v", f"20261123:{FIELD}", f"20261124:{FIELD}"]


@pytest.mark.parametrize("most", [30, 300, 60, 0])
def test_leases_of_a_budget_that_changed_still_fit_into_it(clean_store: str, most: int) -> None:
    rebalance(clean_store, goal(90))

    async def all_shards(store: Store) -> int:
        return sum([await spend(store, shard, goal(most), pages=most or 1) for shard in range(SHARDS)])

    assert ask(clean_store, all_shards, shards=SHARDS) == min(most, 90)
    rebalance(clean_store, goal(most))
    assert sum(dealt(clean_store)) <= most


def test_a_shard_that_spent_more_than_its_part_of_a_smaller_budget_takes_it_from_the_others(clean_store: str) -> None:
    ask(clean_store, lambda store: store.raise_to(0, {"f": {FIELD: 70}}), shards=SHARDS)
    rebalance(clean_store, goal(90))

    async def others(store: Store) -> int:
        return await spend(store, 1, goal(75), pages=30) + await spend(store, 2, goal(75), pages=30)

    for _ in range(3):
        rebalance(clean_store, goal(75))
    assert ask(clean_store, others, shards=SHARDS) <= 5


def test_nothing_is_dealt_where_there_is_one_shard(clean_store: str) -> None:
    assert ask(clean_store, lambda store: store.rebalance([goal(9)], day=TODAY)) == 0
    with redis.Redis.from_url(clean_store) as client:
        assert client.keys() == []


def test_hundreds_of_budgets_are_dealt(clean_store: str) -> None:
    limits = [goal(7, field=f"f{n}:v") for n in range(450)]
    ask(clean_store, lambda store: store.raise_to(1, {"f": {"f449:v": 2}}), shards=SHARDS)
    assert rebalance(clean_store, *limits) > 0
    assert sorted(dealt(clean_store, "f0:v")) == [2, 2, 3]
    assert sum(dealt(clean_store, "f449:v")) == 7
    assert dealt(clean_store, "f449:v")[1] >= 3


def test_dealing_brings_a_shard_to_the_revision_it_missed(clean_store: str) -> None:
    ask(clean_store, lambda store: store.publish(Rows({"c": "{}"}), replace=True), shards=SHARDS)
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        assert client.mget([keys.revision(shard) for shard in range(SHARDS)]) == ["1", "1", "1"]
        client.delete(keys.revision(2))
        rebalance(clean_store, goal(9))
        assert client.get(keys.revision(2)) == "1"


class Paused:
    """A lane that lets the other dealer finish before its own call number `at`."""

    def __init__(self, lane: Any, other: Any, at: int) -> None:
        self._lane, self._other, self._left = lane, other, at

    async def run(self, *words: Any, **options: Any) -> Any:
        if self._left == 0:
            await self._other()
        self._left -= 1
        return await self._lane.run(*words, **options)


@pytest.mark.parametrize("at", range(3 * SHARDS))
def test_a_dealer_that_pauses_anywhere_raises_nothing_on_old_knowledge(clean_store: str, at: int) -> None:
    """Meanwhile another deals, pages spend, and the sum of leases fits at every moment."""
    limit = goal(30)

    async def overtaken(store: Store) -> list[int]:
        sums = []

        async def other() -> None:
            for shard in (2, 0, 2):
                await spend(store, shard, limit, pages=20)
                await store.rebalance([limit], day=TODAY)
                sums.append(sum(dealt(clean_store)))

        slow: Any = Paused(store._bulk, other, at)
        await spend(store, 0, limit, pages=20)
        await Dealer(slow, SHARDS, 60_000, TODAY).deal([limit])
        await asyncio.gather(*(spend(store, shard, limit, pages=40) for shard in range(SHARDS)))
        return [*sums, sum(dealt(clean_store))]

    assert max(ask(clean_store, overtaken, shards=SHARDS)) <= 30
    assert ask(clean_store, Store.held, shards=SHARDS)[FIELD] <= 30


def test_no_two_dealers_have_one_stamp(clean_store: str) -> None:
    async def many(store: Store) -> list[int]:
        dealers = [Dealer(store._bulk, SHARDS, 60_000, TODAY) for _ in range(50)]
        return [stamp for _, stamp in await asyncio.gather(*(one._look([goal(9)]) for one in dealers))]

    assert len(set(ask(clean_store, many, shards=SHARDS))) == 50


def test_stamps_grow_though_the_clock_does_not(clean_store: str) -> None:
    ahead = 10**16 // 2
    with redis.Redis.from_url(clean_store) as client:
        client.hset(keys.leases(0), "@stamp", ahead)
    rebalance(clean_store, goal(9))
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        assert str(client.hget(keys.leases(1), FIELD)).split("|")[1] == str(ahead + 1)


@pytest.mark.parametrize("seed", range(3))
def test_many_dealers_and_pages_at_once_never_pass_a_budget(clean_store: str, seed: int) -> None:
    chance, limit = random.Random(seed), goal(120)  # noqa: S311 (which page comes when)

    async def reader(store: Store) -> int:
        spent = 0
        for _ in range(40):
            spent += await spend(store, chance.choice((0, 0, 0, 1, 2)), limit)
        return spent

    async def dealer(store: Store) -> None:
        for _ in range(10):
            await store.rebalance([limit], day=TODAY)

    async def all_at_once(store: Store) -> list[int | None]:
        return await asyncio.gather(*(reader(store) for _ in range(6)), *(dealer(store) for _ in range(4)))

    spent = sum(one or 0 for one in ask(clean_store, all_at_once, shards=SHARDS))
    assert 100 < spent <= 120
    assert ask(clean_store, Store.held, shards=SHARDS) == {FIELD: spent}


@given(most=st.integers(0, 200), used=st.lists(st.integers(0, 80), min_size=2, max_size=6), turn=st.integers(0, 10**16))
def test_a_deal_spends_the_budget_exactly(most: int, used: list[int], turn: int) -> None:
    shares = deal(most, used, turn)
    assert sum(shares) == max(most, sum(used))
    assert all(share >= spent for share, spent in zip(shares, used, strict=True))


PARTS = st.lists(st.tuples(st.integers(-1, 80), st.integers(0, 80)), min_size=2, max_size=6)


@given(most=st.integers(0, 200), parts=PARTS, turn=st.integers(0, 99))
def test_raising_lowers_none_and_stays_within_the_budget(
    most: int, parts: Sequence[tuple[int, int]], turn: int
) -> None:
    row = [leases._Part(*part) for part in parts]
    before = leases.leases(row)
    after = raises(most, row, turn)
    assert all(new >= old for new, old in zip(after, before, strict=True))
    assert after == before or sum(after) <= most


def test_the_days_of_leases_are_days() -> None:
    assert leases._days_before("20260301", 2) == (datetime(2026, 3, 1, tzinfo=UTC) - timedelta(2)).strftime("%Y%m%d")


def test_a_lease_counts_what_is_done(clean_store: str) -> None:
    lines = [view(0) for _ in range(4)]
    ask(clean_store, lambda store: store.record(0, "spool", 1, lines), shards=SHARDS)
    assert ask(clean_store, lambda store: spend(store, 0, goal(12), pages=2), shards=SHARDS) == 0
    assert rebalance(clean_store, goal(12)) > 0
    assert ask(clean_store, lambda store: spend(store, 0, goal(12), pages=9), shards=SHARDS) >= 2
