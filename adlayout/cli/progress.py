"""A line on a terminal that says how far a long command is; nothing anywhere else."""

from __future__ import annotations

from typing import Final, TextIO

_BAR: Final = 24


class Progress:
    """The line, drawn anew with each step and gone at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shows = stream.isatty()
        self._drawn = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._write("\r\x1b[K")

    def tell(self, done: int, whole: int) -> None:
        """Draws how many of the articles are done."""
        full = _BAR * done // whole
        line = f"\r{'━' * full}{'─' * (_BAR - full)} {done:,} of {whole:,} articles"
        if self._shows and line != self._drawn:
            self._drawn = line
            self._write(line)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
