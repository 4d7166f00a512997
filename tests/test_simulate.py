"""`adlayout simulate`: what a layout comes to over a folder, as text, as data, and against another layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adlayout.cli.main import main
from adlayout.errors import InputError
from adlayout.model import Device, Reason
from adlayout.simulate import Ad, Change, Setup, Sheet, articles_in, changes, simulate, summarise

CONFIG = Path(__file__).parents[1] / "config"
TEXT = "Ten words of text that anybody can count in here."
FOUR = f"<p>{TEXT}</p>" * 4
ARTICLES = {
    "deep/four.HTM": FOUR,
    "eight.html": FOUR * 2,
    "empty.html": "",
    "image.html": "<figure><img></figure>" * 3,
    "odd.html": f"<p>{TEXT}</p><p>\udce9</p>" * 3,
    "notes.txt": FOUR,
}
Said = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, html in ARTICLES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(html.encode(errors="surrogateescape"))
    return tmp_path


def data(capsys: Said, folder: Path, *options: str) -> dict[str, object]:
    assert main(["simulate", str(folder), "--config", str(CONFIG), "--json", "--jobs", "1", *options]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_articles_are_the_html_files_at_any_depth(folder: Path) -> None:
    assert articles_in(folder) == ("deep/four.HTM", "eight.html", "empty.html", "image.html", "odd.html")


@pytest.mark.parametrize(("name", "told"), [
    ("nowhere", "there is no such directory: name a folder of HTML files"),
    ("eight.html", "there is no such directory: name a folder of HTML files"),
    ("bare", "holds no *.html and no *.htm: name a folder of HTML files"),
])  # fmt: skip
def test_a_folder_without_articles_is_told_so(folder: Path, name: str, told: str) -> None:
    (folder / "bare").mkdir()
    with pytest.raises(InputError, match=told.replace("*", r"\*")):
        articles_in(folder / name)


def test_a_layout_comes_to_numbers(folder: Path, capsys: Said) -> None:
    answer = data(capsys, folder, "--layout", "every-2", "--device", "mobile")
    assert answer["layouts"] == {
        "every-2": {
            "mobile": {
                "articles": 5,
                "ads": {"mean": 1.4, "median": 1, "articles_by_ads": {"0": 2, "1": 1, "2": 1, "4": 1}},
                "density": {"median": 0.477, "p90": 0.688, "max": 0.688, "articles_over_30": 3},
                "first_ad": {"paragraphs": 2.0, "percent": 50.0, "px": 124.0},
                "refused": {
                    "first": {"gaps": 12, "articles": 5},
                    "every": {"gaps": 7, "articles": 3},
                    "no_before": {"gaps": 3, "articles": 1},
                    "unsafe_markup": {"gaps": 1, "articles": 1},
                },
                "dropped": {},
                "without_ads": {"nothing_to_see": ["empty.html"], "first": ["image.html"]},
                "warnings": {"density_over_30": 3},
            }
        }
    }


def test_a_sheet_says_where_the_ads_of_an_article_stand(folder: Path) -> None:
    run = simulate(folder, Setup(CONFIG, ("every-2",), (Device.MOBILE,)), jobs=1)
    (sheet,) = [sheet for sheet in run.sheets["every-2", Device.MOBILE] if sheet.file == "deep/four.HTM"]
    assert sheet.ads == (Ad(2, 2, 50.0, 124), Ad(4, 4, 100.0, 248))
    assert (sheet.refused, sheet.dropped, sheet.warnings) == (
        {Reason.FIRST: 2, Reason.EVERY: 1},
        {},
        ("density_over_30",),
    )


def test_processes_find_what_one_finds(folder: Path) -> None:
    for number in range(90):
        (folder / f"more-{number}.html").write_text(FOUR * (number % 5), "utf-8")
    setup, told = Setup(CONFIG, ("article", "every-2")), list[tuple[int, int]]()
    many = simulate(folder, setup, jobs=2, told=lambda done, whole: told.append((done, whole)))
    assert many == simulate(folder, setup, jobs=1)
    assert told[-1] == (95, 95)


def test_an_article_that_takes_too_long_is_named_and_left_out(folder: Path) -> None:
    (folder / "huge.html").write_text("<table><b>" * 400_000)
    run = simulate(folder, Setup(CONFIG, ("every-2",), (Device.MOBILE,)), jobs=1, patience_s=2)
    assert (run.unread, len(run.sheets["every-2", Device.MOBILE])) == ({"huge.html": "took longer than 2 s"}, 5)


def test_an_article_that_cannot_be_read_is_named_and_left_out(folder: Path, capsys: Said) -> None:
    (folder / "loop.html").symlink_to("loop.html")
    answer = main(["simulate", str(folder), "--config", str(CONFIG), "--layout", "article", "--jobs", "1"])
    said = capsys.readouterr()
    assert (answer, said.err) == (0, "warning loop.html: cannot be read, and was left out\n")
    assert said.out.startswith(f"5 articles in {folder}\n")


def test_what_a_change_moves_is_told_article_by_article(folder: Path, capsys: Said) -> None:
    answer = data(capsys, folder, "--layout", "every-2", "--against", "article", "--device", "mobile")
    assert (answer["against"], answer["changes"]) == (
        "article",
        {
            "mobile": [
                {"file": "eight.html", "before": [3, 6], "after": [2, 4, 6, 8]},
                {"file": "deep/four.HTM", "before": [3], "after": [2, 4]},
                {"file": "odd.html", "before": [], "after": [3]},
            ]
        },
    )


def test_the_text_says_what_a_person_wants_to_know(folder: Path, capsys: Said) -> None:
    assert main(["simulate", str(folder), "--config", str(CONFIG), "--layout", "every-2", "--against", "article",
                 "--jobs", "1"]) == 0  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"5 articles in {folder}"
    assert "ads per article           1.4      0.6      1.4      0.6      1.4      0.6" in lines
    assert "  3 articles of 5 differ: 3 have more ads, 0 have fewer, in 0 they only moved" in lines
    assert "  eight.html  2 → 4 ads, gaps + 2, 4, 8  - 3" in lines
    assert max(map(len, lines[1:])) <= 80


def test_an_unknown_layout_is_told_with_those_that_are_there(folder: Path, capsys: Said) -> None:
    assert main(["simulate", str(folder), "--config", str(CONFIG), "--layout", "artcle"]) == 1
    assert capsys.readouterr().err == 'error no layout "artcle", did you mean "article"?\n'


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "257"])
def test_what_is_no_number_of_processes_is_told(jobs: str, folder: Path, capsys: Said) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", str(folder), "--layout", "article", "--jobs", jobs])
    assert f"expected a number of processes from 1 to 256, got {jobs}" in capsys.readouterr().err


def sheet(file: str, *gaps: int) -> Sheet:
    ads = tuple(Ad(gap, gap, 0.0, 0) for gap in gaps)
    return Sheet(file, "news", Device.MOBILE, 9, ads, 0.0, {}, {}, ())


def test_what_changed_most_comes_first() -> None:
    before = [sheet("a", 2, 4), sheet("b", 2), sheet("c", 2), sheet("d", 5)]
    after = [sheet("a", 2, 4), sheet("b", 3), sheet("c"), sheet("d", 1, 5, 9)]
    assert changes(before, after) == (Change("b", (2,), (3,)), Change("d", (5,), (1, 5, 9)), Change("c", (2,), ()))


def test_no_articles_come_to_nothing() -> None:
    summary = summarise(())
    assert (summary.articles, summary.mean_ads, summary.median_density, summary.high_density, summary.depth) == (
        0, 0.0, 0.0, 0.0, None)  # fmt: skip
