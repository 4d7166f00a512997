"""What adlayout does, in the order a newcomer meets it: an article in, a page out, and an answer to every why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from adlayout.assemble import assemble
from adlayout.store.client import Store
from adlayout.upkeep import Shelf, seed_if_empty
from adlayout.web.app import create_app

CONFIG = Path(__file__).parents[2] / "config"
ARTICLE = (CONFIG / "samples" / "news.html").read_text("utf-8")
HTML = {"content-type": "text/html"}
JSON = {"content-type": "text/html", "accept": "application/json"}


@pytest.fixture
def newsroom(clean_store: str) -> Iterator[TestClient]:
    """A service with the shipped config and its sample ads in a real store, asked from the same machine."""
    edition = assemble(CONFIG, {})
    asyncio.run(_seed(clean_store))
    with TestClient(create_app(edition, Shelf(), Store(clean_store)), client=("127.0.0.1", 50_000)) as client:
        yield client


async def _seed(url: str) -> None:
    store = Store(url)
    await seed_if_empty(store, assemble(CONFIG, {}).house_rows)
    await store.close()


def test_an_article_comes_back_as_a_page_with_ads(newsroom: TestClient) -> None:
    """One request, nothing but the article in it."""
    answer = newsroom.post("/v1/compose", content=ARTICLE, headers=HTML)
    assert answer.status_code == 200
    assert answer.text.count('<aside class="adl-slot"') >= 2
    assert "adlayout-degraded" not in answer.headers


def test_the_ads_can_be_cut_out_again_and_the_article_is_there(newsroom: TestClient) -> None:
    """The answer says where it put each ad; what lies between is the source, character for character."""
    answer = newsroom.post("/v1/compose?output=fragment", content=ARTICLE, headers=JSON).json()
    spans = sorted((each["output_start"], each["output_end"]) for each in answer["slots"] if each["filled"])
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(answer["html"])]
    assert spans
    assert "".join(answer["html"][start:end] for start, end in zip(starts, ends, strict=True)) == ARTICLE


def test_the_same_request_is_answered_with_the_same_page(newsroom: TestClient) -> None:
    """A retry under the same id sees the same ads."""
    first, second = (newsroom.post("/v1/compose?request_id=r-1", content=ARTICLE, headers=HTML) for _ in range(2))
    assert first.content == second.content


def test_ops_ask_why_an_ad_stands_where_it_stands(newsroom: TestClient) -> None:
    """Every gap has a verdict, and every gap without an ad has a reason."""
    plan = newsroom.post("/v1/plan", content=ARTICLE, headers=HTML).json()
    assert {gap["verdict"] for gap in plan["gaps"]} >= {"slot", "refused"}
    assert all(gap["reasons"] for gap in plan["gaps"] if gap["verdict"] != "slot")


def test_an_article_that_is_hardly_html_comes_back_too(newsroom: TestClient) -> None:
    """Nothing is repaired and nothing is refused."""
    answer = newsroom.post("/v1/compose?output=fragment", content=b"</p><p><table><b>\xff\x00", headers=HTML)
    assert (answer.status_code, answer.content) == (200, b"</p><p><table><b>\xff\x00")
