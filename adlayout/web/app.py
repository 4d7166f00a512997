"""Puts the app together: routes, problems, and the background work that lives as long as it. The only factory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from adlayout import __version__
from adlayout.assemble import Edition, assemble
from adlayout.compose import Composer
from adlayout.config.effective import state_directory
from adlayout.errors import InputError, StoreError
from adlayout.store.client import Store
from adlayout.telemetry.logs import QUIET, Log, adopt_libraries, to_stream
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts, closet, open_accounts, open_store
from adlayout.web.background import background, close, first_stock, stop
from adlayout.web.logged import Logged
from adlayout.web.problems import http_problem, input_problem, store_problem, unexpected
from adlayout.web.routes import Doors, Life
from adlayout.web.server import end_with_parent, told_to_end

# How `serve` tells its workers what to serve: they are started afresh and inherit nothing but the environment.
CONFIG_DIR = "ADLAYOUT_WORKER_CONFIG"
# What a store is called that has another address each time it is started.
STORE_NAME = "ADLAYOUT_WORKER_STORE_NAME"


def create_app(  # noqa: PLR0913 - what a service is made of
    edition: Edition,
    shelf: Shelf,
    store: Store | None,
    *,
    samples: Path | None = None,
    log: Log = QUIET,
    accounts: Accounts | None = None,
) -> Starlette:
    """The service over one edition of the config, one shelf of ads, the store that fills it, and what counts them.

    `samples` is the directory of the articles that `/preview` shows. Without `accounts` nothing is counted.
    """
    composer = Composer(edition, shelf, books=accounts.books if accounts else None, log=log)
    doors = Doors(edition, composer, shelf, store, samples, log, accounts)

    def drain() -> None:
        if doors.life is not Life.DRAINING:
            doors.life = Life.DRAINING
            log("draining")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        end_with_parent()
        works = [asyncio.create_task(work) for work in background(doors)]
        if store is not None:
            await first_stock(shelf)
        doors.life = Life.READY
        _tell_ready(log, edition, shelf, store)
        try:
            with told_to_end(drain):
                yield
        finally:
            drain()
            doors.lane.close()
            await stop(works)
            await close(doors)
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
    settings, said = edition.settings, edition.settings.log
    log = to_stream(sys.stderr, level=said.level, form=said.format, requests=said.requests)
    adopt_libraries(log)
    shelf, store, accounts = Shelf(time_zone=settings.counting.time_zone), None, None
    state = state_directory(settings, env)
    if settings.store.url is not None:
        store = open_store(settings, settings.store.url)
        if state is not None:
            place = closet(state, env.get(STORE_NAME) or store.where)
            shelf.snapshot = place.snapshot
            accounts = open_accounts(settings, shelf, store, place, log=log)
    return create_app(edition, shelf, store, samples=directory / "samples", log=log, accounts=accounts)


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
