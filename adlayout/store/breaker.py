"""Stops asking who does not answer, so that a dead store costs a page nothing; knows no store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from adlayout.errors import StoreError

_FAILURES: Final = 5
_WITHIN_S: Final = 10.0
_PAUSE_S: Final = 2.0


@dataclass(slots=True)
class Breaker:
    """Opens after five failures within ten seconds; two seconds later one caller may try, and closes it if he succeeds.

    `counts` says which failures open it. While it is open, the last failure is raised again, without its cause.
    """

    counts: Callable[[StoreError], bool]
    clock: Callable[[], float] = time.monotonic
    _failed_at: deque[float] = field(default_factory=lambda: deque(maxlen=_FAILURES))
    _closed_until: float | None = None
    _last: StoreError | None = None

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Runs the block, or raises at once where it would fail."""
        self._admit()
        try:
            yield
        except StoreError as exc:
            if self.counts(exc):
                self._failed(exc)
            else:
                self._succeeded()
            raise
        self._succeeded()

    def _admit(self) -> None:
        if self._last is None or self._closed_until is None:
            return
        now = self.clock()
        if now < self._closed_until:
            raise type(self._last)(f"{self._last} (not asked again for {self._closed_until - now:.1f} s)")
        # The others wait until this one, the probe, has an answer or another pause is over.
        self._closed_until = now + _PAUSE_S

    def _failed(self, exc: StoreError) -> None:
        now = self.clock()
        self._failed_at.append(now)
        self._last = exc
        if self._closed_until is not None or self._many(now):
            self._closed_until = now + _PAUSE_S

    def _many(self, now: float) -> bool:
        return len(self._failed_at) == _FAILURES and now - self._failed_at[0] <= _WITHIN_S

    def _succeeded(self) -> None:
        if self._closed_until is not None:
            self._failed_at.clear()
        self._closed_until = None
