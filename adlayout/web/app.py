"""Puts the app together: routes, problems, and the background work that lives as long as it. The only factory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from adlayout import __version__
from adlayout.assemble import Edition, assemble
from adlayout.compose import Composer
from adlayout.errors import InputError, StoreError
from adlayout.model import Degraded
from adlayout.store.client import Store
from adlayout.telemetry.logs import QUIET, Log, adopt_libraries, failure, to_stream
from adlayout.upkeep import Pace, Shelf, keep_stock
from adlayout.web.logged import Logged
from adlayout.web.problems import http_problem, input_problem, store_problem, unexpected
from adlayout.web.routes import Doors, Life
from adlayout.web.server import end_with_parent, told_to_end

# How `serve` tells its workers what to serve: they are started afresh and inherit nothing but the environment.
CONFIG_DIR = "ADLAYOUT_WORKER_CONFIG"
_STOP_AGAIN_S = 0.2
_FIRST_STOCK_S = 2.0
_AGAIN_S = 0.5


def create_app(
    edition: Edition, shelf: Shelf, store: Store | None, *, samples: Path | None = None, log: Log = QUIET
) -> Starlette:
    """The service over one edition of the config, one shelf of ads, and the store that fills it.

    `samples` is the directory of the articles that `/preview` shows.
    """
    doors = Doors(edition, Composer(edition, shelf, log=log), shelf, store, samples, log)

    def drain() -> None:
        if doors.life is not Life.DRAINING:
            doors.life = Life.DRAINING
            log("draining")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        end_with_parent()
        stocking = asyncio.create_task(_keep(shelf, store, edition, log)) if store else None
        if stocking is not None:
            await _first_stock(shelf)
        doors.life = Life.READY
        _tell_ready(log, edition, shelf, store)
        try:
            with told_to_end(drain):
                yield
        finally:
            drain()
            doors.lane.close()
            await _stop(stocking, store)
            log.flush()

    app = Starlette(
        routes=doors.routes(),
        lifespan=lifespan,
        middleware=[Middleware(Logged, log=log)],
        exception_handlers={
            InputError: input_problem,
            StoreError: store_problem,
            HTTPException: http_problem,
            Exception: unexpected,
        },
    )
    # An address that is nearly right is an error to be told, not a second request to an address made of a header.
    app.router.redirect_slashes = False
    return app


def worker_app(env: Mapping[str, str] = os.environ) -> Starlette:
    """The app of one worker, as `serve` described it in the environment."""
    directory = Path(env[CONFIG_DIR])
    edition = assemble(directory, env)
    kept, said = edition.settings.store, edition.settings.log
    log = to_stream(sys.stderr, level=said.level, form=said.format, requests=said.requests)
    adopt_libraries(log)
    store = Store(kept.url, timeout_ms=kept.timeout_ms) if kept.url else None
    return create_app(edition, Shelf(), store, samples=directory / "samples", log=log)


def _tell_ready(log: Log, edition: Edition, shelf: Shelf, store: Store | None) -> None:
    """Which config is served, and what there is to fill pages with."""
    for warning in edition.warnings:
        log("config_warning", message=str(warning))
    log(
        "ready",
        version=__version__,
        config=str(edition.directory),
        sites=sorted(edition.settings.sites),
        layouts=sorted(edition.layouts),
        store=store.where if store else None,
        revision=shelf.stock.revision,
    )


async def _keep(shelf: Shelf, store: Store, edition: Edition, log: Log) -> None:
    """The upkeep, begun again where it ends by a fault of ours: a worker with old ads must not look sound."""
    pace = Pace(poll_s=edition.settings.store.poll_ms / 1000)
    while True:
        try:
            await keep_stock(shelf, store, edition.prepare, pace=pace, log=log)
        except Exception as exc:
            log("upkeep_failed", level="error", **failure(exc))
            shelf.failure = Degraded.STALE_INVENTORY
        await asyncio.sleep(_AGAIN_S)


async def _first_stock(shelf: Shelf) -> None:
    """Returns when the first page can have ads, or need not be waited for: the store refuses, or is slow for too long.

    A store that is slow once is asked again: a machine that starts has much to do.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_STOCK_S):
            while shelf.last_ok is None and shelf.failure in (None, Degraded.STORE_TIMEOUT):  # noqa: ASYNC110 - a value
                await asyncio.sleep(0.01)


async def _stop(stocking: asyncio.Task[None] | None, store: Store | None) -> None:
    # A call to the store that times out at just that moment takes the cancellation for its own, so it is said again.
    while stocking is not None and not stocking.done():
        stocking.cancel()
        await asyncio.wait({stocking}, timeout=_STOP_AGAIN_S)
    if store is not None:
        await store.close()
