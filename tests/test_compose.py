"""The story of one request: what a page has, what it says of itself, and what is left of it when something fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adlayout.assemble import Edition, assemble
from adlayout.compose import Composer
from adlayout.decision.files import parse_inventory
from adlayout.decision.inventory import read_inventory
from adlayout.errors import BadPlan, Fault
from adlayout.model import ArticleFacts, Degraded, Empty, Filled, Output, Page, Request, Unfilled
from adlayout.placement.layout import compile_all
from adlayout.placement.schema import LayoutFile
from adlayout.rendering.page import Templates
from adlayout.upkeep import Shelf, Stock

CONFIG = Path(__file__).parents[1] / "config"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ARTICLE = "<h1>On the hill</h1>" + "".join(f"<p>Paragraph {n} says a little.</p>" for n in range(8))
FRAGMENT = Request(ARTICLE, output=Output.FRAGMENT, layout="every-2", seed="s")


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(CONFIG, {})


@pytest.fixture
def shelf(edition: Edition) -> Shelf:
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    return Shelf(stock=Stock(inventory, prepared, 1))


@pytest.fixture
def compose(edition: Edition, shelf: Shelf) -> Callable[[Request], Page]:
    composer = Composer(edition, shelf)
    return lambda request: composer.compose(request, now=NOW)


def text_of(page: Page, *, sacred: bool = False) -> str:
    return "".join(piece.text for piece in page.pieces if piece.sacred or not sacred)


def of_template(edition: Edition, tmp_path: Path, text: str) -> Edition:
    (tmp_path / "article.html.j2").write_text(text)
    return replace(edition, templates=Templates.load(tmp_path))


@pytest.mark.parametrize("output", list(Output))
def test_the_page_minus_its_slots_is_the_article(compose: Callable[[Request], Page], output: Output) -> None:
    page = compose(replace(FRAGMENT, output=output))
    assert text_of(page, sacred=True) == ARTICLE
    assert [page.decisions[piece.slot].slot.id for piece in page.pieces if piece.slot is not None] == [
        f"inline-{n}" for n in range(1, 5)
    ]


def test_the_next_reader_gets_the_same_page_from_what_was_kept(compose: Callable[[Request], Page]) -> None:
    first, second = compose(FRAGMENT), compose(FRAGMENT)
    assert (first.cached, second.cached) == (False, True)
    assert (first.pieces, first.decisions) == (second.pieces, second.decisions)
    assert [name for name, _ in first.timings_ms] == ["parse", "place", "verify", "decide", "render"]
    assert [name for name, _ in second.timings_ms] == ["decide", "render"]


FREE = replace(FRAGMENT, attributes=(("plan", "free"),))


@pytest.mark.parametrize(
    ("include", "request_", "filled", "cacheable_s"),
    [
        ({"country": ["KZ"]}, replace(FRAGMENT, country="KZ"), 1, 0),
        ({"country": ["KZ"]}, replace(FRAGMENT, country="FR"), 0, 0),
        ({"country": ["KZ"]}, FRAGMENT, 0, 60),
        ({"kv": {"plan": ["free"]}}, FREE, 1, 0),
        ({"kv": {"plan": ["paid"]}}, FREE, 0, 0),
        ({"device": ["mobile"]}, replace(FREE, country="KZ"), 1, 60),
    ],
)
def test_a_page_whose_ads_depend_on_its_reader_is_kept_by_no_cache(
    edition: Edition, include: dict[str, object], request_: Request, filled: int, cacheable_s: int
) -> None:
    flight = {"id": "f", "campaign": "c", "creatives": [{"id": "x"}], "targeting": {"include": include}}
    creative = {"id": "x", "kind": "html", "markup": "one", "sandbox": "first-party"}
    rows = parse_inventory({"campaigns": [{"id": "c"}], "flights": [flight], "creatives": [creative]})
    inventory, _ = read_inventory(rows)
    prepared = {"x": edition.prepare(inventory.creatives["x"])}
    page = Composer(edition, Shelf(Stock(inventory, prepared, 1))).compose(request_, now=NOW)
    assert (sum(isinstance(one, Filled) for one in page.decisions), page.cacheable_s) == (filled, cacheable_s)


def test_a_site_without_ads_shows_the_article_and_nothing_else(edition: Edition, shelf: Shelf) -> None:
    site = edition.settings.sites["default"].model_copy(update={"ads": False})
    settings = edition.settings.model_copy(update={"sites": {"default": site}})
    page = Composer(replace(edition, settings=settings), shelf).compose(FRAGMENT, now=NOW)
    assert (text_of(page), page.decisions, page.degraded) == (ARTICLE, (), ())


@pytest.mark.parametrize(("html", "facts"), [
    ("<!-- adlayout: off --><p>One.</p>", ArticleFacts()),
    ("<p>A crash.</p>", ArticleFacts()),
    ("<p>One.</p>", ArticleFacts(section="Crime")),
    ("<p>One.</p>", ArticleFacts(tags=("war", " CRASH "))),
])  # fmt: skip
def test_an_article_that_no_ad_should_stand_beside_has_none_on_its_page(
    edition: Edition, shelf: Shelf, html: str, facts: ArticleFacts
) -> None:
    blocklist = {"words": ["crash"], "tags": ["crash"], "sections": ["crime"]}
    file = LayoutFile.model_validate({
        "inline": {"first": "0 blocks", "end_guard": "0 blocks", "blocklist": blocklist},
        "page_slots": {"leaderboard": {"formats": ["728x90", "320x50"]}},
    })  # fmt: skip
    composer = Composer(replace(edition, layouts={**edition.layouts, "article": compile_all(file, "article")}), shelf)
    pages = [composer.compose(Request(text, facts=about, layout="article"), now=NOW) for text, about in (
        ("<p>One.</p>", ArticleFacts()), (html, facts), (html, facts))]  # fmt: skip
    assert [len(page.decisions) > 1 for page in pages] == [True, False, False]
    assert [page.decisions for page in pages[1:]] == [(), ()]


def test_when_the_time_is_over_before_the_plan_the_article_goes_out_as_it_is(edition: Edition, shelf: Shelf) -> None:
    page = Composer(edition, shelf).compose(FRAGMENT, now=NOW, expired=lambda: True)
    assert (text_of(page), page.degraded, page.cacheable_s) == (ARTICLE, (Degraded.DEADLINE,), 0)


def test_when_the_time_is_over_after_the_plan_its_slots_stay_empty(edition: Edition, shelf: Shelf) -> None:
    moments = iter([False, True])
    page = Composer(edition, shelf).compose(FRAGMENT, now=NOW, expired=lambda: next(moments))
    assert (text_of(page), page.degraded) == (ARTICLE, (Degraded.DEADLINE,))
    assert {decision.reason for decision in page.decisions if isinstance(decision, Empty)} == {Unfilled.DEADLINE}


def test_a_template_that_raises_leaves_a_plain_page_with_its_ads(
    edition: Edition, shelf: Shelf, tmp_path: Path
) -> None:
    broken = of_template(edition, tmp_path, "<p>{{ 1 // 0 }}</p>{{ article }}")
    page = Composer(broken, shelf).compose(replace(FRAGMENT, output=Output.PAGE), now=NOW)
    assert (page.degraded, text_of(page, sacred=True)) == ((Degraded.TEMPLATE,), ARTICLE)
    assert text_of(page).count("<aside") == len(page.decisions) == 4
    assert text_of(page).startswith("<!doctype html>")


def test_a_template_that_fails_is_told_once_with_its_line_and_not_with_what_was_sent(
    edition: Edition, shelf: Shelf, tmp_path: Path
) -> None:
    lines: list[tuple[str, dict[str, object]]] = []

    def log(event: str, /, **fields: object) -> None:
        lines.append((event, fields))

    broken = of_template(edition, tmp_path, "{{ article }}\n{{ [1][headline] }}")
    composer = Composer(broken, shelf, log=log)
    for _ in range(2):
        composer.compose(Request("<p>one</p>", facts=ArticleFacts(headline="secret")), now=NOW)
    assert [(event, fields["kind"]) for event, fields in lines] == [("template_failed", "UndefinedError")]
    assert str(lines[0][1]["at"]).endswith("/article.html.j2:2:1")
    assert "secret" not in str(lines)


def test_headlines_and_charset_reach_the_template(edition: Edition, shelf: Shelf, tmp_path: Path) -> None:
    said = of_template(edition, tmp_path, "{{ charset }}|{{ headline }}|{{ byline }}|{{ article }}")
    facts = ArticleFacts(headline="Fish & chips", byline="A. Cook")
    request = Request("<p>one</p>", facts=facts, charset="windows-1251", layout="every-2")
    page = Composer(said, shelf).compose(request, now=NOW)
    assert text_of(page) == "windows-1251|Fish &amp; chips|A. Cook|<p>one</p>"


def test_pages_of_many_headlines_each_have_their_own(edition: Edition, shelf: Shelf, tmp_path: Path) -> None:
    """More of them than are kept, twice over."""
    composer = Composer(of_template(edition, tmp_path, "{{ headline }}|{{ article }}"), shelf)
    headlines = [f"number {n}" for n in range(300)] * 2
    requests = [Request("<p>x</p>", facts=ArticleFacts(headline=headline)) for headline in headlines]
    pages = [text_of(composer.compose(request, now=NOW)) for request in requests]
    assert pages == [f"{headline}|<p>x</p>" for headline in headlines]


@pytest.mark.parametrize(
    ("html", "warnings"),
    [
        ("<p>one</p><p>two</p>", ()),
        ("<p>one<p>two", ()),
        ("<p>one</p></div><p>two</p>", ("unbalanced_article",)),
        ("<b><p>one</p>", ("unbalanced_article",)),
        ("<!-- open", ("unbalanced_article",)),
    ],
)
def test_an_article_that_reaches_into_the_page_is_named(
    compose: Callable[[Request], Page], html: str, warnings: tuple[str, ...]
) -> None:
    assert compose(Request(html)).warnings == warnings


def test_an_unknown_site_and_layout_cost_no_reader_the_article(compose: Callable[[Request], Page]) -> None:
    page = compose(replace(FRAGMENT, site="nowhere", layout="nothing"))
    assert page.degraded == (Degraded.UNKNOWN_SITE, Degraded.UNKNOWN_LAYOUT)
    assert (page.site, page.layout, text_of(page, sacred=True)) == ("default", "every-2", ARTICLE)


def test_a_person_who_asks_for_a_plan_is_told_of_every_unknown_name(edition: Edition) -> None:
    with pytest.raises(BadPlan) as told:
        Composer(edition, Shelf()).plan(Request("", site="defualt", layout="nothing"))
    assert (told.value.status, told.value.faults) == (
        404,
        (
            Fault("site", 'no site "defualt", did you mean "default"?'),
            Fault("layout", f'no layout "nothing", there are: {", ".join(sorted(edition.layouts))}'),
        ),
    )


def test_what_is_wrong_with_a_layout_stands_at_its_path_beside_what_else_is_wrong(edition: Edition) -> None:
    with pytest.raises(BadPlan) as told:
        Composer(edition, Shelf()).plan(Request("", site="nowhere"), {"inline": {"every": 2, "no_after": ["p["]}})
    assert told.value.status == 422
    assert [fault.at for fault in told.value.faults] == ["site", "layout.inline.every"]
    with pytest.raises(BadPlan) as told:
        Composer(edition, Shelf()).plan(Request(""), {"inline": {"no_after": ["h2", "p["]}})
    assert [fault.at for fault in told.value.faults] == ["layout.inline.no_after.1"]


@pytest.mark.parametrize(
    ("macro", "kept"),
    [("${CACHEBUSTER}", False), ("${GDPR_CONSENT_1}", False), ("${FLIGHT_ID}", True), ("${PAGE_URL_ENC}", True)],
)
def test_an_ad_that_says_what_is_one_readers_is_kept_by_no_cache(edition: Edition, macro: str, kept: bool) -> None:
    row = {"id": "a", "kind": "html", "markup": f"<i>{macro}</i>", "formats": ["300x250"], "house": True}
    inventory, _ = read_inventory(parse_inventory({"creatives": [row]}))
    shelf = Shelf(Stock(inventory, {"a": edition.prepare(inventory.creatives["a"])}, 1))
    assert (Composer(edition, shelf).compose(FRAGMENT, now=NOW).cacheable_s > 0) is kept
