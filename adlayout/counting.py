"""The story of counting: what happens is written down at once and sent to the store until that has it, each once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from adlayout.counts import Record
from adlayout.errors import StoreError
from adlayout.events.beacon import Batch
from adlayout.events.record import (
    Caps,
    Happening,
    What,
    event_record,
    line_of,
    lost_record,
    page_record,
    record_of,
)
from adlayout.events.segments import sync
from adlayout.events.spool import Alarm, Bounds, Spool, adopt
from adlayout.events.token import Ad, Signed, Ticket
from adlayout.store.client import Recorded, Store
from adlayout.telemetry.logs import QUIET

# In which of a reader's fields an event of an ad counts.
CapsOf: TypeAlias = Callable[[What, Ad], Caps]
# What an event of an ad earns, in millionths of the currency.
WorthOf: TypeAlias = Callable[[What, Ad], int]

_BOUNDS: Final = Bounds()
_FIRST_RETRY_S: Final = 0.1
_LONGEST_RETRY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How lines are sent: so many at once, gathered for so long; and how often the disk and other spools are seen to.

    A store answers others between two batches, and so does this event loop: a batch of this size keeps either for two
    or three milliseconds. Four times as many lines are no faster, since the store takes longer for each.
    """

    batch_lines: int = 50
    gather_s: float = 0.02
    sync_s: float = 1.0
    adopt_s: float = 5.0


class Waiting(NamedTuple):
    """What the store has not acknowledged yet: how many lines, how old the oldest is, and how many were lost."""

    lines: int
    oldest_s: float
    lost: int


def no_caps(what: What, ad: Ad) -> Caps:
    """No event counts for its reader."""
    return ()


def no_worth(what: What, ad: Ad) -> int:
    """No event earns anything."""
    return 0


class Counter:
    """Takes events and has them counted. One for each process, called on its event loop.

    An event that a method took is on disk when the method returns. `directory` is the store's own: what waits there is
    sent to whatever store `run` is given, also what processes that ended left in it.
    """

    def __init__(  # noqa: PLR0913 (each is a setting of its own, with a default)
        self,
        directory: Path,
        *,
        shards: int = 1,
        log: Alarm = QUIET,
        bounds: Bounds = _BOUNDS,
        pace: Pace = Pace(),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._alarm = partial(log, level="warning")
        self._directory, self._bounds, self._pace = directory, bounds, pace
        self._clock = _Clock(now)
        self._own = [self._sender(shard, self._spool(shard)) for shard in range(shards)]
        self._adopted: list[_Sender] = []
        # Filled on another thread, which goes on when what waits for it is cancelled.
        self._found: deque[tuple[int, Spool]] = deque()
        self._closed = False
        self._arrivals = [asyncio.Event() for _ in range(shards)]

    @property
    def ahead(self) -> timedelta:
        """How far the store's clock is ahead of ours, as far as its last answer told."""
        return timedelta(milliseconds=self._clock.ahead_ms)

    # What happened.

    def page(self, signed: Signed, *, once: bool = False, caps: Caps = (), bad: str | None = None) -> None:
        """That a page was served; `once` where its caller may ask for it again under the same name.

        `caps` are the fields of its reader in which its ads count as served, one for each time; `bad` says why it does
        not count as a reader's.
        """
        self._take(signed.ticket.shard, page_record(signed, self._clock.now_ms(), once=once, caps=caps, bad=bad))

    def happened(  # noqa: PLR0913 (each is a matter of its own, with a default)
        self,
        ticket: Ticket,
        happening: Happening,
        *,
        id: str = "",
        caps_of: CapsOf = no_caps,
        worth_of: WorthOf = no_worth,
        bad: str | None = None,
    ) -> bool:
        """That something happened to a page or to one of its ads; False where the page has no ad in that slot.

        `id` names a page whose token does not, so that what is told twice counts once. What an event is worth is only
        asked for where an experiment counts it.
        """
        one = ticket.only(happening.slot) if happening.slot else ticket
        if one is None:
            return False
        what, ad = happening.what, one.ads[0] if happening.slot else None
        caps = caps_of(what, ad) if ad and one.reader else ()
        happening = happening._replace(worth=worth_of(what, ad) if ad and one.unit else 0)
        record = event_record(one.named(id), happening, self._clock.now_ms(), caps=caps, bad=bad)
        self._take(ticket.shard, record)
        return True

    def batch(
        self,
        ticket: Ticket,
        batch: Batch,
        *,
        caps_of: CapsOf = no_caps,
        worth_of: WorthOf = no_worth,
        bad: str | None = None,
    ) -> tuple[str, ...]:
        """Everything that a page reports; returns the reasons for what was left out."""
        taken = [
            self.happened(ticket, happening, id=batch.id, caps_of=caps_of, worth_of=worth_of, bad=bad)
            for happening in batch.happenings
        ]
        return (*batch.dropped, *["unknown_slot"] * taken.count(False))

    def _take(self, shard: int, record: Record) -> None:
        # A token may be older than the number of shards.
        shard %= len(self._own)
        self._own[shard].spool.append((line_of(record),))
        self._arrivals[shard].set()

    # What becomes of it.

    async def run(self, store: Store) -> None:
        """Sends what is taken, until it is cancelled. Never raises for what the store does."""
        async with asyncio.TaskGroup() as tasks:
            for sender, arrival in zip(self._own, self._arrivals, strict=True):
                tasks.create_task(self._flush(sender, arrival, store))
            tasks.create_task(self._sync())
            tasks.create_task(self._inherit(store))

    async def drain(self, store: Store, *, within_s: float) -> int:
        """Sends what waits for so long at most, and returns how many lines are left for whoever comes next."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(self._emptied(sender, store) for sender in self._senders()))
        return self.waiting().lines

    def close(self) -> None:
        """Gives the spools up; takes no event from here on."""
        self._closed = True
        self._welcome()
        for sender in self._senders():
            sender.spool.close()

    def waiting(self) -> Waiting:
        """What is still to be counted."""
        spools = [sender.spool for sender in self._senders()]
        oldest = min((at for spool in spools if (at := _oldest_ms(spool)) is not None), default=None)
        age_s = 0.0 if oldest is None else max(0, self._clock.now_ms() - oldest) / 1000
        return Waiting(sum(spool.waiting for spool in spools), age_s, sum(spool.lost for spool in spools))

    async def _flush(self, sender: _Sender, arrival: asyncio.Event, store: Store) -> None:
        await sender.step(store)  # says what time it is there, before the first page
        while True:
            if not sender.has_work:
                arrival.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.sync_s):
                        await arrival.wait()
                await asyncio.sleep(self._pace.gather_s)
                continue
            await sender.step(store)
            full = sender.spool.waiting >= self._pace.batch_lines
            await asyncio.sleep(sender.pause_s or (0 if full else self._pace.gather_s))

    async def _sync(self) -> None:
        """Once in a while what was written is brought to the disk, and what the disk did not take is tried again."""
        while True:
            for sender in self._senders():
                sender.spool.tidy()
                failed = await asyncio.to_thread(sync, sender.spool.unsynced())
                if failed is not None:
                    self._alarm("spool_unwritable", message=str(failed))
            await asyncio.sleep(self._pace.sync_s)

    async def _inherit(self, store: Store) -> None:
        """Sends what processes left that are gone."""
        while True:
            await asyncio.to_thread(self._find)
            self._welcome()
            for sender in list(self._adopted):
                await self._caught_up(sender, store)
                if sender.spool.is_empty:
                    self._adopted.remove(sender)
                    sender.spool.close()
            await asyncio.sleep(self._pace.adopt_s)

    async def _caught_up(self, sender: _Sender, store: Store) -> None:
        """Sends what waits until nothing does, or the store does not take it."""
        while sender.has_work:
            if not await sender.step(store):
                return
            await asyncio.sleep(0)

    async def _emptied(self, sender: _Sender, store: Store) -> None:
        while sender.spool.waiting:
            await sender.step(store)
            await asyncio.sleep(sender.pause_s)

    def _senders(self) -> Iterator[_Sender]:
        yield from (*self._own, *self._adopted)

    def _sender(self, shard: int, spool: Spool, *, adopted: bool = False) -> _Sender:
        return _Sender(spool, shard, self._clock, self._pace.batch_lines, self._alarm, adopted)

    def _spool(self, shard: int) -> Spool:
        return Spool(self._directory / str(shard), alarm=self._alarm, bounds=self._bounds)

    def _find(self) -> None:
        """Adopts what others left; reads all of it, so not on the event loop."""
        for shard in range(len(self._own)):
            for spool in adopt(self._directory / str(shard), alarm=self._alarm, bounds=self._bounds):
                if self._closed:
                    spool.close()
                else:
                    self._found.append((shard, spool))

    def _welcome(self) -> None:
        while self._found:
            shard, spool = self._found.popleft()
            self._alarm("spool_adopted", spool=spool.id, lines=spool.waiting)
            self._adopted.append(self._sender(shard, spool, adopted=True))


class _Clock:
    """The store's time, as far as its last answer told."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.local = now
        self._ahead_ms = 0

    @property
    def ahead_ms(self) -> int:
        return self._ahead_ms

    def now_ms(self) -> int:
        return int(self.local() * 1000) + self._ahead_ms

    def learn(self, now_ms: int, *, between: tuple[float, float]) -> None:
        """The store said `now_ms` at some moment between these two of our own."""
        self._ahead_ms = now_ms - int(sum(between) * 500)


@dataclass(slots=True)
class _Sender:
    """Sends one spool's lines in their order, at most so many at once, and goes back where the store lacks some.

    `start` says that the store, if it knows nothing of the spool, may begin with what comes next.
    """

    spool: Spool
    shard: int
    clock: _Clock
    most: int
    alarm: Alarm
    start: bool = False
    _next: int = field(init=False)
    _failures: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._next = self.spool.acknowledged + 1

    @property
    def has_work(self) -> bool:
        """Whether lines wait, or the store has to be asked whether it has them still."""
        return self.spool.waiting > 0 or self.spool.ring_due

    @property
    def pause_s(self) -> float:
        """How long to leave the store alone; 0 where it does what it should."""
        return min(_FIRST_RETRY_S * 2 ** min(self._failures - 1, 8), _LONGEST_RETRY_S) if self._failures else 0.0

    async def step(self, store: Store) -> bool:
        """Sends the lines that are next, at most a batch, or none to ask how far the store is; whether it answered."""
        async with self._turn:
            records, first, asked = self._records(), self._next, self.clock.local()
            try:
                answer = await store.record(self.shard, self.spool.id, first, records, start=self.start)
            except StoreError as exc:
                if not self._failures:
                    self.alarm("events_wait", message=str(exc), lines=self.spool.waiting)
                self._failures += 1
                _heed_an_end()
                return False
            if self._failures:
                self.alarm("events_flow", lines=self.spool.waiting)
            self._failures = 0
            self.clock.learn(answer.now_ms, between=(asked, self.clock.local()))
            self._learn(answer, first)
            _heed_an_end()
            return True

    def _records(self) -> tuple[Record, ...]:
        lines = self.spool.read(self._next, self.most)
        if not lines and self._next <= self.spool.last:
            self._leap(self._next - 1)
            lines = self.spool.read(self._next, self.most)
        return tuple(self._record(line) for line in lines)

    def _record(self, line: bytes) -> Record:
        record = record_of(line)
        if record is None:
            self.alarm("spool_unreadable", spool=self.spool.id, lines=1)
            return lost_record(self.clock.now_ms())
        return record

    def _learn(self, answer: Recorded, first: int) -> None:
        if answer.spoiled:
            self.alarm("counts_spoiled", fields=list(answer.spoiled))
        if answer.position >= first - 1:
            self._go_on(min(answer.position, self.spool.last))
            return
        self.alarm("events_again", spool=self.spool.id, lines=first - 1 - answer.position)
        if answer.position >= self.spool.earliest - 1:
            self._go_on(answer.position)
        elif answer.position == 0:
            # It knows nothing of the spool, so it may begin wherever we do.
            self._go_on(self.spool.earliest - 1)
            self.start = True
        else:
            self._leap(answer.position)

    def _go_on(self, position: int) -> None:
        self.spool.acknowledge(position)
        self._next, self.start = position + 1, False

    def _leap(self, after: int) -> None:
        self._next, self.start = self.spool.renew(after), True
        self.alarm("spool_lost", lines=self._next - 1 - after)


def _heed_an_end() -> None:
    """Ends the task that was told to end during a call to the store, whose client may have taken that for its own."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _oldest_ms(spool: Spool) -> int | None:
    """When the oldest line was taken that the store has not acknowledged."""
    lines = spool.read(spool.acknowledged + 1, 1) if spool.waiting else []
    record = record_of(lines[0]) if lines else None
    return record.at_ms if record else None
