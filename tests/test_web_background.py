"""What goes on beside requests: stores that forget are refused, and what waits outlives the service."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.events.token import Ad, Ticket
from adlayout.store import embedded, keys
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts, Closet, closet, open_accounts, open_store
from adlayout.web.app import create_app
from adlayout.web.background import stop

CONFIG = Path(__file__).parents[1] / "config"
LOCAL = ("127.0.0.1", 50_000)
ADS = (Ad("top", "acme", "a", "spring", None, "leaderboard"),)


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(CONFIG, {"ADLAYOUT_SECRET": "a-secret-of-sixteen-characters-or-more"})


@pytest.fixture
def place(tmp_path: Path) -> Closet:
    return closet(tmp_path, "one")


@pytest.fixture
def server() -> Iterator[embedded.Embedded]:
    """A store of the test's own, to be maltreated."""
    with embedded.start() as server:
        yield server


def running(edition: Edition, url: str, place: Closet) -> tuple[TestClient, Accounts]:
    shelf, store = Shelf(), open_store(edition.settings, url)
    accounts = open_accounts(edition.settings, shelf, store, place)
    return TestClient(create_app(edition, shelf, store, accounts=accounts), client=LOCAL), accounts


def serve_page(accounts: Accounts) -> None:
    ticket = Ticket(int(time.time()) + 3600, "daily", "news", "mobile", slots=1, ads=ADS)
    accounts.counter.page(accounts.books.signer.sign(ticket))


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_store_that_forgets_when_it_is_full_is_refused(
    edition: Edition, server: embedded.Embedded, place: Closet, policy: str
) -> None:
    with redis.Redis.from_url(server.url) as raw:
        raw.config_set("maxmemory-policy", policy)
    client, _ = running(edition, server.url, place)
    with client:
        wait_until(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/readyz").json()["problem"] == (
            f"the store's maxmemory-policy is {policy}: when it is full it forgets budgets, caps or ads;"
            " set it to noeviction"
        )


def test_readyz_tells_what_waits_to_be_counted(edition: Edition, server: embedded.Embedded, place: Closet) -> None:
    client, accounts = running(edition, server.url, place)
    with client:
        told = client.get("/readyz").json()
        assert (told["status"], told["counting"], told["problem"]) == (
            "ready",
            {"waiting": 0, "oldest_s": 0.0, "lost": 0},
            None,
        )
        os.kill(server.pid, signal.SIGKILL)
        serve_page(accounts)
        wait_until(lambda: client.get("/readyz").json()["store"] == "degraded")
        told = client.get("/readyz")
        assert (told.status_code, told.json()["counting"]["waiting"]) == (200, 1)


def test_what_waits_is_counted_before_the_end(edition: Edition, clean_store: str, place: Closet) -> None:
    client, accounts = running(edition, clean_store, place)
    with client:
        for _ in range(500):
            serve_page(accounts)
    with redis.Redis.from_url(clean_store) as raw:
        assert raw.hget(keys.totals(0), "acme:s") == b"500"


def test_what_a_store_that_is_away_did_not_get_is_counted_by_the_next_service(
    edition: Edition, clean_store: str, place: Closet
) -> None:
    client, accounts = running(edition, "unix:///nowhere/at/all", place)
    with client:
        serve_page(accounts)
    client, _ = running(edition, clean_store, place)
    with client, redis.Redis.from_url(clean_store) as raw:
        wait_until(lambda: raw.hget(keys.totals(0), "acme:s") == b"1")


def test_a_work_that_never_hears_of_its_end_does_not_keep_a_worker() -> None:
    """As a group of tasks, of which one swallowed the only cancellation that it is told of."""

    async def deaf() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(swallowing())

    async def swallowing() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async def stopped() -> bool:
        work = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await stop([work])
        return work.done()

    assert asyncio.run(stopped()) is False
