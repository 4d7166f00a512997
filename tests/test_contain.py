"""Markup of creatives: it stays inside its slot, or is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from adlayout.article.contain import escape_of
from adlayout.checks import proven
from adlayout.model import Creative, Native
from adlayout.rendering.creative import BadMarkup
from adlayout.rendering.page import Templates


@pytest.mark.parametrize(
    "markup",
    [
        "",
        "Buy now &amp; save",
        '<a href="https://example.com"><img src="a.png" alt=""></a>',
        "<div><p>one<p>two</div>",
        "<div>closed with its slot",
        "a stray</p> that is a paragraph of its own",
        "<ul><li>one<li>two</ul>",
        '<iframe srcdoc="&lt;p&gt;</aside>"></iframe>',
        "<!-- a comment --><b>bold</b>",
        "<table><tr><td>one</table>",
        "<noscript><img src=a.png></noscript>",
        "<svg viewBox='0 0 1 1'><path d=''/></svg>",
    ],
)
def test_markup_that_closes_what_it_opens_may_stand(markup: str) -> None:
    assert escape_of(markup) is None


@pytest.mark.parametrize(
    "markup",
    [
        "</aside><p>outside",
        "<b>never closed",
        "<a href=x>never closed",
        "<!-- open",
        "<p title='",
        "<table><tr><td>one",
        "<script>let a = 1",
        "<textarea>",
        "<plaintext>",
        "<svg><p>out of it</svg></div>",
        *(f"one</{tag}>" for tag in "div section aside ul li dd h3 b i object blockquote".split()),
        "<noscript><!--</noscript>",
        "<style>p{}",
    ],
)
def test_markup_that_would_reach_into_the_article_is_refused(markup: str) -> None:
    assert str(escape_of(markup)).startswith("does not stay inside its slot")


@pytest.mark.parametrize("tag", ["button", "form", "nobr", "select"])
def test_elements_that_the_article_around_could_undo_are_refused(tag: str) -> None:
    assert str(escape_of(f"<div><{tag}>one</{tag}></div>")).startswith(f"holds a <{tag}>")


def test_a_native_template_that_leaves_its_slot_costs_that_creative(tmp_path: Path) -> None:
    """The template is ops' program; what it makes is looked at for each creative."""
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "card.html.j2").write_text("<b>{{ title }}{% if body %}</b>{% endif %}")
    templates = Templates.load(tmp_path)
    whole, broken = (Creative("ad", Native("Tea", body=body)) for body in ("Fresh", ""))
    assert proven(whole, templates).markup == {"fluid": "<b>Tea</b>"}
    with pytest.raises(BadMarkup, match="leaves something open"):
        proven(broken, templates)
