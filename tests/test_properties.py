"""What holds for every article and every layout: drawn by Hypothesis, a few in each run, many with `make fuzz`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from turbohtml import Element, parse_fragment

from adlayout.answers import page_json
from adlayout.article.parse import parse
from adlayout.article.verify import unsafe_gaps
from adlayout.assemble import Edition, assemble
from adlayout.compose import Composer
from adlayout.decision.inventory import read_inventory
from adlayout.model import Device, Filled, Output, Page, Request
from adlayout.placement.context import Context
from adlayout.placement.layout import Course, Layout, compile_layout
from adlayout.placement.schema import LayoutFile
from adlayout.placement.trial import trial_of
from adlayout.plans import lay
from adlayout.upkeep import Shelf, Stock
from adlayout.web.app import create_app

CONFIG = Path(__file__).parents[1] / "config"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SLOT = re.compile(rb'<aside class="adl-slot".*?</aside>', re.DOTALL)

# Articles: any text at all, lone surrogates too; tags in any order; and what editors write, more or less well.

TEXTS = st.text(st.characters(codec=None), max_size=30)
TAGS = (
    *("<p>", "</p>", "<p", "<div>", "</div>", "<section>", "</section>", "<b>", "</b>", "<i>", "<a href=x>", "</a>"),
    *("<h2>", "</h2>", "<ul><li>", "</ul>", "<table>", "<tr><td>", "</table>", "<br>", "<br><br>", "<hr>"),
    *("<figure>", "</figure>", "<blockquote>", "</blockquote>", "<!-- c -->", "<!-- /c -->", "<!--", "-->", "</", "<"),
    *("<noscript>", "</noscript>", "<script>", "</script>", "<template>", "</template>", "<svg>", "</svg>", "<select>"),
    *("<button>", "<nobr>", "<form>", "</form>", "<textarea>", "<img src=x>", "</body>", "&amp", "\0", "\r\n", "\r"),
    *("\n", "\ufeff", "x", "word ", "漢字", "🐟"),
    *("<!-- adlayout: stop -->", "<!-- adlayout: start -->", "<!-- adlayout: slot box -->", "<!-- adlayout: off -->"),
    *("<p data-adl-stop>", "<ins class=adsbygoogle></ins>", "<div class=ad>", "<b data-adl-slot>"),
)
SOUP = st.lists(st.sampled_from(TAGS), max_size=30).map("".join)
BLOCKS = (
    *("<p>{}</p>\n", "<p>{}", "<p><b>{}</b></p>", "<p>{}</p></p>", "<P\nCLASS=x>{}</P>", "<h2>{}</h2>", "<h3>{}"),
    *("<p>&nbsp;</p>", "<p></p>", "{}<br><br>", "{} <i>and</i> ", "<img src=x>", "<p><img src=x></p>", "<p>{}:</p>"),
    *("<figure><img src=x><figcaption>{}</figcaption></figure>", "<ul><li>{}<li><p>{}</p></ul>", "<ol><li>{}</ol>"),
    *("<blockquote><p>{}</p></blockquote>", "<table><tr><td><p>{}</p></td></tr></table>", "<table>{}<p>{}</table>"),
    *("<!-- wp:p -->\r\n<p>{}</p>\r\n<!-- /wp:p -->\r\n\r\n", "<!-- x --><p>{}</p>", "<p><a href=x>{}", "<hr>"),
    *("<script>'</p><p>'</script>", "<noscript><p>{}</noscript>", '<p class="alignleft">{}</p>'),
    *("<div>{}<p>{}</p></div>", "<custom-box><p>{}</p></custom-box>", "<p data-adl-stop>{}</p>"),
    *("<div class=ad>{}</div>", "<ins class=adsbygoogle></ins>", "<p>{}<b class=ad>ad</b></p>"),
    *("<!-- adlayout: stop --><p>{}</p>", "<!-- adlayout: start --><p>{}</p>", "<!-- adlayout: slot box --><p>{}</p>"),
)
WORDS = st.sampled_from(
    ("", "One.", "Two words.", "A paragraph of seven words, no more.", "漢字が三つ", "🐟 &amp;", "<b>x")
)
PIECES = st.builds(lambda block, words: str(block).replace("{}", words), st.sampled_from(BLOCKS), WORDS)
ROWS = st.lists(PIECES | st.just("<p>One more paragraph.</p>"), min_size=8, max_size=30).map("".join)
WRAPPERS = st.sampled_from(
    ("<div>{}</div>", '<section class="part">{}</section>', "<main>{}</main>", "<b>{}</b>", "<div>{}", "{}</div>")
)
WRITTEN = st.recursive(
    ROWS,
    lambda inner: st.builds(
        lambda wrapper, parts: str(wrapper).replace("{}", "".join(parts)), WRAPPERS, st.lists(inner, max_size=3)
    ),
    max_leaves=3,
)
ARTICLES = ROWS | WRITTEN | st.tuples(ROWS, SOUP, ROWS).map("".join) | SOUP | TEXTS

# Layouts: any rules that go together.

AMOUNTS = {"paragraphs": 2, "blocks": 3, "words": 6, "chars": 40, "px": 80, "%": 30}
PLAIN = st.sampled_from(tuple(AMOUNTS)).flatmap(
    lambda unit: st.integers(0, AMOUNTS[unit]).map(lambda amount: f"{amount} {unit}")
)
PARTS = st.lists(PLAIN, min_size=1, max_size=3)
DISTANCES = PLAIN | st.fixed_dictionaries({"all": PARTS}) | st.fixed_dictionaries({"any": PARTS})
SELECTORS = st.lists(
    st.sampled_from(("p", "h2", "figure", "img", ":bold-line", ":lead-in", ":media-only", ":empty-block", "ul, ol")),
    max_size=3,
)
MOVES = st.fixed_dictionaries(
    {"move": st.sampled_from(("after", "before", "nearest"))}, optional={"limit": st.integers(0, 4) | st.just("none")}
)
COUNTS = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.lists(st.sampled_from(("p", "h2", "li", "figure", "div")), min_size=1),
        "min_words": st.integers(0, 4),
        "min_chars": st.integers(0, 10),
        "bare_text": st.sampled_from(("auto", "always", "never")),
    },
)
ELSE: Mapping[str, st.SearchStrategy[object]] = {
    "min_between": DISTANCES,
    "max_ads": st.integers(0, 4),
    "min_article": DISTANCES,
    "end_guard": DISTANCES,
    "no_after": SELECTORS,
    "no_before": SELECTORS,
    "keep_with_next": SELECTORS,
    "enter": st.just(["section.part"]),
    "container": st.sampled_from(("main", "div", "section")),
    "count": COUNTS,
    "on_conflict": MOVES | st.just("drop"),
    "clearances": st.fixed_dictionaries(
        {"selector": st.sampled_from(("figure", "h2", ":not(p)", ":lead-in")), "after": DISTANCES},
        optional={"before": DISTANCES, "lift_before_if_next": st.just("h2")},
    ).map(lambda one: [one]),
    "small_neighbour": DISTANCES,
    "first_screen": st.just("avoid"),
    "short_article": st.just("end"),
    "max_density": st.sampled_from(("10 %", "30 %", "60 %")),
    "last_slot_fit": st.just("on"),
    "existing_ads": st.fixed_dictionaries({"mode": st.sampled_from(("count", "stop", "ignore"))}),
    "blocklist": st.just({"words": ["paragraph"]}),
    "weights": st.just([{"selector": "p", "words": 3, "chars": 9}]),
    "slots": st.just([{"type": "top", "formats": ["300x600"]}, {"type": "rest", "formats": ["fluid"]}]),
    "lazy_after": st.integers(0, 3),
}
OTHERS = st.lists(st.sampled_from(sorted(ELSE)), unique=True, max_size=3).flatmap(
    lambda keys: st.fixed_dictionaries({key: ELSE[key] for key in keys})
)
IN_TURN = st.fixed_dictionaries({"first": DISTANCES, "every": DISTANCES})
GRIDS = st.sampled_from(tuple(AMOUNTS)).flatmap(
    lambda unit: st.fixed_dictionaries(
        {
            "anchor": st.just("grid"),
            "first": st.integers(0, AMOUNTS[unit]).map(lambda amount: f"{amount} {unit}"),
            "every": st.integers(1, AMOUNTS[unit]).map(lambda amount: f"{amount} {unit}"),
        }
    )
)
SPREADS = GRIDS.map(lambda grid: {**grid, "strategy": "spread"})
ESCALATED = st.builds(
    lambda due, ads, every: {**due, "escalate": [{"from_ads": ads, "every": every}]},
    IN_TURN,
    st.integers(1, 3),
    DISTANCES,
)
POSITIONS = st.lists(
    st.integers(-4, 6) | st.sampled_from(("n", "2n", "3n+1", "-n+3", "!2", "!-1", "0 %", "50 %", "100 %")), min_size=1
).map(lambda entries: {"positions": [0, *entries]})
COURSES = IN_TURN | GRIDS | SPREADS | ESCALATED | POSITIONS


def compiled(inline: Mapping[str, object]) -> Layout:
    return compile_layout(LayoutFile.model_validate({"inline": inline}), "drawn")


LAYOUTS = st.builds(lambda due, others: compiled({**due, **others}), COURSES, OTHERS)
EVERYWHERE = compiled(
    {
        "first": "0 blocks",
        "every": "1 block",
        "end_guard": "0 blocks",
        "max_ads": 99,
        "no_after": [],
        "no_before": [],
        "keep_with_next": [],
    }
)


# The service that composes them.


@dataclass(frozen=True, repr=False)
class Press:
    """The shipped config and its ads; prints pages under any layout."""

    edition: Edition
    shelf: Shelf

    def under(self, layout: Layout) -> Composer:
        return Composer(
            replace(self.edition, layouts=dict.fromkeys(("every-2", "drawn"), dict.fromkeys(Device, layout))),
            self.shelf,
        )

    def page(self, html: str, layout: Layout, output: Output = Output.FRAGMENT) -> Page:
        return self.under(layout).compose(Request(html, layout="drawn", output=output, seed="s"), now=NOW)


@pytest.fixture(scope="module")
def press() -> Press:
    edition = assemble(CONFIG, {})
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    return Press(edition, Shelf(stock=Stock(inventory, prepared, 1)))


@pytest.fixture(scope="module")
def client(press: Press) -> Iterator[TestClient]:
    """The service under the shipped config, asked from the same machine."""
    with TestClient(create_app(press.edition, press.shelf, None), client=("127.0.0.1", 50_000)) as local:
        yield local


def article_in(answer: Mapping[str, Any]) -> str:
    """What the contract promises: the article's stretch of the page without the inserted spans."""
    start, end = answer["article_start"], answer["article_end"]
    spans = sorted((slot["output_start"], slot["output_end"]) for slot in answer["slots"] if slot["filled"])
    inside = [(first, last) for first, last in spans if start <= first and last <= end]
    edges = [start, *(edge for span in inside for edge in span), end]
    return "".join(answer["html"][first:last] for first, last in zip(edges[::2], edges[1::2], strict=True))


# (a) and (e): the article is in the page, whatever it is.


@given(ARTICLES, LAYOUTS, st.sampled_from(Output))
def test_the_page_minus_its_slots_is_the_article(press: Press, html: str, layout: Layout, output: Output) -> None:
    assert article_in(page_json(press.page(html, layout, output), "r")) == html


@given(ARTICLES)
@pytest.mark.parametrize("scripting", [False, True])
def test_the_tree_minus_its_slots_is_the_articles_tree(press: Press, scripting: bool, html: str) -> None:
    page = press.page(html, EVERYWHERE)
    tree = tree_of("".join(piece.text for piece in page.pieces), scripting=scripting)
    slots = tree.select("aside.adl-slot")
    for slot in slots:
        slot.extract()
    tree.normalize()
    filled = [decision for decision in page.decisions if isinstance(decision, Filled)]
    assert (tree.inner_html, len(slots)) == (tree_of(html, scripting=scripting).inner_html, len(filled))
    assert tree.equals(tree_of(html, scripting=scripting))


def tree_of(html: str, *, scripting: bool) -> Element:
    return parse_fragment(html.replace("\r\n", "\n").replace("\r", "\n"), "body", scripting=scripting)


@given(st.binary(max_size=200) | ARTICLES.map(lambda html: html.encode("utf-8", "surrogatepass")))
@example(b"")
@example("<p>one</p><p>two \xff".encode("latin-1"))
@pytest.mark.parametrize("output", ["page", "fragment"])
def test_any_bytes_at_all_come_back_in_a_page(client: TestClient, output: str, body: bytes) -> None:
    answer = client.post(f"/v1/compose?output={output}", content=body, headers={"content-type": "text/html"})
    page = SLOT.sub(b"", answer.content)
    assert (answer.status_code, body in page, output == "page" or page == body) == (200, True, True)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "site",
    "layout",
    "output",
    "unit",
    "device",
    "context",
    "consent",
    "request_id",
    "seed",
    "timeout_ms",
    "tags",
)


@given(TEXTS | SOUP, st.dictionaries(st.sampled_from(FIELDS) | TEXTS.filter(lambda name: name != "article"), VALUES))
def test_whatever_else_a_request_says_its_article_comes_back(
    client: TestClient, html: str, others: dict[str, object]
) -> None:
    body = json.dumps({**others, "article": {"html": html}})
    headers = {"content-type": "application/json", "accept": "application/json"}
    answer = client.post("/v1/compose", content=body, headers=headers)
    assert (answer.status_code, article_in(answer.json())) == (200, json.loads(body)["article"]["html"])


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
@pytest.mark.parametrize("route", ["/v1/compose", "/v1/plan"])
def test_a_body_without_an_article_is_told_so(client: TestClient, route: str, body: bytes) -> None:
    answer = client.post(route, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["title"]) == (400, "No article in the request")


# (b) and (c): the rules hold.


@given(ARTICLES, LAYOUTS)
def test_no_slot_stands_where_a_rule_refuses(html: str, layout: Layout) -> None:
    gaps, context = ads_in(html, layout)
    trial, marked = trial_of(layout, context), dict(context.article.marks.slots)
    refusals = {gap: found for gap in gaps if gap not in marked and (found := list(trial.refusals(gap)))}
    assert refusals == {}
    assert [gap for gap in gaps if not context.is_safe(gap)] == []


@given(ARTICLES, LAYOUTS)
def test_ads_keep_their_distances_and_are_no_more_than_allowed(html: str, layout: Layout) -> None:
    gaps, context = ads_in(html, layout)
    schedule, marked = layout.schedule, dict(context.article.marks.slots)
    # Ops may write that later ads come closer, too.
    paced = schedule.course in {Course.TURN, Course.SPREAD} and len(schedule.steps) == 1
    kept = [schedule.min_between, schedule.every] if paced else [schedule.min_between]
    pairs = [pair for pair in pairwise(gaps) if not marked.keys() >= set(pair)]
    assert [pair for pair in pairs for distance in kept if not context.reached(distance, *pair)] == []
    assert sorted(set(gaps)) == gaps
    # What an editor asked for is not the layout's to cap.
    assert len(set(gaps) - marked.keys()) <= max(0, schedule.max_ads - context.article.marks.ads)


def ads_in(html: str, layout: Layout) -> tuple[list[int], Context]:
    """The gaps that got ads, and the article with every gap's safety known."""
    laid, _ = lay(html, layout)
    parsed = parse(html, layout.needs)
    unsafe = unsafe_gaps(parsed, range(len(parsed.points)))
    return [box.slot.gap for box in laid.boxes if box.slot.gap is not None], Context(parsed.article, unsafe)


def gaps_of(html: str, layout: Layout) -> list[int | None]:
    return [box.slot.gap for box in lay(html, layout)[0].boxes]


CLOSED = st.lists(
    st.builds(
        lambda block, words: str(block).replace("{}", words),
        st.sampled_from(
            (
                *("<p>{}</p>", "<h2>{}</h2>", "<p><b>{}</b></p>", "<p></p>", "<hr>", "<ul><li>{}</li></ul>"),
                *("<figure class=wide id=f><img src=x alt=y></figure>", '<p id="a" class="alignleft">{}</p>'),
            )
        ),
        st.sampled_from(("One.", "A paragraph of seven words, no more.", "漢字が三つ")),
    ),
    min_size=4,
    max_size=20,
).map(lambda blocks: [*blocks, "<p>The last paragraph.</p>"])
# Where the text is found by its tags, another wrapper is another place to look.
ANYWHERE = OTHERS.filter(lambda others: not others.keys() & {"container", "enter", "count"})


@given(CLOSED, st.builds(lambda due, others: compiled({**due, **others}), COURSES, ANYWHERE))
def test_what_readers_do_not_see_moves_no_ad(blocks: list[str], layout: Layout) -> None:
    gaps = gaps_of("".join(blocks), layout)
    turned = [block.replace("class=wide id=f", "id=f class=wide") for block in blocks]
    assert [
        gaps_of(html, layout)
        for html in (
            "\n\t".join(blocks),
            "<!-- wp:block -->".join(blocks),
            "".join(turned),
            f"<div>{''.join(blocks)}</div>",
        )
    ] == [gaps] * 4


@given(ARTICLES, LAYOUTS)
def test_a_composed_article_is_left_as_it_is(press: Press, html: str, layout: Layout) -> None:
    composed = article_in_pieces(press.page(html, layout))
    again = article_in_pieces(press.page(composed, layout)) if composed != html else composed
    assert again == composed


def article_in_pieces(page: Page) -> str:
    return "".join(piece.text for piece in page.pieces)


# (d): same in, same out.


@given(ARTICLES, LAYOUTS, st.sampled_from(Output))
def test_the_same_request_is_the_same_page(press: Press, html: str, layout: Layout, output: Output) -> None:
    """From a service that sees it for the first time, twice, and from one that kept its plan."""
    composer = press.under(layout)
    request = Request(html, layout="drawn", output=output, seed="s")
    pages = [composer.compose(request, now=NOW) for _ in range(2)] + [press.page(html, layout, output)]
    assert [(page.pieces, page.decisions, page.degraded) for page in pages[1:]] == [
        (pages[0].pieces, pages[0].decisions, pages[0].degraded)
    ] * 2
