"""The one element that every ad stands in; knows nothing of creatives beyond their finished markup."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from adlayout.formats import LABEL_PX, height_of
from adlayout.model import Slot, SlotStyle

# A fragment stands in pages that hold no style of ours: this much makes an ad look like one.
# The line height is LABEL_PX, so the reserve holds for whatever font the page has, and the box is measured inside
# its padding, so it holds for whatever padding the page gives to asides.
_LOOK = f"box-sizing:content-box;clear:both;margin:1.5em 0;text-align:center;font:12px/{LABEL_PX}px sans-serif"


@dataclass(frozen=True, slots=True)
class SlotBox:
    """A slot with the markup around its creative, made once for all its pages.

    `without` is what stands there where there is no creative: nothing, or the space that the slot holds.
    """

    slot: Slot
    opening: str
    without: str

    def around(self, ad: str) -> str:
        """The slot's `aside` with its label and the creative; `ad` is markup that `prepare` made."""
        return f"{self.opening}{ad}</aside>"


def box(slot: Slot) -> SlotBox:
    """The markup that is the slot's whatever stands in it."""
    opening = f'{_opening(slot)}<span class="adl-label">{escape(slot.style.label)}</span>'
    return SlotBox(slot, opening, empty_slot(slot) if slot.style.on_empty == "hold" else "")


def empty_slot(slot: Slot) -> str:
    """The slot's `aside` with its space reserved and nothing in it, not even a label."""
    return f"{_opening(slot)}</aside>"


def reserved_px(style: SlotStyle) -> int:
    """The height kept free against layout shift, label included; 0 where the slot reserves nothing."""
    if style.reserve == "none" or not style.formats:
        return 0
    heights = [height_of(format) for format in style.formats]
    return LABEL_PX + (min(heights) if style.reserve == "smallest" else max(heights))


def _opening(slot: Slot) -> str:
    reserved = reserved_px(slot.style)
    height = f"min-height:{reserved}px;" if reserved else ""
    return (
        f'<aside class="adl-slot" data-adl-slot="{escape(slot.id)}" data-adl-type="{escape(slot.style.type)}"'
        f' aria-label="Advertisement" style="{height}{_LOOK}">'
    )
