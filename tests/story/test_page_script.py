"""What the page script tells of a reader: that he had the page, what he saw of its ads, how long he read; no more."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from adlayout.events.beacon import read_batch
from adlayout.events.script import page_script

from .browser import Browser, Page, browsing

SCRIPT = '<script async src="/ads/adlayout.js" data-token="t0ken.k3y.m4c"></script>'
TEXT = '<p style="height:1600px">The harbour was quiet.</p>'
# What a browser says of a page that it renders on the chance that somebody wants it, which one without a window never
# does.
AHEAD = """{
  let ahead = true;
  Object.defineProperty(document, "prerendering", {get: () => ahead});
  addEventListener("wanted", () => { ahead = false; document.dispatchEvent(new Event("prerenderingchange")); });
}"""
# Returns when the page as it is was painted.
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def ad(slot: str, width: int = 300, height: int = 250) -> str:
    """A slot as the service writes it, wider than what stands in it."""
    return (
        f'<aside data-adl-slot="{slot}" style="text-align:center"><span>Advertisement</span><br>'
        f'<a href="#{slot}" data-adl-view="/seen/{slot} /seen-too/{slot}" data-adl-click="/followed/{slot}">'
        f'<img alt="" width="{width}" height="{height}"></a></aside>'
    )


class Site:
    """A web server with pages of its own, that writes down what it is asked and told."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.batches: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.asked: list[str] = []

    @contextmanager
    def open(self) -> Iterator[Site]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append(self.path)
                is_script = self.path == "/ads/adlayout.js"
                body = page_script() if is_script else site.pages.get(self.path, "").encode()
                self.send_response(200)
                self.send_header("content-type", "text/javascript" if is_script else "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                site.asked.append(self.path)
                site.bodies.append(body)
                site.batches.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing on the terminal."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.base = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield self
            server.shutdown()
            thread.join()

    def page(self, body: str, head: str = '<link rel="icon" href="data:,">' + SCRIPT) -> str:
        """The address of a page."""
        path = f"/page-{len(self.pages)}.html"
        self.pages[path] = f"<!doctype html><meta charset=utf-8>{head}<body style='margin:0'>{body}"
        return self.base + path

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches for event in batch["events"]]

    def kinds(self, *names: str) -> list[dict[str, Any]]:
        """What was told of these kinds of event."""
        return [event for event in self.events if event["type"] in names]

    def trackers(self) -> list[str]:
        return sorted(path for path in self.asked if not path.startswith(("/page", "/ads")))


@pytest.fixture
def site() -> Iterator[Site]:
    with Site().open() as site:
        yield site


@pytest.fixture(scope="module")
def browser(browser_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(browser_program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab in front of the reader."""
    with tab(browser) as page:
        yield page


@contextmanager
def tab(browser: Browser) -> Iterator[Page]:
    page = browser.page()
    page.call("Page.bringToFront")
    yield page
    page.call("Page.close")


def until(page: Page, holds: Callable[[], bool], *, within_s: float = 20) -> None:
    """Returns when it holds; the browser is listened to meanwhile."""
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        page.run("() => new Promise(done => setTimeout(done, 20))")


def watched(page: Page, seconds: float) -> None:
    """Lets the reader look at the page for so long."""
    page.run("ms => new Promise(done => setTimeout(done, ms))", seconds * 1000)


def told(site: Site, kind: str, times: int) -> bool:
    """Whether that kind of event was told as often."""
    return len(site.kinds(kind)) >= times


def seen(site: Site) -> list[str]:
    return sorted(event["slot"] for event in site.kinds("view"))


def test_a_page_tells_that_it_was_rendered_with_its_token_and_a_name_of_its_own(site: Site, page: Page) -> None:
    page.open(site.page(TEXT))
    until(page, lambda: bool(site.batches))
    (batch,) = site.batches
    assert batch == {"token": "t0ken.k3y.m4c", "id": batch["id"], "events": [{"type": "exposure"}]}
    assert re.fullmatch(r"[0-9-]{20,43}", batch["id"])
    assert site.asked[-1] == "/ads/v1/events"
    assert page.faults() == []


def test_what_the_script_sends_is_what_the_service_reads(site: Site, page: Page) -> None:
    page.open(site.page(ad("a")))
    until(page, lambda: bool(site.kinds("view")))
    page.call("Page.navigate", url="about:blank")
    until(page, lambda: bool(site.kinds("engaged")))
    read = [read_batch(body) for body in site.bodies]
    assert [one.dropped for one in read] == [()] * len(read)
    assert {one.id for one in read} == {site.batches[0]["id"]}
    happened = [one.once for batch in read for one in batch.happenings]
    assert sorted(happened) == ["engaged", "exposure", "shift", "view:a"]


def test_every_page_has_another_name(site: Site, page: Page) -> None:
    url = site.page(TEXT)
    for number in (1, 2):
        page.open(url)
        until(page, partial(told, site, "exposure", number))
    assert len({batch["id"] for batch in site.batches}) == 2


def test_an_ad_is_seen_after_a_second_in_view_and_calls_its_trackers(site: Site, page: Page) -> None:
    page.open(site.page(ad("a") + TEXT + ad("below")))
    watched(page, 0.5)
    assert (seen(site), site.trackers()) == ([], [])
    until(page, lambda: seen(site) == ["a"])
    watched(page, 1.5)
    assert (seen(site), site.trackers()) == (["a"], ["/seen-too/a", "/seen/a"])
    page.run("() => scrollTo(0, 9999)")
    until(page, lambda: seen(site) == ["a", "below"])
    assert page.faults() == []


@pytest.mark.parametrize(
    ("size", "shown", "expect"),
    [
        ((300, 250), 100, []),
        ((300, 250), 120, []),
        ((300, 250), 130, ["a"]),
        ((340, 720), 200, []),
        ((340, 720), 235, ["a"]),
        ((340, 710), 235, []),
    ],
)
def test_half_of_an_ad_is_enough_and_less_of_a_large_one(
    size: tuple[int, int], shown: int, expect: list[str], site: Site, page: Page
) -> None:
    """The window is 800 high; 340x720 is just more than 242,500 pixels."""
    page.open(site.page(f"<div id=room></div>{ad('a', *size)}{TEXT}"))
    page.run(
        """shown => {
          const top = document.querySelector("img").getBoundingClientRect().top;
          room.style.height = 800 - shown - top + "px";
        }""",
        shown,
    )
    watched(page, 2.5)
    assert seen(site) == expect


def test_an_ad_that_is_scrolled_past_is_not_seen(site: Site, page: Page) -> None:
    page.open(site.page(TEXT + ad("a") + TEXT + TEXT))
    page.run(FRAMES)
    for y in (1400, 3000, 1400, 0):
        page.run("y => scrollTo(0, y)", y)
        watched(page, 0.6)
    watched(page, 1.5)
    assert seen(site) == []


def test_in_a_tab_behind_another_nothing_is_seen_and_what_was_read_is_told(site: Site, browser: Browser) -> None:
    with tab(browser) as page:
        page.open(site.page(ad("a")))
        watched(page, 0.3)
        with tab(browser) as other:
            until(other, lambda: bool(site.kinds("engaged")))
            watched(other, 2.5)
            assert seen(site) == []
            assert site.kinds("exposure") == [{"type": "exposure"}]
        page.call("Page.bringToFront")
        until(page, lambda: seen(site) == ["a"])


def test_a_tab_that_was_never_in_front_tells_nothing_until_it_is(site: Site, browser: Browser) -> None:
    with tab(browser) as page, tab(browser) as other:
        page.call("Page.navigate", url=site.page(ad("a")))
        until(other, lambda: "/ads/adlayout.js" in site.asked)
        watched(other, 2.5)
        assert site.batches == []
        page.call("Page.bringToFront")
        until(page, lambda: seen(site) == ["a"])
        assert site.kinds("exposure") == [{"type": "exposure"}]


def test_a_page_that_was_rendered_ahead_tells_nothing_until_it_is_wanted(site: Site, page: Page) -> None:
    page.call("Page.addScriptToEvaluateOnNewDocument", source=AHEAD)
    page.open(site.page(ad("a")))
    watched(page, 2.5)
    assert (site.batches, site.trackers()) == ([], [])
    page.run("() => dispatchEvent(new Event('wanted'))")
    until(page, lambda: seen(site) == ["a"])
    assert site.kinds("exposure") == [{"type": "exposure"}]


def test_a_page_with_fifty_ads_reports_them_together(site: Site, page: Page) -> None:
    page.open(site.page("".join(ad(f"s{n}", 20, 10) for n in range(50)).replace("<br>", "")), width=1280)
    page.run("() => document.querySelectorAll('aside').forEach(one => { one.style.float = 'left'; })")
    until(page, lambda: len(seen(site)) == 50)
    assert seen(site) == sorted(f"s{n}" for n in range(50))
    assert len(site.batches) <= 3


def test_how_long_a_page_was_read_is_told_in_parts(site: Site, browser: Browser) -> None:
    with tab(browser) as page:
        page.open(site.page(TEXT))
        for part in (0, 1):
            watched(page, 0.5)
            with tab(browser) as other:
                until(other, partial(told, site, "engaged", part + 1))
            page.call("Page.bringToFront")
            until(page, lambda: page.run("() => document.hasFocus()"))
    parts = site.kinds("engaged")[:2]
    assert [part["n"] for part in parts] == sorted({part["n"] for part in parts})
    assert all(400 <= part["ms"] < 20_000 and part["ms"] == int(part["ms"]) for part in parts)


def test_how_much_a_page_moved_is_told_when_it_is_left(site: Site, page: Page) -> None:
    page.open(site.page('<div id="late"></div><p style="height:400px;background:#eee">Read.</p>'))
    page.run(FRAMES)
    watched(page, 0.3)
    page.run("() => { late.style.height = '200px'; }")
    page.run(FRAMES)
    watched(page, 0.3)
    page.call("Page.navigate", url="about:blank")
    until(page, lambda: bool(site.kinds("shift")))
    assert 0.05 < site.kinds("shift")[0]["value"] < 1


def test_a_click_in_a_slot_calls_its_trackers_once(site: Site, page: Page) -> None:
    page.open(site.page(ad("a") + ad("b")))
    until(page, lambda: seen(site) == ["a", "b"])
    for _ in range(3):
        page.run("() => document.querySelector('[data-adl-slot=b] img').click()")
    until(page, lambda: "/followed/b" in site.asked)
    watched(page, 0.3)
    assert [path for path in site.asked if "followed" in path] == ["/followed/b"]


def test_a_slot_without_an_ad_is_not_seen(site: Site, page: Page) -> None:
    page.open(site.page('<aside data-adl-slot="held" style="height:300px"></aside>' + ad("a")))
    until(page, lambda: seen(site) == ["a"])
    watched(page, 1.2)
    assert seen(site) == ["a"]


def test_a_script_that_stands_there_twice_reports_once(site: Site, page: Page) -> None:
    page.open(site.page(TEXT + SCRIPT))
    until(page, lambda: bool(site.batches))
    watched(page, 1.5)
    assert site.events == [{"type": "exposure"}]


@pytest.mark.parametrize("tag", ['<script async src="/ads/adlayout.js"></script>', SCRIPT.replace("t0ken.k3y.m4c", "")])
def test_without_a_token_nothing_is_told(tag: str, site: Site, page: Page) -> None:
    page.open(site.page(ad("a"), head='<link rel="icon" href="data:,">' + tag))
    watched(page, 2.5)
    assert (site.batches, site.trackers(), page.faults()) == ([], [], [])


@pytest.mark.parametrize(
    "tag",
    [
        SCRIPT.replace("async ", ""),
        SCRIPT.replace("async", "defer"),
        SCRIPT.replace("async", 'type="module"'),
    ],
)
def test_the_tag_may_stand_in_the_head_in_any_form(tag: str, site: Site, page: Page) -> None:
    page.open(site.page(ad("a"), head='<link rel="icon" href="data:,">' + tag))
    until(page, lambda: seen(site) == ["a"])
    assert page.faults() == []


def test_a_service_that_is_away_is_nothing_to_the_page(site: Site, page: Page) -> None:
    page.open(site.page(ad("a")))
    page.run("() => { navigator.sendBeacon = () => false; window.fetch = () => Promise.reject(new Error('away')); }")
    watched(page, 2.5)
    assert page.browser.events("Runtime.exceptionThrown") == []


def test_where_beacons_are_refused_the_events_are_sent_otherwise(site: Site, page: Page) -> None:
    page.open(site.page(ad("a")))
    page.run("() => { navigator.sendBeacon = () => false; }")
    until(page, lambda: seen(site) == ["a"])
    assert page.faults() == []


def test_the_script_leaves_no_names_behind(site: Site, page: Page) -> None:
    page.open(site.page("", head=""))
    before = page.run("() => Object.getOwnPropertyNames(window)")
    page.open(site.page(ad("a")))
    until(page, lambda: bool(site.batches))
    assert set(page.run("() => Object.getOwnPropertyNames(window)")) == set(before)


def test_the_script_is_small_and_needs_nothing() -> None:
    script = page_script()
    assert len(script) < 3_000
    assert script.isascii()
    assert not re.search(rb"https?:|\bimport\b|//|eval|Function|innerHTML|cookie|localStorage", script)
