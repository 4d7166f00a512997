"""What a reader's browser makes of the pages: the article as it was written, ads in their places, and peace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adlayout.cli.main import main

from .browser import Page, browsing
from .newsroom import CONFIG, Service, start, wait_until

SAMPLES = sorted(path.stem for path in (CONFIG / "samples").glob("*.html"))
LAYOUTS = sorted(path.stem for path in (CONFIG / "layouts").glob("*.yaml"))
WINDOWS = {320: "mobile", 390: "mobile", 768: "tablet", 1280: "desktop"}
SAID = "<p>The harbour was quiet, and the boats lay where they had been left the night before.</p>\n"

# A tree as nested lists, and the ads that were taken out of it. Documents made by a script run none in them.
TREE = """(html, scripting) => {
  const owner = scripting ? document : document.implementation.createHTMLDocument();
  const body = owner.createElement("body");
  body.innerHTML = html;
  return take(body);
}"""
TREE_OF_THE_PAGE = """() => take(document.querySelector("main > article").cloneNode(true))"""
TAKE = """() => {
  const attributes = node => [...node.attributes].map(one => [one.namespaceURI, one.name, one.value]).sort();
  const told = node => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE) return [node.nodeType, node.nodeName, node.data];
    return [node.namespaceURI, node.localName, attributes(node), within(node.content || node)];
  };
  const within = node => [...node.childNodes].map(told);
  window.take = root => {
    const slots = [...root.querySelectorAll("aside[data-adl-slot]")];
    slots.forEach(slot => slot.remove());
    root.normalize();
    return [slots.map(slot => slot.dataset.adlSlot), within(root)];
  };
}"""

SIZES = "what => [...document.querySelectorAll(what)].map(one => `${one.offsetWidth}x${one.offsetHeight}`)"

# How far the page reaches over its window, slots lower than what they reserve, and ads that reach over their slot.
ROOM = """() => {
  const sum = (style, ...names) => names.reduce((all, name) => all + parseFloat(style[name]), 0);
  const height = slot => slot.getBoundingClientRect().height - sum(getComputedStyle(slot),
    "paddingTop", "paddingBottom", "borderTopWidth", "borderBottomWidth");
  const spills = slot => {
    const [box, ad] = [slot, slot.lastElementChild].map(one => one.getBoundingClientRect());
    return ad.left < box.left - .1 || ad.right > box.right + .1 || ad.top < box.top || ad.bottom > box.bottom + .1;
  };
  const slots = [...document.querySelectorAll(".adl-slot")];
  const ids = bad => slots.filter(bad).map(slot => slot.dataset.adlSlot);
  return {
    over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    low: ids(slot => !(height(slot) > parseFloat(slot.style.minHeight) - .1)),
    spilling: ids(spills),
  };
}"""
ROOMY = {"over": 0, "low": [], "spilling": []}

# Scrolls to the end as a reader does, and sums up by how much things moved that had been in view.
SHIFT = """async () => {
  let moved = 0;
  new PerformanceObserver(list => list.getEntries().forEach(one => { moved += one.value; }))
    .observe({type: "layout-shift", buffered: true});
  const frame = () => new Promise(requestAnimationFrame);
  for (let y = 0; y < document.documentElement.scrollHeight; y += 800) {
    scrollTo(0, y);
    await frame();
    await frame();
  }
  return moved;
}"""

# The lowest contrast of text to what is behind it (WCAG 2.2, 1.4.3), with where it was found.
CONTRAST = """() => {
  const parts = colour => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const linear = v => v <= 10.31475 ? v / 3294.6 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const behind = node => {
    if (!node) return [255, 255, 255];
    const [r, g, b, a] = parts(getComputedStyle(node).backgroundColor);
    const below = a < 1 ? behind(node.parentElement) : [0, 0, 0];
    return [r, g, b].map((v, at) => v * a + below[at] * (1 - a));
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = [21, ""];
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim()) continue;
    const [low, high] = [light(parts(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => a - b);
    const ratio = (high + .05) / (low + .05);
    if (ratio < least[0]) least = [ratio, node.outerHTML.slice(0, 80)];
  }
  return least;
}"""
ENOUGH_CONTRAST = 4.5

ARTICLES = {
    "paragraphs without an end": ("<p>One<p>Two<p>Three<p>Four<p>Five", 2),
    "a link without an end": ('<p><a href="/x">One</p><p>Two</p><p>Three</p><p>Four', 0),
    "bold without an end": ("<p><b>" + SAID.strip().removeprefix("<p>") + SAID.strip() * 5, 0),
    "paragraphs in a table": (SAID * 2 + "<table>" + SAID * 4, 3),
    "paragraphs in a button": (SAID * 2 + "<button>" + SAID * 4, 1),
    "paragraphs in a picture": (SAID * 2 + "<svg><g>" + SAID * 4, 3),
    "a quote without an end": (SAID * 3 + "<blockquote>" + SAID * 4, 1),
    "a link that ends later": (SAID * 3 + '<p>See <a href="/x">this</p>' + SAID + "</a>" + SAID * 4, 3),
    "tables with text where none may be": (SAID * 2 + "<table>stray<tr><td>1<td>2</table>" + SAID * 3, 2),
    "a table between paragraphs": (SAID * 2 + "<table><tr><td><p>In it<tr><td>2</table>" + SAID * 3, 2),
    "nested lists": (SAID * 2 + "<ul><li>a<ul><li>b<ol><li>c</ul><li>d</ul>" + SAID * 3, 2),
    "line ends of Windows": (SAID.replace("\n", "\r\n") * 6, 3),
    "references": ("<p>&amp &lt;p&gt; &copy2026 &notit; &#0; &#x80; &nbsp;&zwj;</p>" * 5, 2),
    "zero bytes": ("<p>a\0b</p>\0" * 5, 2),
    "comments that close": ("<!-- wp:paragraph -->\n<p>Block.</p>\n<!-- /wp:paragraph -->\n\n" * 6, 3),
    "noscript": (SAID * 2 + "<noscript><p>Off<img src='data:,'></noscript>" + SAID * 3, 1),
    "scripts and templates": (SAID * 2 + "<script>'</p><p>'</script><template><p>T<td>d</template>" + SAID * 3, 2),
    "foreign elements": (SAID * 2 + "<svg><title>t</title><path d='M0 0'/></svg><math><mi>x</mi></math>" + SAID * 3, 2),
    "stray end tags": ("</p></div></b>" + SAID * 2 + "</article></section></br>" + SAID * 3, 2),
    "a wrapper": ("<div class=story><section>" + SAID * 6 + "</section></div>", 3),
    "bare text": ("One\n<br><br>Two <b>bold</b><br><br>Three<br><br>Four<br><br>Five", 2),
    "a heading in every second place": (("<h2>Head</h2>" + SAID) * 5, 2),
    "a button and a select": (SAID * 2 + "<button>b<p>in it</button><select><option>1<p>2</select>" + SAID * 3, 2),
    "text without an end": (SAID * 4 + "<textarea><p>One</p><p>Two</p>", 2),
    "ruby and pre": (SAID * 2 + "<p><ruby>漢<rt>kan</ruby><pre>\n\n a</pre>" + SAID * 3, 3),
    "emoji and other scripts": ("<p>👩‍👩‍👧 مرحبا 日本 e\u0301</p>" * 5, 2),
}

WIDE = (
    SAID * 2
    + f"<h2>{'Donaudampfschifffahrt' * 6}</h2><p>{'x' * 300} <code>{'y' * 200}</code></p>"
    + f"<pre>{'long ' * 90}</pre><table><tr>{'<td>1234.56' * 30}</table>"
    + '<div style="width:900px">A box of 900 px</div><iframe width="1200" height="60" srcdoc="x"></iframe>'
    + '<img src="data:," width="1600" height="300" alt="wide"><svg width="1600" height="20"></svg>'
    + SAID * 6
)

# What themes do to pictures, frames, links and asides; none of it may change the size of an ad.
THEME = (
    "<style>body{max-width:640px;margin:2em auto;font:22px/1.9 serif;text-align:justify}"
    "img,iframe{width:100%;height:auto}aside{box-sizing:border-box;padding:1em;border:1px dashed}"
    "a{border-bottom:2px solid}p{margin:0 0 2em}span{padding:2px}</style>"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as it is run, with the shipped config and its sample ads."""
    service = start(tmp_path_factory.mktemp("r"), CONFIG, redis_url=None)
    wait_until(service.is_ready)
    yield service
    service.end()


@pytest.fixture(scope="module")
def page(browser_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab of a browser."""
    with browsing(browser_program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser.page()


def fragment(service: Service, article: str, layout: str = "every-2") -> dict[str, Any]:
    """The article with its ads, and what the answer says of them."""
    request = {"article": {"html": article}, "layout": layout, "output": "fragment", "seed": "a"}
    answer = httpx2.post(f"{service.base}/v1/compose", json=request, headers={"accept": "application/json"})
    value: dict[str, Any] = answer.json()
    return value


def preview(service: Service, sample: str, layout: str, device: str = "mobile") -> str:
    """The address of a sample page; the seed makes it the same page each time."""
    return f"{service.base}/preview?sample={sample}&layout={layout}&device={device}&seed=a"


def file(tmp_path: Path, html: str) -> str:
    """The address of a page that is a file."""
    path = tmp_path / "page.html"
    path.write_text(html, "utf-8")
    return path.as_uri()


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts on", "scripts off"])
@pytest.mark.parametrize(("article", "ads"), ARTICLES.values(), ids=ARTICLES.keys())
def test_without_the_ads_the_browser_sees_the_article_as_it_was_sent(
    article: str, ads: int, scripting: bool, service: Service, page: Page
) -> None:
    """Whatever a browser repairs in the article, it repairs in the same way beside an ad."""
    answer = fragment(service, article)
    page.open("about:blank")
    page.run(TAKE)
    slots, tree = page.run(TREE, answer["html"], scripting)
    assert [slots, tree] == [[f"inline-{n}" for n in range(1, ads + 1)], page.run(TREE, article, scripting)[1]]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_page_holds_the_article_and_asks_for_nothing_else(
    sample: str, layout: str, service: Service, page: Page
) -> None:
    """No script fails, and no request leaves for anywhere: pictures, fonts and frames of the page are its own."""
    url = preview(service, sample, layout)
    page.open(url)
    page.run(SHIFT)
    assert (page.requests(), page.faults()) == ([url], [])
    page.run(TAKE)
    source = (CONFIG / "samples" / f"{sample}.html").read_text("utf-8")
    assert page.run(TREE_OF_THE_PAGE)[1] == page.run(TREE, f"\n{source}\n", True)[1]


@pytest.mark.parametrize("width", WINDOWS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_ads_have_the_room_they_reserve_and_nothing_moves(
    sample: str, layout: str, width: int, service: Service, page: Page
) -> None:
    """On a small phone and on a desk: no scrolling sideways, no ad over the text, and no jump while one reads."""
    page.open(preview(service, sample, layout, WINDOWS[width]), width=width)
    assert (page.run(ROOM), page.run(SHIFT)) == (ROOMY, 0)


@pytest.mark.parametrize(("width", "size"), [(320, "320x50"), (768, "728x90")])
def test_the_sample_leaderboard_fits_the_device(width: int, size: str, service: Service, page: Page) -> None:
    """A strip on phones, a board on wider screens, and neither is shrunk."""
    page.open(preview(service, "news", "article", WINDOWS[width]), width=width)
    assert page.run(SIZES, "body > .adl-slot img") == [size]


@pytest.mark.parametrize("width", [320, 1280])
def test_no_article_makes_the_page_wider_than_its_window(
    width: int, service: Service, page: Page, tmp_path: Path
) -> None:
    """Long words, wide tables, frames and boxes stay in the column."""
    headline = "Rindfleischetikettierungs" * 5
    request = {"article": {"html": WIDE, "headline": headline, "byline": "y" * 99}, "layout": "article", "seed": "a"}
    composed = httpx2.post(f"{service.base}/v1/compose", json=request).text
    page.open(file(tmp_path, composed), width=width)
    assert page.run(ROOM) == ROOMY


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_text_stands_out_from_what_is_behind_it(sample: str, dark: bool, service: Service, page: Page) -> None:
    """By day and by night."""
    page.open(preview(service, sample, "every-2"), dark=dark)
    contrast, where = page.run(CONTRAST)
    assert contrast >= ENOUGH_CONTRAST, where


@pytest.mark.parametrize("width", [360, 1280])
def test_ads_keep_their_size_in_a_page_of_others(width: int, service: Service, page: Page, tmp_path: Path) -> None:
    """A fragment goes into pages whose style sheets know nothing of ads."""
    article = fragment(service, SAID * 16)["html"]
    page.open(file(tmp_path, f'<!doctype html><meta charset="utf-8">{THEME}{article}'), width=width)
    assert page.run(ROOM) == ROOMY
    assert set(page.run(SIZES, ".adl-slot > a > img, .adl-slot > iframe")) == {"300x250"}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_report_of_a_simulation_is_read_on_a_phone_and_on_a_desk(
    width: int, dark: bool, page: Page, report: Path
) -> None:
    page.open(report.as_uri(), width=width, dark=dark)
    over = page.run("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    drawn = page.run("() => [...document.querySelectorAll('svg')].filter(one => one.getBBox().height > 20).length")
    assert (over, drawn, page.faults(), page.requests()) == (0, 13, [], [report.as_uri()])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report over the articles that ship."""
    written = tmp_path_factory.mktemp("report") / "report.html"
    asked = ["simulate", str(CONFIG / "samples"), "--layout", "every-2", "--against", "article", "--jobs", "1"]
    assert main([*asked, "--config", str(CONFIG), "--html", str(written)]) == 0
    return written
