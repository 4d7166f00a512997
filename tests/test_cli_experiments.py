"""`adlayout experiments` at a terminal: what there is, what came of it, its first exposures, and how long one takes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adlayout.cli.findings import draw_results
from adlayout.cli.main import main
from adlayout.events.record import Happening, What
from adlayout.experiments.power import Wish, need
from adlayout.experiments.results import results
from adlayout.trials import Stats

from .test_trials import DAY_MS, EXPOSURE, record, told, trial

CONFIG = Path(__file__).parents[1] / "config"
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)
Said = pytest.CaptureFixture[str]
EXPERIMENTS = """
version: 1
experiments:
  - key: density
    status: running
    variations: [every-2, article]
    meta: [{key: control}, {key: careful}]
    metrics: [views_per_user]
    guardrails: [bounce, layout_shift]
"""


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a config, and nothing that the machine says."""
    shutil.copytree(CONFIG, tmp_path / "config")
    (tmp_path / "config" / "experiments.yaml").write_text(EXPERIMENTS)
    for name in ("HOST", "PORT", "REDIS_URL", "CMS_TOKEN"):
        monkeypatch.delenv(f"ADLAYOUT_{name}", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def counted(clean_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ten readers of each variation, on this day and the four before; those of the second see twice as many ads."""
    lines = []
    for number in range(20):
        arm, at_ms = ("control", "careful")[number % 2], NOW_MS - number % 5 * DAY_MS
        seen = [Happening(What.VIEW, slot) for slot in ("s1", "s2", "s3", "s4")[: 1 + number % 4]]
        lines += told(f"u{number:02}", arm, EXPOSURE, *seen, at_ms=at_ms)
    record(clean_store, *lines, *told("robot", "careful", EXPOSURE, at_ms=NOW_MS, bad="crawler"))
    monkeypatch.setenv("ADLAYOUT_REDIS_URL", clean_store)
    return clean_store


# What there is.


def test_the_tests_of_the_config_are_listed(desk: Path, capsys: Said) -> None:
    assert main(["experiments", "list"]) == 0
    assert capsys.readouterr().out == "density  running on default: control (every-2) 0.5, careful (article) 0.5\n"
    assert main(["experiments", "list", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["experiments"]
    assert (one["key"], one["status"], one["coverage"]) == ("density", "running", 1.0)


def test_where_there_are_none_it_says_so(desk: Path, capsys: Said) -> None:
    (desk / "config" / "experiments.yaml").write_text("version: 1\n")
    assert main(["experiments", "list"]) == 0
    assert main(["experiments", "results", "density"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("no experiments in config/experiments.yaml\n", "error there are no experiments\n")


@pytest.mark.parametrize("verb", ["results", "export"])
def test_a_key_that_is_none_is_told_with_what_was_meant(verb: str, capsys: Said) -> None:
    assert main(["experiments", verb, "densty"]) == 1
    assert capsys.readouterr().err == 'error no experiment "densty", did you mean "density"?\n'


@pytest.mark.parametrize("verb", ["results", "export"])
def test_without_a_store_there_is_nothing_to_tell(verb: str, capsys: Said) -> None:
    assert main(["experiments", verb, "density"]) == 1
    assert capsys.readouterr().err.startswith("error no store: say --redis-url")


# What came of it.


def test_results_are_a_table_that_people_read(counted: str, capsys: Said) -> None:
    assert main(["experiments", "results", "density"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("density on default, running, 4 whole days, about ")
    users = [line.split() for line in lines if line.startswith(("control (", "careful ("))]
    assert users == [
        ["control", "(every-2)", "10", "10", "50.0%", "50.0%", "0"],
        ["careful", "(article)", "10", "10", "50.0%", "50.0%", "1"],
    ]
    assert "  ok       shares as they should be (p 1)" in lines
    assert "  ok       seen in several variations: 0 (0.00%)" in lines
    row = next(line for line in lines if line.startswith("views_per_user"))
    assert row.split()[:4] == ["views_per_user", "careful", "3", "2"]
    days = [line.split() for line in lines if line.startswith("20")]
    assert [(day[0], int(day[1]) + int(day[2])) for day in days] == [
        (f"{datetime.fromtimestamp(NOW_MS / 1000, UTC) - timedelta(days=back):%Y-%m-%d}", 4)
        for back in range(4, -1, -1)
    ]


def test_programs_read_the_same(counted: str, capsys: Said) -> None:
    assert main(["experiments", "results", "density", "--stats", "bayesian", "--metric", "ctr", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["stats"], found["users"], [one["metric"] for one in found["metrics"]]) == ("bayesian", 20, ["ctr"])


def test_a_metric_that_is_none_is_told(counted: str, capsys: Said) -> None:
    assert main(["experiments", "results", "density", "--metric", "luck"]) == 1
    assert capsys.readouterr().err == 'error no metric "luck"\n'


def drawn(counted: dict[str, int], *, stats: Stats = Stats.SEQUENTIAL, colour: bool = False, **more: object) -> str:
    one = trial(**{"metrics": ["views_per_user"], "guardrails": ["bounce", "layout_shift"], **more})
    found = results(one, counted, today=datetime(2026, 11, 30, tzinfo=UTC).date())
    return draw_results(one, found, stats=stats, colour=colour)


def sums(*arms: tuple[int, int, int]) -> dict[str, int]:
    """Units of each variation, their views and the squares of those, all of one day."""
    found: dict[str, int] = {}
    for at, (n, views, squares) in enumerate(arms):
        found |= {f"{at}:n": n, f"{at}:n:20261124": n, f"{at}:V": views, f"{at}:VV": squares, f"{at}:P": n}
    return found


CLEAR = sums((2000, 6000, 22_000), (2000, 9000, 45_000))


def test_a_winner_stands_at_the_top_in_green() -> None:
    lines = drawn(CLEAR, colour=True).splitlines()
    assert lines[2].startswith("\x1b[32mSHIP\x1b[0m  Ship careful: views_per_user +50 %")
    row = next(line for line in lines if "views_per_user" in line and "careful" in line and "SHIP" not in line)
    assert (row.startswith("\x1b[32mviews_per_user"), "better" in row, "<0.0001" in row) == (True, True, True)


def test_wrong_shares_are_a_red_light() -> None:
    text = drawn(sums((2000, 6000, 22_000), (1500, 6750, 33_750)), colour=True)
    assert "\x1b[1;31mUNHEALTHY\x1b[0m" in text
    assert "\x1b[1;31mWRONG  \x1b[0m  shares as they should be (p <0.0001)" in text


def test_many_who_saw_both_are_a_light_too() -> None:
    assert "  WRONG    seen in several variations: 400 (10.00%)" in drawn(CLEAR | {"multi": 400})


def test_chances_stand_where_beliefs_are_asked_for() -> None:
    row = next(line for line in drawn(CLEAR, stats=Stats.BAYESIAN).splitlines() if line.startswith("views_per_user"))
    assert row.split()[-2:] == ["100.0%", "better"]


def test_a_difference_stands_where_there_is_no_lift() -> None:
    rare = sums((2000, 4, 4), (2000, 9, 9))
    row = next(line for line in drawn(rare).splitlines() if line.startswith("views_per_user"))
    assert "+0.0025 views (" in row


def test_what_cannot_be_told_is_a_dash() -> None:
    rows = [line.split() for line in drawn({}, stats=Stats.BAYESIAN).splitlines() if line.startswith("views_per")]
    assert rows == [["views_per_user", "careful", "-", "-", "-", "-", "unclear"]]


def test_without_guardrails_there_is_no_table_of_them() -> None:
    assert "guardrails" not in drawn(CLEAR, guardrails=[])


def test_large_values_have_their_thousands_told() -> None:
    large = sums((2000, 6_000_000, 22_000_000_000), (2000, 9_000_000, 45_000_000_000))
    assert next(line for line in drawn(large).splitlines() if line.startswith("views_per_user")).split()[2:4] == [
        "4,500",
        "3,000",
    ]


# First exposures.


def test_first_exposures_are_printed(counted: str, capsys: Said) -> None:
    assert main(["experiments", "export", "density"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert (head, len(rows)) == ("timestamp,user_id,experiment_id,variation_id", 20)
    assert {tuple(row.split(",")[1:]) for row in rows} == {
        (f"u{number:02}", "density", ("control", "careful")[number % 2]) for number in range(20)
    }


def test_first_exposures_are_lines_of_json_too(counted: str, capsys: Said) -> None:
    assert main(["experiments", "export", "density", "--format", "ndjson"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["user_id"], row["variation_id"]) for row in rows[:2]] == [("u00", "control"), ("u01", "careful")]


# How long one takes.


def planned(capsys: Said, *arguments: str) -> dict[str, dict[str, object]]:
    assert main(["experiments", "plan", *arguments, "--json"]) == 0
    found: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_plan_tells_users_and_days(capsys: Said) -> None:
    assert main(["experiments", "plan", "--baseline", "0.02", "--lift", "0.1", "--users-a-day", "20000"]) == 0
    wish = Wish(0.02, 0.02 * 0.98, 0.1, once=True)
    often, once = need(wish), need(replace(wish, always_valid=False))
    assert often
    assert once
    assert capsys.readouterr().out.splitlines() == [
        "A change of 10 % of 0.02 (a share of users) is found with 80 % probability by",
        f"  {often.total:,} users, {often.units[0]:,} in each variation, in {often.days(20_000)} days, "
        "looked at as often as you like (sequential)",
        f"  {once.total:,} users, {once.units[0]:,} in each variation, in {once.days(20_000)} days, "
        "looked at once, at the end (fixed)",
    ]
    assert 100_000 < once.total < often.total < 1_000_000


def test_a_plan_of_one_day_and_one_without_days(capsys: Said) -> None:
    assert main(["experiments", "plan", "--baseline", "0.5", "--lift", "0.5", "--users-a-day", "1e6"]) == 0
    assert main(["experiments", "plan", "--baseline", "0.5", "--lift", "0.5"]) == 0
    said = capsys.readouterr().out
    assert (said.count(", in 1 day,"), said.count("in each variation, looked")) == (2, 2)


def test_more_power_more_variations_and_wider_metrics_need_more_users(capsys: Said) -> None:
    usual = ("--baseline", "3", "--metric", "views_per_user", "--sd", "4")
    found = [
        planned(capsys, *usual, *more)["sequential"]["users"]
        for more in ((), ("--power", "0.9"), ("--variations", "3"), ("--sd", "5"), ("--lift", "0.04"))
    ]
    assert all(int(str(more)) > int(str(found[0])) for more in found[1:])


@pytest.mark.parametrize("metric", ["bounce", "conversions:order"])
def test_a_share_of_users_needs_no_deviation(metric: str, capsys: Said) -> None:
    shared = ("--baseline", "0.02", "--lift", "0.1")
    assert planned(capsys, *shared, "--metric", metric) == planned(capsys, *shared)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--baseline 0", "--baseline: expected a number other than 0"),
        ("--baseline nan", "--baseline: expected a number other than 0"),
        ("--baseline 0.1 --lift 0", "--lift: expected a number other than 0"),
        ("--baseline 0.1 --power 1", "--power: expected a number between 0 and 1, as 0.8"),
        ("--baseline 0.1 --variations 1", "--variations: expected 2 to 100"),
        ("--baseline 0.1 --users-a-day 0", "--users-a-day: expected a number above 0"),
        ("--baseline 0.1 --sd 0", "--sd: expected a number above 0"),
        ("--baseline 0.1 --metric luck", 'no metric "luck"'),
        ("--baseline 3", "say --sd: how much a number that is no share differs"),
        ("--baseline 0.5 --metric revenue_per_user", "say --sd: how much revenue_per_user differs"),
        ("--baseline 0.1 --lift 1e-9", "no number of users finds that"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(arguments: str, told: str, capsys: Said) -> None:
    assert main(["experiments", "plan", *arguments.split()]) == 1
    assert capsys.readouterr().err.startswith(f"error {told}")


@pytest.mark.parametrize("verb", ["list", "results", "export", "plan", "simulate"])
def test_every_verb_has_help_with_an_example(verb: str, capsys: Said) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["experiments", verb, "--help"])
    assert f"adlayout experiments {verb}" in capsys.readouterr().out.split("example", 1)[1]
