"""The proof against a plain comparison of trees: no unsafe gap gets an ad, and no safe one is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from turbohtml import Comment, Element, Node, Text, parse_fragment

from adlayout.article.flow import Kind
from adlayout.article.parse import Parsed, parse
from adlayout.article.verify import Proof, prove, unsafe_gaps
from adlayout.assemble import assemble
from adlayout.compose import Composer
from adlayout.model import Device, Request
from adlayout.placement.layout import Layout, compile_layout
from adlayout.placement.place import place
from adlayout.placement.schema import LayoutFile
from adlayout.plans import lay
from adlayout.upkeep import Shelf

OWN = Path(__file__).parent / "cases" / "markup.yaml"
SHARED = os.environ.get("ADLAYOUT_CASES")
# What no YAML file can hold.
RAW = ("<!-- a -->\0<p>one</p><p>two</p>", "\ufeff<p>one</p>\0<p>t\0wo</p>", "<p>one</p>\udc80<p>\ud800two</p>")


CONFIG = Path(__file__).parents[1] / "config"
BLOCKS = {
    "first": "1 block",
    "every": "1 block",
    "max_ads": 9999,
    "end_guard": "0 blocks",
    "no_after": [],
    "no_before": [],
    "keep_with_next": [],
}
NEEDS = compile_layout(LayoutFile.model_validate({"inline": BLOCKS}), "blocks").needs


def own_articles() -> list[str]:
    return [*yaml.safe_load(OWN.read_text("utf-8"))["articles"], *RAW]


def shared_articles() -> list[str]:
    files = sorted(Path(SHARED, "html5lib").glob("*.dat")) if SHARED else []
    texts = [file.read_bytes().decode("utf-8", "surrogateescape") for file in files]
    return [data for text in texts for data in re.findall(r"#data\n(.*?)\n#errors", text, re.DOTALL)]


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(assemble(CONFIG, {}), Shelf())


@pytest.mark.parametrize("html", own_articles())
def test_ads_take_every_safe_gap_and_no_other(composer: Composer, html: str) -> None:
    assert gaps_with_ads(composer, html) == gaps_by_comparison(html)


def test_shared_inputs_take_ads_in_every_safe_gap_and_no_other(composer: Composer) -> None:
    wrong = [html for html in shared_articles() if gaps_with_ads(composer, html) != gaps_by_comparison(html)]
    assert wrong == []


def test_shared_inputs_lose_no_slot_under_any_layout_that_ships(composer: Composer) -> None:
    """Whatever a layout makes of an input, the slots are those that a comparison of trees lets stand, and no fewer."""
    edition = assemble(CONFIG, {})
    assert len(edition.layouts) >= 10
    layouts = [edition.layouts[name][Device.MOBILE] for name in sorted(edition.layouts)]
    wrong = [
        (layout.name, html)
        for html in shared_articles()
        for layout in layouts
        if [box.slot.gap for box in lay(html, layout)[0].boxes] != gaps_that_stand(html, layout)
    ]
    assert wrong == []


PIECES = (
    *("<p>one</p>", "<p>one</p>\n", "<h2>one</h2>\n", "one ", "<div>", "</div>", "<section>", "</section>", "<p>one"),
    *("<b>", "</b>", "<a href=x>", "</a>", "<table><tr><td>", "</table>", "<table>", "<td>", "<ul><li>", "</ul>"),
    *("</p>", "<!-- /c -->", "<!--", "<!x </p>", "</", "<noscript>", "</noscript>", "<template>", "</template>"),
    *("<select>", "<svg>", "<button>", "</button>", "<nobr>", "<form>", "</form>", "<span>", "</span>", "<br>"),
    *("</body>", "<html a=b>", "\0"),
)


@pytest.mark.parametrize("html", own_articles())
def test_a_proof_is_what_a_plain_comparison_of_trees_says(html: str) -> None:
    assert proofs_of(html) == proofs_by_comparison(html)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_proof_of_any_mixture_is_what_a_plain_comparison_of_trees_says(html: str) -> None:
    assert proofs_of(html) == proofs_by_comparison(html)


def test_shared_inputs_have_the_proofs_of_a_plain_comparison_of_trees() -> None:
    assert [html for html in shared_articles() if proofs_of(html) != proofs_by_comparison(html)] == []


@pytest.mark.parametrize(
    "stray", ["</div>", "</section>", "</div></div>", "</div><div>", "<b>", "<span>", "<!--", "</"]
)
def test_an_article_is_balanced_unless_it_reaches_into_the_page(stray: str) -> None:
    """A section that the page does not have cannot be closed, and what opens no formatting ends with the article."""
    parsed = parse(f"<p>one</p>{stray}", NEEDS)
    assert prove(parsed, []) == Proof(holds=True, balanced=stray in {"</section>", "<span>"})


def proofs_of(html: str) -> list[Proof]:
    parsed = parse(html, NEEDS)
    return [prove(parsed, gaps) for gaps in _choices(parsed)]


def proofs_by_comparison(html: str) -> list[Proof]:
    parsed = parse(html, NEEDS)
    balanced = plainly_stays(parsed)
    return [
        Proof(plainly_holds(parsed, gaps) and all(plainly_holds(parsed, [gap]) for gap in gaps), balanced)
        for gaps in _choices(parsed)
    ]


def _choices(parsed: Parsed) -> list[list[int]]:
    """No gap, each gap that the source has, all of them, and every second one."""
    gaps = [gap for gap, point in enumerate(parsed.points) if point is not None]
    return [[], *([gap] for gap in gaps), gaps, gaps[::2]]


def gaps_that_stand(html: str, layout: Layout) -> list[int | None]:
    """The slots of a layout that knows from a plain comparison which gaps are safe; the last go where need be."""
    parsed = parse(html, layout.needs)
    points = enumerate(parsed.points)
    unsafe = frozenset(gap for gap, point in points if point is None or not plainly_holds(parsed, [gap]))
    gaps = [slot.gap for slot in place(parsed.article, layout, unsafe).slots]
    while gaps and not plainly_holds(parsed, [gap for gap in gaps if gap is not None]):
        gaps.pop()
    return gaps


def gaps_with_ads(composer: Composer, html: str) -> list[int | None]:
    return [slot.gap for slot in composer.plan(Request(html), {"inline": BLOCKS}).plan.slots]


def gaps_by_comparison(html: str) -> list[int | None]:
    """The gaps in which a probe alone changes nothing; of those that fail together the last ones left out."""
    parsed = parse(html, NEEDS)
    points = enumerate(parsed.points[1:], start=1)
    safe = [gap for gap, point in points if point is not None and plainly_holds(parsed, [gap])]
    while not plainly_holds(parsed, safe):
        safe.pop()
    return list(safe)


_Token: TypeAlias = tuple[object, ...]

_BLANK = " \t\n\f\r"
_PROBE = (
    '<aside class="adl-slot" data-adl-slot="oracle"><span>Advertisement</span><a href="#"><img src="#" alt=""></a>'
    "<p>ad</p><div>ad</div><iframe></iframe></aside>"
)


@dataclass(slots=True)
class _Tokens:
    """A tree as a list: one entry for each tag, comment and character; probes are left out and told apart."""

    tokens: list[_Token] = field(default_factory=list)
    spans: dict[Node, tuple[int, int]] = field(default_factory=dict)
    probes: list[tuple[int, int, list[_Token]]] = field(default_factory=list)


def _tokens_of(root: Node) -> _Tokens:
    """The root's content as tokens. A probe is told as where it stands, where its parent starts, and what it is."""
    found = _Tokens()
    waiting: list[tuple[Node, bool]] = [(root, True)]
    while waiting:
        node, opens = waiting.pop()
        if not opens:
            found.tokens.append(("end",))
            found.spans[node] = (found.spans[node][0], len(found.tokens))
        elif isinstance(node, Element) and node.tag == "aside" and node.attr("data-adl-slot") == "oracle":
            parent = found.spans[node.parent][0] if node.parent is not None else -1
            found.probes.append((len(found.tokens), parent, _alone(node)))
        else:
            start = len(found.tokens)
            found.tokens += _opening(node)
            found.spans[node] = (start, len(found.tokens))
            if not isinstance(node, Text | Comment):
                waiting.append((node, False))
                waiting.extend((child, True) for child in reversed(node.children))
    return found


def plainly_holds(parsed: Parsed, gaps: Sequence[int]) -> bool:
    """Whether probes at all these gaps together leave the tree as it is, each between its blocks, in the flow."""
    return all(
        _holds(parsed, gaps, scripting=scripting)
        for scripting in ((False, True) if "<noscript" in parsed.source.lower() else (False,))
    )


def plainly_stays(parsed: Parsed) -> bool:
    """Whether the article put into an element, in an element with another behind it, is the article in an element."""
    around = _tokens_of(parse_fragment("<div><div></div><i></i></div>", "body")).tokens
    article = _tokens_of(parsed.root).tokens
    wrapped = _tokens_of(parse_fragment(f"<div><div>{parsed.source}</div><i></i></div>", "body")).tokens
    return wrapped == [article[0], *around[1:3], *article[1:-1], *around[3:]]


def _holds(parsed: Parsed, gaps: Sequence[int], *, scripting: bool) -> bool:
    page = parsed.source
    for gap in reversed(gaps):
        offset = parsed.points[gap]
        assert offset is not None
        page = page[:offset] + _PROBE + page[offset:]
    article = _tokens_of(parsed.root if not scripting else parse_fragment(parsed.source, "body", scripting=True))
    composed = _tokens_of(parse_fragment(page, "body", scripting=scripting))
    if composed.tokens != article.tokens or len(composed.probes) != len(gaps):
        return False
    if any(markup != _REFERENCE for _, _, markup in composed.probes):
        return False
    return scripting or all(
        _between(parsed, article, gap, at) and parent in _parents(parsed, article)
        for gap, (at, parent, _) in zip(gaps, composed.probes, strict=True)
    )


def _between(parsed: Parsed, article: _Tokens, gap: int, at: int) -> bool:
    """Whether the place is after the block above the gap and before the block below it."""
    blocks = [stretch.piece.nodes for stretch in parsed.flow.stretches]
    after = _edge(article, blocks[gap - 1][-1], 1) if gap else 0
    before = _edge(article, blocks[gap][0], 0) if gap < len(blocks) else len(article.tokens)
    return after <= at <= before


def _edge(article: _Tokens, node: Node, side: int) -> int:
    """Where a node starts (0) or ends (1); white space around a text is no part of its block."""
    start, end = article.spans[node]
    if isinstance(node, Text):
        ink = node.data.strip(_BLANK)
        start += node.data.index(ink)
        end = start + len(ink)
    return (start, end)[side]


def _parents(parsed: Parsed, article: _Tokens) -> set[int]:
    entered = [entry.node for entry in parsed.flow.entries if entry.kind is Kind.OPEN]
    return {article.spans[node][0] for node in (parsed.flow.container, *entered)}


def _opening(node: Node) -> list[_Token]:
    match node:
        case Element():
            return [("start", node.tag, node.namespace, tuple(sorted(node.attrs.items())))]
        case Text():
            return list(zip(node.data))
        case Comment():
            return [("comment", node.data)]
        case _:
            return [(type(node).__name__, getattr(node, "target", None), getattr(node, "data", None))]


def _alone(probe: Element) -> list[_Token]:
    probe.attrs["data-adl-slot"] = "seen"
    return _tokens_of(probe).tokens


_REFERENCE = _alone(parse_fragment(_PROBE, "body").select("aside")[0])


def test_what_is_not_decided_in_a_bounded_time_counts_as_unsafe() -> None:
    """Each gap of the first three hundred needs a proof of its own, so that the last three come too late for one."""
    parsed = parse("<p><a href=x>one" * 300 + "</a>" + "<p>two</p>" * 3, NEEDS)
    assert unsafe_gaps(parsed, range(304)) == frozenset(range(1, 304))
    assert [gap for gap in range(304) if plainly_holds(parsed, [gap])] == [0, 300, 301, 302, 303]


def test_a_container_inside_a_link_takes_no_ads() -> None:
    parsed = parse("<a href=x><div><p>one</p><p>two</p></div></a>", replace(NEEDS, container="div"))
    assert parsed.points == (15, 25, 35)
    assert unsafe_gaps(parsed, range(3)) == frozenset({0, 1, 2})
