"""The middle of a request against a real store: one question where somebody has limits, and what its answer counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis

from adlayout.assemble import Edition, assemble
from adlayout.compose import Composer, Decided
from adlayout.deciding import Books, day_of, serve_id
from adlayout.decision.explain import Passed
from adlayout.decision.files import parse_inventory
from adlayout.decision.inventory import read_inventory
from adlayout.decision.reasons import FlightReason
from adlayout.events.token import Ad, Purpose, Signer, Ticket
from adlayout.events.traffic import family_of
from adlayout.model import Consent, Degraded, Filled, Output, Page, Request, Slot, SlotStyle
from adlayout.store.client import Store
from adlayout.upkeep import Shelf, Stock

T = TypeVar("T")
SECRETS = ("a secret for tests",)
NOW = datetime.now(UTC)
ARTICLE = "<h1>On the hill</h1>" + "".join(f"<p>Paragraph {n} says a little.</p>" for n in range(8))
SLOTS = (Slot("one", SlotStyle(formats=("300x250",))),)
Fields = dict[str, Any]


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(Path(__file__).parents[1] / "config", {})


def flight(id: str, **more: Any) -> Fields:
    return {"id": id, "campaign": "c", "creatives": [{"id": id}], **more}


def shelf(edition: Edition, flights: Sequence[Fields]) -> Shelf:
    rows = [{"id": row["id"], "kind": "image", "image": {"src": "/a.png"}, "formats": ["300x250"]} for row in flights]
    data = {"campaigns": [{"id": "c", "advertiser": "Acme"}], "flights": list(flights), "creatives": rows}
    inventory, _ = read_inventory(parse_inventory(data))
    return Shelf(Stock(inventory, {id: edition.prepare(one) for id, one in inventory.creatives.items()}, 1))


def service(
    edition: Edition, flights: Sequence[Fields], url: str, use: Callable[[Composer], Awaitable[T]], **options: Any
) -> T:
    """What comes of a composer over these flights and the store at this address."""

    async def main() -> T:
        # A machine that is busy with other tests must not pass for a store that is away.
        store = Store(f"{url}?socket_connect_timeout=9", page_timeout_ms=9000, **options)
        books = Books(store, Signer(SECRETS), SECRETS, edition.settings)
        try:
            return await use(Composer(edition, shelf(edition, flights), books=books))
        finally:
            await store.close()

    return asyncio.run(main())


async def decide(composer: Composer, request: Request, slots: tuple[Slot, ...] = SLOTS) -> Decided:
    work = composer.decide(request, slots, now=NOW)
    await composer.reserve(work, now=NOW, within_s=9)
    return composer.decided(work, now=NOW)


PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari"


@pytest.mark.parametrize(
    ("more", "agent"),
    [
        ({"user_agent": PHONE}, family_of(PHONE)),
        ({}, ""),
        ({"user_agent": PHONE, "consent": Consent(gpc=True)}, ""),
    ],
)
def test_a_page_of_one_reader_remembers_the_kind_of_his_browser_where_it_may(
    edition: Edition, clean_store: str, more: Fields, agent: str
) -> None:
    request = Request("", request_id="r-1", **more)
    told = service(edition, [flight("f")], clean_store, lambda composer: decide(composer, request))
    assert told.receipt is not None
    assert told.receipt.signed.ticket.agent == agent


def test_a_page_that_caches_keep_is_for_every_browser(edition: Edition, clean_store: str) -> None:
    request = Request(ARTICLE, user_agent=PHONE)
    page = service(edition, [flight("f")], clean_store, lambda composer: compose(composer, request))
    ticket = Signer(SECRETS).read(page.token, Purpose.PAGE)
    assert isinstance(ticket, Ticket)
    assert (page.cacheable_s > 0, ticket.serve, ticket.agent) == (True, "", "")


async def compose(composer: Composer, request: Request) -> Page:
    work = composer.begin(request)
    composer.draft(work, now=NOW)
    await composer.reserve(work, now=NOW, within_s=9)
    return composer.finish(work, now=NOW)


def creatives(decided: Decided) -> list[str | None]:
    return [one.creative if isinstance(one, Filled) else None for one in decided.decisions]


def asked(number: int, **more: Any) -> Request:
    return Request("", request_id=f"r-{number}", **more)


def test_a_goal_is_a_goal_over_all_pages(edition: Edition, clean_store: str) -> None:
    async def many(composer: Composer) -> list[Decided]:
        return await asyncio.gather(*(decide(composer, asked(n)) for n in range(20)))

    pages = service(edition, [flight("a", goal={"type": "view", "units": 5})], clean_store, many)
    assert sum(creatives(page) == ["a"] for page in pages) == 5
    refused = next(page for page in pages if creatives(page) == [None])
    assert refused.passed == ((Passed("a", FlightReason.GOAL_REACHED, "at most 5", "5/5"),),)
    assert not any(page.degraded for page in pages)


CAPPED = flight("a", frequency_caps=[{"max": 1, "per": "day"}])


def test_a_cap_is_the_readers_and_says_until_when(edition: Edition, clean_store: str) -> None:
    async def two_readers(composer: Composer) -> list[Decided]:
        return [await decide(composer, asked(n, unit=unit)) for n, unit in enumerate(["ann", "ann", "ben"])]

    first, second, other = service(edition, [CAPPED], clean_store, two_readers)
    assert [creatives(page) for page in (first, second, other)] == [["a"], [None], ["a"]]
    assert second.passed == ((Passed("a", FlightReason.FREQUENCY_CAP, "at most 1 of flight/a", "1/1"),),)


def test_a_retry_gets_the_same_and_takes_no_more(edition: Edition, clean_store: str) -> None:
    async def again(composer: Composer) -> list[Decided]:
        pages = [await decide(composer, asked(1, retried=True)) for _ in range(3)]
        return [*pages, await decide(composer, asked(2))]

    pages = service(edition, [flight("a", daily_cap=2)], clean_store, again)
    assert [creatives(page) for page in pages] == [["a"]] * 4


@pytest.mark.parametrize(
    ("consent", "reason"),
    [
        (Consent(gdpr=True), FlightReason.CONSENT),
        (Consent(gpc=True), FlightReason.CONSENT),
        (Consent(gdpr=False), None),
        (None, None),
    ],
)
def test_a_reader_is_known_only_where_that_is_permitted(
    edition: Edition, clean_store: str, consent: Consent | None, reason: FlightReason | None
) -> None:
    request = asked(1, unit="ann", consent=consent)
    page = service(edition, [CAPPED], clean_store, lambda composer: decide(composer, request))
    assert [passed.reason for passed in page.passed[0]] == ([reason] if reason else [])
    assert page.receipt is not None
    assert (page.receipt.reader is None) == (reason is not None)


def test_a_store_that_is_away_costs_those_who_need_it(edition: Edition) -> None:
    rows = [flight("a", daily_cap=2), flight("b", line_item_type="bulk")]
    page = service(edition, rows, "unix:///nowhere/s", lambda composer: decide(composer, asked(1)))
    assert (creatives(page), page.degraded) == (["b"], (Degraded.STORE_ERROR,))
    assert page.passed[0][0].reason is FlightReason.STORE_ERROR


FRAGMENT = Request(ARTICLE, output=Output.FRAGMENT, layout="every-2", request_id="r-1", unit="ann")


def test_a_page_that_may_be_kept_names_no_reader(edition: Edition, clean_store: str) -> None:
    page = service(edition, [flight("a")], clean_store, lambda composer: compose(composer, FRAGMENT))
    ticket = Signer(SECRETS).read(page.token, Purpose.PAGE)
    assert isinstance(ticket, Ticket)
    assert page.cacheable_s > 0
    assert (ticket.serve, ticket.reader, ticket.bucket) == ("", None, 0)


def test_a_page_of_one_reader_says_all_that_counts_its_events(edition: Edition, clean_store: str) -> None:
    page = service(edition, [CAPPED], clean_store, lambda composer: compose(composer, FRAGMENT))
    ticket = Signer(SECRETS).read(page.token, Purpose.PAGE)
    assert isinstance(ticket, Ticket)
    assert page.cacheable_s == 0
    assert ticket == replace_known(ticket)
    assert ticket.bucket > 0
    assert ticket.ads == (Ad("inline-1", "a", "a", "c", 3, "in-article"),)


def replace_known(ticket: Ticket) -> Ticket:
    """The ticket with what is known of it beforehand."""
    return ticket._replace(serve=serve_id("r-1"), site="default", layout="every-2", device="mobile", slots=4)


def test_a_page_without_ads_has_a_token_too(edition: Edition, clean_store: str) -> None:
    bare = replace(FRAGMENT, html="<p>Short.</p>")
    page = service(edition, [flight("a")], clean_store, lambda composer: compose(composer, bare))
    ticket = Signer(SECRETS).read(page.token, Purpose.PAGE)
    assert isinstance(ticket, Ticket)
    assert (ticket.slots, ticket.ads) == (0, ())


@pytest.mark.parametrize(("ahead_h", "day"), [(0, "20261124"), (2, "20261125")])
def test_todays_budget_is_that_of_the_stores_clock(edition: Edition, ahead_h: int, day: str) -> None:
    books = Books(
        Store("unix:///nowhere/s"), Signer(SECRETS), SECRETS, edition.settings, ahead=lambda: timedelta(hours=ahead_h)
    )
    assert day_of(datetime(2026, 11, 24, 23, tzinfo=UTC), books) == day


def test_a_reader_stays_in_one_shard_though_his_key_changes(edition: Edition, clean_store: str) -> None:
    settings = edition.settings.model_copy(update={"store": edition.settings.store.model_copy(update={"shards": 8})})
    request = asked(1, unit="ann")

    async def shards(composer: Composer) -> set[int]:
        tickets = []
        for days in (0, 100, 200, 300):
            when = NOW + timedelta(days=days)
            work = composer.decide(request, SLOTS, now=when)
            await composer.reserve(work, now=when, within_s=9)
            receipt = composer.decided(work, now=when).receipt
            tickets += [receipt.signed.ticket] if receipt else []
        assert len({ticket.reader for ticket in tickets}) == 4
        return {ticket.shard for ticket in tickets}

    assert len(service(replace(edition, settings=settings), [CAPPED], clean_store, shards, shards=8)) == 1


def test_a_page_that_ops_look_at_takes_no_budget(edition: Edition, clean_store: str) -> None:
    looked = replace(FRAGMENT, counted=False)

    async def look(composer: Composer) -> list[Page]:
        return [await compose(composer, looked) for _ in range(5)]

    pages = service(edition, [flight("a", daily_cap=1)], clean_store, look)
    assert {page.token for page in pages} == {""}
    assert all(any(isinstance(one, Filled) for one in page.decisions) for page in pages)


def test_a_page_that_waits_for_the_store_keeps_its_deadline(edition: Edition, clean_store: str) -> None:
    with redis.Redis.from_url(clean_store) as raw:
        raw.client_pause(300, all=True)

        async def hasty(composer: Composer) -> Decided:
            work = composer.decide(asked(1), SLOTS, now=NOW)
            await composer.reserve(work, now=NOW, within_s=0.02)
            return composer.decided(work, now=NOW)

        page = service(edition, [flight("a", daily_cap=1)], clean_store, hasty)
        raw.client_unpause()
    assert (creatives(page), page.degraded) == ([None], (Degraded.STORE_TIMEOUT,))
