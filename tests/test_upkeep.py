"""A worker's stock follows the store: changes, rubbish, stops and restarts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from adlayout.decision.inventory import BadRow
from adlayout.decision.reasons import FlightReason
from adlayout.model import Creative, Degraded
from adlayout.rendering.creative import BadMarkup, Prepared
from adlayout.rows import Rows
from adlayout.store import embedded, keys
from adlayout.store.client import Store
from adlayout.upkeep import Pace, Shelf, fill, keep_stock, seed_if_empty


def html(id: str, markup: str = "<b>Ad</b>") -> str:
    return json.dumps({"id": id, "kind": "html", "markup": markup, "formats": ["300x250"], "house": True})


@dataclass
class Bench:
    """A shelf under upkeep, with what was logged and prepared."""

    shelf: Shelf = field(default_factory=Shelf)
    lines: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)

    def log(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))

    def prepare(self, creative: Creative) -> Prepared:
        """Prepares nothing much, and refuses the one named `bad`."""
        self.prepared.append(creative.id)
        if creative.id == "bad":
            raise BadMarkup("reaches out of its slot")
        return Prepared({"300x250": creative.id})

    @property
    def on_shelf(self) -> set[str]:
        return set(self.shelf.stock.prepared)

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.lines]

    @asynccontextmanager
    async def kept(self, url: str, pace: Pace | None = None) -> AsyncIterator[None]:
        store = Store(url)
        task = asyncio.create_task(keep_stock(self.shelf, store, self.prepare, pace=pace or Pace(), log=self.log))
        try:
            yield
            assert not task.done(), "the upkeep ended by itself"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await store.close()

    def filled(self, url: str) -> Bench:
        """Fills the shelf once."""

        async def main() -> None:
            store = Store(url)
            await fill(self.shelf, store, self.prepare, log=self.log)
            await store.close()

        asyncio.run(main())
        return self


async def wait_until(holds: Callable[[], bool], within_s: float = 1.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.005)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def raw(clean_store: str) -> Iterator[redis.Redis]:
    """Another system that writes to the same store."""
    with redis.Redis.from_url(clean_store) as client:
        yield client


def write(client: redis.Redis, *ids: str) -> None:
    """Publishes creatives as any program may: rows, then the revision."""
    with client.pipeline(transaction=True) as pipe:
        pipe.hset(keys.CREATIVES, mapping={id: html(id) for id in ids})
        pipe.incr(keys.REVISION)
        pipe.execute()


def test_filling_puts_rows_inventory_and_prepared_creatives_on_the_shelf(
    bench: Bench, clean_store: str, raw: redis.Redis
) -> None:
    write(raw, "a", "b")
    shelf = bench.filled(clean_store).shelf
    assert shelf.stock.revision == 1
    assert shelf.stock.inventory.creatives.keys() == shelf.stock.prepared.keys() == {"a", "b"}
    assert shelf.failure is None
    assert shelf.last_ok is not None


def test_an_empty_store_is_an_empty_stock(bench: Bench, clean_store: str) -> None:
    shelf = bench.filled(clean_store).shelf
    assert (shelf.stock.revision, shelf.stock.prepared, shelf.failure) == (0, {}, None)


def test_a_change_by_another_client_is_seen_within_a_second(bench: Bench, clean_store: str, raw: redis.Redis) -> None:
    async def main() -> None:
        async with bench.kept(clean_store):
            await wait_until(lambda: bench.shelf.last_ok is not None)
            write(raw, "a")
            await wait_until(lambda: bench.on_shelf == {"a"})
            write(raw, "b")
            await wait_until(lambda: bench.on_shelf == {"a", "b"})

    asyncio.run(main())
    assert bench.prepared == ["a", "b"]


def test_a_page_keeps_the_stock_it_took(bench: Bench, clean_store: str, raw: redis.Redis) -> None:
    write(raw, "a")
    taken = bench.filled(clean_store).shelf.stock
    write(raw, "b")
    assert bench.filled(clean_store).on_shelf == {"a", "b"}
    assert (taken.revision, set(taken.prepared)) == (1, {"a"})


def test_rows_without_a_new_revision_are_seen_at_the_full_load(
    bench: Bench, clean_store: str, raw: redis.Redis
) -> None:
    async def main() -> None:
        async with bench.kept(clean_store, Pace(full_s=0.3)):
            await wait_until(lambda: bench.shelf.last_ok is not None)
            raw.hset(keys.CREATIVES, "a", html("a"))
            await wait_until(lambda: bench.on_shelf == {"a"})

    asyncio.run(main())


def test_a_new_revision_of_the_same_rows_prepares_nothing_again(
    bench: Bench, clean_store: str, raw: redis.Redis
) -> None:
    write(raw, "a")

    async def main() -> None:
        async with bench.kept(clean_store):
            await wait_until(lambda: bench.shelf.stock.revision == 1)
            raw.incr(keys.REVISION)
            await wait_until(lambda: bench.shelf.stock.revision == 2)

    asyncio.run(main())
    assert bench.prepared == ["a"]


def test_a_rubbish_row_is_logged_once_and_harms_no_other(bench: Bench, clean_store: str, raw: redis.Redis) -> None:
    async def main() -> None:
        async with bench.kept(clean_store):
            raw.hset(keys.CREATIVES, "rubbish", b"\xff{")
            write(raw, "a")
            await wait_until(lambda: bench.on_shelf == {"a"})
            write(raw, "b")
            await wait_until(lambda: bench.on_shelf == {"a", "b"})

    asyncio.run(main())
    assert bench.lines == [("bad_row", {"kind": "creative", "id": "rubbish", "message": "is not UTF-8"})]
    assert bench.shelf.bad_rows == (BadRow("creative", "rubbish", "is not UTF-8"),)


def test_a_creative_with_bad_markup_is_left_out_and_named(bench: Bench, clean_store: str, raw: redis.Redis) -> None:
    write(raw, "a", "bad")
    shelf = bench.filled(clean_store).shelf
    assert bench.on_shelf == {"a"}
    assert {one.creative.id: one.barred for one in shelf.stock.inventory.house} == {
        "a": None,
        "bad": FlightReason.BAD_MARKUP,
    }
    assert bench.lines == [("bad_markup", {"creative": "bad", "message": "reaches out of its slot"})]
    assert shelf.unprepared == (("bad", "reaches out of its slot"),)


def test_bad_markup_is_told_once_for_as_long_as_it_stays(bench: Bench, clean_store: str, raw: redis.Redis) -> None:
    write(raw, "bad")
    bench.filled(clean_store)
    write(raw, "a")
    assert bench.filled(clean_store).on_shelf == {"a"}
    assert bench.events == ["bad_markup"]


def test_a_store_that_stays_away_is_told_once(bench: Bench, tmp_path: Path) -> None:
    for _ in range(2):
        bench.filled(f"unix://{tmp_path}/nobody")
    assert bench.events == ["store_error"]


def test_a_store_that_is_away_from_the_start_is_said_and_waited_for(bench: Bench, tmp_path: Path) -> None:
    bench.filled(f"unix://{tmp_path}/nobody")
    assert bench.shelf == Shelf(failure=Degraded.STORE_ERROR)
    assert bench.events == ["store_error"]


def test_a_hung_store_leaves_the_stock_and_is_seen_again_within_a_second(bench: Bench) -> None:
    async def main(server: embedded.Embedded) -> None:
        async with bench.kept(server.url):
            await wait_until(lambda: bench.on_shelf == {"a"})
            os.kill(server.pid, signal.SIGSTOP)
            await wait_until(lambda: bench.shelf.failure is Degraded.STORE_TIMEOUT)
            assert bench.on_shelf == {"a"}
            os.kill(server.pid, signal.SIGCONT)
            await wait_until(lambda: bench.shelf.failure is None, within_s=3)

    with embedded.start() as server, redis.Redis.from_url(server.url) as client:
        write(client, "a")
        asyncio.run(main(server))
    assert bench.events == ["store_timeout", "store_back"]


def test_a_store_that_hangs_from_the_start_is_told_before_a_load_is_given_up(bench: Bench) -> None:
    """A load has two seconds, which is longer than anybody should wait for the word that the store hangs."""

    async def main(server: embedded.Embedded) -> None:
        os.kill(server.pid, signal.SIGSTOP)
        async with bench.kept(server.url):
            await wait_until(lambda: bench.shelf.failure is Degraded.STORE_TIMEOUT)
            os.kill(server.pid, signal.SIGCONT)
            await wait_until(lambda: bench.on_shelf == {"a"}, within_s=1.5)

    with embedded.start() as server, redis.Redis.from_url(server.url) as client:
        write(client, "a")
        asyncio.run(main(server))


def test_a_store_that_is_killed_and_comes_back_is_followed_again(bench: Bench, tmp_path: Path) -> None:
    """The same revision with other rows: what came back is another store, and it is loaded anew."""
    socket = tmp_path / "s"

    async def main() -> None:
        async with bench.kept(f"unix://{socket}"):
            with _at(socket, "a"):
                await wait_until(lambda: bench.on_shelf == {"a"})
            await wait_until(lambda: bench.shelf.failure is Degraded.STORE_ERROR)
            assert bench.on_shelf == {"a"}
            with _at(socket, "b"):
                await wait_until(lambda: bench.on_shelf == {"b"}, within_s=1.5)
                assert bench.shelf.failure is None

    asyncio.run(main())


class _at:
    """A server of its own that is reached under a fixed name, with one creative, and killed at the end."""

    def __init__(self, socket: Path, creative: str) -> None:
        self.socket, self.creative = socket, creative

    def __enter__(self) -> None:
        self.server = embedded.start()
        with redis.Redis.from_url(self.server.url) as client:
            write(client, self.creative)
        self.socket.unlink(missing_ok=True)
        self.socket.symlink_to(self.server.url.removeprefix("unix://"))

    def __exit__(self, *failure: object) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.stop()


def test_a_wrong_type_in_the_store_leaves_the_stock(bench: Bench, clean_store: str, raw: redis.Redis) -> None:
    async def main() -> None:
        async with bench.kept(clean_store):
            write(raw, "a")
            await wait_until(lambda: bench.on_shelf == {"a"})
            raw.set(keys.CREATIVES, "no hash")
            raw.incr(keys.REVISION)
            await wait_until(lambda: bench.shelf.failure is Degraded.STORE_ERROR)
            assert bench.on_shelf == {"a"}
            raw.delete(keys.CREATIVES)
            write(raw, "b")
            await wait_until(lambda: bench.on_shelf == {"b"}, within_s=1.5)

    asyncio.run(main())


def test_a_seed_goes_into_an_empty_store_only(clean_store: str, bench: Bench) -> None:
    async def main() -> list[bool]:
        store = Store(clean_store)
        try:
            return [await seed_if_empty(store, Rows(creatives={id: html(id)})) for id in ("a", "b")]
        finally:
            await store.close()

    assert asyncio.run(main()) == [True, False]
    assert bench.filled(clean_store).on_shelf == {"a"}


def test_lines_go_to_the_standard_log_where_nobody_takes_them(
    clean_store: str, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    raw.hset(keys.CREATIVES, "x", "{")

    async def main() -> None:
        store = Store(clean_store)
        await fill(Shelf(), store, Bench().prepare)
        await store.close()

    asyncio.run(main())
    assert "bad_row kind=creative id=x" in caplog.text


def test_a_start_without_the_store_has_the_ads_of_the_last_one(
    raw: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    kept = tmp_path / "inventory.json"
    raw.hset(keys.CREATIVES, mapping={"a": html("a"), "odd": b"\xff"})
    Bench(Shelf(snapshot=kept)).filled(store_url)
    late = Bench(Shelf(snapshot=kept)).filled("unix:///nowhere/s")
    assert (late.on_shelf, late.shelf.stock.revision, late.shelf.failure) == ({"a"}, 0, Degraded.STORE_ERROR)
    assert late.events == ["store_error", "bad_row", "snapshot_loaded"]
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "[]", '{"revision": 1}', '{"revision":1,"campaigns":[],"flights":{},"creatives":{}}']
)
def test_a_snapshot_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    kept = tmp_path / "inventory.json"
    kept.write_text(text)
    late = Bench(Shelf(snapshot=kept)).filled("unix:///nowhere/s")
    assert (late.on_shelf, late.shelf.stock.revision) == (set(), None)


def test_a_snapshot_that_cannot_be_written_is_told(raw: redis.Redis, store_url: str, tmp_path: Path) -> None:
    raw.hset(keys.CREATIVES, "a", html("a"))
    bench = Bench(Shelf(snapshot=tmp_path / "gone" / "inventory.json")).filled(store_url)
    assert (bench.on_shelf, bench.events) == ({"a"}, ["snapshot_failed"])
