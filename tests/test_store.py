"""The store's client against the real server, and against everything that can go wrong with one."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import pytest
import redis

from adlayout.errors import Changed, StoreError, StoreTimeout
from adlayout.rows import Kind, Rows
from adlayout.store import embedded, keys
from adlayout.store.client import Store

T = TypeVar("T")
Call = Callable[[Store], Coroutine[Any, Any, object]]

ROWS = Rows({"c": '{"id":"c"}'}, {"f": '{"id":"f"}'}, {"a": '{"id":"ä"}'})
CALLS: tuple[Call, ...] = (Store.revision, Store.load, lambda store: store.publish(ROWS, replace=True))


def ask(url: str, call: Callable[[Store], Awaitable[T]]) -> T:
    """Makes one call with a client of its own."""

    async def main() -> T:
        store = Store(url)
        try:
            return await call(store)
        finally:
            await store.close()

    return asyncio.run(main())


def publish(rows: Rows, *, replace: bool) -> Callable[[Store], Awaitable[int]]:
    return lambda store: store.publish(rows, replace=replace)


@pytest.fixture
def server() -> Iterator[embedded.Embedded]:
    """A server of the test's own, to be maltreated."""
    with embedded.start() as server:
        yield server
        if server.running:
            os.kill(server.pid, signal.SIGCONT)


@pytest.fixture
def raw(clean_store: str) -> Iterator[redis.Redis]:
    """Another client, which writes what it likes."""
    with redis.Redis.from_url(clean_store) as client:
        yield client


def test_an_empty_store_has_revision_0_and_no_rows(clean_store: str) -> None:
    assert ask(clean_store, Store.revision) == 0
    assert ask(clean_store, Store.load) == (0, Rows())


def test_what_is_published_is_loaded_with_its_revision(clean_store: str) -> None:
    assert ask(clean_store, publish(ROWS, replace=False)) == 1
    assert ask(clean_store, Store.load) == (1, ROWS)
    assert ask(clean_store, Store.revision) == 1


def test_publishing_adds_and_changes(clean_store: str) -> None:
    ask(clean_store, publish(ROWS, replace=False))
    assert ask(clean_store, publish(Rows(creatives={"a": "new", "b": "more"}), replace=False)) == 2
    assert ask(clean_store, Store.load) == (2, Rows(ROWS.campaigns, ROWS.flights, {"a": "new", "b": "more"}))


def test_replacing_removes_what_is_not_published(clean_store: str) -> None:
    ask(clean_store, publish(ROWS, replace=False))
    assert ask(clean_store, publish(Rows(campaigns={"d": "x"}), replace=True)) == 2
    assert ask(clean_store, Store.load) == (2, Rows(campaigns={"d": "x"}))


def change(
    puts: Rows, gone: Mapping[Kind, Collection[str]], expect: int | None = None
) -> Callable[[Store], Awaitable[int]]:
    return lambda store: store.change(puts, gone, expect=expect)


def test_a_change_puts_and_removes_in_one_step(clean_store: str) -> None:
    ask(clean_store, publish(ROWS, replace=True))
    gone: Mapping[Kind, Collection[str]] = {"campaigns": ["c", "unknown"], "creatives": ["a"]}
    assert ask(clean_store, change(Rows(flights={"f": "new"}, creatives={"b": "ö"}), gone, 1)) == 2
    assert ask(clean_store, Store.load) == (2, Rows({}, {"f": "new"}, {"b": "ö"}))


def test_a_change_of_another_revision_than_was_expected_is_none(clean_store: str) -> None:
    ask(clean_store, publish(ROWS, replace=True))
    with pytest.raises(Changed, match="no longer of revision 0"):
        ask(clean_store, change(Rows(), {"campaigns": ["c"]}, 0))
    assert ask(clean_store, Store.load) == (1, ROWS)
    assert ask(clean_store, change(Rows(), {})) == 2


def test_of_many_changes_of_one_revision_one_is_made(clean_store: str) -> None:
    async def race(store: Store) -> list[object]:
        changes = (store.change(Rows({"c": str(n)}), {}, expect=0) for n in range(20))
        return await asyncio.gather(*changes, return_exceptions=True)

    made = [one for one in ask(clean_store, race) if not isinstance(one, Changed)]
    assert made == [1]


def test_a_store_is_seeded_once_by_many(clean_store: str) -> None:
    async def seeds(store: Store) -> list[bool]:
        return await asyncio.gather(*(store.seed(ROWS) for _ in range(2)))

    assert sorted(ask(clean_store, seeds)) == [False, True]
    assert ask(clean_store, Store.load) == (1, ROWS)


def test_a_store_that_was_emptied_on_purpose_is_not_seeded(clean_store: str) -> None:
    ask(clean_store, publish(Rows(), replace=True))
    assert ask(clean_store, lambda store: store.seed(ROWS)) is False


def test_thousands_of_rows_are_one_publication(clean_store: str) -> None:
    rows = Rows(creatives={str(n): "x" * 1000 for n in range(5000)})
    assert ask(clean_store, publish(rows, replace=True)) == 1
    assert ask(clean_store, Store.load) == (1, rows)


def test_rows_and_revision_are_of_one_moment(clean_store: str) -> None:
    """Each publication writes its own revision into all three hashes; no load may see two of them."""

    async def race(store: Store) -> list[tuple[int, set[str]]]:
        async def write() -> None:
            for n in range(1, 60):
                await store.publish(Rows({"x": str(n)}, {"x": str(n)}, {"x": str(n)}), replace=True)

        async def look() -> tuple[int, set[str]]:
            revision, rows = await store.load()
            return revision, {rows.campaigns["x"], rows.flights["x"], rows.creatives["x"]}

        await store.publish(Rows({"x": "0"}, {"x": "0"}, {"x": "0"}), replace=True)
        writing = asyncio.create_task(write())
        seen = [await look() for _ in range(60)]
        await writing
        return seen

    assert all(texts == {str(revision - 1)} for revision, texts in ask(clean_store, race))


def test_bytes_that_are_no_text_harm_only_their_own_row(clean_store: str, raw: redis.Redis) -> None:
    raw.hset(keys.CREATIVES, mapping={"good": "{}", "bad": b"\xff\xfe", b"\xff": "{}"})
    rows = ask(clean_store, Store.load)[1]
    assert rows.creatives == {"good": "{}", "bad": "\udcff\udcfe", "\udcff": "{}"}


@pytest.mark.parametrize("key", keys.INVENTORY)
def test_a_wrong_type_under_a_key_fails_loads_and_leaves_everything_as_it_was(
    clean_store: str, raw: redis.Redis, key: str
) -> None:
    ask(clean_store, publish(ROWS, replace=False))
    raw.delete(key)
    raw.rpush(key, "no hash")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        ask(clean_store, Store.load)
    with pytest.raises(StoreError, match=r"WRONGTYPE .* holds a list"):
        ask(clean_store, publish(Rows(), replace=True))
    assert raw.get(keys.REVISION) == b"1"


@pytest.mark.parametrize("call", [Store.revision, Store.load, publish(ROWS, replace=True)])
def test_a_revision_that_is_no_number_is_named(clean_store: str, raw: redis.Redis, call: Call) -> None:
    raw.set(keys.REVISION, "seven")
    with pytest.raises(StoreError, match="holds no number"):
        ask(clean_store, call)
    assert not raw.exists(keys.CREATIVES)


@pytest.mark.parametrize("call", CALLS)
def test_a_stopped_server_is_a_store_error_at_once(server: embedded.Embedded, call: Call) -> None:
    server.stop()
    began = time.monotonic()
    with pytest.raises(StoreError):
        ask(server.url, call)
    assert time.monotonic() - began < 0.1


def test_a_hung_server_is_a_timeout_within_a_tenth_of_a_second(server: embedded.Embedded) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StoreTimeout):
        ask(server.url, Store.revision)
    assert time.monotonic() - began < 0.2


def test_a_load_from_a_hung_server_ends(server: embedded.Embedded) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StoreTimeout):
        ask(server.url, Store.load)
    assert time.monotonic() - began < 3


def test_a_server_that_hangs_between_two_calls_is_used_again_when_it_goes_on(server: embedded.Embedded) -> None:
    async def through_a_pause(store: Store) -> tuple[int, int]:
        before = await store.publish(ROWS, replace=True)
        await store.revision()
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(StoreTimeout):
            await store.revision()
        os.kill(server.pid, signal.SIGCONT)
        return before, await store.revision()

    assert ask(server.url, through_a_pause) == (1, 1)


def test_a_full_server_refuses_a_publication_whole(server: embedded.Embedded) -> None:
    ask(server.url, publish(ROWS, replace=True))
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(StoreError, match=r"OOM|memory"):
            ask(server.url, publish(Rows(), replace=True))
    assert ask(server.url, Store.load) == (1, ROWS)


# What no sane server says. Each reply is given to every command.
STRANGE = (
    b":1\r\n",
    b"+OK\r\n",
    b"-LOADING reading\r\n",
    b"-READONLY replica\r\n",
    b"HTTP/1.1 400\r\n\r\n",
    b"*1\r\n:1\r\n",
    b"$-1\r\n",
    b"\x00\xff",
    b"$5\r\nab",
    b"",
)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("reply", STRANGE)
def test_a_server_that_talks_nonsense_is_a_store_error(reply: bytes, call: Call) -> None:
    with pytest.raises(StoreError):
        asyncio.run(_ask_one_that_replies(reply, call))


async def _ask_one_that_replies(reply: bytes, call: Call) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while reply and (asked := await reader.read(4096)):
            writer.write(reply * asked.count(b"*"))
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as nonsense:
        store = Store(f"redis://127.0.0.1:{nonsense.sockets[0].getsockname()[1]}")
        try:
            await call(store)
        finally:
            await store.close()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (Store.revision, "holds no number"),
        (publish(ROWS, replace=True), "a publication was answered with"),
    ],
)
def test_an_answer_of_another_kind_is_not_believed(call: Call, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        asyncio.run(_ask_one_that_replies(b"+OK\r\n", call))


@pytest.mark.parametrize("url", ["", "http://localhost", "redis://localhost:99999", "redis://[::", "localhost:6379"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="its address does not hold"):
        Store(url)


def test_options_in_the_address_win(server: embedded.Embedded) -> None:
    ask(server.url + "?db=1", publish(ROWS, replace=True))
    assert ask(server.url, Store.revision) == 0
    assert ask(server.url + "?db=1", Store.revision) == 1


def test_a_password_is_in_no_message() -> None:
    with pytest.raises(StoreError) as caught:
        ask("redis://me:secret@127.0.0.1:1/0?password=secret", Store.revision)
    assert "redis://127.0.0.1:1/0" in str(caught.value)
    assert "secret" not in str(caught.value)
