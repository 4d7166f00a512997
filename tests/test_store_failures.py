"""Pages and events while the store is gone, hung, full, read-only, loading, or at the end of a bad line."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import redis

from adlayout.errors import StoreError, StoreTimeout
from adlayout.rows import Rows
from adlayout.store.client import Recorded, Store

from .pages import ask, asking, attempt, goal, view
from .servers import Fault, Server, line, server, wait_until

Call = Callable[[Store], Coroutine[Any, Any, object]]


async def reserve(store: Store) -> int:
    """How many picks a page with one attempt got."""
    return len((await store.reserve(asking(attempt(goal(100))))).picks)


async def record(store: Store) -> Recorded:
    """Sends the first line of a spool, whether it was sent before or not."""
    return await store.record(0, "spool", 1, [view()])


async def _first_entry(store: Store) -> object:
    return [entry async for entry in store.entries(0)]


CALLS: tuple[Call, ...] = (
    reserve, record, Store.totals, Store.held, lambda store: store.day("20261124"),
    lambda store: store.hours(["2026112412"]), lambda store: store.forget(["r"]), Store.health,
    lambda store: store.raise_to(0, {"f": {"spring:v": 1}}), _first_entry,
    lambda store: store.change(Rows({"c": "{}"}), {}),
)  # fmt: skip


@pytest.fixture
def mine() -> Iterator[Server]:
    """A server of the test's own, to be maltreated."""
    with server("--enable-debug-command", "yes") as one:
        yield one
        one.send(signal.SIGCONT)


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_is_gone_is_a_store_error(mine: Server, call: Call) -> None:
    mine.kill()
    with pytest.raises(StoreError):
        ask(mine.url, call)


@pytest.mark.parametrize("call", [reserve, lambda store: store.forget(["r"]), Store.health])
def test_a_store_that_hangs_is_a_timeout(mine: Server, call: Call) -> None:
    mine.send(signal.SIGSTOP)
    with pytest.raises(StoreTimeout):
        ask(mine.url, call, timeout_ms=80, page_timeout_ms=30)


def test_a_page_is_let_wait_no_longer_than_it_may(mine: Server) -> None:
    """Though a poll may be more patient."""
    mine.send(signal.SIGSTOP)
    with pytest.raises(StoreTimeout):
        ask(mine.url, reserve, timeout_ms=60_000, page_timeout_ms=30)


def test_a_page_may_be_let_wait_longer_than_a_poll(mine: Server) -> None:
    mine.ask("CLIENT", "PAUSE", 300, "ALL")
    assert ask(mine.url, reserve, timeout_ms=50, page_timeout_ms=30_000) == 1


def test_a_server_that_pauses_its_clients_is_a_timeout_and_then_goes_on(mine: Server) -> None:
    mine.ask("CLIENT", "PAUSE", 400, "WRITE")

    async def patient(store: Store) -> int:
        with pytest.raises(StoreTimeout):
            await reserve(store)
        return await _until_it_answers(store)

    assert ask(mine.url, patient, page_timeout_ms=100) == 1


async def _until_it_answers(store: Store) -> int:
    while True:
        try:
            return await reserve(store)
        except StoreError:
            await asyncio.sleep(0.01)


def test_after_five_pages_in_vain_none_is_sent_until_the_store_is_back(mine: Server) -> None:
    async def through_an_outage(store: Store) -> tuple[str, int]:
        assert await reserve(store) == 1
        mine.kill()
        for _ in range(5):
            with pytest.raises(StoreError):
                await reserve(store)
        mine.start()
        with pytest.raises(StoreError) as refused:
            await reserve(store)
        return str(refused.value), await _until_it_answers(store)

    message, picks = ask(mine.url, through_an_outage)
    assert "(not asked again for" in message
    assert picks == 1


def test_a_wrong_key_of_one_reader_closes_the_store_to_no_other(mine: Server) -> None:
    mine.ask("SET", "adl:{adl.0}:q:bad", "", "EX", "60")
    mine.ask("LPUSH", "adl:{adl.0}:q:worse", "x")

    async def many_bad_ones(store: Store) -> int:
        for _ in range(9):
            with pytest.raises(StoreError, match="WRONGTYPE"):
                await store.reserve(asking(attempt(), memo="worse"))
        return await reserve(store)

    assert ask(mine.url, many_bad_ones) == 1


@pytest.mark.parametrize("call", [reserve, record])
def test_a_server_that_forgot_its_programs_is_given_them_again(mine: Server, call: Call) -> None:
    async def through(store: Store) -> None:
        await call(store)
        mine.ask("SCRIPT", "FLUSH")
        await call(store)
        mine.kill()
        mine.start()
        await call(store)

    ask(mine.url, through)
    assert int(str(mine.ask("DBSIZE"))) > 0


def test_400_pages_at_once_on_a_server_that_knows_no_program(mine: Server) -> None:
    async def burst(store: Store) -> int:
        return sum(await asyncio.gather(*(reserve(store) for _ in range(400))))

    assert ask(mine.url, burst) == 100


@pytest.mark.parametrize("call", [reserve, record])
def test_a_full_server_refuses_a_call_whole(mine: Server, call: Call) -> None:
    mine.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreError, match=r"OOM|memory"):
        ask(mine.url, call)
    assert mine.ask("DBSIZE") == 0
    mine.ask("CONFIG", "SET", "maxmemory", "0")
    ask(mine.url, call)


def test_a_full_server_still_says_what_it_has(mine: Server) -> None:
    ask(mine.url, record)
    mine.ask("CONFIG", "SET", "maxmemory", "1")
    assert ask(mine.url, Store.totals) == {"spring:v": 1}
    assert ask(mine.url, Store.load)[0] == 0


@pytest.mark.parametrize("call", [reserve, record])
def test_a_replica_takes_nothing(mine: Server, call: Call) -> None:
    mine.ask("REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(StoreError, match=r"(?i)read.?only|replica"):
        ask(mine.url, call)
    assert ask(mine.url, Store.health).role == "slave"


def test_a_server_that_still_reads_its_data_is_a_store_error(mine: Server) -> None:
    with mine.client() as client:
        client.mset({f"key{n}": "x" * 100 for n in range(2000)})
        client.save()
    mine.kill()
    mine.command += ["--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024"]
    mine.start(ready=False)
    wait_until(lambda: _is_loading(mine))
    with pytest.raises(StoreError, match=r"(?i)loading"):
        ask(mine.url, reserve)


def _is_loading(one: Server) -> bool:
    with pytest.raises(redis.BusyLoadingError):
        one.ask("GET", "key1")
    return True


@pytest.mark.parametrize("fault", [Fault.HOLE, Fault.RESET, Fault.HALF_CLOSE, Fault.DRIP, Fault.SLOW, Fault.LOSS])
@pytest.mark.parametrize("call", [reserve, Store.revision])
def test_a_bad_line_is_a_store_error_and_a_good_one_works_again(clean_store: str, call: Call, fault: Fault) -> None:
    async def through(store: Store, bad: Any) -> object:
        await call(store)
        bad.fault = fault
        with pytest.raises(StoreError):
            await call(store)
        bad.fault = Fault.NONE
        return await call(store)

    with line(clean_store) as bad:
        assert ask(bad.url, lambda store: through(store, bad), timeout_ms=150, page_timeout_ms=150) in {0, 1}


@pytest.mark.parametrize("fault", [Fault.DRIP, Fault.SLOW])
def test_an_answer_that_comes_late_but_in_time_is_one(mine: Server, fault: Fault) -> None:
    async def through(store: Store, bad: Any) -> int:
        await store.revision()
        bad.fault = fault
        return await store.revision()

    with line(mine.url) as bad:
        assert ask(bad.url, lambda store: through(store, bad)) == 0


def test_a_page_that_is_given_up_takes_no_answer_of_another(clean_store: str) -> None:
    """Callers go away at any moment; who comes next on their connection is told what he asked."""

    async def impatient(store: Store) -> list[str]:
        found = []
        for n in range(60):
            first = asyncio.create_task(store.reserve(asking(attempt(creative=f"gone{n}"))))
            await asyncio.sleep(0.0002 * (n % 7))
            first.cancel()
            answer = await store.reserve(asking(attempt(creative=f"here{n}")))
            found.append(answer.picks[0][1])
        return found

    assert ask(clean_store, impatient) == [f"here{n}" for n in range(60)]


def test_the_health_of_a_server_says_whether_it_may_forget(mine: Server) -> None:
    healthy = ask(mine.url, Store.health)
    assert (healthy.role, healthy.policy, healthy.servers, healthy.evicts) == ("master", "noeviction", 1, False)
    assert (healthy.memory_most, healthy.append_only) == (0, False)
    mine.ask("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru", "appendonly", "yes")
    sick = ask(mine.url, Store.health)
    assert (sick.policy, sick.evicts, sick.memory_most, sick.append_only) == ("allkeys-lru", True, 100 << 20, True)
    assert 0 < sick.memory_used < sick.memory_most
