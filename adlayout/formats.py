"""What a format such as `300x250` measures, and the room an ad of it takes; knows nothing of markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# The label over an ad is one line of this height; the slot's style sets it.
LABEL_PX = 24

FLUID = "fluid"

# A fluid ad takes the column's width and no fixed height; 250 px is the height of the commonest in-article format.
FLUID_HEIGHT_PX = 250

_FORMAT = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Size:
    """A format's measures in CSS pixels; `width_px` None where the ad takes the column's width."""

    width_px: int | None
    height_px: int


def size_of(format: str) -> Size | None:
    """The size of `300x250` or `fluid`; None for what is no format."""
    if format == FLUID:
        return Size(None, FLUID_HEIGHT_PX)
    match = _FORMAT.fullmatch(format)
    return Size(int(match[1]), int(match[2])) if match else None


def height_of(format: str) -> int:
    """The height of a format in CSS pixels; of what is no format, that of a fluid one."""
    size = size_of(format)
    return size.height_px if size is not None else FLUID_HEIGHT_PX


def tallest(formats: Iterable[str], column_px: int) -> int:
    """The height of the tallest format that fits the column; of the tallest of all where none does, 0 of none."""
    sizes = [size for format in formats if (size := size_of(format)) is not None]
    fitting = [size for size in sizes if size.width_px is None or size.width_px <= column_px]
    return max((size.height_px for size in fitting or sizes), default=0)
