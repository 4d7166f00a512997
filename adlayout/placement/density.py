"""How much of a page is ads, and how many of them it can take. Knows heights; never why an ad stands where it does."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from adlayout.model import Article, Reason, Refusal, Slot, SlotStyle, Space
from adlayout.placement.heights import ad_px, own_ads_px
from adlayout.placement.layout import Layout
from adlayout.placement.measures import Measure
from adlayout.placement.select import Choice

_WHOLE = 100
MOST_OF_A_PAGE = 30
"""The percentage of a phone's page that the Better Ads Standards let ads take; above it browsers may block them all."""


def space_of(article: Article, slots: tuple[Slot, ...], layout: Layout, whole: Measure) -> Space:
    """The heights of the article and of its ads, those it brought among them; nothing where no heights were asked."""
    if not whole.px:
        return Space()
    own = sum(ad_px(slot.style, layout.heights.column) for slot in slots)
    return Space(whole.px, own + own_ads_px(article.marks.ads))


def thin_out(choice: Choice, layout: Layout) -> None:
    """Takes ads away, the last first, until no more of the page is ads than the layout lets; an editor's ads stay."""
    most, px = layout.schedule.max_density, choice.context.to_gap[-1].px
    if most is None:
        return
    ads_px, marked = _ads_px(choice, layout), sorted(choice.marked)
    for last in sorted(choice.ads, reverse=True):
        if ads_px * _WHOLE <= most * (px + ads_px):
            return
        choice.dense[last] = Refusal(Reason.DENSITY, f"{most} %", f"{percent(Space(px, ads_px))} %")
        del choice.ads[last]
        number = len(choice.ads) + bisect_left(marked, last)
        if marked and number < len(layout.styles):
            # Ads that an editor wants further down move up by one in the row of styles, which ends soon.
            ads_px = _ads_px(choice, layout)
        else:
            ads_px -= ad_px(layout.style_for(number), layout.heights.column)


def percent(space: Space) -> int:
    """The density in percent, rounded up: what is over a limit must not read as if it kept it."""
    return -(-_WHOLE * space.ad_px // (space.px + space.ad_px)) if space.ad_px else 0


def _ads_px(choice: Choice, layout: Layout) -> int:
    styles = inline_styles(choice, layout)
    return sum(ad_px(style, layout.heights.column) for style in styles.values()) + own_ads_px(
        choice.context.article.marks.ads
    )


def inline_styles(choice: Choice, layout: Layout) -> Mapping[int, SlotStyle]:
    """By gap, in document order, what each inline ad may be: the k-th as the k-th entry says."""
    gaps = sorted({*choice.ads, *choice.marked})
    return {gap: layout.style_for(number, choice.marked.get(gap)) for number, gap in enumerate(gaps)}
