"""`adlayout inventory`: rows go to the store whole or not at all, and come back as they were."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import redis

from adlayout.cli import inventory
from adlayout.store import keys, runtime

ADS = """\
campaigns:
  - {id: c, name: Säntis}
flights:
  - {id: f, campaign: c, creatives: [{id: a}]}
creatives:
  - {id: a, kind: html, markup: "<b>\\u2028 \\x85 Ad</b>"}
"""

NO_STORE = "unix:///nowhere/at/all"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No config, no variables and no running server of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADLAYOUT_REDIS_URL", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


@pytest.fixture
def ads(tmp_path: Path) -> str:
    path = tmp_path / "ads.yaml"
    path.write_text(ADS, "utf-8")
    return str(path)


def adlayout(*words: str) -> int:
    """Runs `adlayout inventory …`."""
    parser = argparse.ArgumentParser()
    inventory.add(parser.add_subparsers())
    args = parser.parse_args(["inventory", *words])
    code = args.run(args)
    assert isinstance(code, int)
    return code


def test_loading_says_what_changed(ads: str, clean_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert adlayout("load", ads, "--redis-url", clean_store) == 0
    assert capsys.readouterr().out.splitlines() == [
        "campaigns: 1 (1 added, 0 changed, 0 removed)",
        "flights: 1 (1 added, 0 changed, 0 removed)",
        "creatives: 1 (1 added, 0 changed, 0 removed)",
        "revision 1",
    ]


def test_loading_what_hardly_does_what_was_meant_says_so(
    clean_store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "capped.yaml").write_text(
        "campaigns: [{id: c}]\ncreatives: [{id: x, kind: html, markup: one}]\n"
        "flights: [{id: f, campaign: c, creatives: [{id: x}], goal: {type: view, units: 9}}]\n"
    )
    assert adlayout("load", "capped.yaml", "--redis-url", clean_store) == 0
    assert capsys.readouterr().err == (
        "warning capped.yaml:3:54: flights.0.goal: has no end_time to be spread over:"
        " the flight runs on every page it can\n"
    )


def test_programs_are_told_the_same(ads: str, clean_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert adlayout("load", ads, "--redis-url", clean_store, "--json") == 0
    touched = {"rows": 1, "added": 1, "changed": 0, "removed": 0}
    assert json.loads(capsys.readouterr().out) == {
        "revision": 1,
        "campaigns": touched,
        "flights": touched,
        "creatives": touched,
    }


def test_loading_adds_to_what_is_there(
    ads: str, tmp_path: Path, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more.yaml").write_text("flights: [{id: g, campaign: c, creatives: [{id: a}]}]")
    assert adlayout("load", ads, "--redis-url", clean_store) == 0
    assert adlayout("load", str(tmp_path / "more.yaml"), "--redis-url", clean_store) == 0
    assert "flights: 2 (1 added, 0 changed, 0 removed)\n" in capsys.readouterr().out


def test_replacing_removes_the_rest(
    ads: str, tmp_path: Path, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "less.yaml").write_text("campaigns: [{id: c, name: New}]")
    adlayout("load", ads, "--redis-url", clean_store)
    capsys.readouterr()
    assert adlayout("load", "--replace", str(tmp_path / "less.yaml"), "--redis-url", clean_store) == 0
    assert capsys.readouterr().out.splitlines() == [
        "campaigns: 1 (0 added, 1 changed, 0 removed)",
        "flights: 0 (0 added, 0 changed, 1 removed)",
        "creatives: 0 (0 added, 0 changed, 1 removed)",
        "revision 2",
    ]


def test_all_faults_of_all_files_are_told_and_nothing_is_written(
    ads: str, tmp_path: Path, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.yaml").write_text(
        "campaigns:\n  - {id: c, nmae: x}\nflights:\n  - {id: 'f f', campaign: c, creatives: []}\n"
    )
    (tmp_path / "two.yaml").write_text("creatives: [{id: a, kind: html, markup: x, link: 'javascript:x'}]\n")
    assert adlayout("load", ads, "one.yaml", "two.yaml", "--redis-url", clean_store) == 1
    places = [line.removeprefix("error ").partition(": ")[0] for line in capsys.readouterr().err.splitlines()]
    assert places == ["one.yaml:2:13", "one.yaml:4:10", "one.yaml:4:41", "two.yaml:1:50"]
    with redis.Redis.from_url(clean_store) as client:
        assert client.dbsize() == 0


def test_what_files_say_twice_or_do_not_have_is_told_with_its_place(
    ads: str, tmp_path: Path, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.yaml").write_text(
        "campaigns:\n  - id: c\nflights:\n  - {id: g, campaign: d, creatives: [{id: z}]}\n"
    )
    assert adlayout("load", ads, "b.yaml", "--redis-url", clean_store) == 1
    assert capsys.readouterr().err.splitlines() == [
        'error b.yaml:2:9: campaigns.0.id: "c" was there before',
        'error b.yaml:4:23: flights.0.campaign: no campaign "d"',
        'error b.yaml:4:43: flights.0.creatives.0.id: no creative "z"',
    ]


def test_a_creative_that_may_not_stand_in_a_page_is_told_with_its_place(
    tmp_path: Path, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").write_text(
        "creatives:\n  - {id: a, kind: html, sandbox: first-party, markup: <script>}\n"
        "  - {id: b, kind: native, fields: {title: t}, template: gone}\n"
    )
    native = tmp_path / "config" / "templates" / "native"
    native.mkdir(parents=True)
    (native / "card.html.j2").write_text("{{ title }}")
    assert adlayout("load", "bad.yaml", "--redis-url", clean_store) == 1
    assert [line[:40] for line in capsys.readouterr().err.splitlines()] == [
        "error bad.yaml:2:55: creatives.0.markup:",
        "error bad.yaml:3:57: creatives.1.templat",
    ]


def test_where_no_templates_are_at_hand_native_creatives_are_taken_as_they_are(
    tmp_path: Path, clean_store: str
) -> None:
    (tmp_path / "native.yaml").write_text("creatives: [{id: b, kind: native, fields: {title: t}}]")
    assert adlayout("load", "native.yaml", "--redis-url", clean_store) == 0


def test_a_config_directory_that_is_not_there_is_told(
    ads: str, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adlayout("load", ads, "--redis-url", clean_store, "--config", "nowhere") == 1
    assert capsys.readouterr().err == "error nowhere: there is no such directory\n"


def test_replacing_with_a_flight_whose_creative_would_be_gone_is_refused(
    ads: str, tmp_path: Path, clean_store: str
) -> None:
    (tmp_path / "b.yaml").write_text("flights: [{id: g, campaign: c, creatives: [{id: a}]}]")
    assert adlayout("load", ads, "--redis-url", clean_store) == 0
    assert adlayout("load", "--replace", "b.yaml", "--redis-url", clean_store) == 1


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_is_exported_can_be_loaded_again(
    form: list[str], ads: str, tmp_path: Path, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    adlayout("load", ads, "--redis-url", clean_store)
    capsys.readouterr()
    assert adlayout("export", *form, "--redis-url", clean_store) == 0
    (tmp_path / "again.yaml").write_text(capsys.readouterr().out, "utf-8")
    assert adlayout("load", "again.yaml", "--redis-url", clean_store) == 0
    assert "creatives: 1 (0 added, 0 changed, 0 removed)" in capsys.readouterr().out


def test_an_empty_store_exports_an_empty_file(clean_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert adlayout("export", "--redis-url", clean_store) == 0
    assert capsys.readouterr().out == "campaigns: []\nflights: []\ncreatives: []\n"


@pytest.mark.parametrize("text", ["{", b"\xff", '{"id": "x", "kind": "html", "markup": "\\ud800"}', "[" * 100_000])
def test_an_export_without_a_bad_row_says_so_and_fails(
    text: str | bytes, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with redis.Redis.from_url(clean_store) as client:
        client.hset(keys.CREATIVES, "x", text)
    assert adlayout("export", "--json", "--redis-url", clean_store) == 1
    said = capsys.readouterr()
    assert said.err.startswith("warning creative x: ")
    assert json.loads(said.out)["creatives"] == []


def test_showing_a_row(ads: str, clean_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    adlayout("load", ads, "--redis-url", clean_store)
    capsys.readouterr()
    assert adlayout("show", "c", "--redis-url", clean_store) == 0
    assert json.loads(capsys.readouterr().out) == {"campaign": {"id": "c", "name": "Säntis"}}


def test_showing_a_row_that_does_not_hold_says_why(clean_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with redis.Redis.from_url(clean_store) as client:
        client.hset(keys.CAMPAIGNS, "c", "{")
    assert adlayout("show", "c", "--redis-url", clean_store) == 1
    said = capsys.readouterr()
    assert said.err.startswith("warning campaign c: Invalid JSON")
    assert json.loads(said.out) == {"campaign": "{"}


def test_showing_what_is_not_there_offers_what_is_near(
    ads: str, tmp_path: Path, clean_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.yaml").write_text("campaigns: [{id: acme-spring}]")
    adlayout("load", "b.yaml", "--redis-url", clean_store)
    capsys.readouterr()
    assert adlayout("show", "acme-sprnig", "--redis-url", clean_store) == 1
    assert capsys.readouterr().err == 'error no row "acme-sprnig": did you mean "acme-spring"?\n'


def test_a_store_that_is_away_is_told(ads: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert adlayout("load", ads, "--redis-url", NO_STORE) == 1
    assert capsys.readouterr().err.startswith(f"error {NO_STORE}: the inventory cannot be read")


def test_no_store_at_all_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert adlayout("export") == 1
    assert capsys.readouterr().err.startswith("error no store: say --redis-url")


def test_the_store_is_found_in_the_environment(clean_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAYOUT_REDIS_URL", clean_store)
    assert adlayout("export") == 0


def test_the_store_is_found_in_the_config(clean_store: str, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "adlayout.yaml").write_text(
        f'version: 1\nsites: {{default: {{name: News}}}}\nstore: {{url: "{clean_store}"}}\n'
    )
    assert adlayout("export") == 0
    assert adlayout("export", "--config", "config") == 0


def test_the_store_of_a_running_server_is_found(clean_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    runtime.announce(8080, clean_store)
    assert adlayout("export") == 0
    runtime.announce(8081, NO_STORE)
    assert adlayout("export") == 1
    assert "say which by its port: 8080, 8081" in capsys.readouterr().err
    assert adlayout("export", "--port", "8080") == 0
