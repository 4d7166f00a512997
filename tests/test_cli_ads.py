"""`adlayout explain --decide`: the ad of each slot, and every flight that does not run, with why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adlayout.cli.ads import draw_ads
from adlayout.cli.main import main
from adlayout.reports.why import Group, Why

FOUND = (
    Why("top", "leaderboard", "a", "acme", "spring", False, None, ()),
    Why(
        "inline-1",
        "in-article",
        "h",
        None,
        None,
        True,
        None,
        (
            Group("targeting", "section sport", "world", ("tarn",)),
            Group("frequency_cap", "at most 3 in 24 h", "3/3 until 18:00", tuple(f"f{n}" for n in range(14))),
        ),
    ),
    Why("inline-2", "in-article", None, None, None, False, "no_candidate", ()),
)
CONFIG = {
    "adlayout.yaml": "version: 1\nsites: {default: {name: News, layout: news}}\n",
    "layouts/news.yaml": "version: 1\nname: news\ninline: {first: 1 paragraph, every: 1 paragraph, max_ads: 2}\n",
    "templates/article.html.j2": "{{ article }}",
    "inventory/ads.yaml": (
        "campaigns: [{id: spring}]\n"
        "creatives: [{id: a, kind: html, markup: <b>Ad</b>, formats: [fluid]}]\n"
        "flights:\n"
        "  - {id: acme, campaign: spring, creatives: [{id: a}]}\n"
        "  - {id: tarn, campaign: spring, creatives: [{id: a}], targeting: {include: {section: [sport]}}}\n"
    ),
}


@pytest.fixture
def article(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    for name, text in CONFIG.items():
        path = tmp_path / "config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "article.html").write_text("<p>One.</p><p>Two.</p><p>Three.</p>")
    return "article.html"


def test_each_slot_is_told_with_those_that_do_not_stand_there() -> None:
    assert draw_ads(FOUND, colour=False, width=80).splitlines() == [
        "▶ top · leaderboard · a of flight acme, campaign spring",
        "",
        "▶ inline-1 · in-article · h, a house ad",
        "    ✗ targeting: needs section sport, has world: tarn",
        "    ✗ frequency_cap: needs at most 3 in 24 h, has 3/3 until 18:00: f0, f1, f2,",
        "      f3, f4, f5, f6, f7, f8, f9, f10, f11 and 2 more",
        "",
        "· inline-2 · in-article · empty: no_candidate",
    ]


def test_a_terminal_shows_it_in_colours() -> None:
    told = draw_ads(FOUND[1:2], colour=True, width=80).splitlines()
    assert told[:2] == [
        "\x1b[1;32m▶ inline-1 · in-article · h, a house ad\x1b[0m",
        "    ✗ \x1b[31mtargeting\x1b[0m: needs section sport, has world: tarn",
    ]


def test_a_page_without_slots_has_nothing_to_decide() -> None:
    assert draw_ads((), colour=False, width=80) == "no slot, so that there is nothing to decide"


def test_an_article_is_explained_with_its_ads(article: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", article, "--decide"]) == 0
    told = capsys.readouterr().out
    assert told.partition("\nads, as of the inventory of config:\n\n")[2].splitlines() == [
        "▶ inline-1 · in-article · a of flight acme, campaign spring",
        "    ✗ targeting: needs section sport, has section unknown: tarn",
        "",
        "· inline-2 · in-article · empty: page_duplicate",
        "    ✗ page_duplicate: needs a once on a page, has it stands there: acme",
        "    ✗ targeting: needs section sport, has section unknown: tarn",
    ]


def test_programs_read_the_same(article: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", article, "--decide", "--json", "--section", "sport"]) == 0
    told = json.loads(capsys.readouterr().out)
    first = told["decisions"][0]
    assert (len(told["slots"]), len(told["decisions"])) == (2, 2)
    assert (first["slot"], first["type"], first["creative"], first["house"], first["reason"]) == (
        "inline-1",
        "in-article",
        "a",
        False,
        None,
    )
    assert [set(group) for group in first["others"]] == [{"reason", "needed", "actual", "flights"}]


def test_without_being_asked_nothing_is_decided(article: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", article, "--json"]) == 0
    assert "decisions" not in json.loads(capsys.readouterr().out)
    assert main(["explain", article]) == 0
    assert "ads, as of" not in capsys.readouterr().out
