"""What pages ask of a store and what they write down: made for tests of counting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis

from adlayout.counts import Asking, Attempt, Ledger, Limit, Reader, Record
from adlayout.store.client import Store

T = TypeVar("T")

DAY_MS = 86_400_000
TODAY = "20261124"
READER = Reader("r-now", "r-before")
_EXEMPT = (b":f", b":ev", b":l", b":rev", b":inv:campaigns", b":inv:flights", b":inv:creatives")
_SUMS = tuple(f"adl:{{adl.{shard}}}:x:".encode() for shard in range(3))
CAP = f"campaign/acme:s:{DAY_MS}"


def ask(url: str, call: Callable[[Store], Awaitable[T]], **options: Any) -> T:
    """Makes some calls with a client of its own, with more patience than a page has: others use this machine too."""

    async def main() -> T:
        store = Store(url, **{"timeout_ms": 10_000, "page_timeout_ms": 10_000, **options})
        try:
            return await call(store)
        finally:
            await store.close()

    return asyncio.run(main())


def endless(url: str) -> list[bytes]:
    """The keys that never end, but for those that must not."""
    with redis.Redis.from_url(url) as client:
        never = [key for key in client.scan_iter() if client.pttl(key) < 0]
    return [key for key in never if not key.endswith(_EXEMPT) and not key.startswith(_SUMS)]


def goal(most: int, field: str = "spring:v", **changes: Any) -> Limit:
    """A budget of views over a flight's life."""
    return Limit(Ledger.TOTAL, field, most, "goal_reached")._replace(**changes)


def daily(most: int, field: str = "spring:v") -> Limit:
    """A budget of views on one day."""
    return Limit(Ledger.DAY, field, most, "daily_cap")


def cap(most: int, field: str = CAP, window_ms: int = DAY_MS) -> Limit:
    """A reader's cap on what the server returned."""
    return Limit(Ledger.READER, field, most, "frequency_cap", window_ms)


def attempt(*limits: Limit, slot: str = "s1", creative: str = "ad", flight: str | None = "spring") -> Attempt:
    """One slot for one creative."""
    return Attempt(((slot, creative),), flight, limits=limits)


def asking(*attempts: Attempt, **changes: Any) -> Asking:
    """A page's question."""
    return Asking(attempts, **{"shard_key": "page", "day": TODAY, **changes})


def text(event: str, *ads: list[Any], **changes: Any) -> str:
    """What is written down of one event of some ads."""
    said = {"e": event, "at": 0, "i": "", "s": "daily", "l": "news", "v": "", "d": "phone", "c": "sport", "a": "a1"}
    return json.dumps({**said, "b": 0, "n": 3, "p": ads, **changes})


def ad(flight: str = "spring", slot: str = "s1", creative: str = "ad", gap: int | None = 2) -> list[Any]:
    """An ad as records name it."""
    return [slot, flight, creative, "acme", gap, "in-article"]


def view(at_ms: int = 0, *, serve: str | None = None, once: str = "v0", **changes: Any) -> Record:
    """A view of one ad."""
    return Record(text("view", changes.pop("ad", ad()), **changes), at_ms, serve, serve and once)


def click(at_ms: int = 0, **changes: Any) -> Record:
    """A click on one ad."""
    return Record(text("click", ad(), **changes), at_ms)


def page(at_ms: int = 0, *ads: list[Any], reader: Reader | None = None, **changes: Any) -> Record:
    """A page with these ads, or with one."""
    return Record(text("page", *(ads or (ad(),)), **changes), at_ms, reader=reader)
