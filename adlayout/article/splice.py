"""Putting texts into the source at offsets. The source itself is never touched."""

from __future__ import annotations

from collections.abc import Iterable


def splice(source: str, inserts: Iterable[tuple[int, str]]) -> str:
    """The source with each text at its offset; offsets in ascending order, equal ones in the order given."""
    parts: list[str] = []
    at = 0
    for offset, text in inserts:
        parts += (source[at:offset], text)
        at = offset
    parts.append(source[at:])
    return "".join(parts)
