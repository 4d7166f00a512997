"""The spool: lines are on disk before anybody is told that they were taken, until the store has them. Knows no store.

What the store acknowledged stays for a while (`RING_S`): one that is restarted or fails over may lose its last second,
and is sent that again. A spool whose owner was killed is adopted by whoever comes next and goes on under its own name.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Final, Protocol

from adlayout.events.segments import (
    CLOSED,
    Reading,
    Segment,
    alone,
    note,
    noted,
    release,
    segment_path,
    segments_of,
    spool_ids,
    sync,
    take,
)

RING_S: Final = 10.0
# How long the store remembers a spool's position is 7 days: what is older must not be sent on the chance that it does.
_REMEMBERED_S: Final = 6 * 86_400.0
_RETRY_S: Final = 1.0
_RECOVERED_LINES: Final = 1_000


class Alarm(Protocol):
    """Tells ops what went wrong: an event and its fields."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a spool may become: a segment in bytes and seconds, all of it on disk, and what the disk does not take.

    Segments are short-lived so that what was acknowledged long ago is not kept for the sake of what was not; `ring_s`
    is how long what was acknowledged stays.
    """

    segment_bytes: int = 4 * 1024 * 1024
    segment_s: float = RING_S
    ring_s: float = RING_S
    disk_bytes: int = 1024 * 1024 * 1024
    memory_bytes: int = 32 * 1024 * 1024


class Spool:
    """Lines at positions from 1 on, from `append` to `acknowledge`. Nothing here raises for what the disk does.

    `last` is the position of the newest line, `acknowledged` up to where the store has them, `lost` how many were taken
    neither by the disk nor by the memory.
    """

    def __init__(
        self,
        directory: Path,
        *,
        alarm: Alarm,
        bounds: Bounds = Bounds(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = token_hex(8)
        self.last = self.acknowledged = self.lost = 0
        self._directory, self._alarm, self._bounds, self._clock = directory, alarm, bounds, clock
        self._lock: int | None = None
        self._segments: list[Segment] = []
        self._out = CLOSED
        self._memory: deque[bytes] = deque()
        self._memory_bytes = 0
        self._ring: deque[tuple[int, float]] = deque()
        self._settled = 0
        self._reading = Reading()
        self._written = False
        self._retired: list[int] = []
        self._failing = ""
        self._retry_at = 0.0
        self._told_lost = 0

    @property
    def waiting(self) -> int:
        """How many lines the store has not acknowledged."""
        return self.last - self.acknowledged

    @property
    def earliest(self) -> int:
        """The first position that is still kept."""
        return self._segments[0].first if self._segments else self._on_disk + 1

    @property
    def is_empty(self) -> bool:
        """Whether no line is kept, waiting or not."""
        return not self._segments and not self._memory

    @property
    def ring_due(self) -> bool:
        """Whether something was acknowledged so long ago that it can go, once the store says that it has it still."""
        return bool(self._ring) and self._clock() >= self._ring[0][1] + self._bounds.ring_s

    @property
    def _on_disk(self) -> int:
        return self.last - len(self._memory)

    def append(self, lines: Sequence[bytes]) -> int:
        """Takes the lines, which hold no line ends, and returns the position of the last one.

        They survive the end of this process, however it comes; where the disk does not take them they are kept in
        memory, and where that is full they are lost.
        """
        data = b"\n".join(lines) + b"\n"
        if self._memory or not self._write(data, len(lines)):
            if self._memory_bytes + len(data) > self._bounds.memory_bytes:
                self.lost += len(lines)
                return self.last
            self._memory.extend(lines)
            self._memory_bytes += len(data)
        self.last += len(lines)
        return self.last

    def read(self, first: int, most: int) -> list[bytes]:
        """At most so many lines from position `first` on; none where there are none, or none any more."""
        if first > self._on_disk:
            start = first - self._on_disk - 1
            return list(islice(self._memory, start, start + most))
        segment = next((one for one in reversed(self._segments) if one.first <= first <= one.last), None)
        if segment is None:
            return []
        try:
            return self._reading.lines(segment, first, min(most, segment.last - first + 1))
        except OSError as exc:
            self._alarm("spool_unreadable", message=str(exc), lines=segment.lines)
            self._drop(segment)
            return []

    def acknowledge(self, position: int) -> None:
        """Says that the store holds all lines up to `position`, which may be fewer than it once did.

        What it has held for a while is removed.
        """
        now = self._clock()
        self.acknowledged = position
        while self._ring and self._ring[-1][0] > position:
            self._ring.pop()
        if position > (self._ring[-1][0] if self._ring else self._settled):
            self._ring.append((position, now))
        while self._ring and self._ring[0][1] + self._bounds.ring_s <= now:
            self._settled = self._ring.popleft()[0]
        self._remove(self._settled)
        if self._lock is not None:
            note(self._lock, position)

    def renew(self, after: int) -> int:
        """Goes on under a new name with the first line that is kept behind `after`, and returns its position.

        Under the old name the store would wait for the lines in between, which are gone.
        """
        for segment in [one for one in self._segments if one.last <= after]:
            self._drop(segment)
        first = max(self.earliest, after + 1)
        self.acknowledged = first - 1
        self._ring.clear()
        old, held = self.id, self._lock
        self.id, self._lock = token_hex(8), None
        try:
            self._hold()
            for segment in self._segments:
                segment.rename(self.id)
        except OSError as exc:
            # Whose lock it was, so that nobody takes what may still bear the old name.
            self._lock = held
            self._alarm("spool_unwritable", message=str(exc))
        else:
            if held is not None:
                release(self._directory, old, held, forget=True)
        return first

    def tidy(self) -> None:
        """What is to be done every second: what waits in memory goes to the disk as soon as that takes it again."""
        while self._memory:
            lines = list(islice(self._memory, _RECOVERED_LINES))
            if not self._write(b"\n".join(lines) + b"\n", len(lines), first=self._on_disk + 1):
                break
            for line in lines:
                self._memory.popleft()
                self._memory_bytes -= len(line) + 1
        if self.lost > self._told_lost:
            self._alarm("spool_lost", lines=self.lost - self._told_lost)
            self._told_lost = self.lost

    def unsynced(self) -> list[int]:
        """Files to give to `sync`, on whatever thread: with what was written since the last time."""
        files, self._retired = self._retired, []
        if self._written and self._out != CLOSED:
            files.append(os.dup(self._out))
        self._written = False
        return files

    def close(self) -> None:
        """Ends it for this process; what the store has not acknowledged waits for the next one."""
        self._retry_at = 0.0
        self.tidy()
        left = self.last - max(self._on_disk, self.acknowledged)
        if left > 0:
            self._alarm("spool_lost", lines=left)
        self._retire()
        sync(self.unsynced())
        self._reading.close()
        if self._lock is not None:
            release(self._directory, self.id, self._lock, forget=not self._segments)
            self._lock = None

    def inherit(self, id: str, lock: int, *, now: float) -> bool:
        """Becomes the spool of that name as its owner left it, and says whether anything is left; `lock` is its lock.

        `now` is in Unix seconds. Lines that were acknowledged are sent again, but for those which the store has had so
        long that it may have forgotten where it was.
        """
        try:
            self._segments, torn = segments_of(self._directory, id)
            newest = max((segment.path.stat().st_mtime for segment in self._segments), default=now)
        except OSError as exc:
            self._alarm("spool_unreadable", message=str(exc))
            release(self._directory, id, lock, forget=False)
            return False
        if torn:
            self._alarm("spool_torn", spool=id, lines=torn)
        if not self._segments:
            release(self._directory, id, lock, forget=True)
            return False
        self.id, self._lock, self.last = id, lock, self._segments[-1].last
        known = noted(lock) if now - newest > _REMEMBERED_S else 0
        self.acknowledged = min(max(known, self.earliest - 1), self.last)
        return True

    def _write(self, data: bytes, lines: int, *, first: int | None = None) -> bool:
        """Whether the disk took the lines. Where it does not, it is asked again after a while."""
        now = self._clock()
        if now < self._retry_at:
            return False
        try:
            segment = self._current(first or self.last + 1, len(data), now)
            self._put(segment, data)
        except OSError as exc:
            self._fail(exc, now)
            return False
        segment.lines += lines
        segment.size += len(data)
        self._written = True
        if self._failing:
            self._failing = ""
            self._alarm("spool_back", directory=str(self._directory))
        return True

    def _current(self, first: int, size: int, now: float) -> Segment:
        segment = self._segments[-1] if self._out != CLOSED else None
        if segment and segment.size < self._bounds.segment_bytes and now < segment.born + self._bounds.segment_s:
            return segment
        # Counted where a segment begins: so a cap is passed by one segment at most, and no line costs a sum.
        if sum(one.size for one in self._segments) + size > self._bounds.disk_bytes:
            raise OSError(errno.EDQUOT, f"{self._directory}: the spool holds as much as it may")
        self._retire()
        self._hold()
        path = segment_path(self._directory, self.id, first)
        self._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._segments.append(Segment(path, first, born=now))
        return self._segments[-1]

    def _hold(self) -> None:
        """Takes the spool's lock, which a directory that cannot be written to gives nobody."""
        if self._lock is not None:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(self._directory):
            self._lock = take(self._directory, self.id)

    def _put(self, segment: Segment, data: bytes) -> None:
        written = os.write(self._out, data)
        if written < len(data):
            # Nothing may follow half a line: this segment takes no more, whether or not that half can be removed.
            with suppress(OSError):
                os.ftruncate(self._out, segment.size)
            raise OSError(errno.ENOSPC, f"{segment.path}: {os.strerror(errno.ENOSPC)}")

    def _fail(self, exc: OSError, now: float) -> None:
        self._retry_at = now + _RETRY_S
        self._retire()
        if self._segments and not self._segments[-1].lines:
            self._drop(self._segments[-1])
        event = "spool_full" if exc.errno in (errno.EDQUOT, errno.ENOSPC) else "spool_unwritable"
        if event != self._failing:
            self._failing = event
            self._alarm(event, message=str(exc))

    def _retire(self) -> None:
        """Closes the segment that is written to, once what it holds is on the disk."""
        if self._out != CLOSED:
            self._retired.append(self._out)
            self._out = CLOSED

    def _remove(self, settled: int) -> None:
        """Removes what nobody will ask for again."""
        while self._segments and self._segments[0].last <= settled:
            self._drop(self._segments[0])
        while self._memory and self._on_disk < settled:
            self._memory_bytes -= len(self._memory.popleft()) + 1

    def _drop(self, segment: Segment) -> None:
        if segment is self._segments[-1]:
            self._retire()
        self._segments.remove(segment)
        with suppress(OSError):
            segment.path.unlink()


def adopt(
    directory: Path,
    *,
    alarm: Alarm,
    bounds: Bounds = Bounds(),
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> list[Spool]:
    """The spools of owners that are gone, from here on this process's own. Reads every line of theirs once."""
    try:
        with alone(directory):
            free = [(id, lock) for id in spool_ids(directory) if (lock := take(directory, id)) is not None]
    except OSError:
        return []  # whoever writes into the directory says what is wrong with it
    left = [(Spool(directory, alarm=alarm, bounds=bounds, clock=clock), id, lock) for id, lock in free]
    return [spool for spool, id, lock in left if spool.inherit(id, lock, now=now())]
