"""The store on a real cluster and under a real sentinel: what a failover costs, and that it costs no count."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adlayout.counts import Record, shard_of
from adlayout.errors import StoreError
from adlayout.rows import Rows
from adlayout.store import keys
from adlayout.store.client import Store

from .pages import CAP, DAY_MS, READER, TODAY, T, ask, asking, attempt, cap, goal, page, view
from .servers import HOST, Cluster, Watched, cluster, wait_until, watched

SHARDS = 3
NOON = int(datetime(2026, 11, 24, 12, 30, tzinfo=UTC).timestamp() * 1000)
PAGES = tuple(next(str(n) for n in range(99) if shard_of(str(n), SHARDS) == shard) for shard in range(SHARDS))
ROWS = Rows({"c": "{}"}, {"f": "{}"}, {"a": '"ä"'})


@pytest.fixture(scope="module")
def standing() -> Iterator[Cluster]:
    """A cluster for tests that leave it whole."""
    with cluster() as found:
        yield found


@pytest.fixture
def whole(standing: Cluster) -> Cluster:
    """The same, with nothing in it."""
    for one in standing.servers:
        if "role:master" in str(one.ask("INFO", "replication")):
            one.ask("FLUSHALL")
    return standing


@pytest.fixture
def mine() -> Iterator[Cluster]:
    """A cluster of the test's own, to be maltreated."""
    with cluster() as found:
        yield found


@pytest.fixture
def guarded() -> Iterator[Watched]:
    """A primary, its replica and a sentinel, to be maltreated."""
    with watched() as found:
        yield found


def test_the_shards_lie_on_different_servers(whole: Cluster) -> None:
    assert len({whole.primary_of(keys.totals(shard)).port for shard in range(SHARDS)}) > 1


def test_everything_works_on_a_cluster(whole: Cluster) -> None:
    async def everything(store: Store) -> list[Any]:
        revision = await store.publish(ROWS, replace=True)
        ask_all = (asking(attempt(goal(9), cap(9)), shard_key=key, reader=READER, memo="m") for key in PAGES)
        answers = [await store.reserve(one) for one in ask_all]
        for shard, answer in enumerate(answers):
            lines = [view(NOON, b=answer.bucket), page(NOON, reader=READER, caps=[[CAP, DAY_MS]])]
            await store.record(shard, "spool", 1, lines)
        await store.rebalance([goal(9)], day=TODAY)
        entries = [entry["e"] async for _, entry in store.entries(1)]
        return [
            revision, [(len(one.picks), one.revision) for one in answers], await store.load(), await store.totals(),
            await store.held(), entries, await store.forget(READER), (await store.health()).servers,
        ]  # fmt: skip

    expected = [1, [(1, 1)] * 3, (1, ROWS), {"spring:v": 3, "spring:s": 3}, {}, ["view", "page"], 3, 3]
    assert ask(whole.url, everything, shards=SHARDS) == expected


def test_reports_may_be_read_from_replicas(whole: Cluster) -> None:
    async def until_they_copied(store: Store) -> dict[str, int]:
        await store.record(2, "spool", 1, [view(NOON)])
        return await _until(lambda: store.day("20261124"))

    assert ask(whole.url, until_they_copied, shards=SHARDS) == {"spring:v": 1}
    reads = [str(one.ask("INFO", "commandstats")) for one in whole.servers]
    replicas = [text for text, one in zip(reads, whole.servers, strict=True) if b"role:slave" in _replication(one)]
    assert any("cmdstat_hgetall" in text for text in replicas)


def _replication(one: Any) -> bytes:
    return bytes(one.ask("INFO", "replication"))


def test_400_pages_at_once_on_three_shards_never_pass_a_goal(whole: Cluster) -> None:
    async def burst(store: Store) -> int:
        asked = (store.reserve(asking(attempt(goal(100)), shard_key=str(n))) for n in range(400))
        return sum(len(answer.picks) for answer in await asyncio.gather(*asked))

    assert ask(whole.url, burst, shards=SHARDS) == 100
    assert ask(whole.url, Store.held, shards=SHARDS) == {"spring:v": 100}


def test_more_pages_than_connections_wait_for_one(whole: Cluster) -> None:
    async def burst(store: Store) -> int:
        return len(await asyncio.gather(*(store.reserve(asking(attempt())) for _ in range(1000))))

    assert ask(whole.url, burst) == 1000


async def _until(look: Callable[[], Awaitable[dict[str, int]]]) -> dict[str, int]:
    """What is counted as soon as anything is."""
    while True:
        if found := await look():
            return found
        await asyncio.sleep(0.001)


async def _once_it_answers(call: Callable[[], Awaitable[T]]) -> T:
    """What the store says as soon as it says anything."""
    while True:
        try:
            return await call()
        except StoreError:
            await asyncio.sleep(0.02)


async def _send_all(store: Store, shard: int, lines: list[Record]) -> None:
    """Sends every line once it may, from where the store says, until all are applied."""
    position = 0
    while position < len(lines):
        try:
            answer = await store.record(shard, "spool", position + 1, lines[position : position + 5])
        except StoreError:
            await asyncio.sleep(0.02)
        else:
            position = answer.position


async def _settle(store: Store, lines: list[Record]) -> dict[str, int]:
    """What is counted when all was sent, and sent again from where a new primary wants it."""
    await asyncio.gather(*(_send_all(store, shard, lines) for shard in range(store.shards)))
    return await _once_it_answers(store.totals)


@pytest.mark.timeout(120)
def test_a_primary_that_dies_in_the_middle_costs_no_event_and_doubles_none(mine: Cluster) -> None:
    lines = [view(NOON, a=str(n)) for n in range(400)]

    async def through_a_failover(store: Store) -> dict[str, int]:
        sending = asyncio.create_task(_settle(store, lines))
        await _until(store.totals)
        mine.primary_of(keys.totals(1)).kill()
        await sending
        return await _settle(store, lines)

    assert ask(mine.url, through_a_failover, shards=SHARDS, timeout_ms=1000) == {"spring:v": 3 * 400}


@pytest.mark.timeout(120)
def test_lines_that_a_new_primary_never_saw_are_sent_again(mine: Cluster) -> None:
    """The replica is cut off, then the primary dies: what it alone had is asked for again."""
    lines = [view(NOON, a=str(n)) for n in range(20)]
    primary = mine.primary_of(keys.totals(1))
    replica = next(one for one in mine.servers if str(primary.port).encode() in _replication(one))

    async def lose(store: Store) -> tuple[int, dict[str, int]]:
        await store.record(1, "spool", 1, lines[:10])
        wait_until(lambda: replica.ask("CLUSTER", "COUNTKEYSINSLOT", _slot(primary)) != 0)
        replica.send(signal.SIGSTOP)
        primary.ask("CLIENT", "KILL", "TYPE", "replica")
        await store.record(1, "spool", 11, lines[10:15])
        primary.kill()
        replica.send(signal.SIGCONT)
        wait_until(lambda: mine.primary_of(keys.totals(1)).port == replica.port)
        answer = await _once_it_answers(lambda: store.record(1, "spool", 21, []))
        await _send_all(store, 1, lines)
        return answer.position, await store.totals()

    assert ask(mine.url, lose, shards=SHARDS, timeout_ms=1000) == (10, {"spring:v": 20})


def _slot(one: Any) -> int:
    return int(one.ask("CLUSTER", "KEYSLOT", keys.totals(1)))


@pytest.mark.timeout(120)
def test_pages_go_on_after_a_failover_and_those_of_other_shards_meanwhile(mine: Cluster) -> None:
    async def serve(store: Store, shard: int) -> bool:
        try:
            return len((await store.reserve(asking(attempt(), shard_key=PAGES[shard]))).picks) == 1
        except StoreError:
            return False

    async def through_a_failover(store: Store) -> list[bool]:
        assert all([await serve(store, shard) for shard in range(SHARDS)])
        lost = mine.primary_of(keys.totals(0))
        lost.kill()
        untouched = next(n for n in range(SHARDS) if mine.primary_or_none(keys.totals(n)) is not None)
        others = []
        while not await serve(store, 0):
            others.append(await serve(store, untouched))
            await asyncio.sleep(0.02)
        return others

    others = ask(mine.url, through_a_failover, shards=SHARDS, page_timeout_ms=300, timeout_ms=1000)
    assert others.count(True) > others.count(False)


@pytest.mark.timeout(120)
def test_a_sentinel_says_who_is_primary_after_a_failover(guarded: Watched) -> None:
    lines = [view(NOON, a=str(n)) for n in range(100)]

    async def through_a_failover(store: Store) -> dict[str, int]:
        await _send_all(store, 0, lines[:50])
        guarded.primary.kill()
        return await _settle(store, lines)

    assert ask(guarded.url, through_a_failover, timeout_ms=1000) == {"spring:v": 100}
    assert guarded.leads(guarded.replica)


@pytest.mark.timeout(120)
def test_a_primary_that_was_demoted_takes_nothing_and_the_new_one_is_found(guarded: Watched) -> None:
    async def through_a_pause(store: Store) -> tuple[int, str]:
        await store.reserve(asking(attempt(goal(5))))
        guarded.primary.send(signal.SIGSTOP)
        wait_until(lambda: guarded.leads(guarded.replica))
        guarded.primary.send(signal.SIGCONT)
        # As the sentinel will, some time.
        guarded.primary.ask("REPLICAOF", HOST, guarded.replica.port)
        wait_until(lambda: b"role:slave" in _replication(guarded.primary))
        answer = await _once_it_answers(lambda: store.reserve(asking(attempt(goal(5)))))
        return len(answer.picks), (await store.health()).role

    assert ask(guarded.url, through_a_pause, timeout_ms=1000, page_timeout_ms=1000) == (1, "master")


def test_a_sentinel_may_want_a_name_and_a_password(guarded: Watched) -> None:
    guarded.sentinel.ask("ACL", "SETUSER", "watcher", "on", ">secret", "+@all")
    login = "sentinel_username=watcher&sentinel_password=secret"
    guarded.sentinel.ask("ACL", "SETUSER", "default", "off")
    assert ask(f"{guarded.url}?{login}", Store.revision) == 0
    with pytest.raises(StoreError, match=r"No master found for 'main' : network:\w+, auth:AuthenticationError$"):
        ask(guarded.url, Store.revision)


@pytest.mark.parametrize("url", ["redis+cluster://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/main"])
def test_nobody_at_the_address_is_a_store_error(url: str) -> None:
    with pytest.raises(StoreError):
        ask(url, Store.revision)


def test_a_sentinel_that_knows_no_such_primary_is_a_store_error(guarded: Watched) -> None:
    with pytest.raises(StoreError, match="No master found"):
        ask(guarded.url.replace("/main", "/other"), Store.revision)
