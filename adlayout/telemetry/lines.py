"""Lines on their way to a stream. Knows threads and streams; never what a line says."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import Final, TextIO

# A few seconds of lines at any rate at which somebody reads them.
_MOST_WAITING: Final = 1000
_FLUSH_S: Final = 1.0


class Lines:
    """Writes lines in a thread of its own: a reader that stops reading loses lines, and holds nobody up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: queue.SimpleQueue[str | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="adlayout-log", daemon=True).start()

    @property
    def is_full(self) -> bool:
        """Whether so many lines wait that nobody seems to read them."""
        return self._waiting.qsize() >= _MOST_WAITING

    def put(self, line: str) -> None:
        """Hands over one line, without its line break; never waits."""
        self._waiting.put(line)

    def flush(self) -> None:
        """Returns when every line so far is written, or after a second."""
        written = threading.Event()
        self._waiting.put(written)
        written.wait(_FLUSH_S)

    def _write(self) -> None:
        while True:
            line = self._waiting.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            # A stream that is broken or closed has no reader, and a line is not worth more than that.
            with suppress(OSError, ValueError):
                self._stream.write(f"{line}\n")
                self._stream.flush()
