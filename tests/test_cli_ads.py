"""`adlayout explain --decide`: the ad of each slot, and every flight that does not run, with why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from adlayout.cli.ads import draw_ads
from adlayout.cli.main import main
from adlayout.decision.files import parse_inventory
from adlayout.decision.schema import CreativeRow
from adlayout.reports.why import Group, Why
from adlayout.store import keys, runtime

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
    monkeypatch.delenv("ADLAYOUT_REDIS_URL", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
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
        "    ✗ page_duplicate: needs a once on a page, has it in inline-1: acme",
        "    ✗ targeting: needs section sport, has section unknown: tarn",
    ]


def test_programs_read_the_same(article: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", article, "--decide", "--json", "--section", "sport"]) == 0
    told = json.loads(capsys.readouterr().out)
    first = told["decisions"][0]
    assert told["inventory"] == "the inventory of config"
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


# The ads of a store.

ROWS = {
    "campaigns": [{"id": "autumn"}],
    "creatives": [
        {"id": "b", "kind": "html", "markup": "<b>Ad</b>"},
        {"id": "c", "kind": "html", "markup": "<b>Ad</b>"},
    ],
    "flights": [
        {"id": "done", "campaign": "autumn", "creatives": [{"id": "b"}], "goal": {"type": "view", "units": 40}},
        {"id": "rests", "campaign": "autumn", "creatives": [{"id": "b"}], "daily_cap": 3},
        {"id": "runs", "campaign": "autumn", "creatives": [{"id": "c"}], "goal": {"type": "click", "units": 9}},
    ],
}


@pytest.fixture
def live(clean_store: str) -> str:
    """A store in which one flight has reached its goal and another its cap of today."""
    rows = parse_inventory(ROWS)
    with redis.Redis.from_url(clean_store) as raw:
        for key, texts in zip(keys.INVENTORY, (rows.campaigns, rows.flights, rows.creatives), strict=True):
            for id, text in texts.items():
                raw.hset(key, id, text)
        raw.set(keys.REVISION, 7)
        raw.hset(keys.totals(0), mapping={"done:v": 40, "rests:v": 90, "runs:v": 400, "runs:c": 8})
        raw.hset(keys.day(0, f"{datetime.now(UTC):%Y%m%d}"), mapping={"rests:v": 3})
    return clean_store


def where(url: str) -> str:
    return url.partition("?")[0]


def test_the_ads_of_the_store_are_told_without_those_that_are_done(
    article: str, live: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", article, "--decide", "--redis-url", live]) == 0
    told = capsys.readouterr().out
    assert told.partition(f"\nads, as of revision 7 in {where(live)}:\n\n")[2].splitlines() == [
        "▶ inline-1 · in-article · c of flight runs, campaign autumn",
        "    ✗ goal_reached: needs at most 40, has 40/40: done",
        "    ✗ daily_cap: needs at most 3 today, has 3/3 today: rests",
        "",
        "· inline-2 · in-article · empty: page_duplicate",
        "    ✗ goal_reached: needs at most 40, has 40/40: done",
        "    ✗ daily_cap: needs at most 3 today, has 3/3 today: rests",
        "    ✗ page_duplicate: needs c once on a page, has it in inline-1: runs",
    ]


def test_to_explain_leaves_the_store_as_it_was(article: str, live: str) -> None:
    def dumped(raw: redis.Redis) -> dict[object, object]:
        return {key: raw.dump(key) for key in raw.scan_iter()}

    with redis.Redis.from_url(live) as raw:
        before = dumped(raw)
        assert main(["explain", article, "--decide", "--redis-url", live]) == 0
        assert dumped(raw) == before


@pytest.mark.parametrize("said", ["variable", "config", "running"])
def test_the_store_is_found_as_that_of_the_inventory_is(
    said: str, article: str, live: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if said == "variable":
        monkeypatch.setenv("ADLAYOUT_REDIS_URL", live)
    elif said == "config":
        with open("config/adlayout.yaml", "a", encoding="utf-8") as file:
            file.write(f'store: {{url: "{live}"}}\n')
    else:
        runtime.announce(8080, live)
    assert main(["explain", article, "--decide", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inventory"] == f"revision 7 in {where(live)}"


def test_what_is_in_the_store_and_cannot_run_is_named(
    article: str, live: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = CreativeRow.model_validate({"id": "d", "kind": "html", "markup": "<script>", "sandbox": "first-party"})
    with redis.Redis.from_url(live) as raw:
        raw.hset(keys.FLIGHTS, "odd", "{")
        raw.hset(keys.CREATIVES, "d", bad.model_dump_json())
    assert main(["explain", article, "--decide", "--redis-url", live]) == 0
    told = [line.partition(": ")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["warning flight odd", "warning creative d"]


NOWHERE = "unix:///nowhere/at/all"


def test_a_store_that_was_named_must_answer(article: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", article, "--decide", "--redis-url", NOWHERE]) == 1
    assert capsys.readouterr().err.startswith(f"error {NOWHERE}: ")


def test_an_inventory_that_cannot_be_read_is_told(article: str, live: str, capsys: pytest.CaptureFixture[str]) -> None:
    with redis.Redis.from_url(live) as raw:
        raw.set(keys.FLIGHTS, "no hash")
    assert main(["explain", article, "--decide", "--redis-url", live]) == 1
    assert capsys.readouterr().err == f"error {where(live)}: the inventory cannot be read\n"


def test_where_the_usual_store_is_away_the_files_are_told_and_that_is_said(
    article: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ADLAYOUT_REDIS_URL", NOWHERE)
    assert main(["explain", article, "--decide"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith(f"warning {NOWHERE}: ")
    assert said.err.endswith(": so these are the ads of the files\n")
    assert "\nads, as of the inventory of config:\n" in said.out
