"""A run through all that counts: signed tickets, page reports, clicks, the spool and a real store of its own."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from numpy.random import default_rng

from adlayout.counting import Counter
from adlayout.errors import StoreError
from adlayout.events.beacon import read_batch
from adlayout.events.record import Happening, What
from adlayout.events.token import Ad, Purpose, Signed, Signer, Ticket
from adlayout.experiments.assign import Experiment
from adlayout.experiments.crowd import ADS, PRICES_MICRO, Plant, Tally, Today, crowd
from adlayout.model import Device
from adlayout.privacy.readers import unit_key
from adlayout.rehearsal.setup import Setup, day, readers
from adlayout.store import embedded
from adlayout.store.client import Store

_DRAIN_S: Final = 300.0
_TOKEN_S: Final = 7_200
_NOON: Final = timedelta(hours=12)
_FLIGHTS: Final = {f"flight-{price}": price for price in PRICES_MICRO}


@dataclass(frozen=True, slots=True)
class Counted:
    """What a store of its own came to: pages, the sums by their names, and what this process says they should be."""

    pages: int
    store: dict[str, int]
    due: dict[str, int]

    @property
    def differing(self) -> tuple[str, ...]:
        """The sums that are not the same."""
        names = sorted(self.store.keys() | self.due.keys())
        return tuple(name for name in names if self.store.get(name) != self.due.get(name))


def by_store(setup: Setup, plant: Plant, number: int) -> Counted:
    """The run of this number, page by page into an embedded store, beside its sums as `play` adds them up."""
    with embedded.start() as server, tempfile.TemporaryDirectory() as directory:
        return asyncio.run(_counted(setup, plant, number, server.url, Path(directory)))


async def _counted(setup: Setup, plant: Plant, number: int, url: str, directory: Path) -> Counted:
    experiment, store = setup.run(number), Store(url, timeout_ms=10_000)
    dealt = list(readers(experiment, setup.readers))
    arms, pages = [arm for _, arm in dealt], 0
    tally, rng = Tally(arms), default_rng([setup.seed, number])
    try:
        for at, today in enumerate(crowd(rng, arms, setup.days, plant)):
            tally.add(today, day(at))
            # Each day has a counter of its own, whose clock the store has not corrected yet.
            press = _Press(experiment, day(at), directory / str(at))
            for visit in _visits(today):
                press.take(*dealt[visit.reader], visit)
            await press.send(store)
            pages += int(today.pages.sum())
        found = await store.experiment(experiment.key, experiment.variation_keys)
    finally:
        await store.close()
    return Counted(pages, _without_nothing(found), _without_nothing(tally.counted))


def _without_nothing(sums: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in sums.items() if number}


@dataclass(frozen=True, slots=True)
class _Visit:
    """What one reader did on one day."""

    reader: int
    pages: int
    views: int
    clicks: int
    engaged_ms: int
    shift: int
    ms: int
    price: int


def _visits(today: Today) -> Iterator[_Visit]:
    columns = (
        today.who, today.pages, today.views, today.clicks, today.engaged_ms, today.shift, today.ms, today.price,
    )  # fmt: skip
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield _Visit(*row)


class _Press:
    """The pages of one day: signs them, and takes what browsers make of them."""

    def __init__(self, experiment: Experiment, on: date, directory: Path) -> None:
        now = datetime.combine(on, datetime.min.time(), UTC) + _NOON
        self._experiment, self._on, self._now = experiment, on, now
        self._secret = secrets.token_hex()
        self._signer = Signer([self._secret], now=now.timestamp)
        self._counter = Counter(directory, now=now.timestamp)

    def take(self, reader: str, arm: int, visit: _Visit) -> None:
        """All pages of a visit: the first ads are seen, and of those the first are followed."""
        for page in range(visit.pages):
            signed = self._signed(reader, arm, visit, page)
            self._counter.page(signed)
            self._report(signed, _part(visit.views, page), visit if page == 0 else None)
            for index in range(_part(visit.clicks, page)):
                self._follow(signed, index)

    async def send(self, store: Store) -> None:
        """Has all of it counted."""
        left = await self._counter.drain(store, within_s=_DRAIN_S)
        self._counter.close()
        if left:
            raise StoreError(f"{store.where}: {left} events were not counted in {_DRAIN_S:g} s")

    def _signed(self, reader: str, arm: int, visit: _Visit, page: int) -> Signed:
        flight = tuple(_FLIGHTS)[visit.price]
        return self._signer.sign(
            Ticket(
                expires=int(self._now.timestamp()) + _TOKEN_S,
                site=self._experiment.site,
                layout=self._experiment.variations[arm],
                device=Device.MOBILE,
                serve=f"{reader}-{self._on:%Y%m%d}-{page}",
                variation=f"{self._experiment.key}={self._experiment.variation_keys[arm]}",
                slots=ADS,
                ads=tuple(Ad(f"inline-{at + 1}", flight, "ad") for at in range(ADS)),
                unit=unit_key(self._experiment.key, reader, ["rehearsal"]),
                ms=visit.ms,
            )
        )

    def _report(self, signed: Signed, views: int, visit: _Visit | None) -> None:
        """The page's beacon as its script writes it; what is measured of a visit comes with its first page."""
        events: list[dict[str, object]] = [{"type": "exposure"}]
        events += [{"type": "view", "slot": f"inline-{at + 1}"} for at in range(views)]
        if visit is not None:
            events.append({"type": "engaged", "ms": visit.engaged_ms, "n": 0})
            events.append({"type": "shift", "value": visit.shift / 10_000, "n": 0})
        batch = read_batch(json.dumps({"token": signed.page, "events": events}).encode())
        ticket = self._read(batch.token, Purpose.PAGE)
        self._counter.batch(ticket, batch, worth_of=_worth_of)

    def _follow(self, signed: Signed, index: int) -> None:
        ticket = self._read(signed.click(index), Purpose.CLICK)
        self._counter.happened(ticket, Happening(What.CLICK, ticket.ads[0].slot), worth_of=_worth_of)

    def _read(self, token: str, purpose: Purpose) -> Ticket:
        ticket = self._signer.read(token, purpose)
        if not isinstance(ticket, Ticket):
            raise TypeError(f"a token that was just signed is not believed: {ticket}")
        return ticket


def _part(number: int, page: int) -> int:
    """How many of the day's views or clicks are on this page, when the first pages are full of them."""
    return min(max(number - page * ADS, 0), ADS)


def _worth_of(what: What, ad: Ad) -> int:
    return _FLIGHTS[ad.flight] if what is What.VIEW else 0
