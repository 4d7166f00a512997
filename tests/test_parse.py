"""Parsing: the table of blocks and gaps, and what no table can hold."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adlayout.article.parse import parse
from adlayout.model import Article, Block, Needs
from adlayout.placement.layout import compile_layout
from adlayout.placement.schema import LayoutFile

TABLE = Path(__file__).parent / "cases" / "blocks.yaml"
NAMES = (":bold-line", ":media-only", ":floated", ":caption", ":lead-in", ":empty-block")
MARK = "¦"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    why: str
    article: str
    blocks: Sequence[str]
    pointless: Sequence[int] = ()
    ask: Sequence[str] = ()
    inline: Mapping[str, Any] | None = None
    warnings: Sequence[str] = ()

    @property
    def told(self) -> Case:
        """The row as the parser tells it."""
        article = parse(self.article.replace(MARK, ""), needs_of(self.inline or {}, self.ask)).article
        return replace(
            self,
            article=marked(article),
            blocks=[line(block, (*NAMES, *self.ask)) for block in article.blocks],
            pointless=[gap for gap, offset in enumerate(article.offsets) if offset is None] or (),
            warnings=list(article.warnings) or (),
        )


def needs_of(inline: Mapping[str, Any], ask: Iterable[str] = ()) -> Needs:
    """All that a layout with these keys can ask of an article."""
    needs = compile_layout(LayoutFile.model_validate({"inline": inline}), "case").needs
    return replace(needs, selectors=(*NAMES, *ask), words=True, chars=True)


def marked(article: Article) -> str:
    """The source with a mark at each gap."""
    html = article.html
    for offset in sorted((offset for offset in article.offsets if offset is not None), reverse=True):
        html = html[:offset] + MARK + html[offset:]
    return html


def line(block: Block, asked: Iterable[str]) -> str:
    """The block as a line of the table."""
    counted = " counted" if block.counted else ""
    matches = "".join(f" | {selector}" for selector in asked if selector in block.matches)
    return f"{block.tag or 'text'}{counted} {block.words}w {block.chars}c{matches}"


def cases() -> list[Case]:
    return [Case(**row) for row in yaml.safe_load(TABLE.read_text("utf-8"))["cases"]]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.why)
def test_blocks_and_gaps_are_as_the_table_says(case: Case) -> None:
    assert case.told == case, case.why


# What a browser puts into a line of text, and a few of those that it gives lines of their own.
PHRASING = (
    "a abbr b bdi bdo big button cite code data del dfn em font i ins kbd label map mark meter output picture progress "
    "q ruby s samp select small span strike strong sub sup textarea time tt u var nobr acronym rt rp rb rtc option "
    "optgroup"
)
ALONE_PHRASING = "br img input wbr source track param area"
BLOCKS = (
    "address article aside audio blockquote canvas center dd details dialog dir div dl dt embed fieldset figcaption "
    "figure footer form h1 h6 header hgroup hr iframe legend li main marquee math menu nav noembed noscript object ol "
    "p pre search section slot summary svg table ul video x-box"
)
UNSEEN = "script style template link meta title base"


@pytest.mark.parametrize("tag", [*PHRASING.split(), *ALONE_PHRASING.split()])
def test_phrasing_stands_in_a_line_of_text(tag: str) -> None:
    end = "" if tag in ALONE_PHRASING.split() else f"</{tag}>"
    assert tags(f"one<{tag}>{end}two") == [None]


@pytest.mark.parametrize("tag", BLOCKS.split())
def test_every_other_element_is_a_block(tag: str) -> None:
    assert tags(f"one<{tag}></{tag}>two") == [None, tag, None]


@pytest.mark.parametrize("tag", UNSEEN.split())
def test_what_is_never_shown_parts_no_line(tag: str) -> None:
    assert tags(f"one<{tag}></{tag}>two") == [None]


def tags(html: str) -> list[str | None]:
    return [block.tag for block in parse(html, needs_of({})).article.blocks]


def test_a_block_says_where_it_starts_and_ends_and_whether_there_is_anything_to_see() -> None:
    html = "<!-- a --><p>one</p><!-- /a -->\r\n two<br>\r\n<hr><a><img src=x><div></div></a></p><p>&nbsp;<p>three"
    assert parse(html, replace(needs_of({}), selectors=(), words=False)).article.blocks == (
        Block("p", start=10, end=20, counted=True, hollow=False, matches=frozenset(), chars=3),
        Block(None, start=34, end=41, counted=False, hollow=False, matches=frozenset(), chars=3),
        Block("hr", start=43, end=47, counted=False, hollow=True, matches=frozenset()),
        Block("a", start=47, end=76, counted=False, hollow=True, matches=frozenset()),
        Block("p", start=76, end=80, counted=False, hollow=True, matches=frozenset()),
        Block("p", start=80, end=89, counted=False, hollow=True, matches=frozenset()),
        Block("p", start=89, end=97, counted=True, hollow=False, matches=frozenset(), chars=5),
    )


def test_only_what_is_asked_for_is_measured_and_matched() -> None:
    needs = replace(needs_of({}), selectors=("p", "h2"), words=False, chars=False)
    article = parse("<p>one:</p>", needs).article
    assert article == Article(
        html="<p>one:</p>",
        blocks=(Block("p", start=0, end=11, counted=True, hollow=False, matches=frozenset({"p"})),),
        offsets=(0, 11),
    )


def test_a_lone_surrogate_is_a_character() -> None:
    html = "\ud800<p>\udc80 one</p>\udfff"
    article = parse(html, needs_of({})).article
    chars = [block.chars for block in article.blocks]
    assert (article.html, article.offsets, chars) == (html, (0, 1, 13, 14), [1, 5, 1])


PIECES = (
    "<p>one</p>¦", "<p>😀\0</p>\r\n<!-- /a -->¦", "<h2>two</h2>¦\r\n\r\n", "<ul><li>three</ul>¦", "<!-- b -->", " \r\n",
    "one <i>two</i>\r\n<br>¦<hr/>¦", "<br>one<br>\r\n<br>¦two &amp;\r\nthree¦\r\n<hr>¦", "<hr>¦</p>¦", "</b></div>",
    "<img src='\r\n'>¦<center\n>one<p>two</center>¦", "<p>one¦<table><tr><td>two</table>¦", "<script>'<p>'</script>",
    "<style>p{}</style>", "<x-y>one<p>two</p></x-y>¦", "<p hidden>one</p>", "<h3>one\r\n¦<h4>&lt;</h4>¦",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES)))
def test_gaps_are_where_they_should_be_in_any_order_of_blocks(pieces: list[str]) -> None:
    html = "¦<hr>¦" + "".join(pieces)
    assert marked(parse(html.replace(MARK, ""), needs_of({})).article) == html


HOSTILE = {
    "<div>" * 20_000: (1, 0, 2),
    "<b>" * 20_000: (0, 0, 0),
    "<p>" * 20_000: (20_000, 0, 20_001),
    "<a href=x>" * 20_000 + "x": (1, 1, 2),
    "<" * 5 * 2**20: (1, 0, 2),
    "<div>" * 10_000 + "x" + "</div>" * 10_000: (1, 0, 2),
    "<p><marquee>" * 10_000: (1, 0, 2),
    "<br>" * 20_000: (0, 0, 0),
    "x<br>" * 10_000: (1, 1, 2),
    "x<br><br>" * 5_000: (5_000, 5_000, 5_001),
    "x<!-- c -->" * 20_000: (1, 1, 2),
    "<p>x</p>" + "<!-- /c -->" * 20_000: (1, 1, 2),
    "<!-- c -->" * 20_000 + "<p>x</p>": (1, 1, 2),
    "<p>one two</p>\r\n" * 10_000: (10_000, 10_000, 10_001),
    "x</p>" * 5_000: (10_000, 5_000, 10_001),
    "<div><p>x</p></div>" * 5_000: (5_000, 0, 5_001),
    "<p>" + "&amp;" * 200_000: (1, 0, 2),
    "<p hidden>x</p>" * 20_000: (0, 0, 0),
}


@pytest.mark.parametrize("html", HOSTILE, ids=lambda html: html[:20])
def test_hostile_articles_are_articles(html: str) -> None:
    article = parse(html, needs_of({})).article
    pointed = sum(offset is not None for offset in article.offsets)
    counted = sum(block.counted for block in article.blocks)
    assert (len(article.blocks), counted, pointed) == HOSTILE[html]


REPEATED = (
    "<div>", "<b>", "<p>", "<a href=x>", "<", "<p><marquee>", "<br>", "x<br>", "x<br><br>", "x<!-- c -->", "<!-- c -->",
    "<p>x</p><!-- /c -->", "<p>x</p>y", "x</p>", "<div><p>x</p></div>", "<div>x", "&amp;", "<p hidden>x</p>",
    "<table>x", "<table></p>", "<table>x</table>", "<b><p>x</b>",
    "<p>x</p>\r\n", "<h2>x</h2><p><b>x</b>", "<noscript>x</noscript>",
)  # fmt: skip


@pytest.mark.parametrize("html", REPEATED)
def test_twice_the_article_is_twice_the_work(html: str) -> None:
    assert work(html * 400, {}) < 2.3 * work(html * 200, {}) + 1000


@pytest.mark.parametrize(("html", "inline"), [
    ("<section><p>x</p></section>", {"enter": ["section"]}),
    ("<section>x", {"enter": ["section"]}),
])  # fmt: skip
def test_wrappers_are_no_more_work_than_others(html: str, inline: Mapping[str, Any]) -> None:
    assert work(html * 400, inline) < 2.3 * work(html * 200, inline)


def test_words_inside_counted_wrappers_are_looked_for_once() -> None:
    inline = {"count": {"tags": ["p", "div"]}}
    assert work("<div>x" * 200, inline) < 2.3 * work("<div>x" * 100, inline)


def test_names_inside_longer_selectors_read_no_text_twice() -> None:
    inline = {"no_after": ["div:not(:empty-block)", ".a > p:media-only", "p:floated + p:caption"]}
    assert work("<div>x" * 200, inline) < 2.3 * work("<div>x" * 100, inline)


def work(html: str, inline: Mapping[str, Any]) -> int:
    """How many functions are called to parse the article: the same on every machine."""
    needs, calls = needs_of(inline), 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    profiler = sys.getprofile()
    sys.setprofile(count)
    try:
        parse(html, needs)
    finally:
        sys.setprofile(profiler)
    return calls
