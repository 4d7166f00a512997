"""How far flights are delivered follows the store: what is ahead of its plan, what is done, what clicks are worth."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from adlayout.config.settings import Counting, Pacing, Settings, Site
from adlayout.decision.files import parse_inventory
from adlayout.decision.inventory import read_inventory
from adlayout.delivery import Delivery, keep_delivery
from adlayout.store import embedded, keys
from adlayout.store.client import Store
from adlayout.upkeep import Shelf, Stock

NOW = datetime.now(UTC)
GOAL = {"type": "view", "units": 1000}
# Runs since yesterday and ends tomorrow: about half of its goal is due.
HALF_WAY = {
    "start_time": (NOW - timedelta(days=1)).isoformat(),
    "end_time": (NOW + timedelta(days=1)).isoformat(),
    "goal": GOAL,
}


def stock(flights: Mapping[str, Mapping[str, Any]]) -> Stock:
    """A stock of flights of one campaign, by id."""
    shared = {"campaign": "c", "creatives": [{"id": "x"}]}
    written = {
        "campaigns": [{"id": "c"}],
        "creatives": [{"id": "x", "kind": "html", "markup": "<p>x</p>"}],
        "flights": [shared | {"id": id} | dict(row) for id, row in flights.items()],
    }
    inventory, bad_rows = read_inventory(parse_inventory(written))
    assert bad_rows == ()
    return Stock(inventory, {}, 1)


@dataclass
class Desk:
    """Whoever shows pages how far flights are delivered, with what was logged."""

    shelf: Shelf = field(default_factory=Shelf)
    delivery: Delivery = field(default_factory=Delivery)
    lines: list[str] = field(default_factory=list)
    every_s: float = 0.05

    def log(self, event: str, /, **fields: object) -> None:
        self.lines.append(event)

    @property
    def settings(self) -> Settings:
        sites = {"default": Site(name="News")}
        counting = Counting(time_zone="Pacific/Kiritimati")
        return Settings(version=1, sites=sites, counting=counting, pacing=Pacing(every_s=self.every_s))

    @property
    def shown(self) -> Delivery:
        """What pages see, once there is something."""
        return self.delivery if isinstance(self.delivery, Delivery) else Delivery()

    @asynccontextmanager
    async def kept(self, url: str, shards: int = 1) -> AsyncIterator[Store]:
        store = Store(url, shards=shards)
        task = asyncio.create_task(keep_delivery(self, store, self.shelf, self.settings, log=self.log))
        try:
            yield store
            assert not task.done(), "it ended by itself"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await store.close()


async def wait_until(holds: Callable[[], bool], within_s: float = 2.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.005)


def today() -> str:
    """By the clock of the reporting time zone, which is 14 hours ahead of UTC."""
    return f"{datetime.now(UTC) + timedelta(hours=14):%Y%m%d}"


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_was_counted_becomes_rates_and_ends(desk: Desk, clean_store: str) -> None:
    desk.shelf.stock = stock(
        {
            "ahead": HALF_WAY,
            "done": {"goal": GOAL},
            "done-today": {"daily_cap": 10},
            "free": {},
            "paid-by-click": {"rate_type": "cpc", "price": 1},
        }
    )

    async def main() -> None:
        async with desk.kept(clean_store) as store:
            totals = {"ahead:v": 990, "done:v": 1000, "paid-by-click:v": 9000, "paid-by-click:c": 99}
            await store.raise_to(0, {"f": totals, f"d:{today()}": {"done-today:v": 12}})
            await wait_until(lambda: "done" in desk.shown.spent and desk.shown.rates.get("ahead", 1) < 1e-4)

    asyncio.run(main())
    assert desk.shown.spent == {
        "done": ("goal_reached", "at most 1000", "1000/1000"),
        "done-today": ("daily_cap", "at most 10 today", "12/10 today"),
    }
    assert desk.shown.ctr == {"paid-by-click": 0.01}
    assert desk.shown.rates.keys() <= {"ahead", "done-today"}


def test_a_flight_that_is_behind_its_plan_runs_on_every_page_soon(desk: Desk, clean_store: str) -> None:
    desk.shelf.stock = stock({"behind": HALF_WAY})

    async def main() -> None:
        async with desk.kept(clean_store):
            await wait_until(lambda: "behind" in desk.shown.rates)
            await wait_until(lambda: desk.shown.rates == {})

    asyncio.run(main())


def test_a_flight_that_is_published_has_its_first_pace_before_the_next_step(desk: Desk, clean_store: str) -> None:
    desk.every_s = 3600.0
    desk.shelf.stock = stock({"first": {"goal": GOAL}})

    async def main() -> None:
        async with desk.kept(clean_store) as store:
            await store.raise_to(0, {"f": {"second:v": 7}})
            await wait_until(lambda: isinstance(desk.delivery, Delivery))
            desk.shelf.stock = stock({"first": {}, "second": HALF_WAY | {"goal": GOAL | {"units": 7}}})
            await wait_until(lambda: desk.shown.rates == {"second": 0.01})

    asyncio.run(main())


def test_what_is_held_counts_for_the_pace_and_ends_nothing(desk: Desk, clean_store: str) -> None:
    """All of the goal is held by pages that were served: the flight waits, and is not done."""
    desk.shelf.stock = stock({"held": HALF_WAY})
    bucket = int(time.time() * 1000) // 60_000
    with redis.Redis.from_url(clean_store) as client:
        client.hset(keys.totals(0), "held:v:h", f"{bucket}|1000|0")

    async def main() -> None:
        async with desk.kept(clean_store):
            await wait_until(lambda: desk.shown.rates.get("held", 1) < 1e-4)

    asyncio.run(main())
    assert desk.shown.spent == {}


def test_while_the_store_is_away_flights_go_on_at_their_last_rate(desk: Desk) -> None:
    desk.shelf.stock = stock({"ahead": HALF_WAY})

    async def main() -> None:
        with embedded.start() as server:
            async with desk.kept(server.url) as store:
                await store.raise_to(0, {"f": {"ahead:v": 990}})
                await wait_until(lambda: "ahead" in desk.shown.rates)
                os.kill(server.pid, signal.SIGSTOP)
                try:
                    await wait_until(lambda: desk.lines == ["pacing_stale"], within_s=10)
                    before = desk.shown
                    desk.shelf.stock = stock({"ahead": HALF_WAY, "new": HALF_WAY})
                    await wait_until(lambda: "new" in desk.shown.rates, within_s=10)
                    assert (desk.shown.rates["ahead"], desk.shown.rates["new"]) == (before.rates["ahead"], 0.01)
                finally:
                    os.kill(server.pid, signal.SIGCONT)
                await wait_until(lambda: desk.lines == ["pacing_stale", "pacing_back"], within_s=10)

    asyncio.run(main())


def test_budgets_are_dealt_out_among_shards(desk: Desk, clean_store: str) -> None:
    desk.shelf.stock = stock(
        {"a": {"goal": GOAL, "frequency_caps": [{"max": 1, "per": "day"}]}, "b": {"daily_cap": 10}}
    )

    async def main() -> None:
        async with desk.kept(clean_store, shards=2) as store:
            await store.raise_to(1, {"f": {"a:v": 600}})
            await wait_until(lambda: leases_of(clean_store) == {"a:v": [200, 800], f"{today()}:b:v": [5, 5]})

    asyncio.run(main())


def leases_of(url: str) -> dict[str, list[int]]:
    """What each shard may spend, by budget."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        told = [client.hgetall(keys.leases(shard)) for shard in range(2)]
    return {
        name: [int(one[name].partition("|")[0]) for one in told if name in one]
        for name in sorted(told[0])
        if ":" in name
    }
