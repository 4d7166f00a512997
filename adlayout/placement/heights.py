"""What heights are estimated from: the shipped figures, and what ops write over them. Sees no article.

A block is `fixed + margin + line` for each line of its text high. The figures are those of a news page in one column,
set in 17 px; they follow what the Guardian publishes for its live blogs (`dotcom-rendering`), and err towards too few
ads rather than too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adlayout.formats import FLUID_HEIGHT_PX, LABEL_PX, tallest
from adlayout.model import Device, Height, Heights, SlotStyle
from adlayout.placement.schema import EstimateKeys, HeightKeys

_TEXT: Final = Height(margin=14, line=24)
_HEADING: Final = Height(margin=14, line=34)
_IMAGE: Final = Height(fixed=230, line=20)
_EMBED: Final = Height(fixed=250, line=20)
_TEXTS: Final = (
    "p div section article main header footer address blockquote ul ol dl li dt dd pre table details hr form"
)
_BY_TAG: Final[Mapping[str, Height]] = {
    **dict.fromkeys(_TEXTS.split(), _TEXT),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _HEADING),
    **dict.fromkeys(("figure", "img", "picture", "svg", "canvas"), _IMAGE),
    **dict.fromkeys(("iframe", "embed", "object"), _EMBED),
    "unknown": Height(fixed=200),
}
_VIDEO_PX: Final = {Device.MOBILE: 195, Device.TABLET: 350, Device.DESKTOP: 350}
_CHARS_PER_LINE: Final = {Device.MOBILE: 39, Device.TABLET: 72, Device.DESKTOP: 72}
_COLUMN_PX: Final = {Device.MOBILE: 328, Device.TABLET: 620, Device.DESKTOP: 620}
_SCREEN_PX: Final = {Device.MOBILE: 800, Device.TABLET: 900, Device.DESKTOP: 900}


def heights_of(keys: EstimateKeys, device: Device) -> Heights:
    """The figures for one device, those that ops wrote over the shipped ones."""
    video = Height(fixed=_VIDEO_PX[device], line=20)
    by_tag = {**_BY_TAG, "video": video}
    for tag, said in (keys.__pydantic_extra__ or {}).items():
        by_tag[tag] = _over(by_tag.get(tag, _TEXT), said)
    return Heights(
        chars_per_line=getattr(keys.chars_per_line, device) or _CHARS_PER_LINE[device],
        column=getattr(keys.column, device) or _COLUMN_PX[device],
        by_tag=by_tag,
    )


def screen_px(device: Device) -> int:
    """How much of a page a reader sees at first, in CSS pixels."""
    return _SCREEN_PX[device]


def ad_px(style: SlotStyle, column_px: int) -> int:
    """The height of an ad with its label, as a page reckons with it before it is known which ad it will be."""
    return LABEL_PX + tallest(style.formats, column_px)


def own_ads_px(count: int) -> int:
    """The height of so many ads that an article brought, of which nothing is known but that they are there."""
    return FLUID_HEIGHT_PX * count


def _over(usual: Height, said: HeightKeys) -> Height:
    return usual._replace(**said.model_dump(exclude_none=True))
