"""The report of a simulation: one file, everything escaped, each chart with its text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adlayout.cli.main import main
from adlayout.report.charts import Axes, Series, bars, heat

CONFIG = Path(__file__).parents[1] / "config"
NAME = "a<b>&.html"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("articles")
    (folder / NAME).write_text("<h2>Head</h2><p>Two words.</p><p>Two words.</p><figure><img></figure>" * 3, "utf-8")
    (folder / "none.html").write_text("<p>One.</p>", "utf-8")
    report = folder / "report.out"
    asked = ["simulate", str(folder), "--layout", "every-2", "--against", "article", "--html", str(report)]
    assert main([*asked, "--config", str(CONFIG), "--jobs", "1"]) == 0
    return report.read_text("utf-8")


def test_a_report_asks_for_nothing_from_anywhere(html: str) -> None:
    assert re.findall(r"(?:src|href|action)\s*=|url\(|@import|<script|<link", html) == []


def test_names_are_texts_in_a_report(html: str) -> None:
    assert (NAME in html, "a&lt;b&gt;&amp;.html" in html) == (False, True)


def test_a_report_has_every_part(html: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", html) == [
        "How many ads an article has",
        "How much of the page is ads",
        "Where in the article ads fall",
        "What kept gaps free",
        "Articles without an ad, and why",
        "The articles that change most",
    ]
    assert (html.count('class="bars"'), html.count('class="heat"'), html.count('class="strip"')) == (6, 1, 2)


def test_a_picture_says_what_it_shows(html: str) -> None:
    pictures = re.findall(r"<svg[^>]*>", html)
    assert [picture for picture in pictures if 'role="img" aria-label="' not in picture] == []
    assert 'aria-label="every-2: 3 ads, in gaps 4, 8, 12"' in html


def test_a_layout_alone_shows_its_densest_articles(tmp_path: Path) -> None:
    (tmp_path / "brought.html").write_text('<p>One.</p><div class="ad">Ad</div><p>Two.</p>', "utf-8")
    asked = ["simulate", str(tmp_path), "--layout", "every-2", "--html", str(tmp_path / "out"), "--device", "mobile"]
    assert main([*asked, "--config", str(CONFIG), "--jobs", "1"]) == 0
    html = (tmp_path / "out").read_text("utf-8")
    assert ("The articles with most ads on their page" in html, html.count('class="strip"')) == (True, 1)
    assert (html.count('<rect class="brought"'), 'class="two"' in html) == (1, False)


def test_bars_reach_as_high_as_their_numbers() -> None:
    drawn = bars(Axes("T", ["a", "b"], "x", "y", (1, "here")), [Series("s", [1, 2], "one")])
    heights = [float(tall) for tall in re.findall(r'<rect[^>]* height="([0-9.]+)"', drawn)]
    assert heights == [67.0, 134.0]
    assert ('aria-label="T: s: a 1, b 2"' in drawn, ">here</text>" in drawn) == (True, True)


@pytest.mark.parametrize(("most", "top"), [(0, "1"), (1, "1"), (3, "5"), (7, "10"), (11, "20"), (999, "1,000")])
def test_an_axis_ends_at_a_round_number(most: int, top: str) -> None:
    drawn = bars(Axes("T", ["a"], "x", "y"), [Series("s", [most], "one")])
    assert re.findall(r'class="value"[^>]*>([^<]*)<', drawn)[-1] == top


def test_the_darkest_cell_is_the_largest() -> None:
    drawn = heat("T", [("r", [0.25, 0.5]), ("<", [0, 0])], "x")
    assert re.findall(r"--much:([0-9.]+)", drawn) == ["0.50", "1.00", "0.00", "0.00"]
    assert "r, 0 to 50 %: 25.0% of the ads" in drawn
    assert ">&lt;</text>" in drawn
