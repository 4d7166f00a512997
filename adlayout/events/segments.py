"""Segments: the files of a spool, a line per position, and the locks that say whose they are; knows nothing of use."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

# A file that is not open.
CLOSED: Final = -1

_ENDING: Final = ".ndjson"
_LOCK: Final = ".lock"
_MUTEX: Final = "lock"
# Whoever holds the directory's own lock names and locks a few files, and lets go.
_PATIENCE_S: Final = 0.1
_POLL_S: Final = 0.001
_READ_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class Segment:
    """One file of lines; `first` is the position of its first line, and `size` the bytes of its whole lines."""

    path: Path
    first: int
    lines: int = 0
    size: int = 0
    born: float = 0.0

    @property
    def last(self) -> int:
        """The position of its last line; `first - 1` where it has none."""
        return self.first + self.lines - 1

    def rename(self, id: str) -> None:
        """Gives it to the spool of that name."""
        path = segment_path(self.path.parent, id, self.first)
        self.path.rename(path)
        self.path = path


class Reading:
    """Reads a spool's lines one batch after another, and finds its place again where it is asked for another."""

    def __init__(self) -> None:
        self._file = CLOSED
        self._segment: Segment | None = None
        self._next = 0
        self._offset = 0

    def lines(self, segment: Segment, first: int, most: int) -> list[bytes]:
        """At most so many of the segment's lines from position `first` on; raises OSError."""
        self._seek(segment, first)
        found = self._read(segment, most)
        self._next += len(found)
        self._offset += sum(map(len, found)) + len(found)
        return found

    def close(self) -> None:
        """Closes what is open; it can be used again."""
        if self._file != CLOSED:
            os.close(self._file)
        self._file, self._segment = CLOSED, None

    def _seek(self, segment: Segment, first: int) -> None:
        if segment is not self._segment:
            self.close()
            self._file = os.open(segment.path, os.O_RDONLY)
            self._segment, self._next, self._offset = segment, segment.first, 0
        if first < self._next:
            self._next, self._offset = segment.first, 0
        while self._next < first:
            passed = self._read(segment, first - self._next)
            if not passed:
                raise OSError(f"{segment.path}: ends before line {first - segment.first + 1}")
            self._next += len(passed)
            self._offset += sum(map(len, passed)) + len(passed)

    def _read(self, segment: Segment, most: int) -> list[bytes]:
        left, want = segment.size - self._offset, _READ_BYTES
        raw = os.pread(self._file, min(want, left), self._offset)
        while b"\n" not in raw and len(raw) == min(want, left) and want < left:
            want *= 4  # what a machine left behind that lost its power may be one long line
            raw = os.pread(self._file, min(want, left), self._offset)
        *whole, _ = raw.split(b"\n", most)
        return whole


def segment_path(directory: Path, id: str, first: int) -> Path:
    """Where the spool's segment with that first position lies."""
    return directory / f"{id}.{first}{_ENDING}"


def spool_ids(directory: Path) -> list[str]:
    """Every spool of which something lies in the directory."""
    names = [path.name for path in directory.iterdir() if path.suffix in (_ENDING, _LOCK)]
    return sorted({name.partition(".")[0] for name in names})


def segments_of(directory: Path, id: str) -> tuple[list[Segment], int]:
    """The spool's segments as they lie on disk, and how many of them end in half a line; raises OSError."""
    firsts = sorted(int(path.name.split(".")[1]) for path in directory.glob(f"{id}.*{_ENDING}") if _is_numbered(path))
    found = [_counted(Segment(segment_path(directory, id, first), first)) for first in firsts]
    torn = sum(segment.path.stat().st_size > segment.size for segment in found)
    for segment, follower in pairwise(found):
        segment.lines = min(segment.lines, follower.first - segment.first)
    for segment in found:
        if not segment.lines:
            segment.path.unlink()
    return [segment for segment in found if segment.lines], torn


def _is_numbered(path: Path) -> bool:
    number = path.name.split(".")[1]
    return number.isascii() and number.isdecimal()


def _counted(segment: Segment) -> Segment:
    with segment.path.open("rb") as file:
        while chunk := file.read(1 << 20):
            newlines = chunk.count(b"\n")
            segment.lines += newlines
            end = chunk.rfind(b"\n") + 1
            segment.size = file.tell() - len(chunk) + end if end else segment.size
    return segment


# Whose they are.


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keeps the spools of a directory from being taken and given while the block runs; raises OSError."""
    mutex = os.open(directory / _MUTEX, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        ends = time.monotonic() + _PATIENCE_S
        while not _lock(mutex):
            if time.monotonic() > ends:
                raise OSError(f"{directory / _MUTEX}: another process holds it")
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(mutex)


def take(directory: Path, id: str) -> int | None:
    """The spool's lock, held for as long as it stays open, or None where its owner lives; only within `alone`."""
    lock = os.open(directory / f"{id}{_LOCK}", os.O_RDWR | os.O_CREAT, 0o600)
    if _lock(lock):
        return lock
    os.close(lock)
    return None


def release(directory: Path, id: str, lock: int, *, forget: bool) -> None:
    """Gives the spool up; `forget` removes its lock file too, for one that holds nothing."""
    if forget:
        with suppress(OSError):
            (directory / f"{id}{_LOCK}").unlink()
    os.close(lock)


def note(lock: int, position: int) -> None:
    """Writes into a lock file what was acknowledged."""
    with suppress(OSError):
        os.pwrite(lock, b"%020d" % position, 0)


def noted(lock: int) -> int:
    """What was acknowledged as far as the lock file says; 0 where it says nothing."""
    said = os.pread(lock, 20, 0)
    return int(said) if said.isdigit() else 0


def sync(files: Sequence[int]) -> OSError | None:
    """Has what was written to the files brought to the disk and closes them; returns what went wrong."""
    failed = None
    for file in files:
        try:
            os.fsync(file)
        except OSError as exc:
            failed = exc
        os.close(file)
    return failed


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
