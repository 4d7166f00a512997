"""What a format such as `300x250` measures; knows nothing of markup."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
