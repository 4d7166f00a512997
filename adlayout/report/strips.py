"""An article drawn as a strip: its blocks as high as they are likely to be, its ads where they stand."""

from __future__ import annotations

from html import escape

from adlayout.model import Block
from adlayout.plans import Planned

_WIDE = 150
_TALLEST = 460
_AD_PX = 274
_KINDS = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "heading"),
    **dict.fromkeys(("figure", "img", "picture", "video", "iframe", "embed", "object", "svg"), "media"),
}


def strip(planned: Planned, tallest_px: int) -> str:
    """The strip of one plan; all strips that are compared have one `tallest_px`, and so one scale."""
    scale = _TALLEST / max(1, tallest_px)
    slots = {slot.gap: slot.id for slot in planned.plan.slots}
    parts: list[str] = []
    y = 0.0
    for gap, block in enumerate((None, *planned.article.blocks)):
        if block is not None:
            tall = block.px * scale
            tag = escape(block.tag or "text")
            parts.append(
                f'<rect class="{_kind(block)}" x="0" y="{y:.1f}" width="{_WIDE}" height="{max(0.5, tall - 1):.1f}">'
                f"<title>{gap}: {tag}, {block.px} px</title></rect>"
            )
            y += tall
        if gap in slots:
            tall = max(9.0, _AD_PX * scale)
            parts.append(
                f'<g class="ad"><rect x="0" y="{y:.1f}" width="{_WIDE}" height="{tall - 1:.1f}"/>'
                f'<text x="{_WIDE / 2}" y="{y + tall / 2 + 3:.1f}">{escape(slots[gap])} · gap {gap}</text></g>'
            )
            y += tall
    told = f"{planned.layout}: {len(slots)} ads, " + (f"in gaps {', '.join(map(str, slots))}" if slots else "none")
    return (
        f'<svg class="strip" viewBox="0 0 {_WIDE} {y + 1:.0f}" width="{_WIDE}" height="{y + 1:.0f}" role="img"'
        f' aria-label="{escape(told)}">{"".join(parts)}</svg>'
    )


def page_px(planned: Planned) -> int:
    """How high an article is with its ads, in the strip's own measure."""
    return sum(block.px for block in planned.article.blocks) + _AD_PX * len(planned.plan.slots)


def _kind(block: Block) -> str:
    if block.ad:
        return "brought"
    return _KINDS.get(block.tag or "", "text" if block.counted else "other")
