"""Whatever happens to this process, to its disk or to the store, what was taken counts, and counts once."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from adlayout.counting import Counter, Pace, Waiting
from adlayout.counts import Reader
from adlayout.events.beacon import Batch
from adlayout.events.record import Happening, What
from adlayout.events.spool import Bounds
from adlayout.events.token import Ad, Signer, Ticket
from adlayout.store import embedded
from adlayout.store.client import Store

ADS = (
    Ad("top", "spring", "board", "acme", None, "leaderboard"),
    Ad("inline-1", "-", "house", "-", 2, "in-article"),
    Ad("inline-2", "spring", "box", "acme", 4, "in-article"),
)
TICKET = Ticket(4_000_000_000, "default", "article", "mobile", serve="5e7e", slots=4, ads=ADS)
SIGNER = Signer(["secret"])
PAGE = SIGNER.sign(TICKET)
VIEW = Happening(What.VIEW, slot="inline-2")
CLICK = Happening(What.CLICK, slot="inline-2")
QUICK = Pace(sync_s=0.05, adopt_s=0.05)


class Server:
    """A real Valkey under one address, whichever server stands there."""

    def __init__(self, home: Path, data: Path | None = None) -> None:
        self._address, self._data = home / "s", data
        self._server: embedded.Embedded | None = None
        self.url = f"unix://{self._address}"

    def start(self) -> None:
        self._server = embedded.start(self._data)
        self._address.unlink(missing_ok=True)
        self._address.symlink_to(self._server.url.removeprefix("unix://"))

    def send(self, number: signal.Signals) -> None:
        assert self._server
        os.kill(self._server.pid, number)

    def kill(self) -> None:
        if self._server:
            self.send(signal.SIGKILL)
            self._server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


class Bench:
    """Counters over one directory, and what they told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told: list[tuple[str, dict[str, object]]] = []

    def log(self, event: str, /, **fields: object) -> None:
        self.told.append((event, fields))

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.told]

    def counter(
        self, *, shards: int = 1, bounds: Bounds | None = None, now: Callable[[], float] = time.time, pace: Pace = QUICK
    ) -> Counter:
        return Counter(
            self.directory, shards=shards, log=self.log, bounds=bounds or Bounds(ring_s=60), pace=pace, now=now
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "spool")


@asynccontextmanager
async def running(counter: Counter, url: str, *, shards: int = 1) -> AsyncIterator[Store]:
    """The counter's background, for as long as the block runs."""
    store = Store(url, shards=shards)
    task = asyncio.create_task(counter.run(store))
    try:
        yield store
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        counter.close()
        await store.close()


async def until(holds: Callable[[], bool], *, within_s: float = 30) -> None:
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        await asyncio.sleep(0.005)


async def until_empty(counter: Counter) -> None:
    await until(lambda: counter.waiting().lines == 0)


async def stream(store: Store, shard: int = 0) -> list[dict[str, Any]]:
    return [entry async for _, entry in store.entries(shard)]


def pages(counter: Counter, number: int) -> None:
    for _ in range(number):
        counter.page(PAGE)


def spring(number: int) -> dict[str, int]:
    """The totals of that many pages."""
    return {"spring:s": 2 * number, "-:s": number}


# What counts.


def test_a_page_its_view_and_its_click_count_for_their_flight(bench: Bench, clean_store: str) -> None:
    async def main() -> tuple[dict[str, int], list[dict[str, Any]]]:
        counter = bench.counter()
        async with running(counter, clean_store) as store:
            counter.page(PAGE)
            assert counter.happened(TICKET, VIEW)
            assert counter.happened(TICKET, CLICK)
            await until_empty(counter)
            return await store.totals(), await stream(store)

    totals, entries = asyncio.run(main())
    assert totals == {"spring:s": 2, "-:s": 1, "spring:v": 1, "spring:c": 1}
    assert [(entry["e"], entry["i"], len(entry["p"])) for entry in entries] == [
        ("page", "5e7e", 3),
        ("view", "5e7e", 1),
        ("click", "5e7e", 1),
    ]
    assert bench.told == []


def test_an_entry_of_the_stream_says_all_that_is_known(bench: Bench, clean_store: str) -> None:
    ticket = TICKET._replace(variation="density=every-3", section="world", article="kz-1", reader=Reader("a", "b"))

    async def main() -> list[dict[str, Any]]:
        counter = bench.counter(now=lambda: 1_700_000_000.0)
        async with running(counter, clean_store) as store:
            await until(lambda: counter.ahead != timedelta())
            counter._clock._ahead_ms = 5
            counter.happened(ticket, VIEW, caps_of=lambda what, ad: [(f"{ad.flight}:{what}", 1000)], bad="crawler")
            counter.happened(ticket, Happening(What.ENGAGED, value=12_000, number=1))
            counter.happened(ticket, Happening(What.CONVERSION, value=9.5, name='a"b'))
            await until_empty(counter)
            return await stream(store)

    shared = {"i": "5e7e", "b": 0, "s": "default", "l": "article", "v": "density=every-3", "d": "mobile"}
    shared |= {"c": "world", "a": "kz-1", "n": 4, "at": 1_700_000_000_005}
    assert asyncio.run(main()) == [
        {**shared, "e": "view", "p": [list(ADS[2])], "caps": [["spring:view", 1000]], "bad": "crawler"},
        {**shared, "e": "engaged", "p": [], "value": 12_000},
        {**shared, "e": "conversion", "p": [], "value": 9.5, "name": 'a"b'},
    ]


@pytest.mark.parametrize(
    ("serve", "id", "counted"),
    [("5e7e", "", 1), ("5e7e", "browser-made", 1), ("", "browser-made", 1), ("", "", 50)],
)
def test_what_a_named_page_reports_again_counts_once(
    serve: str, id: str, counted: int, bench: Bench, clean_store: str
) -> None:
    async def main() -> tuple[dict[str, int], int]:
        counter = bench.counter()
        async with running(counter, clean_store) as store:
            for _ in range(50):
                counter.happened(TICKET._replace(serve=serve), VIEW, id=id)
            await until_empty(counter)
            return await store.totals(), len(await stream(store))

    assert asyncio.run(main()) == ({"spring:v": counted}, counted)


def test_a_name_that_a_browser_made_up_is_never_that_of_another_page(bench: Bench, clean_store: str) -> None:
    async def main() -> dict[str, int]:
        counter = bench.counter()
        async with running(counter, clean_store) as store:
            counter.happened(TICKET._replace(serve=""), VIEW, id="5e7e")
            counter.happened(TICKET, VIEW)
            await until_empty(counter)
            return await store.totals()

    assert asyncio.run(main()) == {"spring:v": 2}


@pytest.mark.parametrize(("once", "counted"), [(True, 1), (False, 3)])
def test_a_page_that_is_asked_for_again_counts_once(once: bool, counted: int, bench: Bench, clean_store: str) -> None:
    async def main() -> dict[str, int]:
        counter = bench.counter()
        async with running(counter, clean_store) as store:
            for _ in range(3):
                counter.page(PAGE, once=once)
            await until_empty(counter)
            return await store.totals()

    assert asyncio.run(main()) == spring(counted)


def test_invalid_traffic_counts_apart(bench: Bench, clean_store: str) -> None:
    async def main() -> dict[str, int]:
        counter = bench.counter()
        async with running(counter, clean_store) as store:
            counter.page(PAGE, bad="crawler")
            counter.happened(TICKET, VIEW, bad="rate")
            await until_empty(counter)
            return await store.totals()

    assert asyncio.run(main()) == {"spring:xs": 2, "-:xs": 1, "spring:xv": 1}


def test_what_counts_for_a_reader_counts_under_his_key(bench: Bench, clean_store: str) -> None:
    ticket = TICKET._replace(reader=Reader("now", "before"))

    async def main() -> None:
        counter = bench.counter()
        async with running(counter, clean_store):
            counter.page(SIGNER.sign(ticket), caps=[("flight:spring:served", 60_000)] * 2)
            counter.happened(ticket, VIEW, caps_of=lambda what, ad: [(f"flight:{ad.flight}:{what}", 60_000)])
            counter.happened(TICKET, CLICK, caps_of=lambda what, ad: [("nobody", 60_000)])
            await until_empty(counter)

    asyncio.run(main())
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        kept = client.hgetall("adl:{adl.0}:u:now")
    assert {name: text.partition("|")[0] for name, text in kept.items()} == {
        "flight:spring:served": "2",
        "flight:spring:view": "1",
    }


def test_without_caps_nothing_counts_for_a_reader(bench: Bench, clean_store: str) -> None:
    ticket = TICKET._replace(reader=Reader("now", "before"))

    async def main() -> dict[str, int]:
        counter = bench.counter()
        async with running(counter, clean_store) as store:
            counter.page(SIGNER.sign(ticket))
            counter.happened(ticket, VIEW)
            await until_empty(counter)
            return await store.totals()

    assert asyncio.run(main()) == {"spring:s": 2, "-:s": 1, "spring:v": 1}
    with redis.Redis.from_url(clean_store) as client:
        assert list(client.scan_iter("*:u:*")) == []


def test_a_batch_says_what_was_left_out(bench: Bench) -> None:
    counter = bench.counter()
    batch = Batch("t", "browser-made", (VIEW, Happening(What.VIEW, slot="empty"), CLICK), ("bad_value",))
    assert counter.batch(TICKET, batch) == ("bad_value", "unknown_slot")
    assert counter.waiting().lines == 2
    counter.close()


def test_each_shard_counts_its_own(bench: Bench, clean_store: str) -> None:
    async def main() -> tuple[list[int], dict[str, int]]:
        counter = bench.counter(shards=2)
        async with running(counter, clean_store, shards=2) as store:
            for shard in (0, 1, 1, 5):
                counter.happened(TICKET._replace(shard=shard, serve=""), VIEW)
            await until_empty(counter)
            return [len(await stream(store, shard)) for shard in (0, 1)], await store.totals()

    assert asyncio.run(main()) == ([1, 3], {"spring:v": 4})


def test_more_than_a_batch_counts_in_its_order(bench: Bench, clean_store: str) -> None:
    async def main() -> list[int]:
        counter = bench.counter(pace=replace(QUICK, batch_lines=7))
        async with running(counter, clean_store) as store:
            for number in range(100):
                counter.happened(TICKET, Happening(What.ENGAGED, value=number, number=number))
            await until_empty(counter)
            return [entry["value"] for entry in await stream(store)]

    assert asyncio.run(main()) == list(range(100))


@pytest.mark.parametrize("skew_s", [-300, 300])
def test_events_happen_by_the_clock_of_the_store(skew_s: int, bench: Bench, clean_store: str) -> None:
    async def main() -> int:
        counter = bench.counter(now=lambda: time.time() + skew_s)
        async with running(counter, clean_store) as store:
            await until(lambda: counter.ahead != timedelta())
            counter.page(PAGE)
            await until_empty(counter)
            return int((await stream(store))[0]["at"])

    assert abs(asyncio.run(main()) - time.time() * 1000) < 10_000


# What goes wrong.


def test_events_wait_for_a_store_that_is_away(bench: Bench, server: Server) -> None:
    async def main() -> tuple[Waiting, dict[str, int]]:
        counter = bench.counter()
        async with running(counter, server.url) as store:
            pages(counter, 300)
            await until(lambda: "events_wait" in bench.events)
            waiting = counter.waiting()
            server.start()
            await until_empty(counter)
            return waiting, await store.totals()

    waiting, totals = asyncio.run(main())
    assert (waiting.lines, waiting.lost, 0 <= waiting.oldest_s < 10) == (300, 0, True)
    assert totals == spring(300)
    assert bench.events == ["events_wait", "events_flow"]


def test_an_answer_that_was_lost_counts_nothing_twice(bench: Bench, server: Server) -> None:
    """A store that hangs does what it was told as soon as it can, and by then it was told again."""

    async def main() -> tuple[dict[str, int], int]:
        counter = bench.counter(now=lambda: time.time() + 60)
        async with running(counter, server.url) as store:
            await until(lambda: counter.ahead != timedelta())
            server.send(signal.SIGSTOP)
            pages(counter, 250)
            await until(lambda: "events_wait" in bench.events)
            server.send(signal.SIGCONT)
            pages(counter, 250)
            await until_empty(counter)
            return await store.totals(), len(await stream(store))

    server.start()
    assert asyncio.run(main()) == (spring(500), 500)


@pytest.mark.parametrize("new", [0, 1], ids=["nothing new", "a new page"])
def test_a_store_that_lost_its_last_second_is_sent_it_again(new: int, bench: Bench, tmp_path: Path) -> None:
    """It is killed, and what it wrote last never reached the disk."""
    data = tmp_path / "data"
    server = Server(tmp_path, data)

    async def main() -> tuple[dict[str, int], int]:
        counter = bench.counter(bounds=Bounds(ring_s=3))
        async with running(counter, server.url) as store:
            pages(counter, 40)
            await until_empty(counter)
            log = next(path for path in (data / "appendonlydir").iterdir() if path.name.endswith(".incr.aof"))
            synced = log.stat().st_size
            pages(counter, 60)
            await until_empty(counter)
            server.kill()
            os.truncate(log, synced)
            server.start()
            pages(counter, new)
            await until(lambda: "events_again" in bench.events)
            await until_empty(counter)
            return await store.totals(), len(await stream(store))

    server.start()
    try:
        assert asyncio.run(main()) == (spring(100 + new), 100 + new)
    finally:
        server.kill()


def test_a_store_that_lost_everything_is_sent_what_is_still_there(bench: Bench, server: Server) -> None:
    async def main() -> dict[str, int]:
        counter = bench.counter(bounds=Bounds(ring_s=0, segment_bytes=1))
        async with running(counter, server.url) as store:
            for _ in range(3):
                pages(counter, 10)
                await until_empty(counter)
            await until(lambda: not counter._own[0].spool.ring_due)
            server.kill()
            server.start()
            pages(counter, 5)
            await until_empty(counter)
            return await store.totals()

    server.start()
    totals = asyncio.run(main())
    assert totals["spring:s"] >= 10
    assert totals == spring(totals["-:s"])


def test_a_store_that_lost_more_than_is_kept_counts_what_comes_next(bench: Bench, server: Server) -> None:
    """It went back to a state of long ago."""

    async def main() -> dict[str, int]:
        counter = bench.counter(bounds=Bounds(ring_s=0, segment_bytes=1))
        async with running(counter, server.url) as store:
            for _ in range(3):
                pages(counter, 10)
                await until_empty(counter)
            spool = counter._own[0].spool
            await until(lambda: spool.is_empty)
            with redis.Redis.from_url(server.url) as client:
                client.set(f"adl:{{adl.0}}:p:{spool.id}", 12)
            pages(counter, 5)
            await until_empty(counter)
            return await store.totals()

    server.start()
    assert asyncio.run(main()) == spring(35)
    assert bench.told[-1] == ("spool_lost", {"level": "warning", "lines": 18})


def test_a_line_that_cannot_be_read_costs_no_other(bench: Bench, clean_store: str) -> None:
    async def main() -> tuple[dict[str, int], list[str]]:
        counter = bench.counter()
        pages(counter, 3)
        path = next(bench.directory.glob("0/*.ndjson"))
        first, second, third = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join((first, b"\0" * len(second), third, b"")))
        async with running(counter, clean_store) as store:
            await until_empty(counter)
            return await store.totals(), [entry["e"] for entry in await stream(store)]

    assert asyncio.run(main()) == (spring(2), ["page", "lost", "page"])
    assert bench.events == ["spool_unreadable"]


def test_a_disk_that_takes_nothing_costs_no_event_while_memory_lasts(bench: Bench, clean_store: str) -> None:
    bench.directory.write_bytes(b"in the way")

    async def main() -> dict[str, int]:
        counter = bench.counter()
        async with running(counter, clean_store) as store:
            pages(counter, 300)
            await until_empty(counter)
            return await store.totals()

    assert asyncio.run(main()) == spring(300)
    assert bench.events == ["spool_unwritable"]


def test_a_disk_that_does_not_keep_what_it_takes_is_told(bench: Bench, server: Server) -> None:
    """What is written into the file is not brought to any disk."""

    async def main() -> None:
        counter = bench.counter()
        (bench.directory / "0").mkdir(parents=True)
        (bench.directory / "0" / f"{counter._own[0].spool.id}.1.ndjson").symlink_to("/dev/null")
        pages(counter, 1)
        async with running(counter, server.url):
            await until(lambda: "spool_unwritable" in bench.events)

    asyncio.run(main())


def test_a_file_that_somebody_took_away_stops_nothing(bench: Bench, server: Server) -> None:
    async def main() -> dict[str, int]:
        counter = bench.counter()
        pages(counter, 3)
        next(bench.directory.glob("0/*.ndjson")).unlink()
        async with running(counter, server.url) as store:
            await until(lambda: "spool_lost" in bench.events)
            pages(counter, 4)
            await until_empty(counter)
            return await store.totals()

    server.start()
    assert asyncio.run(main()) == spring(4)


def test_a_key_that_holds_something_else_is_told(bench: Bench, clean_store: str) -> None:
    with redis.Redis.from_url(clean_store) as client:
        client.hset("adl:{adl.0}:f", "spring:s", "many")

    async def main() -> None:
        counter = bench.counter()
        async with running(counter, clean_store):
            counter.page(PAGE)
            await until_empty(counter)

    asyncio.run(main())
    assert bench.told == [("counts_spoiled", {"level": "warning", "fields": ["adl:{adl.0}:f spring:s"]})]


# What processes leave.

_COUNTS = """
import sys
from pathlib import Path
from adlayout.counting import Counter
from adlayout.events.token import Ad, Signer, Ticket
page = Signer(["secret"]).sign(Ticket(4_000_000_000, "s", "l", "d", ads=(Ad("top", "spring", "board"),)))
counter = Counter(Path(sys.argv[1]))
while True:
    counter.page(page)
    print(counter.waiting().lines, flush=True)
"""


def killed_after(directory: Path, lines: int) -> int:
    """A process that takes pages and is killed at some moment; how many it had taken, as far as it told."""
    with subprocess.Popen([sys.executable, "-c", _COUNTS, str(directory)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    return int([line for line in told if line.endswith(b"\n")][-1])


def test_what_a_killed_process_had_taken_is_counted_by_others_once(bench: Bench, clean_store: str) -> None:
    taken = [killed_after(bench.directory, lines) for lines in (1, 40, 300)]

    async def main() -> dict[str, int]:
        counters = [bench.counter() for _ in range(3)]
        async with running(counters[0], clean_store) as store, running(counters[1], clean_store):
            async with running(counters[2], clean_store):
                await until(lambda: bench.events.count("spool_adopted") == 3)
                for counter in counters:
                    await until_empty(counter)
            return await store.totals()

    counted = asyncio.run(main())["spring:s"]
    assert sum(taken) <= counted <= sum(taken) + len(taken)


def test_what_a_process_left_that_the_store_had_is_not_counted_again(bench: Bench, clean_store: str) -> None:
    async def main() -> tuple[dict[str, int], list[str]]:
        for _ in range(3):
            counter = bench.counter(bounds=Bounds(ring_s=0.5))
            async with running(counter, clean_store) as store:
                pages(counter, 20)
                await until_empty(counter)
                totals = await store.totals()
        counter = bench.counter(bounds=Bounds(ring_s=0))
        async with running(counter, clean_store):
            await until(lambda: not list(bench.directory.glob("0/*.ndjson")))
        return totals, [path.name for path in bench.directory.glob("0/*")]

    assert asyncio.run(main()) == (spring(60), ["lock"])


def test_an_end_that_is_announced_leaves_nothing_to_count(bench: Bench, clean_store: str) -> None:
    async def main() -> tuple[int, dict[str, int]]:
        counter, store = bench.counter(), Store(clean_store)
        pages(counter, 450)
        left = await counter.drain(store, within_s=5)
        totals = await store.totals()
        counter.close()
        await store.close()
        return left, totals

    assert asyncio.run(main()) == (0, spring(450))


def test_an_end_without_a_store_leaves_all_to_the_next_one(bench: Bench, server: Server) -> None:
    async def main() -> tuple[int, dict[str, int]]:
        counter, store = bench.counter(), Store(server.url)
        pages(counter, 45)
        left = await counter.drain(store, within_s=0.3)
        counter.close()
        await store.close()
        follower = bench.counter()
        async with running(follower, server.url) as other:
            await until(lambda: follower.waiting().lines == 45)
            await until(lambda: bench.events.count("events_wait") >= 2)
            server.start()
            await until_empty(follower)
            return left, await other.totals()

    assert asyncio.run(main()) == (45, spring(45))


# The client leaves connections open whose making was cancelled.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_end_at_any_moment_ends_it_and_forgets_nothing(bench: Bench, clean_store: str) -> None:
    """The store's client takes some cancellations for its own, and others come while a spool is adopted."""

    async def main() -> dict[str, int]:
        left = bench.counter()
        pages(left, 20)
        left.close()
        counter, store = bench.counter(), Store(clean_store)
        for turns in range(40):
            task = asyncio.create_task(counter.run(store))
            for _ in range(turns % 4 + 1):
                await asyncio.sleep(0)
            task.cancel()
            assert await asyncio.wait([task], timeout=20) == ({task}, set())
        await store.close()
        async with running(counter, clean_store) as other:
            await until(lambda: "spool_adopted" in bench.events)
            await until_empty(counter)
            return await other.totals()

    assert asyncio.run(main()) == spring(20)
    gc.collect()


def test_who_was_closed_adopts_nothing_any_more(bench: Bench, server: Server) -> None:
    left, closed, follower = (bench.counter() for _ in range(3))
    pages(left, 5)
    closed.close()

    async def main() -> dict[str, int]:
        async with running(closed, server.url):
            left.close()
            async with running(follower, server.url) as store:
                await until(lambda: "spool_adopted" in bench.events)
                await until_empty(follower)
                return await store.totals()

    server.start()
    assert asyncio.run(main()) == spring(5)


def test_every_key_ends_but_those_that_must_not(bench: Bench, clean_store: str) -> None:
    async def main() -> None:
        counter = bench.counter()
        async with running(counter, clean_store):
            counter.page(SIGNER.sign(TICKET._replace(reader=Reader("a", "b"))), once=True, caps=[("x", 1000)])
            counter.happened(TICKET, VIEW)
            await until_empty(counter)

    asyncio.run(main())
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        endless = {str(key) for key in client.scan_iter() if client.pttl(key) == -1}
    assert endless == {"adl:{adl.0}:f", "adl:{adl.0}:ev"}
