"""The side lane: large articles hold nobody up, and always come back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path

import pytest

from adlayout.assemble import assemble
from adlayout.compose import Composer
from adlayout.decision.inventory import read_inventory
from adlayout.model import Degraded, Device, Output, Page, Request
from adlayout.upkeep import Shelf, Stock
from adlayout.web.lane import Lane
from adlayout.web.limits import Deadline

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SHORT = Request("<p>one</p><p>two</p><p>three</p>", output=Output.FRAGMENT)
LATE = Deadline(1, 1, now=chain([0.0], repeat(0.002)).__next__)


@pytest.fixture
def composer() -> Composer:
    edition = assemble(Path(__file__).parents[1] / "config", {})
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    return Composer(edition, Shelf(stock=Stock(inventory, prepared, 1)))


def long_article(number: int = 0) -> Request:
    return Request("<p>The river rose again.</p>" * 1_500 + f"<p>{number}</p>", output=Output.FRAGMENT)


async def composed(lane: Lane, request: Request, deadline: Deadline | None = None) -> Page:
    waiting = deadline or Deadline(None, 60_000)
    return (await lane.compose(request, NOW, waiting))[0]


def test_a_long_article_gets_its_ads_where_the_time_allows(composer: Composer) -> None:
    page = asyncio.run(composed(Lane(composer), long_article()))
    assert (page.degraded, page.cached, len(page.decisions)) == ((), False, 99)


def test_a_long_article_comes_back_in_time_and_its_next_reader_gets_the_ads(composer: Composer) -> None:
    async def two_readers() -> tuple[Page, Page]:
        lane = Lane(composer)
        first = await composed(lane, long_article(), LATE)
        # The lane is one thread: when the next article is done, so is the one that was given up.
        await composed(lane, long_article(1))
        return first, await composed(lane, long_article())

    first, second = asyncio.run(two_readers())
    assert (first.degraded, first.decisions, text_of(first)) == ((Degraded.DEADLINE,), (), long_article().html)
    assert (second.degraded, second.cached, len(second.decisions)) == ((), True, 99)


def test_short_articles_pass_a_long_one(composer: Composer) -> None:
    async def race() -> list[str]:
        lane, arrived = Lane(composer), list[str]()

        async def run(name: str, request: Request) -> None:
            await composed(lane, request)
            arrived.append(name)

        await asyncio.gather(run("long", long_article()), run("short", SHORT))
        return arrived

    assert asyncio.run(race()) == ["short", "long"]


def test_long_articles_beyond_what_can_be_planned_come_back_without_ads(composer: Composer) -> None:
    async def crowd() -> list[Page]:
        lane = Lane(composer)
        return list(await asyncio.gather(*(composed(lane, long_article(n)) for n in range(10))))

    pages = asyncio.run(crowd())
    assert [page.degraded for page in pages] == [()] * 8 + [(Degraded.SHED,)] * 2
    assert [text_of(page) for page in pages[8:]] == [long_article(n).html for n in (8, 9)]


def test_what_waits_at_the_end_is_not_begun_and_nothing_complains(composer: Composer) -> None:
    complaints: list[object] = []

    async def end() -> list[Page]:
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: complaints.append(told))
        lane = Lane(composer)
        pages = [await composed(lane, long_article(n), LATE) for n in range(4)]
        lane.close()
        return pages

    assert [page.degraded for page in asyncio.run(end())] == [(Degraded.DEADLINE,)] * 4
    assert asyncio.run(composed(Lane(composer), long_article(3))).cached is False
    assert complaints == []


def test_a_plan_of_a_long_article_is_made_beside_the_loop(composer: Composer) -> None:
    planned = asyncio.run(Lane(composer).run(long_article(), lambda: composer.plan(long_article())))
    assert (len(planned.plan.slots), planned.device) == (99, Device.MOBILE)


def text_of(page: Page) -> str:
    return "".join(piece.text for piece in page.pieces)
