"""What a command writes: colour only where a person looks, articles byte for byte, causes on standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from adlayout.errors import InputError

_WIDEST: Final = 120


def has_colour(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether a person looks at the stream and did not ask for plain text (https://no-color.org)."""
    return stream.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def width(stream: TextIO) -> int:
    """The columns to draw for: those of the terminal, or 80 where nobody looks; longer lines are hard to read."""
    return min(shutil.get_terminal_size().columns, _WIDEST) if stream.isatty() else 80


def ink(text: str, code: str, stream: TextIO) -> str:
    """The text in a colour, where the stream has colours."""
    return f"\x1b[{code}m{text}\x1b[0m" if has_colour(stream, os.environ) else text


def complain(message: str) -> None:
    """Says on standard error what went wrong, a cause in each line."""
    for line in message.splitlines():
        print(f"{ink('error', '1;31', sys.stderr)} {line}", file=sys.stderr)


def warn(message: str) -> None:
    """Says on standard error what should be known."""
    print(f"{ink('warning', '33', sys.stderr)} {message}", file=sys.stderr)


def print_json(value: object) -> None:
    """Prints one JSON value; what no charset can hold, as an invalid byte of an article, is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    sys.stdout.buffer.write(text.encode(errors="backslashreplace") + b"\n")


def read_article(name: str) -> str:
    """The article in a file, or on standard input for `-`; a byte that is not UTF-8 is one character and kept."""
    try:
        body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as exc:
        raise InputError(f"{name}: cannot be read: {(exc.strerror or str(exc)).lower()}") from exc
    return body.decode(errors="surrogateescape")


def write_article(text: str, path: Path | None) -> None:
    """Writes the text as its bytes to a file, or to standard output."""
    body = text.encode(errors="surrogateescape")
    if path is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        path.write_bytes(body)
    except OSError as exc:
        raise InputError(f"{path}: cannot be written: {(exc.strerror or str(exc)).lower()}") from exc
