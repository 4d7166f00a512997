"""The work of a worker beside its requests: what begins with it, goes on by itself, and is brought to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from adlayout.delivery import keep_delivery
from adlayout.errors import StoreError
from adlayout.model import Degraded
from adlayout.store.client import Store
from adlayout.telemetry.logs import Log, failure
from adlayout.upkeep import Pace, Shelf, keep_stock
from adlayout.web.routes import Doors

_STOP_AGAIN_S: Final = 0.2
_STOP_S: Final = 1.0
_FIRST_STOCK_S: Final = 2.0
_AGAIN_S: Final = 0.5
_WATCH_S: Final = 10.0
# uvicorn waits twice as long for everything; what is left then is on the disk.
_DRAIN_S: Final = 5.0


def background(doors: Doors) -> Iterator[Coroutine[Any, Any, None]]:
    """The work that goes on beside requests, each part begun again where it ends by a fault of ours."""
    store, shelf, settings, log = doors.store, doors.shelf, doors.edition.settings, doors.log
    accounts = doors.accounts
    if store is None:
        return

    def stale() -> None:
        shelf.failure = Degraded.STALE_INVENTORY

    pace = Pace(poll_s=settings.store.poll_ms / 1000)
    yield _again(
        "upkeep_failed", lambda: keep_stock(shelf, store, doors.edition.prepare, pace=pace, log=log), log, stale
    )
    yield _again("watch_failed", lambda: _watch(doors, store), log)
    if accounts is not None:
        yield _again("counting_failed", lambda: accounts.counter.run(store), log)
        yield _again("pacing_failed", lambda: keep_delivery(accounts, store, shelf, settings, log=log), log)


async def _again(
    event: str, work: Callable[[], Awaitable[None]], log: Log, failed: Callable[[], None] = lambda: None
) -> None:
    """Does the work for ever: a worker that only looks sound must be known to everybody."""
    while True:
        try:
            await work()
        except Exception as exc:
            log(event, level="error", **failure(exc))
            failed()
        await asyncio.sleep(_AGAIN_S)


async def _watch(doors: Doors, store: Store) -> None:
    """Says whether the store keeps what it is given: one that forgets when it is full would forget caps and goals."""
    while True:
        try:
            health = await store.health()
        except StoreError:
            pass  # the upkeep tells of it
        else:
            doors.problem = _forgetful(health.policy) if health.evicts else None
        await asyncio.sleep(_WATCH_S)


def _forgetful(policy: str) -> str:
    return (
        f"the store's maxmemory-policy is {policy}: when it is full it forgets budgets, caps or ads;"
        " set it to noeviction"
    )


async def first_stock(shelf: Shelf) -> None:
    """Returns when the first page can have ads, or need not be waited for: the store refuses, or is slow for too long.

    A store that is slow once is asked again: a machine that starts has much to do.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_STOCK_S):
            while shelf.last_ok is None and shelf.failure in (None, Degraded.STORE_TIMEOUT):  # noqa: ASYNC110 - a value
                await asyncio.sleep(0.01)


async def stop(works: Sequence[asyncio.Task[None]]) -> None:
    """Ends the works. One that does not hear of its end in time is left to the end of the loop.

    A call to the store that comes to its end at just that moment takes the cancellation for its own, so it is said
    again; who waits for such a call in a group of tasks is deaf to that, too.
    """
    ends = asyncio.get_running_loop().time() + _STOP_S
    while waiting := [work for work in works if not work.done()]:
        for work in waiting:
            work.cancel()
        await asyncio.wait(waiting, timeout=_STOP_AGAIN_S)
        if asyncio.get_running_loop().time() > ends:
            return


async def close(doors: Doors) -> None:
    """Has counted what can be counted in time, and leaves the rest on the disk for whoever comes next."""
    if doors.accounts is not None and doors.store is not None:
        left = await doors.accounts.counter.drain(doors.store, within_s=_DRAIN_S)
        doors.log("drained", level="warning" if left else "info", lines_left=left)
        doors.accounts.counter.close()
    if doors.store is not None:
        await doors.store.close()
