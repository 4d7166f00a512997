"""The element that an ad stands in: its markup, its escaping, the height it keeps."""

from __future__ import annotations

import pytest

from adlayout.model import Slot, SlotStyle
from adlayout.rendering.slot import box, empty_slot, reserved_px

LOOK = "box-sizing:content-box;clear:both;margin:1.5em 0;text-align:center;font:12px/24px sans-serif"


def test_a_slot_is_one_aside_with_its_label_and_the_ad() -> None:
    markup = box(Slot("inline-1", SlotStyle())).around("<b>ad</b>")
    assert markup == (
        '<aside class="adl-slot" data-adl-slot="inline-1" data-adl-type="in-article" aria-label="Advertisement"'
        f' style="min-height:304px;{LOOK}">'
        '<span class="adl-label">Advertisement</span><b>ad</b></aside>'
    )


def test_label_id_and_type_are_escaped() -> None:
    slot = Slot('i"><script>', SlotStyle(type="'&", label="<b>Ad & more</b>", reserve="none"))
    assert box(slot).around("") == (
        '<aside class="adl-slot" data-adl-slot="i&quot;&gt;&lt;script&gt;" data-adl-type="&#x27;&amp;"'
        ' aria-label="Advertisement"'
        f' style="{LOOK}"><span class="adl-label">&lt;b&gt;Ad &amp; more&lt;/b&gt;</span></aside>'
    )


def test_an_empty_slot_keeps_its_space_and_says_nothing() -> None:
    markup = empty_slot(Slot("inline-2", SlotStyle(formats=("320x50",))))
    assert markup == (
        '<aside class="adl-slot" data-adl-slot="inline-2" data-adl-type="in-article" aria-label="Advertisement"'
        f' style="min-height:74px;{LOOK}"></aside>'
    )


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        pytest.param(SlotStyle(), 304, id="the tallest of 300x250, 336x280 and fluid, and the label"),
        pytest.param(SlotStyle(reserve="smallest"), 274, id="the lowest, and the label"),
        pytest.param(SlotStyle(reserve="none"), 0, id="nothing, not even the label"),
        pytest.param(SlotStyle(formats=("fluid",)), 274, id="fluid counts as 250"),
        pytest.param(SlotStyle(formats=("728x90", "320x50")), 114, id="page slots likewise"),
        pytest.param(SlotStyle(formats=()), 0, id="a slot without formats has no height"),
        pytest.param(SlotStyle(formats=("banner",)), 274, id="an unknown format counts as fluid"),
    ],
)
def test_the_reserve_is_what_the_formats_need(style: SlotStyle, expected: int) -> None:
    assert reserved_px(style) == expected


def test_a_slot_that_reserves_nothing_looks_like_the_others() -> None:
    kept, unkept = (empty_slot(Slot("inline-1", SlotStyle(reserve=reserve))) for reserve in ("smallest", "none"))
    assert unkept == kept.replace("min-height:274px;", "")
