"""The story of the background: rows become an inventory, creatives are prepared, and pages get both in one swap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from adlayout import snapshots
from adlayout.decision.inventory import EMPTY, BadRow, Inventory, read_inventory, without
from adlayout.errors import StoreError, StoreTimeout
from adlayout.model import Creative, Degraded
from adlayout.rendering.creative import Prepared
from adlayout.rows import Rows
from adlayout.store.client import Store

Prepare = Callable[[Creative], Prepared]

_LONGEST_PAUSE_S = 0.8  # a store that comes back is found within a second


class Log(Protocol):
    """Writes one line: an event in glossary words and its fields."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


def _to_logging(event: str, /, **fields: object) -> None:
    logging.getLogger("adlayout").warning("%s %s", event, " ".join(f"{name}={fields[name]}" for name in fields))


@dataclass(frozen=True, slots=True)
class Stock:
    """What a page is filled from, all of one revision; `revision` is None before the first load."""

    inventory: Inventory = EMPTY
    prepared: Mapping[str, Prepared] = field(default_factory=dict)
    revision: int | None = None


@dataclass(slots=True)
class Shelf:
    """The one holder of a worker's stock that changes. Pages read `stock` once and use that to their end.

    `failure` says how the last poll failed, None where it did not; `last_ok` is when one last succeeded;
    `bad_rows` are those of the stock that were left out, and `unprepared` its creatives with bad markup. `ctr` are the
    click-through rates of flights that are paid by the click, as far as they are known. `snapshot` is the file that
    keeps the last good inventory, for a start without the store, and `time_zone` that of flights that name none.
    """

    stock: Stock = Stock()
    failure: Degraded | None = None
    last_ok: datetime | None = None
    bad_rows: tuple[BadRow, ...] = ()
    unprepared: tuple[tuple[str, str], ...] = ()
    ctr: Mapping[str, float] = field(default_factory=dict)
    snapshot: Path | None = None
    time_zone: str = "UTC"


async def seed_if_empty(store: Store, rows: Rows) -> bool:
    """Publishes the rows into a store that never held an inventory, in one step; says whether it did."""
    return await store.seed(rows)


async def fill(shelf: Shelf, store: Store, prepare: Prepare, *, log: Log = _to_logging) -> None:
    """Loads the inventory now, once. Never raises for what the store does: the shelf says how it went."""
    await _Keeper(shelf, store, prepare, log).step(full=True)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the revision is asked for, and how often all is loaded whatever the revision says."""

    poll_s: float = 0.25
    full_s: float = 60.0


async def keep_stock(
    shelf: Shelf, store: Store, prepare: Prepare, *, pace: Pace = Pace(), log: Log = _to_logging
) -> None:
    """Keeps the shelf up to date until it is cancelled: a change in the store is on it within a second.

    Polls the revision and loads where it differs; now and then, and after a failure, it loads anyway, for rows that
    were written without a new revision and for stores that came back with other contents.
    """
    keeper = _Keeper(shelf, store, prepare, log)
    clock = asyncio.get_running_loop().time
    full_at, failures = clock(), 0
    while True:
        full = failures > 0 or clock() >= full_at
        if await keeper.step(full=full):
            failures = 0
            full_at = clock() + pace.full_s if full else full_at
        else:
            failures += 1
        await asyncio.sleep(min(pace.poll_s * 2 ** min(failures, 8), max(pace.poll_s, _LONGEST_PAUSE_S)))


@dataclass(slots=True)
class _Keeper:
    """One run of the upkeep; what it prepared is its own, since another run may prepare otherwise."""

    shelf: Shelf
    store: Store
    prepare: Prepare
    log: Log
    _rows: Rows | None = None
    _ctr: Mapping[str, float] = field(default_factory=dict)
    _prepared: dict[Creative, Prepared | str] = field(default_factory=dict)

    async def step(self, *, full: bool) -> bool:
        """Asks the store once and brings the shelf up to date; False where the store failed.

        The short question comes first even where all is loaded: a store that hangs is known before a load is given up.
        """
        try:
            revision = await self.store.revision()
            if full or revision != self.shelf.stock.revision:
                await self._restock()
        except StoreError as exc:
            self._fail(exc)
            if self.shelf.stock.revision is None and self.shelf.snapshot is not None:
                await self._recall(self.shelf.snapshot)
            return False
        if self.shelf.failure:
            self.log("store_back", store=self.store.where)
        self.shelf.failure, self.shelf.last_ok = None, datetime.now(UTC)
        return True

    async def _restock(self) -> None:
        revision, rows = await self.store.load()
        if rows == self._rows and self.shelf.ctr == self._ctr:
            self.shelf.stock = replace(self.shelf.stock, revision=revision)
            return
        fresh = rows != self._rows
        await self._put(revision, rows)
        # A store that came back with nothing is no reason to forget what was there.
        if self.shelf.snapshot is not None and fresh and (revision or rows != Rows()):
            try:
                await asyncio.to_thread(snapshots.save, self.shelf.snapshot, revision, rows)
            except OSError as exc:
                self.log("snapshot_failed", level="warning", message=str(exc))

    async def _recall(self, path: Path) -> None:
        """What was on the shelf when the store was last there."""
        kept = await asyncio.to_thread(snapshots.load, path)
        if kept is not None:
            await self._put(*kept)
            self.log("snapshot_loaded", level="warning", revision=kept[0])

    async def _put(self, revision: int, rows: Rows) -> None:
        # Off the event loop: a large inventory takes longer to read than a page may wait.
        self._ctr = self.shelf.ctr
        inventory, bad_rows, prepared = await asyncio.to_thread(self._build, rows)
        good = {id: made for id, made in prepared.items() if isinstance(made, Prepared)}
        bad = {id: made for id, made in prepared.items() if isinstance(made, str)}
        self._tell(bad_rows, tuple(bad.items()))
        self.shelf.stock = Stock(without(inventory, bad.keys()), good, revision)
        self._rows = rows

    def _build(self, rows: Rows) -> tuple[Inventory, tuple[BadRow, ...], dict[str, Prepared | str]]:
        inventory, bad_rows = read_inventory(rows, ctr=self._ctr, time_zone=self.shelf.time_zone)
        known = self._prepared
        self._prepared = {one: known.get(one) or self._attempt(one) for one in inventory.creatives.values()}
        return inventory, bad_rows, {creative.id: made for creative, made in self._prepared.items()}

    def _attempt(self, creative: Creative) -> Prepared | str:
        """The prepared creative, or what is wrong with its markup."""
        try:
            return self.prepare(creative)
        except ValueError as exc:
            return str(exc) or "cannot be prepared"

    def _tell(self, bad_rows: tuple[BadRow, ...], unprepared: tuple[tuple[str, str], ...]) -> None:
        """Logs what is left out, once for as long as it stays the same."""
        for row in bad_rows:
            if row not in self.shelf.bad_rows:
                self.log("bad_row", kind=row.kind, id=row.id, message=row.message)
        for id, message in unprepared:
            if (id, message) not in self.shelf.unprepared:
                self.log("bad_markup", creative=id, message=message)
        self.shelf.bad_rows, self.shelf.unprepared = bad_rows, unprepared

    def _fail(self, exc: StoreError) -> None:
        failure = Degraded.STORE_TIMEOUT if isinstance(exc, StoreTimeout) else Degraded.STORE_ERROR
        if failure is not self.shelf.failure:
            self.log(failure.value, message=str(exc))
        self.shelf.failure = failure
