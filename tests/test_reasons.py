"""The closed lists: every reason and every error that there is has an input here that brings it about."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
from starlette.requests import Request as StarletteRequest
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.cli.terminal import read_article
from adlayout.compose import Composer, never
from adlayout.decision.files import parse_inventory
from adlayout.decision.inventory import read_inventory
from adlayout.errors import (
    AdlayoutError,
    BadPlan,
    Changed,
    ConfigError,
    InputError,
    NotAllowed,
    NotAnArticle,
    StoreError,
    StoreTimeout,
    TooLarge,
    UnsupportedBody,
)
from adlayout.model import Degraded, Empty, Output, Page, Reason, Request, Unfilled
from adlayout.placement.layout import compile_layout
from adlayout.placement.schema import LayoutFile
from adlayout.plans import judge
from adlayout.publishing import BadInventory, Outdated, Publisher, StillNamed
from adlayout.rendering.page import PageContext, TemplateFailure
from adlayout.rows import Rows
from adlayout.store import embedded
from adlayout.store.client import Store
from adlayout.upkeep import Shelf, Stock, fill
from adlayout.web.app import create_app
from adlayout.web.decide import BadDecide, read_decide
from adlayout.web.lane import Lane
from adlayout.web.limits import Deadline, admit, read_body
from adlayout.web.questions import BadQuery, NotJson, json_of, number
from adlayout.web.requests import read_request

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FOUR = "<p>One.</p><p>Two.</p><p>Three.</p><p>Four.</p>"
# What the contract keeps a name for, and nothing gives.
KEPT = frozenset({Degraded.CREATIVE})


def given(kind: type[StrEnum]) -> list[StrEnum]:
    return [member for member in kind if member not in KEPT]


def test_what_nothing_gives_is_named_nowhere_in_the_code() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "adlayout").rglob("*.py")]
    named = {ast.unparse(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {f"{type(member).__name__}.{member.name}" for member in KEPT} & named == set()


@pytest.mark.parametrize("kind", [Reason, Degraded, Unfilled])
def test_every_reason_is_explained_in_the_manual(kind: type[StrEnum]) -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| \w", (ROOT / "config" / "README.md").read_text("utf-8"), re.MULTILINE)
    assert set(given(kind)) - set(rows) == set()


# Why a gap holds no ad.

GAPS: Mapping[Reason, tuple[str, Mapping[str, object]]] = {
    Reason.FIRST: (FOUR, {"first": "2 paragraphs"}),
    Reason.EVERY: (FOUR, {"first": "1 paragraph", "every": "2 paragraphs"}),
    Reason.MIN_BETWEEN: (FOUR, {"first": "1 paragraph", "every": "1 paragraph", "min_between": "2 blocks"}),
    Reason.MIN_ARTICLE: (FOUR, {"min_article": "5 paragraphs"}),
    Reason.END_GUARD: (FOUR, {"end_guard": "1 paragraph"}),
    Reason.NO_AFTER: ("<h2>Head</h2><p>One.</p>", {"no_after": ["h2"]}),
    Reason.NO_BEFORE: ("<p>One.</p><figure><img></figure>", {"no_before": ["figure"]}),
    Reason.KEEP_WITH_NEXT: ("<h2>Head</h2><p>One.</p>", {"keep_with_next": ["h2"]}),
    Reason.UNSAFE_MARKUP: ("<p>One <a href=x>two<p>three</a><p>Four.", {}),
    Reason.MAX_ADS: (FOUR, {"first": "1 paragraph", "every": "1 paragraph", "max_ads": 1}),
    Reason.CONFLICT: (FOUR, {"first": "1 paragraph", "no_after": ["p"]}),
    Reason.CLEARANCE: (FOUR + "<figure><img></figure>", {"clearances": [{"selector": "figure", "before": "9 words"}]}),
    Reason.SMALL_NEIGHBOUR: (FOUR, {"small_neighbour": "9 words"}),
    Reason.FIRST_SCREEN: (FOUR, {"first_screen": "avoid"}),
    Reason.POSITIONS: (FOUR, {"positions": [2]}),
    Reason.EXISTING_ADS: ('<p>One.</p><aside data-adl-slot="inline-1"></aside><p>Two.</p>', {}),
    Reason.MARKER: (f"<!-- adlayout: off -->{FOUR}", {}),
    Reason.BLOCKLISTED: (FOUR, {"blocklist": {"words": ["two"]}}),
    Reason.DENSITY: (FOUR, {"first": "1 paragraph", "max_density": "30 %"}),
    Reason.OUT_OF_RANGE: (FOUR, {"positions": [9]}),
}


@pytest.mark.parametrize("reason", given(Reason))
def test_a_gap_has_every_reason_that_there_is(reason: Reason) -> None:
    html, inline = GAPS[reason]
    plan = judge(html, compile_layout(LayoutFile.model_validate({"inline": inline}), "case")).plan
    told = {refusal.rule for gap in plan.gaps for refusal in gap.reasons} | {drop.reason for drop in plan.dropped}
    assert reason in told


# Why a slot has no creative.


@dataclass(frozen=True)
class Newsroom:
    """The shipped config, and shelves with as little on them as one likes."""

    edition: Edition

    def page(
        self, shelf: Shelf, *, late: Callable[[], bool] = never, layout: str = "every-2", site: str = "default"
    ) -> Page:
        asked = Request(FOUR, output=Output.FRAGMENT, layout=layout, site=site, seed="s")
        return Composer(self.edition, shelf).compose(asked, now=NOW, expired=late)

    def shelf(self, *creatives: str) -> Shelf:
        """Flights that run one creative each."""
        rows = [{"id": id, "kind": "html", "markup": id, "sandbox": "first-party"} for id in creatives]
        flights = [{"id": id, "campaign": "c", "creatives": [{"id": id}]} for id in creatives]
        data = {"campaigns": [{"id": "c"}], "flights": flights, "creatives": rows}
        inventory, _ = read_inventory(parse_inventory(data))
        return Shelf(Stock(inventory, {id: self.edition.prepare(one) for id, one in inventory.creatives.items()}, 1))


@pytest.fixture(scope="module")
def newsroom() -> Newsroom:
    return Newsroom(assemble(ROOT / "config", {}))


def late_after(calls: int) -> Callable[[], bool]:
    """A deadline that passes after so many looks at it."""
    looks = iter(range(99))
    return lambda: next(looks) >= calls


EMPTY: Mapping[Unfilled, Callable[[Newsroom], Page]] = {
    Unfilled.NO_CANDIDATE: lambda newsroom: newsroom.page(newsroom.shelf()),
    Unfilled.PAGE_DUPLICATE: lambda newsroom: newsroom.page(newsroom.shelf("one")),
    Unfilled.DEADLINE: lambda newsroom: newsroom.page(newsroom.shelf("one"), late=late_after(1)),
    Unfilled.STORE_ERROR: lambda newsroom: newsroom.page(Shelf(failure=Degraded.STORE_ERROR)),
    Unfilled.TEMPLATE: lambda newsroom: without_templates(newsroom, layout="article"),
}


@pytest.mark.parametrize("reason", given(Unfilled))
def test_a_slot_has_every_reason_that_there_is(newsroom: Newsroom, reason: Unfilled) -> None:
    decisions = EMPTY[reason](newsroom).decisions
    assert reason in {decision.reason for decision in decisions if isinstance(decision, Empty)}


# Why a page has fewer ads than it should.


@contextmanager
def store_after(number: signal.Signals) -> Iterator[str]:
    """The address of a real Valkey that was sent this signal."""
    with embedded.start() as server:
        os.kill(server.pid, number)
        try:
            yield server.url
        finally:
            os.kill(server.pid, signal.SIGCONT)


def with_a_store_after(newsroom: Newsroom, number: signal.Signals, shelf: Shelf) -> Page:
    with store_after(number) as url:
        asyncio.run(asked_once(url, lambda store: fill(shelf, store, newsroom.edition.prepare)))
    return newsroom.page(shelf)


async def asked_once(url: str, ask: Callable[[Store], Awaitable[object]]) -> None:
    store = Store(url)
    try:
        await ask(store)
    finally:
        await store.close()


def without_templates(newsroom: Newsroom, layout: str = "every-2") -> Page:
    edition = replace(newsroom.edition, templates=replace(newsroom.edition.templates, compiled={}))
    return Composer(edition, Shelf()).compose(Request(FOUR, layout=layout), now=NOW)


def in_a_crowd(newsroom: Newsroom) -> Page:
    """The last of more long articles than wait at a time."""

    async def crowd() -> list[Page]:
        composer = Composer(newsroom.edition, Shelf())
        lane, in_time = Lane(composer), Deadline(None, 60_000)
        asked = [Request("<p>x</p>" * 2_001 + str(number)) for number in range(9)]
        return [page for page, _ in await asyncio.gather(*(lane.compose(one, NOW, in_time) for one in asked))]

    return asyncio.run(crowd())[-1]


def from_an_incomplete_stock(newsroom: Newsroom) -> set[str]:
    """A shelf whose creatives were never prepared, which is a fault of our own."""
    shelf = newsroom.shelf("one")
    shelf.stock = replace(shelf.stock, prepared={})
    client = TestClient(create_app(newsroom.edition, shelf, None), client=("127.0.0.1", 50_000))
    answer = client.post("/v1/compose", content=FOUR, headers={"content-type": "text/html"})
    return {answer.headers["adlayout-degraded"]}


DEGRADED: Mapping[Degraded, Callable[[Newsroom], Collection[str]]] = {
    Degraded.STORE_TIMEOUT: lambda room: with_a_store_after(room, signal.SIGSTOP, Shelf()).degraded,
    Degraded.STORE_ERROR: lambda room: with_a_store_after(room, signal.SIGKILL, Shelf()).degraded,
    Degraded.STALE_INVENTORY: lambda room: with_a_store_after(room, signal.SIGKILL, room.shelf("one")).degraded,
    Degraded.TEMPLATE: lambda room: without_templates(room).degraded,
    Degraded.DEADLINE: lambda room: room.page(Shelf(), late=late_after(0)).degraded,
    Degraded.UNKNOWN_LAYOUT: lambda room: room.page(Shelf(), layout="nowhere").degraded,
    Degraded.UNKNOWN_SITE: lambda room: room.page(Shelf(), site="nowhere").degraded,
    Degraded.SHED: lambda room: in_a_crowd(room).degraded,
    Degraded.VERIFY: from_an_incomplete_stock,
}


@pytest.mark.parametrize("reason", given(Degraded))
def test_a_page_is_degraded_for_every_reason_that_there_is(newsroom: Newsroom, reason: Degraded) -> None:
    assert reason in DEGRADED[reason](newsroom)


# What is raised.


async def nothing_more() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}


def from_a_store_after(number: signal.Signals) -> None:
    with store_after(number) as url:
        asyncio.run(asked_once(url, lambda store: store.revision()))


def of_an_inventory(newsroom: Newsroom, write: Callable[[Publisher], Awaitable[object]]) -> None:
    """Writes into a store that holds the sample inventory."""

    async def main(store: Store) -> None:
        await store.publish(newsroom.edition.house_rows, replace=True)
        await write(Publisher(store, newsroom.edition.prepare))

    with embedded.start() as server:
        asyncio.run(asked_once(server.url, main))


JSON = (b"content-type", b"application/json")


def asked_with(query: bytes) -> StarletteRequest:
    """A request with nothing in its body."""
    return StarletteRequest({"type": "http", "query_string": query, "headers": [JSON]}, nothing_more)


RAISED: Mapping[type[AdlayoutError], Callable[[Newsroom], object]] = {
    InputError: lambda _: read_article("there is no such file"),
    NotAnArticle: lambda _: read_request(b"{}", {b"content-type": b"application/json"}),
    TooLarge: lambda _: asyncio.run(read_body({b"content-length": b"11"}, nothing_more, limit=10, within_s=1)),
    UnsupportedBody: lambda _: read_request(FOUR.encode(), {b"content-encoding": b"gzip"}),
    NotAllowed: lambda _: admit({"client": ("192.0.2.1", 50_000)}, {}, None),
    BadPlan: lambda room: Composer(room.edition, Shelf()).plan(Request(FOUR, layout="nowhere")),
    ConfigError: lambda _: assemble(ROOT / "there is no such directory", {}),
    StoreError: lambda _: from_a_store_after(signal.SIGKILL),
    StoreTimeout: lambda _: from_a_store_after(signal.SIGSTOP),
    Changed: lambda room: of_an_inventory(room, lambda writer: writer.store.change(Rows(), {}, expect=99)),
    BadInventory: lambda room: of_an_inventory(room, lambda writer: writer.put("flights", "f", {"campaign": "gone"})),
    StillNamed: lambda room: of_an_inventory(room, lambda writer: writer.remove("campaigns", "house")),
    Outdated: lambda room: of_an_inventory(room, lambda writer: writer.publish([], expect=99)),
    BadQuery: lambda _: number(asked_with(b"limit=none"), "limit", 1, most=9),
    NotJson: lambda room: asyncio.run(json_of(asked_with(b""), room.edition.settings.server)),
    BadDecide: lambda _: read_decide({}, {}),
    TemplateFailure: lambda room: room.edition.templates.frame("nowhere", PageContext("News")),
}


def below(kind: type[AdlayoutError]) -> Iterator[type[AdlayoutError]]:
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


@pytest.mark.parametrize("kind", sorted(below(AdlayoutError), key=str))
def test_every_error_of_the_tree_is_raised(newsroom: Newsroom, kind: type[AdlayoutError]) -> None:
    with pytest.raises(kind) as raised:
        RAISED[kind](newsroom)
    assert raised.type is kind
