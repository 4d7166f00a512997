"""Marks: what an article says beside its text, and the ads that it brings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adlayout.article.parse import parse
from adlayout.model import Article, MarkerNames, Marks, Needs
from adlayout.placement.layout import compile_layout
from adlayout.placement.schema import LayoutFile

NEEDS = compile_layout(LayoutFile(), "news").needs
STOP, START = "<!-- adlayout: stop -->", "<!-- adlayout: start -->"


def read(html: str, **asked: object) -> Article:
    needs: Needs = replace(NEEDS, **asked)  # type: ignore[arg-type]
    return parse(html, needs).article


@pytest.mark.parametrize(("html", "marks"), [
    ("<p>One.</p>", Marks()),
    ('<p>One.</p><div><b data-adl-slot="x">Ad</b></div>', Marks(composed=True)),
    ("<p>One.</p><p DATA-ADL-SLOT>Two.</p>", Marks(composed=True)),
    ("<p>data-adl-slot</p><!-- <p data-adl-slot> -->", Marks()),
    ("<p>One.</p><!-- adlayout: off -->", Marks(off=True)),
    ("<div><p>One <!--ADLAYOUT :\n OFF--></p></div>", Marks(off=True)),
    ("<p>One.</p><!-- adlayout: offer -->", Marks()),
    ("<!-- no adlayout: off --><p>One.</p>", Marks()),
    ("<template><!-- adlayout: off --></template><p>One.</p>", Marks()),
    ("<p>One.</p><noscript><!-- adlayout: off --></noscript>", Marks()),
])  # fmt: skip
def test_what_is_said_of_the_whole_article(html: str, marks: Marks) -> None:
    assert read(html).marks == marks


@pytest.mark.parametrize(("html", "stopped"), [
    (f"<p>1</p>{STOP}<p>2</p><p>3</p>{START}<p>4</p>", {2, 3}),
    (f"<p>1</p>\n{STOP}\n<p>2</p>\n{START}\n<p>3</p>", {2}),
    (f"<p>1</p>{STOP}<p>2</p>", {2}),
    (f"{STOP}<p>1</p>{START}<p>2</p>", {1}),
    (f"<p>1</p>{START}<p>2</p>", set()),
    (f"<p>1</p><p>2 {STOP}</p><p>3 {START}</p><p>4</p>", {2}),
    (f"<p>1</p><ul><li>2 {STOP}</ul><p>3</p>", {2, 3}),
    (f"<p>1{STOP}<p>2<p>3", {1, 2, 3}),
    (f"<main>{STOP}<p>1</p><p>2</p></main>", {1, 2}),
    (f"{STOP}<main><p>1</p><p>2</p></main>", {0, 1, 2}),
    (f"<main><p>1</p><p>2</p></main>{STOP}", set()),
    (f"{STOP}<main><p>1</p><p>2</p></main>{START}", {0, 1, 2}),
    (f"one<br><br>{STOP}two<br><br>three{START}<p>4</p>", {2, 3}),
    (f"<p>1</p>{STOP}{STOP}<p>2</p>{START}<p>3</p>", {2}),
    (f"<p>1</p><!-- /wp:paragraph -->{STOP}<p>2</p>", {2}),
])  # fmt: skip
def test_gaps_between_stop_and_start_are_stopped(html: str, stopped: set[int]) -> None:
    assert read(html).marks == Marks(stopped=frozenset(stopped))


@pytest.mark.parametrize(("html", "slots"), [
    ("<p>1</p><!-- adlayout: slot box --><p>2</p>", ((1, "box"),)),
    ("<!-- adlayout:slot box --><p>1</p>", ((0, "box"),)),
    ("<p>1</p><!-- adlayout: slot box -->", ((1, "box"),)),
    ("<p>1</p><!-- adlayout: slot box --><!-- adlayout: slot other --><p>2</p>", ((1, "box"),)),
    ("<p>1 <!-- adlayout: slot box --></p><p>2</p>", ()),
    ("<p>1<!-- adlayout: slot box --><p>2", ()),
    ("one <!-- adlayout: slot box --> text<p>2</p>", ()),
    ("one<br><br><!-- adlayout: slot box -->text<p>2</p>", ((1, "box"),)),
    ("<p>1</p><!-- adlayout: slot --><!-- adlayout: slot two words --><p>2</p>", ()),
    ("<!-- adlayout: slot box --><main><p>1</p></main>", ()),
    ("<p>1</p><div hidden><!-- adlayout: slot box --></div><p>2</p>", ()),
])  # fmt: skip
def test_an_editor_marks_gaps_for_ads(html: str, slots: tuple[tuple[int, str], ...]) -> None:
    assert read(html).marks == Marks(slots=slots)


def test_markers_stand_in_entered_wrappers() -> None:
    html = f"<section><p>1</p>{STOP}<p>2</p></section><section><!-- adlayout: slot box --><p>3</p></section>"
    assert read(html, enter=("section",)).marks == Marks(stopped=frozenset({2, 3}), slots=((2, "box"),))


def test_markers_have_the_names_that_ops_give_them() -> None:
    names = MarkerNames(off="noads", slot="ad")
    assert read("<p>1</p><!--NoAds--><!-- ad box -->", markers=names).marks == Marks(off=True, slots=((1, "box"),))
    assert read("<p>1</p><!-- adlayout: off -->", markers=names).marks == Marks()


def test_an_attribute_stops_ads_beside_its_block() -> None:
    html = '<p data-adl-stop>1</p><a href="#"><img data-adl-stop src=""></a><p><b data-adl-stop>3</b></p>'
    assert [block.stop for block in read(html).blocks] == [True, True, False]


@pytest.mark.parametrize(("html", "blocks", "ads"), [
    ("<p>1</p><div class=ad>Ad</div><p>2</p>", [("p", False, 0), ("div", True, 1), ("p", False, 0)], 1),
    ("<p>1</p><ins class=adsbygoogle></ins><p>2</p>", [("p", False, 0), ("ins", True, 1), ("p", False, 0)], 1),
    ("one <amp-ad></amp-ad> two", [(None, False, 0), ("amp-ad", True, 1), (None, False, 0)], 1),
    ("<p class=ad>Ad</p><p>2</p>", [("p", True, 1), ("p", False, 0)], 1),
    ("<div class=ad><ins class=adsbygoogle></ins></div><p>1</p>", [("div", True, 1), ("p", False, 0)], 1),
    ("<p>1 <ins class=adsbygoogle></ins></p><p>2</p>", [("p", False, 1), ("p", False, 0)], 1),
    ("<ul><li><b class=ad>1</b><li><b class=ad>2</b></ul><p>1</p>", [("ul", False, 2), ("p", False, 0)], 2),
    ("<div class=ad><p>1</p><p>2</p></div><p>3</p>", [("div", True, 1), ("p", False, 0)], 1),
    ("<div class=ad hidden>x</div><p>1</p>", [("p", False, 0)], 0),
    ("<div style='display:none'><b class=ad>x</b></div><p>1</p>", [("div", False, 0), ("p", False, 0)], 0),
    ("<b class=ad>x</b><main><p>1</p><p>2</p></main>", [("p", False, 0), ("p", False, 0)], 1),
    ("<p class=headline>ready</p>", [("p", False, 0)], 0),
    ("<template><b class=ad>x</b></template><p>1</p>", [("p", False, 0)], 0),
    ("<p class=ad>x</p>" + "<p class=ad>x</p><div><p>1</p></div>", [("p", False, 0)], 2),
])  # fmt: skip
def test_ads_that_an_article_brings(html: str, blocks: list[tuple[str | None, bool, int]], ads: int) -> None:
    article = read(html)
    assert ([(one.tag, one.ad, one.ads) for one in article.blocks], article.marks.ads) == (blocks, ads)


def test_bare_text_counts_where_the_only_paragraph_is_an_ad() -> None:
    assert [block.counted for block in read("<p class=ad>Ad</p>one").blocks] == [False, True]


@pytest.mark.parametrize("name", ["x:y", "@stop", "Data-Stop", "a]"])
def test_the_attribute_may_have_any_name_that_html_allows(name: str) -> None:
    article = read(f"<p {name}>1</p><p>2</p>", markers=MarkerNames(attribute=name))
    assert [block.stop for block in article.blocks] == [True, False]


def test_an_ad_that_the_article_brings_counts_for_nothing_else() -> None:
    block = read("<p class=ad>Two words</p><p>One.</p>", words=True, chars=True).blocks[0]
    assert (block.counted, block.px) == (False, 0)


def test_ads_that_count_for_nothing_are_blocks_like_others() -> None:
    article = read("<div class=ad>Ad</div><p>2</p>", ads_count=False)
    assert ([block.ads for block in article.blocks], article.marks.ads) == ([0, 0], 1)


@pytest.mark.parametrize(("html", "phrases", "found"), [
    ("<p>A plane crash.</p>", ("crash",), "crash"),
    ("<p>A plane CRASH.</p>", ("plane\n crash",), "plane\n crash"),
    ("<p>Crashed.</p>", ("crash",), None),
    ("<p>A crash_test.</p>", ("crash",), None),
    ("<p>pl<b>ane</b></p>", ("plane",), "plane"),
    ("<p>pl</p><p>ane</p>", ("plane",), None),
    ("<p>plane</p><p>crash</p>", ("plane crash",), "plane crash"),
    ("<p>ter&shy;ror</p>", ("terror",), "terror"),
    ("<p>Straße</p>", ("STRASSE",), "STRASSE"),
    ("<p>cafe\u0301</p>", ("cafe",), None),
    ("<p>交通事故が</p>", ("事故",), "事故"),
    ("<p>か\u3099戦争</p>", ("戦争",), "戦争"),
    ("<p>\u2764\ufe0fwar</p>", ("war",), "war"),
    ("<p>e\u0301war</p>", ("war",), None),
    ("<p>C++ and C</p>", ("c++",), "c++"),
    ("<p hidden>crash</p><!-- crash --><p title=crash>Fine.</p>", ("crash",), None),
    ("<aside>crash</aside><p>war</p>", ("war", "crash"), "war"),
    ("<p>fine</p>", ("\u200b",), None),
])  # fmt: skip
def test_listed_words_are_found_whole_in_what_can_be_seen(html: str, phrases: tuple[str, ...], found: str) -> None:
    assert read(html, blocklist=phrases).marks.blocklisted == found
