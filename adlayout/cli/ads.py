"""Draws who stands in each slot and why nobody else does, for a terminal. Knows values and columns; asks nobody."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from adlayout.cli.snippet import plain
from adlayout.reports.why import Group, Why

_AD: Final = "1;32"
_RED: Final = "31"
_DIM: Final = "2"
_INDENT: Final = "    "


def draw_ads(found: Sequence[Why], *, colour: bool, width: int) -> str:
    """Each slot with its ad, and below it the flights that do not run there, grouped by why."""
    return "\n".join(_lines(found, colour, width)) if found else "no slot, so that there is nothing to decide"


def _lines(found: Sequence[Why], colour: bool, width: int) -> Iterator[str]:
    def ink(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour else text

    for at, one in enumerate(found):
        if at:
            yield ""
        mark, code = ("▶", _AD) if one.creative else ("·", _DIM)
        yield ink(plain(f"{mark} {one.slot} · {one.type} · {_stands(one)}"), code)
        for group in one.others:
            lines = _wrapped(_told(group), width - len(_INDENT))
            yield _INDENT + lines[0].replace(group.reason, ink(group.reason, _RED), 1)
            yield from (_INDENT + line for line in lines[1:])


def _stands(one: Why) -> str:
    if one.creative is None:
        return f"empty: {one.reason}"
    if one.flight is None:
        return f"{one.creative}, a house ad"
    return f"{one.creative} of flight {one.flight}, campaign {one.campaign}"


def _told(group: Group) -> str:
    return f"✗ {group.reason}: needs {group.needed}, has {group.actual}: {group.few}"


def _wrapped(text: str, room: int) -> list[str]:
    return textwrap.wrap(plain(text), max(room, 20), subsequent_indent="  ", break_on_hyphens=False)
