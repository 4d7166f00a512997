"""The outline that `explain` draws: every block and gap, the reasons in words, nothing wider than the terminal."""

from __future__ import annotations

import re

import pytest

from adlayout.cli.outline import MEANING, draw
from adlayout.cli.snippet import columns, cut, padded, snippet
from adlayout.model import Article, Block, Dropped, Judgement, Plan, Reason, Refusal, Slot, SlotStyle, Verdict

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

FIRST = Refusal(Reason.FIRST, "2 paragraphs", "0 paragraphs")
NO_AFTER = Refusal(Reason.NO_AFTER, "none of h1 h2 h3 h4 h5 h6 :bold-line :lead-in above the ad", "h1")
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
    return Article(html, blocks, (*starts, len(html)), warnings)


PLAN = Plan(
    slots=(Slot("inline-1", SlotStyle(), gap=4, offset=9, due_gap=3),),
    gaps=(
        Judgement(0, 0, Verdict.REFUSED, reasons=(FIRST,)),
        Judgement(1, 1, Verdict.REFUSED, reasons=(NO_AFTER, FIRST)),
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
     ✗ gap 1    no_after: needs none of h1 h2 h3 h4 h5 h6 :bold-line :lead-in
                  above the ad, has h1
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
6 gaps: 1 with an ad, 3 refused, 2 free
   2 by every          too soon after the last ad
   2 by first          too near to the start
   1 by no_after       no ad may follow the block above
dropped: the ad due at gap 5: conflict, no gap where it was due takes an ad
warning: unbalanced_article"""


def test_the_outline_tells_every_block_and_gap_in_order() -> None:
    assert draw(article(("unbalanced_article",)), PLAN, colour=False, width=80) == DRAWN


def test_colour_adds_nothing_but_colour() -> None:
    coloured = draw(article(("unbalanced_article",)), PLAN, colour=True, width=80)
    assert coloured != DRAWN
    assert ESCAPE.sub("", coloured).splitlines() == DRAWN.splitlines()


@pytest.mark.parametrize("width", [60, 63, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(columns(line) for line in draw(article(), PLAN, colour=False, width=width).splitlines()) <= width


def test_a_terminal_narrower_than_a_line_can_be_is_taken_for_a_wider_one() -> None:
    assert draw(article(), PLAN, colour=False, width=1) == draw(article(), PLAN, colour=False, width=60)


def test_an_article_of_nothing_has_one_gap() -> None:
    plan = Plan((), (Judgement(0, 0, Verdict.REFUSED, reasons=(FIRST,)),))
    assert draw(Article("", (), (0,)), plan, colour=False, width=80).splitlines() == [
        "     ✗ gap 0    first: needs 2 paragraphs, has 0 paragraphs",
        "",
        "0 ads in 0 blocks, 0 of them counted as paragraphs",
        "1 gap: 0 with an ad, 1 refused, 0 free",
        "   1 by first          too near to the start",
    ]


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANING) == set(Reason)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One\n <b>two</b>&nbsp;three</p>", "One two three"),
        ("<p><!-- no --><script>no()</script><STYLE>no</STYLE>yes</p>", "yes"),
        ('<p data-x="a > b">text</p>', "text"),
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
    ],
)
def test_text_is_cut_to_the_columns_there_are(text: str, room: int, short: str) -> None:
    assert cut(text, room) == short


def test_text_is_filled_up_to_the_columns_there_are() -> None:
    assert [padded("ab", 4), padded("\u4e00", 4), padded("abcdef", 4)] == ["ab  ", "\u4e00  ", "abc…"]
