"""`adlayout check`: what it prints for people and for programs, and with which exit code it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from adlayout.cli.main import main
from adlayout.cli.progress import Progress

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


def test_rows_that_hardly_do_what_was_meant_are_warned_of(capsys: Run) -> None:
    _put(
        "inventory/ads.yaml",
        "campaigns: [{id: c}, {id: d, end_time: 2030-01-01}]\n"
        "flights:\n"
        "  - {id: f, campaign: c, creatives: [{id: x}], goal: {type: view, units: 9}}\n"
        "  - {id: g, campaign: d, creatives: [{id: x}], goal: {type: view, units: 9}}\n"
        "  - {id: h, campaign: c, creatives: [{id: x}], goal: {type: percentage, units: 9}}\n"
        "creatives:\n"
        "  - {id: x, kind: html, markup: <a href=https://a.example>x</a>}\n"
        '  - {id: y, kind: html, markup: "<a href=${CLICK_URL}https%3A%2F%2Fa.example>y</a>"}\n',
    )
    assert main(["check"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning config/inventory/ads.yaml:3:48: flights.0.goal: has no end_time to be spread over:"
        " the flight runs on every page it can",
        "warning config/inventory/ads.yaml:7:25: creatives.0.markup: its clicks are not counted:"
        " write ${CLICK_URL} before its links",
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


LONG = "".join(f"<p>Paragraph {number} of the article.</p>" for number in range(1, 13)) + "<h2>End</h2>"
SHORT = "<p>One.</p><h2>Head</h2><p>Two.</p><p>Three.</p>"
RULES = """version: 1
name: news
inline:
  container: .text
  first: 2 paragraphs
  every: {any: [3 paragraphs, 90 words]}
  min_article: 3 paragraphs
  end_guard: 0 paragraphs
  no_after: [h2, h3, ":floated"]
  no_before: [video]
  clearances: [{selector: h2, before: 2 words, lift_before_if_next: ul}]
  escalate: [{from_ads: 4, every: 95 words}, {from_ads: 2, every: 4 paragraphs}]
  weights: [{selector: p, words: 9}, {selector: "p.wide, .x", words: 9}]
  max_density: {mobile: 90 %}
  existing_ads: {selectors: [.promo]}
  devices: {mobile: {first: 3 paragraphs, small_neighbour: 1 word}}
"""
ON = "2 articles on mobile"
LEAVE = "leave it out, or see whether it says what it should"
SPELLED = f"in {ON}: leave it out, or see whether it is spelled as there"


def _articles(*texts: str) -> None:
    Path("articles/more").mkdir(parents=True)
    for number, text in enumerate(texts):
        Path(f"articles/{'more/' * (number % 2)}{number}.{'HTM' if number % 2 else 'html'}").write_text(text, "utf-8")


def _tried(capsys: Run) -> list[str]:
    """What is told of the layout `news` on the articles, place and message."""
    assert main(["check", "--corpus", "articles"]) == 0
    return capsys.readouterr().err.replace("warning config/layouts/news.yaml:", "").splitlines()


def test_what_none_of_many_articles_needs_is_warned_of(capsys: Run) -> None:
    _put("layouts/news.yaml", RULES)
    _articles(LONG, SHORT)
    assert main(["check", "--corpus", "articles"]) == 0
    told = capsys.readouterr()
    assert told.out == "config: good (layouts: news), tried on 2 articles\n"
    assert told.err.replace("warning config/layouts/news.yaml:", "").splitlines() == [
        f"4:14: inline.container: matches nothing in {ON}, which are taken whole: see whether it is spelled as there",
        f"7:16: inline.min_article: kept no gap free in {ON}: {LEAVE}",
        f"9:13: inline.no_after: nothing matches h3, :floated {SPELLED}",
        f"10:14: inline.no_before: kept no gap free in {ON}: {LEAVE}",
        f"11:69: inline.clearances.0.lift_before_if_next: nothing matches ul {SPELLED}",
        f"12:25: inline.escalate.0.from_ads: never comes: no more than 3 ads stand in any of {ON}",
        f"13:49: inline.weights.1.selector: nothing matches p.wide, .x {SPELLED}",
        f"14:16: inline.max_density: kept no gap free in {ON}: {LEAVE}",
        f"15:29: inline.existing_ads.selectors: nothing matches .promo {SPELLED}",
    ]


def test_the_device_that_is_tried_has_its_own_rules(capsys: Run) -> None:
    _put("layouts/news.yaml", "version: 1\nname: news\ninline:\n  small_neighbour: 9 words\n  devices:\n    mobile:"
         " {small_neighbour: 1 word}\n")  # fmt: skip
    _articles(LONG.removesuffix("<h2>End</h2>"))
    assert _tried(capsys) == []


@pytest.mark.parametrize(("inline", "told"), [
    ("{first: 40 paragraphs}", [
        f"4:3: inline: no article gets an ad, of {ON}, most gaps are kept free by first: see `adlayout explain` for one"
        " of them",
        f"4:11: inline.first: 40 paragraphs is more than any article has: the longest of {ON} has 12 paragraphs"]),
    ("{positions: [2, 20, '!30'], clearances: [{selector: h2, before: 2 words}], existing_ads: {mode: ignore}}", [
        f"4:19: inline.positions.1: 20 is in none of {ON}: name a position that they have"]),
    ("{positions: 20}", [
        f"4:3: inline: no article gets an ad, of {ON}, most gaps are kept free by positions: see `adlayout explain` for"
        " one of them",
        f"4:15: inline.positions: 20 is in none of {ON}: name a position that they have"]),
    ("{first: 1 paragraph, every: {all: [13 paragraphs, 9 words]}, escalate: [{from_ads: 2, every: 14 paragraphs}]}", [
        f"4:31: inline.every: 13 paragraphs and 9 words is more than any article has: the longest of {ON} has 12"
        " paragraphs and 60 words",
        f"4:86: inline.escalate.0.from_ads: never comes: no more than 1 ad stands in any of {ON}"]),
])  # fmt: skip
def test_what_no_article_is_long_enough_for_is_told(inline: str, told: list[str], capsys: Run) -> None:
    _put("layouts/news.yaml", f"version: 1\nname: news\ninline:\n  {inline}\n")
    _articles(LONG, SHORT)
    assert _tried(capsys) == told


def test_a_layout_is_tried_for_what_it_writes_itself(capsys: Run) -> None:
    _put("layouts/news.yaml", "version: 1\nname: news\ninline: {small_neighbour: 1 word, no_before: [ol]}\n")
    _put("layouts/more.yaml", "version: 1\nname: more\nextends: news\ninline: {max_ads: 2}\n")
    _articles(LONG)
    assert _tried(capsys) == [f"3:46: inline.no_before: kept no gap free in 1 article on mobile: {LEAVE}"]


def test_an_article_that_cannot_be_read_is_left_out(capsys: Run) -> None:
    _articles(LONG)
    Path("articles/gone.html").symlink_to("nowhere")
    assert main(["check", "--corpus", "articles", "--json"]) == 0
    gone = {"at": "articles/gone.html", "message": "cannot be read, and was left out"}
    assert json.loads(capsys.readouterr().out) == {"ok": True, "faults": [], "warnings": [gone]}


def test_a_folder_of_which_no_article_can_be_read_says_nothing_of_layouts(capsys: Run) -> None:
    _articles()
    Path("articles/gone.html").symlink_to("nowhere")
    assert main(["check", "--corpus", "articles"]) == 0
    assert capsys.readouterr() == (
        "config: good (layouts: news), tried on 0 articles\n",
        "warning articles/gone.html: cannot be read, and was left out\n",
    )


def test_what_does_not_hold_is_not_tried(capsys: Run) -> None:
    _put("layouts/news.yaml", "version: 1\nname: nwes\n")
    _articles(LONG)
    assert main(["check", "--corpus", "articles"]) == 1
    fault = 'config/layouts/news.yaml:2:7: name: expected "news", as the file is called (got "nwes")'
    assert capsys.readouterr() == ("config: 1 fault\n", f"error {fault}\n")


def test_a_folder_without_articles_is_an_error(capsys: Run) -> None:
    _articles()
    assert main(["check", "--corpus", "articles"]) == 1
    message = "articles: holds no *.html and no *.htm: name a folder of HTML files"
    assert capsys.readouterr() == ("", f"error {message}\n")


class Terminal(io.StringIO):
    """A screen that keeps what is written."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_a_person_sees_how_far_it_is() -> None:
    with Progress(screen := Terminal()) as progress:
        for done in (600, 600, 1200):
            progress.tell(done, 1200)
    assert screen.getvalue() == (
        f"\r{'━' * 12}{'─' * 12} 600 of 1,200 articles\r{'━' * 24} 1,200 of 1,200 articles\r\x1b[K"
    )


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
