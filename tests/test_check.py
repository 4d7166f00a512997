"""`adlayout check`: what it prints for people and for programs, and with which exit code it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adlayout.cli.main import main

SOUND = {
    "adlayout.yaml": "version: 1\nsites: {default: {name: News, layout: news}}\n",
    "layouts/news.yaml": "version: 1\nname: news\n",
    "templates/article.html.j2": "{{ article }}",
}
Run = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _a_sound_config_beside_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in SOUND.items():
        _put(name, text)


def _put(name: str, text: str) -> None:
    path = Path("config") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_what_holds_is_told_with_its_layouts(capsys: Run) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr() == ("config: good (layouts: news)\n", "")


def test_a_warning_is_no_fault(capsys: Run) -> None:
    _put("layouts/more.yaml", "version: 1\nname: more\npage_slots:\n  top: {formats: [fluid]}\n")
    assert main(["check"]) == 0
    assert capsys.readouterr() == (
        "config: good (layouts: more, news)\n",
        'warning config/layouts/more.yaml:4:3: page_slots.top: article.html.j2 has no {{ slot("top") }},'
        " so that it never shows\n",
    )


def test_a_part_of_several_parts_asks_for_its_slot_once(capsys: Run) -> None:
    _put("templates/foot.html.j2", '{{ slot("foot") }}')
    _put("templates/one.html.j2", '{% include "foot.html.j2" %}')
    _put("templates/two.html.j2", '{% include "foot.html.j2" %}')
    _put("templates/article.html.j2", '{{ article }}{% include "one.html.j2" %}{% include "two.html.j2" %}')
    assert main(["check"]) == 0
    told = capsys.readouterr().err.replace("config/templates/", "")
    assert told.splitlines() == [
        'warning foot.html.j2:1:1: slot("foot"): no layout with this template has such a page slot'
        " (layouts: news), there is none"
    ]


def test_faults_of_every_kind_of_file_are_told_at_once_where_an_editor_finds_them(capsys: Run) -> None:
    _put("adlayout.yaml", "version: 1\nsites: {default: {name: News, layout: nwes}}\n")
    _put("layouts/news.yaml", "version: 1\nname: news\ninline:\n  no_after: [h2, 'p[']\n")
    _put("templates/article.html.j2", "<p>\n{{ artcle }}")
    _put("inventory/ads.yaml", "flights: [{id: f, campaign: c, creatives: [{id: x}]}]\n")
    assert main(["check"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()) == (
        "config: 5 faults\n",
        [
            'error config/adlayout.yaml:2:39: sites.default.layout: no layout "nwes", did you mean "news"?',
            "error config/layouts/news.yaml:4:18: inline.no_after.1: not a CSS selector: expected an identifier at"
            ' position 2 (got "p[")',
            'error config/inventory/ads.yaml:1:29: flights.0.campaign: no campaign "c"',
            'error config/inventory/ads.yaml:1:49: flights.0.creatives.0.id: no creative "x"',
            "error config/templates/article.html.j2:2:1: UndefinedError: 'artcle' is undefined",
        ],
    )


def test_programs_are_told_faults_and_warnings_alike(capsys: Run) -> None:
    _put("layouts/sport.yml", "")
    assert main(["check", "--json"]) == 0
    warning = {"at": "config/layouts/sport.yml", "message": "is not read: call it *.yaml"}
    assert json.loads(capsys.readouterr().out) == {"ok": True, "faults": [], "warnings": [warning]}


def test_a_limit_that_is_not_held_is_a_warning(capsys: Run) -> None:
    _put(
        "inventory/ads.yaml",
        "campaigns: [{id: c, frequency_caps: [{max: 1, per: day}]}]\n"
        "flights: [{id: f, campaign: c, creatives: [{id: x}], daily_cap: 9}]\n"
        "creatives: [{id: x, kind: html, markup: one, trackers: {}}]\n",
    )
    assert main(["check"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning config/inventory/ads.yaml:1:21: campaigns.0.frequency_caps: is kept and has no effect:"
        " nothing is counted yet",
        "warning config/inventory/ads.yaml:2:54: flights.0.daily_cap: is kept and has no effect:"
        " nothing is counted yet",
    ]


def test_what_a_layout_says_in_vain_is_told_from_the_top_down(capsys: Run) -> None:
    rules = "inline:\n  lazy_after: 9\n  devices:\n    mobile: {max_ads: 8}\n  short_article: end\n"
    _put("layouts/news.yaml", f"version: 1\nname: news\n{rules}")
    assert main(["check"]) == 0
    assert capsys.readouterr() == (
        "config: good (layouts: news)\n",
        "warning config/layouts/news.yaml:4:15: inline.lazy_after: makes no ad lazy, for max_ads is 8: write less than"
        " that\n"
        "warning config/layouts/news.yaml:6:13: inline.devices.mobile: changes nothing on mobile: leave it out\n"
        "warning config/layouts/news.yaml:7:18: inline.short_article: has no effect without `min_article`: say below"
        " what an article is short\n",
    )


def test_a_layout_that_is_another_by_another_name_is_warned_of(capsys: Run) -> None:
    _put("layouts/copy.yaml", "version: 1\nname: copy\ndescription: x\nextends: news\ninline: {max_ads: 8}\n")
    _put("layouts/more.yaml", "version: 1\nname: more\nextends: news\ninline: {devices: {tablet: {max_ads: 9}}}\n")
    assert main(["check"]) == 0
    assert capsys.readouterr().err == (
        'warning config/layouts/copy.yaml:4:10: extends: changes nothing of "news" on any device: say what is'
        ' different, or use "news"\n'
    )


LABELLED = """version: 1
name: news
inline:
  label: Anzeige
  slots: [{label: SPONSORED links}, {label: Werbung, type: wide}, {type: wide, lazy: true}]
  devices: {tablet: {label: Reclame}}
page_slots:
  top: {formats: [fluid], label: Ad}
  foot: {formats: [fluid], label: Ads, type: wide}
"""
WANTED = (
    'over an ad of Google\'s ("g" in config/inventory/ads.yaml) its policy wants "Advertisements" or'
    ' "Sponsored Links" (got "'
)


@pytest.mark.parametrize(("types", "told"), [
    ("", ["4:10: inline.label: |Anzeige", "5:45: inline.slots.1.label: |Werbung",
          "6:29: inline.devices.tablet.label: |Reclame", "8:34: page_slots.top.label: |Ad",
          "9:35: page_slots.foot.label: |Ads"]),
    ("slot_types: [top], ", ["8:34: page_slots.top.label: |Ad"]),
])  # fmt: skip
def test_labels_that_google_lets_nobody_use_are_warned_of_where_its_ads_may_stand(
    types: str, told: list[str], capsys: Run
) -> None:
    _put("layouts/news.yaml", LABELLED)
    _put("templates/article.html.j2", "{{ article }}{{ slot('top') }}{{ slot('foot') }}")
    tag = "<ins class=adsbygoogle></ins>"
    _put("inventory/ads.yaml", f"creatives: [{{id: g, kind: html, {types}markup: '{tag}'}}]\n")
    assert main(["check"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f'warning config/layouts/news.yaml:{one.replace("|", WANTED)}")' for one in told
    ]


def test_labels_are_free_where_no_ad_is_google_s(capsys: Run) -> None:
    _put("layouts/news.yaml", "version: 1\nname: news\ninline: {label: Anzeige}\n")
    _put("inventory/ads.yaml", "creatives: [{id: g, kind: html, markup: <b>google</b>}]\n")
    assert main(["check"]) == 0
    assert capsys.readouterr().err == ""


def test_programs_are_told_the_place_apart_from_the_message(capsys: Run) -> None:
    _put("layouts/news.yaml", "version: 1\nname: nwes\n")
    assert main(["check", "--json"]) == 1
    fault = {
        "at": "config/layouts/news.yaml:2:7",
        "message": 'name: expected "news", as the file is called (got "nwes")',
    }
    told = capsys.readouterr()
    assert (json.loads(told.out), told.err) == ({"ok": False, "faults": [fault], "warnings": []}, "")


def test_a_service_does_not_start_on_what_does_not_hold(capsys: Run) -> None:
    _put("templates/article.html.j2", "{{ article }}\n{{ healdine }}")
    assert main(["serve", "--port", "0"]) == 1
    fault = "config/templates/article.html.j2:2:1: UndefinedError: 'healdine' is undefined"
    assert capsys.readouterr() == ("", f"error {fault}\n")


def test_an_option_that_is_not_there_is_not_understood(capsys: Run) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "--jsn"])
    assert "--jsn" in capsys.readouterr().err
