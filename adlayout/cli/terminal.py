"""What a command writes: colour only where a person looks, articles byte for byte, causes on standard error."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from adlayout.errors import InputError

_WIDEST: Final = 120
_USUAL: Final = 80

# What a terminal obeys instead of showing: control characters, of which C1 pass as text, and changes of direction.
_OBEYED: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")
_MARKS: Final = "▶✗·━…¶"
_ASCII_MARKS: Final = str.maketrans(_MARKS, ">x.=~#")


def has_colour(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether a person looks at the stream and did not ask for plain text (https://no-color.org)."""
    return stream.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def width(stream: TextIO, env: Mapping[str, str]) -> int:
    """The columns to draw for: those of the terminal or of COLUMNS, else 80; longer lines are hard to read."""
    if stream.isatty():
        return min(shutil.get_terminal_size().columns, _WIDEST)
    said = env.get("COLUMNS", "")
    return min(int(said), _WIDEST) if re.fullmatch("[1-9][0-9]{0,5}", said) else _USUAL


def shown(text: str, stream: TextIO) -> str:
    """A drawing with marks that the stream's charset has."""
    try:
        _MARKS.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return text.translate(_ASCII_MARKS)
    return text


def ink(text: str, code: str, stream: TextIO) -> str:
    """The text in a colour, where the stream has colours."""
    return f"\x1b[{code}m{text}\x1b[0m" if has_colour(stream, os.environ) else text


def complain(message: str) -> None:
    """Says on standard error what went wrong, a cause in each line."""
    for line in message.splitlines():
        print(f"{ink('error', '1;31', sys.stderr)} {_escaped(line)}", file=sys.stderr)


def warn(message: str) -> None:
    """Says on standard error what should be known."""
    print(f"{ink('warning', '33', sys.stderr)} {_escaped(message)}", file=sys.stderr)


def print_json(value: object) -> None:
    """Prints one JSON value."""
    write_json(value, None)


def write_json(value: object, path: Path | None) -> None:
    """Writes one JSON value to a file, or to standard output; what no charset can hold, as an invalid byte, is escaped.

    So is what a terminal would obey: JSON leaves C1 control characters as they are, and people look at it too.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2)
    text = _OBEYED.sub(lambda match: "\n" if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)
    _write(text.encode(errors="backslashreplace") + b"\n", path)


def read_article(name: str) -> str:
    """The article in a file, or on standard input for `-`; a byte that is not UTF-8 is one character and kept."""
    try:
        body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as exc:
        raise InputError(f"{name}: cannot be read: {(exc.strerror or str(exc)).lower()}") from exc
    return body.decode(errors="surrogateescape")


def write_article(text: str, path: Path | None) -> None:
    """Writes the text as its bytes to a file, or to standard output."""
    _write(text.encode(errors="surrogateescape"), path)


def _write(body: bytes, path: Path | None) -> None:
    if path is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        path.write_bytes(body)
    except OSError as exc:
        raise InputError(f"{path}: cannot be written: {(exc.strerror or str(exc)).lower()}") from exc


def _escaped(text: str) -> str:
    """A message that may quote a stranger, with escapes for what a terminal would obey."""
    return _OBEYED.sub(lambda match: repr(match[0])[1:-1], text)
