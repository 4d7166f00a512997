"""Previews tell ops why, below the page and in its source, and count nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import redis
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.decision.files import parse_inventory
from adlayout.decision.inventory import read_inventory
from adlayout.delivery import Delivery
from adlayout.model import Device, Output, Page, Piece
from adlayout.reports.why import Group, Why
from adlayout.store import keys
from adlayout.upkeep import Shelf, Stock
from adlayout.web.accounts import closet, open_accounts, open_store
from adlayout.web.app import create_app
from adlayout.web.preview import with_reasons

CONFIG = Path(__file__).parents[1] / "config"
LOCAL = ("127.0.0.1", 50_000)
PAGE = Page((Piece("<p>x", sacred=True),), 0, 1, (), Output.PAGE, "default", "news", Device.MOBILE)
FOUND = (
    Why("top", "leaderboard", "a", "acme", "spring", False, None, ()),
    Why(
        "inline-1",
        "in-article",
        None,
        None,
        None,
        False,
        "no_candidate",
        (Group("targeting", "section <b>--></b>", "world", tuple(f"f{number}" for number in range(14))),),
    ),
    Why("inline-2", "in-article", "h", None, None, True, None, ()),
)


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(CONFIG, {"ADLAYOUT_SECRET": "a-secret-of-sixteen-characters-or-more"})


def test_a_page_without_slots_is_left_as_it_is() -> None:
    assert with_reasons(PAGE, ()) is PAGE


def test_reasons_stand_below_the_page_and_cannot_break_out() -> None:
    page, comment, folded = with_reasons(PAGE, FOUND).pieces
    assert page == PAGE.pieces[0]
    assert comment.text == (
        "\n<!-- adlayout\n"
        "top (leaderboard): a, flight acme, campaign spring\n"
        "inline-1 (in-article): empty, no_candidate\n"
        "  targeting: needs section (b)- -)(/b), has world: "
        "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11 and 2 more\n"
        "inline-2 (in-article): h, a house ad\n"
        "-->"
    )
    cells = [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.split("<t[hrd]", folded.text)[1:]]
    told = [cell.partition(">")[2].strip() for cell in cells]
    assert "section <b>--></b>" not in folded.text
    assert "needs section <b>--></b>" in told
    assert "inline-1 (in-article): empty, no_candidate" in told


@pytest.fixture
def shelf(edition: Edition) -> Shelf:
    rows = parse_inventory(
        {
            "campaigns": [{"id": "spring"}],
            "creatives": [{"id": "a", "kind": "html", "markup": "<b>Ad</b>"}],
            "flights": [
                {"id": "acme", "campaign": "spring", "creatives": [{"id": "a"}], "goal": {"type": "view", "units": 9}},
                {"id": "off", "campaign": "spring", "creatives": [{"id": "a"}], "active": False},
            ],
        }
    )
    inventory, _ = read_inventory(rows)
    return Shelf(Stock(inventory, {id: edition.prepare(one) for id, one in inventory.creatives.items()}, 1))


@pytest.fixture
def client(edition: Edition, shelf: Shelf, clean_store: str, tmp_path: Path) -> Iterator[TestClient]:
    rows = edition.house_rows
    with redis.Redis.from_url(clean_store) as raw:
        for key, texts in zip(keys.INVENTORY, (rows.campaigns, rows.flights, rows.creatives), strict=True):
            for id, text in texts.items():
                raw.hset(key, id, text)
    store = open_store(edition.settings, clean_store)
    accounts = open_accounts(edition.settings, shelf, store, closet(tmp_path, "one"))
    app = create_app(edition, shelf, store, samples=CONFIG / "samples", accounts=accounts)
    with TestClient(app, client=LOCAL) as local:
        yield local


def test_a_preview_says_why_and_is_counted_nowhere(client: TestClient, clean_store: str) -> None:
    page = client.get("/preview?sample=news&layout=every-2").text
    assert page.count("<details") == page.count("<!-- adlayout") == 1
    assert "adlayout.js" not in page
    assert re.search(r"inline-1 \(in-article\): [a-z0-9-]+, flight ", page)
    with redis.Redis.from_url(clean_store) as raw:
        assert raw.exists(keys.totals(0), keys.stream(0)) == 0


def test_a_preview_shows_what_is_spent_and_not_whose_turn_it_is(
    edition: Edition, shelf: Shelf, clean_store: str, tmp_path: Path
) -> None:
    accounts = open_accounts(
        edition.settings, shelf, open_store(edition.settings, clean_store), closet(tmp_path, "one")
    )
    client = TestClient(create_app(edition, shelf, None, samples=CONFIG / "samples", accounts=accounts), client=LOCAL)
    told = []
    for delivery in (Delivery(rates={"acme": 1e-9}), Delivery(spent={"acme": ("goal_reached", "at most 9", "9/9")})):
        accounts.delivery = delivery
        told.append(client.get("/preview?sample=news&layout=every-2").text)
    assert "inline-1 (in-article): a, flight acme, campaign spring\n" in told[0]
    assert "inline-1 (in-article): empty, no_candidate\n  goal_reached: needs at most 9, has 9/9: acme\n" in told[1]


def test_a_preview_tells_of_the_ads_that_it_shows(edition: Edition, shelf: Shelf) -> None:
    client = TestClient(create_app(edition, shelf, None, samples=CONFIG / "samples"), client=LOCAL)
    page = client.get("/preview?sample=news&layout=every-2").text
    assert "inline-1 (in-article): a, flight acme, campaign spring\n" in page
    assert "  inactive: needs " in page


def test_a_page_of_a_reader_says_nothing_of_it(edition: Edition, shelf: Shelf) -> None:
    client = TestClient(create_app(edition, shelf, None), client=LOCAL)
    body = json.dumps({"article": {"html": "<p>One.</p><p>Two.</p>"}})
    page = client.post("/v1/compose", content=body, headers={"content-type": "application/json"}).text
    assert "adlayout\n" not in page
    assert "<details" not in page
