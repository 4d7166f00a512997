"""How texts and values are written to the store; the counterpart of `reading`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def as_json(value: object) -> bytes:
    """JSON with every text as its own bytes, so that what is no UTF-8 comes back as it was."""
    return as_bytes(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def as_bytes(text: str) -> bytes:
    """The bytes of a text, and of lone surrogates those they stand for; those that stand for none become `?`."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def flat(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """All values of all rows, in their order."""
    return [word for row in rows for word in row]
