"""The story of how far flights are delivered: the store's counts become rates, and those that are done wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from adlayout.config.fields import zone
from adlayout.config.settings import Settings
from adlayout.counts import Event, Ledger, Limit
from adlayout.decision.inventory import EMPTY, Flight, Inventory
from adlayout.decision.limits import counted_event
from adlayout.decision.pacing import Clock, Counted, Pace, click_rate, spent, steer
from adlayout.errors import StoreError
from adlayout.store.client import Store
from adlayout.upkeep import Log, Shelf

# A flight that was published begins at its first pace, not at full speed until the next step.
_NOTICE_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far flights are delivered, as of one moment.

    `rates` are the shares of pages on which those flights run that do not run on all; `spent` those that are done,
    each with (reason, needed, actual); `ctr` the click-through rates of those that are paid by the click.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    ctr: Mapping[str, float] = field(default_factory=dict)


class Holder(Protocol):
    """Whoever shows pages how far flights are delivered."""

    delivery: Delivery


async def keep_delivery(holder: Holder, store: Store, shelf: Shelf, settings: Settings, *, log: Log) -> None:
    """Keeps the holder's delivery up to date until it is cancelled, in steps of `pacing.every_s`.

    While the store is away flights go on at their last rate. Where there are shards their budgets are dealt out anew.
    """
    steering = _Steering(holder, store, shelf, Clock(zone(settings.counting.time_zone), settings.pacing.curve), log)
    clock = asyncio.get_running_loop().time
    due_at = clock()
    while True:
        if clock() >= due_at:
            due_at = clock() + settings.pacing.every_s
            await steering.step()
        if shelf.stock.inventory is not steering.inventory:
            await steering.meet()
        await asyncio.sleep(min(settings.pacing.every_s, _NOTICE_S))


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the store counted when it was last asked; nothing before that."""

    totals: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    today: Mapping[str, int] = field(default_factory=dict)

    def of(self, flight: Flight) -> Counted:
        name = f"{flight.id}:{counted_event(flight.row).letter}"
        held = self.held.get(name, 0)
        return Counted(self.totals.get(name, 0) + held, self.today.get(name, 0) + held)

    def ctr(self, flight: str) -> float:
        views, clicks = (self.totals.get(f"{flight}:{event.letter}", 0) for event in (Event.VIEW, Event.CLICK))
        return click_rate(views, clicks)


@dataclass(slots=True)
class _Steering:
    """One run of the loop: the paces that it gave, and what it last heard from the store."""

    holder: Holder
    store: Store
    shelf: Shelf
    clock: Clock
    log: Log
    inventory: Inventory = EMPTY
    _counts: _Counts = _Counts()
    _paces: dict[str, Pace] = field(default_factory=dict)
    _failed: bool = False

    async def step(self) -> None:
        """Asks the store what was counted and gives every flight its pace."""
        now = datetime.now(UTC)
        day = f"{self.clock.wall(now):%Y%m%d}"
        inventory = self.shelf.stock.inventory
        try:
            self._counts = _Counts(await self.store.totals(), await self.store.held(), await self.store.day(day))
            # Off the event loop: thousands of flights take longer than a page may wait.
            self._paces = await asyncio.to_thread(self._paced, inventory.flights, now, self._paces)
            self._show(inventory)
            await self.store.rebalance(_budgets(inventory.flights), day=day)
        except StoreError as exc:
            self._fail(exc)
        else:
            self._recover()

    async def meet(self) -> None:
        """Gives flights that are new their first pace, by what is known already; the others go on as they were."""
        inventory = self.shelf.stock.inventory
        strangers = [flight for flight in inventory.flights if flight.id not in self._paces]
        self._paces |= await asyncio.to_thread(self._paced, strangers, datetime.now(UTC), {})
        self._show(inventory)

    def _paced(self, flights: Iterable[Flight], now: datetime, before: Mapping[str, Pace]) -> dict[str, Pace]:
        found = (
            (flight.id, steer(flight, self._counts.of(flight), now, before.get(flight.id), clock=self.clock))
            for flight in flights
        )
        return {id: pace for id, pace in found if pace}

    def _show(self, inventory: Inventory) -> None:
        done = {flight.id: spent(flight, self._counts.totals, self._counts.today) for flight in inventory.flights}
        self.holder.delivery = Delivery(
            rates={id: pace.rate for id, pace in self._paces.items() if pace.rate < 1},
            spent={id: why for id, why in done.items() if why},
            ctr={
                flight.id: self._counts.ctr(flight.id) for flight in inventory.flights if flight.row.rate_type == "cpc"
            },
        )
        self.inventory = inventory

    def _fail(self, exc: StoreError) -> None:
        if not self._failed:
            self.log("pacing_stale", message=str(exc))
        self._failed = True

    def _recover(self) -> None:
        if self._failed:
            self.log("pacing_back", store=self.store.where)
        self._failed = False


def _budgets(flights: Iterable[Flight]) -> list[Limit]:
    """Every budget that shards share, once."""
    found = {
        limit
        for flight in flights
        for candidacy in flight.candidacies
        if candidacy.terms
        for limit in candidacy.terms.known.limits
        if limit.ledger is not Ledger.READER
    }
    return sorted(found)
