"""The one element that every ad stands in; knows nothing of creatives beyond their finished markup."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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
    return SlotBox(slot, *_markup(slot.id, slot.style))


def empty_slot(slot: Slot) -> str:
    """The slot's `aside` with its space reserved and nothing in it, not even a label."""
    return f"{_opening(slot.id, slot.style)}</aside>"


def reserved_px(style: SlotStyle) -> int:
    """The height kept free against layout shift, label included; 0 where the slot reserves nothing."""
    if style.reserve == "none" or not style.formats:
        return 0
    heights = [height_of(format) for format in style.formats]
    return LABEL_PX + (min(heights) if style.reserve == "smallest" else max(heights))


# Every article has ads of the same few numbers and styles.
@lru_cache(maxsize=1024)
def _markup(id: str, style: SlotStyle) -> tuple[str, str]:
    """What stands before an ad, and what stands where there is none."""
    opening = _opening(id, style)
    label = f'<span class="adl-label">{escape(style.label)}</span>'
    return opening + label, f"{opening}</aside>" if style.on_empty == "hold" else ""


def _opening(id: str, style: SlotStyle) -> str:
    reserved = reserved_px(style)
    height = f"min-height:{reserved}px;" if reserved else ""
    return (
        f'<aside class="adl-slot" data-adl-slot="{escape(id)}" data-adl-type="{escape(style.type)}"'
        f' aria-label="Advertisement" style="{height}{_LOOK}">'
    )
