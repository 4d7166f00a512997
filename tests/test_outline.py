"""The outline that `explain` draws: every block and gap, the reasons in words, nothing wider than the terminal."""

from __future__ import annotations

import re

import pytest

from adlayout.cli.outline import MEANING, draw
from adlayout.cli.snippet import columns, cut, padded, plain, snippet
from adlayout.model import (
    Article,
    Block,
    Device,
    Dropped,
    Judgement,
    Plan,
    Reason,
    Refusal,
    Slot,
    SlotStyle,
    Space,
    Verdict,
)
from adlayout.plans import Planned

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

FIRST = Refusal(Reason.FIRST, "2 paragraphs", "0 paragraphs")
NO_AFTER = Refusal(Reason.NO_AFTER, "not h1", "h1")
UNSAFE = Refusal(Reason.UNSAFE_MARKUP, "an article that stays as it is", "an ad here changes the article")
EVERY = Refusal(Reason.EVERY, "2 paragraphs", "1 paragraph")

BLOCKS = (
    ("h1", "<h1>Almaty opens its <em>second</em> line</h1>", False, 5),
    ("p", "<p>The first train left the station at six, and nobody was late for it, as the mayor noted.</p>", True, 18),
    ("figure", '<figure><img src="/b.jpg" alt="A train &amp; its driver"></figure>', False, 0),
    (None, "\u963f\u62c9\u6728\u56fe\u7b2c\u4e8c\u6761\u7ebf\u8def" * 5, True, 45),
    ("p", "<p>The end.</p>", True, 1),
)


def article(warnings: tuple[str, ...] = ()) -> Article:
    """An article of the blocks above."""
    html = "".join(source for _, source, _, _ in BLOCKS)
    starts = [html.index(source) for _, source, _, _ in BLOCKS]
    blocks = tuple(
        Block(tag, start, start + len(source), counted, False, frozenset(), words=words)
        for start, (tag, source, counted, words) in zip(starts, BLOCKS, strict=True)
    )
    return Article(html, blocks, (*starts, len(html)), warnings=warnings)


def planned(article: Article, plan: Plan) -> Planned:
    return Planned(article, plan, "news", Device.MOBILE)


WARNINGS = ("unbalanced_article", "nothing matches .story")
PLAN = Plan(
    slots=(Slot("inline-1", SlotStyle(), gap=4, offset=9, due_gap=3),),
    gaps=(
        Judgement(0, 0, Verdict.REFUSED, reasons=(FIRST,)),
        Judgement(1, 1, Verdict.REFUSED, reasons=(NO_AFTER, UNSAFE, FIRST)),
        Judgement(2, 2, Verdict.FREE, reasons=(EVERY,)),
        Judgement(3, 3, Verdict.FREE),
        Judgement(4, 4, Verdict.SLOT, slot="inline-1"),
        Judgement(5, 5, Verdict.REFUSED, reasons=(EVERY,)),
    ),
    dropped=(Dropped(due_gap=5),),
)

DRAWN = """\
     ✗ gap 0    first: needs 2 paragraphs, has 0 paragraphs
  1  h1              Almaty opens its second line                        5 words
     ✗ gap 1    no_after: needs no h1 above, has h1
                unsafe_markup: needs an article that stays as it is, but an ad
                  here changes the article
                first: needs 2 paragraphs, has 0 paragraphs
  2  p          ¶1   The first train left the station at six, and nob…  18 words
     · gap 2    every: needs 2 paragraphs, has 1 paragraph
  3  figure          [A train & its driver]
     · gap 3    an ad could stand here; none was due
  4  text       ¶2   阿拉木图第二条线路阿拉木图第二条线路阿拉木图第二…  45 words
     ▶ gap 4    ━━ AD inline-1 · in-article · due at gap 3, moved on ━━━━━━━━━━━
  5  p          ¶3   The end.                                             1 word
     ✗ gap 5    every: needs 2 paragraphs, has 1 paragraph

1 ad in 5 blocks, 3 of them counted as paragraphs
64 words in these paragraphs, an ad for every 64
6 gaps: ▶ 1 with an ad, ✗ 3 refused, · 2 free
   2 by every           too soon after the last ad
   2 by first           too near to the start
   1 by no_after        no ad may follow the block above
   1 by unsafe_markup   an ad here would change the article
dropped: the ad due at gap 5: conflict, no gap where it was due takes an ad
warning: unbalanced_article, unclosed elements or stray end tags that reach into
  the page around it
warning: nothing matches .story"""


def test_the_outline_tells_every_block_and_gap_in_order() -> None:
    assert draw(planned(article(WARNINGS), PLAN), colour=False, width=80) == DRAWN


def test_colour_adds_nothing_but_colour() -> None:
    coloured = draw(planned(article(WARNINGS), PLAN), colour=True, width=80)
    assert coloured != DRAWN
    assert ESCAPE.sub("", coloured).splitlines() == DRAWN.splitlines()


@pytest.mark.parametrize("width", [60, 63, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert (
        max(columns(line) for line in draw(planned(article(), PLAN), colour=False, width=width).splitlines()) <= width
    )


def test_a_terminal_narrower_than_a_line_can_be_is_taken_for_a_wider_one() -> None:
    assert draw(planned(article(), PLAN), colour=False, width=1) == draw(
        planned(article(), PLAN), colour=False, width=60
    )


def test_an_article_of_nothing_has_one_gap() -> None:
    plan = Plan((), (Judgement(0, 0, Verdict.REFUSED, reasons=(FIRST,)),))
    assert draw(planned(Article("", (), (0,)), plan), colour=False, width=80).splitlines() == [
        "     ✗ gap 0    first: needs 2 paragraphs, has 0 paragraphs",
        "",
        "0 ads in 0 blocks, 0 of them counted as paragraphs",
        "1 gap: ▶ 0 with an ad, ✗ 1 refused, · 0 free",
        "   1 by first           too near to the start",
    ]


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Refusal(Reason.NO_AFTER, "not :bold-line", "p"), "no_after: needs no :bold-line above, has p"),
        (Refusal(Reason.NO_BEFORE, "not figure", "figure"), "no_before: needs no figure below, has figure"),
        (
            Refusal(Reason.KEEP_WITH_NEXT, "not h2", "h2"),
            "keep_with_next: h2 must not part from the block below",
        ),
        (
            Refusal(Reason.KEEP_WITH_NEXT, "not .title", "p"),
            "keep_with_next: p (.title) must not part from the block below",
        ),
        (Refusal(Reason.MAX_ADS, "at most 8 ads", "8 ads"), "max_ads: takes at most 8 ads, has 8 ads already"),
        (Refusal(Reason.END_GUARD, "1 paragraph", "0 paragraphs"), "end_guard: needs 1 paragraph, has 0 paragraphs"),
        (
            Refusal(Reason.CLEARANCE, "9 words", "2 words", "after figure"),
            "clearance: needs 9 words after figure, has 2 words",
        ),
        (
            Refusal(Reason.DENSITY, "30 %", "34 %"),
            "density: takes ads on 30 % of the page, would have them on 34 %",
        ),
    ],
)
def test_a_refusal_says_what_it_needs_and_what_is_there(refusal: Refusal, told: str) -> None:
    plan = Plan((), (Judgement(0, 0, Verdict.REFUSED, reasons=(refusal,)),))
    assert (
        draw(planned(Article("", (), (0,)), plan), colour=False, width=80).splitlines()[0] == f"     ✗ gap 0    {told}"
    )


def test_a_thousand_blocks_stay_in_their_columns() -> None:
    block = Block("p", 0, 9, True, False, frozenset(), words=2)
    plan = Plan((), tuple(Judgement(gap, 0, Verdict.FREE) for gap in range(1001)))
    drawn = draw(
        planned(Article("<p>a b</p>", (block,) * 1000, (0,) * 1001), plan), colour=False, width=60
    ).splitlines()
    assert (drawn[1], drawn[1999], drawn[2000]) == (
        "   1  p          ¶1    a b" + " " * 27 + "2 words",
        "1000  p          ¶1000 a b" + " " * 27 + "2 words",
        "      · gap 1000  an ad could stand here; none was due",
    )


def test_nothing_that_a_terminal_obeys_is_drawn() -> None:
    hostile = "x\x1b]0;a\x07\x9b31m\u202ey"
    block = Block(hostile, 0, 1, False, False, frozenset())
    refusal = Refusal(Reason.NO_AFTER, f"not {hostile}", hostile)
    slot = Slot("inline-1", SlotStyle(type=hostile), gap=1)
    gaps = (
        Judgement(0, 0, Verdict.REFUSED, reasons=(refusal,)),
        Judgement(1, 1, Verdict.SLOT, slot="inline-1"),
    )
    drawn = draw(
        planned(Article(hostile, (block,), (0, 1), warnings=(hostile,)), Plan((slot,), gaps)), colour=False, width=80
    )
    assert [letter for letter in drawn if not letter.isprintable() and letter != "\n"] == []


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANING) == set(Reason)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One\n <b>two</b>&nbsp;three</p>", "One two three"),
        ("<p><!-- no --><script>no()</script><STYLE>no</STYLE>yes</p>", "yes"),
        ('<p data-x="a > b">text</p>', "text"),
        ("<p><b>Almond Street</b>, ten <A\nHREF='x>'>pa</a>st two</p>", "Almond Street, ten past two"),
        ("<ul><li>one<li>two</ul><article>three", "one two three"),
        ("<p>&eacute; e\u0301 \u1112\u1161\u11ab</p>", "\u00e9 \u00e9 \ud55c"),
        ("<p title='never closed>text</p>", "[nothing to read]"),
        ("<p>1 < 2 and 3 > 2</p>", "1 < 2 and 3 > 2"),
        ("<p>\x1b[31mred\x07&#27;</p>", "[31mred"),
        ('<img src="/a.jpg">', "[/a.jpg]"),
        ("<figure><img alt='' title=Train src=/a.jpg></figure>", "[Train]"),
        ("<hr>", "[nothing to read]"),
        ("<p>" + "word " * 100_000 + "</p>", " ".join(["word"] * 799) + " wo"),
    ],
)
def test_a_snippet_is_the_text_of_a_block_on_one_line(source: str, text: str) -> None:
    assert snippet(source) == text


@pytest.mark.parametrize(
    ("text", "room", "short"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("ab cdef", 4, "ab…"),
        ("\u4e00\u4e8c\u4e09", 5, "\u4e00\u4e8c…"),
        ("\u4e00\u4e8c\u4e09", 4, "\u4e00…"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        (
            "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e22\u0e31\u0e48\u0e07",
            9,
            "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e22\u0e31\u0e48\u0e07",
        ),
        ("\u2764\ufe0f\u2764\ufe0f", 4, "\u2764\ufe0f\u2764\ufe0f"),
        ("\u2764\ufe0f\u2764\ufe0f", 3, "\u2764\ufe0f…"),
    ],
)
def test_text_is_cut_to_the_columns_there_are(text: str, room: int, short: str) -> None:
    assert cut(text, room) == short


def test_text_is_filled_up_to_the_columns_there_are() -> None:
    assert [padded("ab", 4), padded("\u4e00", 4), padded("abcdef", 4)] == ["ab  ", "\u4e00  ", "abc…"]


def test_plain_text_is_one_line_without_what_cannot_be_seen() -> None:
    assert plain(" a\x00b\n\tc &lt;\u200b\u202e\ud800d\x1b[0m") == "ab c &lt;d[0m"


def test_an_ad_that_found_no_gap_is_told_by_its_gap_or_its_position() -> None:
    plan = Plan((), dropped=(Dropped(4), Dropped(None, Reason.OUT_OF_RANGE, "-9")), space=Space(300, 100),
                gaps=(Judgement(0, 0, Verdict.FREE),))  # fmt: skip
    drawn = draw(planned(Article("", (), (0,)), plan), colour=False, width=80).splitlines()
    assert drawn[2:] == [
        "0 ads in 0 blocks, 0 of them counted as paragraphs",
        "about 300 px of article and 100 px of ads, which take 25% of the page",
        "1 gap: ▶ 0 with an ad, ✗ 0 refused, · 1 free",
        "dropped: the ad due at gap 4: conflict, no gap where it was due takes an ad",
        "dropped: the ad at position -9: out_of_range, the article has no such position",
    ]
