"""Processes that do one duty for many names; one that takes too long or ends costs its name and is replaced.

Knows nothing of articles.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from time import monotonic
from traceback import extract_tb
from typing import Generic, TypeVar

from adlayout.errors import InputError

T = TypeVar("T")

# Long enough for a process that was asked to end; what is still there then is killed.
_END_S = 5.0
# A fork would copy locks that other threads hold.
_SPAWN = get_context("spawn")


@dataclass(frozen=True, slots=True)
class Lost:
    """A name whose duty was not done, and why."""

    name: str
    cause: str


def each(
    names: Sequence[str], duty: Callable[[str], T], *, jobs: int, patience_s: float
) -> Generator[T | Lost, None, None]:
    """What the duty returns for every name, as it comes; the duty goes to other processes, so it has to be picklable.

    Raises InputError where they do not start. Whoever stops asking closes it, which ends them.
    """
    crew = _Crew(deque(names), duty, patience_s)
    try:
        crew.hire(min(jobs, len(names)))
        while crew.members:
            yield from crew.hear()
    finally:
        crew.dismiss()


class _Member(Generic[T]):
    """One process, the line to it, the name it is at, and when the patience with it ends."""

    def __init__(self, duty: Callable[[str], T]) -> None:
        self.line, far = _SPAWN.Pipe()
        self.process: SpawnProcess = _SPAWN.Process(target=_work, args=(duty, far), daemon=True)
        self.name: str | None = None
        self.ends = inf
        with _deaf():
            self.process.start()
        far.close()


class _Crew(Generic[T]):
    def __init__(self, waiting: deque[str], duty: Callable[[str], T], patience_s: float) -> None:
        self.members: list[_Member[T]] = []
        self._waiting = waiting
        self._duty = duty
        self._patience_s = patience_s

    def hire(self, count: int) -> None:
        self.members += [_Member(self._duty) for _ in range(count)]

    def hear(self) -> Iterator[T | Lost]:
        """What was done or lost by the time that anything was."""
        patience = min(one.ends for one in self.members) - monotonic()
        ready = wait([one.line for one in self.members], None if patience == inf else max(0.0, patience))
        for member in tuple(self.members):
            if member.line in ready:
                yield from self._heard(member)
            elif monotonic() >= member.ends:
                yield from self._lost(member, f"took longer than {self._patience_s:g} s")

    def dismiss(self) -> None:
        """Ends whoever is left."""
        for member in self.members:
            member.process.terminate()
        for member in self.members:
            _end(member)
        self.members.clear()

    def _heard(self, member: _Member[T]) -> Iterator[T | Lost]:
        try:
            answer: T | Lost = member.line.recv()
        except (EOFError, ConnectionResetError):
            member.process.join(_END_S)
            yield from self._lost(member, f"the process that worked on it ended with {member.process.exitcode}")
            return
        if member.name is not None:
            yield answer
        self._employ(member)

    def _employ(self, member: _Member[T]) -> None:
        """Gives it the next name, or lets it go."""
        if not self._waiting:
            self.members.remove(member)
            _end(member)
            return
        member.name = self._waiting.popleft()
        member.ends = monotonic() + self._patience_s
        member.line.send(member.name)

    def _lost(self, member: _Member[T], cause: str) -> Iterator[Lost]:
        self.members.remove(member)
        member.process.terminate()
        _end(member)
        if member.name is None:
            raise InputError(f"no process can be started: {cause}")
        if self._waiting:
            self.hire(1)
        yield Lost(member.name, cause)


def _end(member: _Member[T]) -> None:
    """Hangs up, at which a process that is well ends, and sees it off."""
    member.line.close()
    member.process.join(_END_S)
    member.process.kill()
    member.process.join()
    member.process.close()


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes started within do not hear Ctrl-C, which a terminal sends to them too: their parent ends them."""
    # It unblocks what is blocked when it starts, and a signal that were ignored meanwhile would be lost to the parent.
    ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(duty: Callable[[str], T], line: Connection) -> None:
    """Says that it is there, and then answers every name until nobody asks any more."""
    line.send(None)
    with suppress(EOFError, BrokenPipeError):
        while True:
            line.send(_done(duty, line.recv()))


def _done(duty: Callable[[str], T], name: str) -> T | Lost:
    try:
        return duty(name)
    except Exception as exc:
        # Whatever fails for one name, the others are to be done; where it failed is what a report of it needs.
        at = extract_tb(exc.__traceback__)[-1]
        return Lost(name, f"{type(exc).__name__}: {exc} ({Path(at.filename).name}:{at.lineno})")
