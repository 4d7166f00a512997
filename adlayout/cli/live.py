"""The ads that a command tells of: those of a store as they stand now, else those of the config's files.

Nothing is held and nothing counted.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adlayout.assemble import Edition
from adlayout.cli.compose import shelf_of
from adlayout.cli.store import find_store
from adlayout.cli.terminal import warn
from adlayout.counts import Event
from adlayout.deciding import Books, zone_of
from adlayout.decision.inventory import Flight
from adlayout.decision.pacing import click_rate, spent
from adlayout.decision.turns import Standing
from adlayout.errors import StoreError
from adlayout.events.token import Signer
from adlayout.telemetry.logs import QUIET
from adlayout.upkeep import Shelf, fill
from adlayout.web.accounts import open_store

# What is signed for a page that nobody gets.
_NOBODY = ("nobody",)


@dataclass(frozen=True, slots=True)
class Ads:
    """All that may run, in `books` how far it is delivered, and where both come from."""

    shelf: Shelf
    books: Books | None
    source: str


def ads_of(args: argparse.Namespace, edition: Edition) -> Ads:
    """The ads of the store that is meant, else of the files; raises StoreError for a store that was named and fails."""
    try:
        url = find_store(args, edition.settings)
        return asyncio.run(_live(edition, url)) if url else _of_files(edition)
    except StoreError as exc:
        if args.redis_url or args.port is not None:
            raise
        warn(f"{exc}: so these are the ads of the files")
        return _of_files(edition)


def _of_files(edition: Edition) -> Ads:
    return Ads(shelf_of(edition), None, f"the inventory of {edition.directory}")


async def _live(edition: Edition, url: str) -> Ads:
    settings, now = edition.settings, datetime.now(UTC)
    store = open_store(settings, url)
    try:
        today = await store.day(f"{now.astimezone(zone_of(settings)):%Y%m%d}")
        totals = await store.totals()
        shelf = Shelf(ctr=_rates(totals), time_zone=settings.counting.time_zone)
        await fill(shelf, store, edition.prepare, log=QUIET)
    finally:
        await store.close()
    if shelf.failure is not None:
        raise StoreError(f"{store.where}: the inventory cannot be read")
    _warn(shelf)
    standing = Standing(spent=_spent(shelf.stock.inventory.flights, totals, today))
    books = Books(store, Signer(_NOBODY), _NOBODY, settings, shown=standing)
    return Ads(shelf, books, f"revision {shelf.stock.revision} in {store.where}")


def _rates(totals: Mapping[str, int]) -> dict[str, float]:
    """How often each flight is clicked on, which those that are paid by the click rank by."""
    flights = {name.rpartition(":")[0] for name in totals}
    counted = {
        flight: [totals.get(f"{flight}:{event.letter}", 0) for event in (Event.VIEW, Event.CLICK)] for flight in flights
    }
    return {flight: click_rate(views, clicks) for flight, (views, clicks) in counted.items()}


def _spent(
    flights: Iterable[Flight], totals: Mapping[str, int], today: Mapping[str, int]
) -> dict[str, tuple[str, str, str]]:
    return {flight.id: over for flight in flights if (over := spent(flight, totals, today))}


def _warn(shelf: Shelf) -> None:
    """Names what is in the store and cannot run."""
    for row in shelf.bad_rows:
        warn(f"{row.kind} {row.id}: {row.message}")
    for id, message in shelf.unprepared:
        warn(f"creative {id}: {message}")
