"""Selectors: the names that CSS has no words for, where CSS must hold, and what is said where it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adlayout.article.parse import parse
from adlayout.article.selectors import NAMES, selector_fault
from adlayout.model import Needs
from adlayout.placement.layout import compile_layout
from adlayout.placement.schema import LayoutFile

NEEDS = compile_layout(LayoutFile(), "default").needs


def matches(html: str, *asked: str, needs: Needs = NEEDS) -> list[frozenset[str]]:
    """What matches each block of the article."""
    return [block.matches for block in parse(html, replace(needs, selectors=asked)).article.blocks]


def test_the_names_are_those_that_ops_may_write() -> None:
    assert sorted(NAMES) == [":bold-line", ":caption", ":empty-block", ":floated", ":lead-in", ":media-only"]


@pytest.mark.parametrize(("text", "bold"), [
    ("a" * 79, True),
    ("a" * 80, False),
    ("&amp;" * 79, True),
    ("a  \n" * 40, True),
    (" " * 99 + "a" + "&nbsp;" * 99, True),
    ("😀" * 79, True),
])  # fmt: skip
def test_a_bold_line_has_less_than_80_visible_characters(text: str, bold: bool) -> None:
    html = f"<p><strong>{text}</strong></p>"
    assert matches(html, ":bold-line") == [frozenset({":bold-line"} if bold else ())]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_holds_alone_and_in_longer_css(name: str) -> None:
    asked = [name, f"p{name}", f"p:not({name})", f"h2, {name}", f"div > p:first-child{name}, h2"]
    assert [selector_fault(selector) for selector in asked] == [None] * len(asked)


def test_names_see_the_elements_that_other_elements_stand_beside() -> None:
    html = "<div><p>one:</p><ul><li>two</ul><p>three</p><ul><li>four</ul></div>"
    asked = ("p:lead-in + ul", "ul:not(:lead-in + ul)", "div > :lead-in", "ul:has(li)")
    assert matches(html, *asked) == [
        frozenset({"div > :lead-in"}),
        frozenset({"p:lead-in + ul", "ul:has(li)"}),
        frozenset(),
        frozenset({"ul:not(:lead-in + ul)", "ul:has(li)"}),
    ]


def test_names_leave_nothing_behind_in_the_article() -> None:
    html = "<p>one:</p><p class=caption>two</p>"
    parsed = parse(html, replace(NEEDS, selectors=("p:lead-in", "p:caption", "p:not(:empty-block)")))
    assert parsed.root.inner_html == '<p>one:</p><p class="caption">two</p>'


def test_a_name_that_only_begins_like_one_is_none() -> None:
    assert selector_fault(":lead-in-x") == 'invalid CSS selector ":lead-in-x": unknown pseudo-class at position 10'


@pytest.mark.parametrize(("selector", "fault"), [
    ("p[", 'invalid CSS selector "p[": expected an identifier at position 2'),
    ("", 'invalid CSS selector "": expected a selector at position 0'),
    ("p,", 'invalid CSS selector "p,": expected a selector at position 2'),
    (":bold-lines", 'invalid CSS selector ":bold-lines": unknown pseudo-class at position 11'),
])  # fmt: skip
def test_what_is_wrong_with_a_selector_is_said(selector: str, fault: str) -> None:
    assert selector_fault(selector) == fault


def test_a_selector_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected an identifier"):
        matches("<p>one</p>", "p[")
