"""Experiments once they run: sums that become results, first exposures that become rows, and who would see what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import redis

from adlayout.config.settings import Site
from adlayout.counts import Record
from adlayout.events.record import Happening, What, event_record
from adlayout.events.token import Ad, Ticket
from adlayout.experiments.assign import Experiment, experiments_of
from adlayout.experiments.schema import ExperimentsFile
from adlayout.model import ArticleFacts, Consent, Output, Request
from adlayout.store import keys
from adlayout.store.client import Store
from adlayout.trials import (
    Exposure,
    Form,
    Stats,
    assignment,
    exposures,
    listed,
    results_json,
    results_of,
    written,
)

from .pages import ask

NOON = int(datetime(2026, 11, 24, 12, 30, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
TODAY = date(2026, 11, 28)
SITE = Site(name="News", layout="every-2")
EXPOSURE = Happening(What.EXPOSURE)
AD = Ad("s1", "spring", "ad", "acme", 2, "in-article")


def trial(**more: Any) -> Experiment:
    row = {
        "key": "density",
        "status": "running",
        "variations": ["every-2", "article"],
        "meta": [{"key": "control", "name": "As ever"}, {"key": "careful"}],
        "metrics": ["views_per_user"],
        "guardrails": ["bounce"],
    }
    return experiments_of(ExperimentsFile.model_validate({"version": 1, "experiments": [row | more]}))[0]


def told(unit: str, variation: str, *happenings: Happening, at_ms: int = NOON, **more: Any) -> list[Record]:
    """What is written down of one page of a unit."""
    ticket = Ticket(
        4_000_000_000, "default", "every-2", "mobile", f"{unit}{at_ms}{variation}", variation=f"density={variation}",
        ads=(AD,), unit=unit,
    )  # fmt: skip
    return [event_record(ticket, one, at_ms, **more) for one in happenings]


def record(url: str, *lines: Record, shard: int = 0, **options: Any) -> None:
    ask(url, lambda store: store.record(shard, "spool", 1, lines, start=True), **options)


def rows(url: str, **more: Any) -> list[Exposure]:
    async def read(store: Store) -> list[Exposure]:
        return [row async for row in exposures(store, trial(), **more)]

    return ask(url, read, shards=2)


# What there is.


def test_an_experiment_is_listed_in_the_words_of_its_file() -> None:
    assert listed(trial(coverage=0.4, weights=[0.75, 0.25], when={"section": ["sport"]})) == {
        "key": "density",
        "site": "default",
        "status": "running",
        "phase": None,
        "variations": [
            {"key": "control", "name": "As ever", "layout": "every-2", "weight": 0.75},
            {"key": "careful", "name": "careful", "layout": "article", "weight": 0.25},
        ],
        "coverage": 0.4,
        "hashAttribute": "id",
        "fallbackAttribute": None,
        "when": {"section": ["sport"], "tags": [], "device": []},
        "metrics": ["views_per_user"],
        "guardrails": ["bounce"],
    }


# Who would see what.


def asked(unit: str, **more: Any) -> Request:
    return Request("", unit=unit, layout=None, output=Output.PAGE, request_id="r-1", **more)


@pytest.mark.parametrize(
    ("unit", "number", "variation", "layout", "bucket"),
    [("a", 0, "control", "every-2", 0.1814), ("b", 1, "careful", "article", 0.8879)],
)
def test_who_asks_is_told_the_variation_and_its_layout(
    unit: str, number: int, variation: str, layout: str, bucket: float
) -> None:
    one = trial()
    assert assignment(one, asked(unit), site=SITE, running=(one,)) == {
        "key": "density",
        "variation_id": number,
        "variation_key": variation,
        "in_experiment": True,
        "hash_used": True,
        "bucket": bucket,
        "layout": layout,
        "taken_by": None,
    }


OUT = {"variation_id": 0, "variation_key": "control", "in_experiment": False, "hash_used": False, "bucket": None}


def test_a_draft_and_a_reader_who_is_not_to_be_known_get_what_the_site_says() -> None:
    draft, running = trial(status="draft"), trial()
    page = asked("b", consent=Consent(gpc=True))
    out = {"key": "density", **OUT, "layout": "every-2", "taken_by": None}
    assert assignment(draft, asked("b"), site=SITE, running=()) == out
    assert assignment(running, page, site=SITE, running=(running,)) == out


def test_an_experiment_that_is_asked_before_takes_the_page() -> None:
    first, later = trial(key="first", hashAttribute="url"), trial()
    page = asked("b", facts=ArticleFacts(id="kz-1"))
    told = assignment(later, page, site=SITE, running=(first, later))
    alone = assignment(first, page, site=SITE, running=(first, later))
    assert (told["variation_key"], told["in_experiment"], told["taken_by"]) == ("careful", True, "first")
    assert (told["layout"], alone["taken_by"]) == (alone["layout"], None)


# What came of it.


@pytest.fixture
def counted(clean_store: str) -> str:
    """Twelve units of each variation over four days; some see one ad and some two, of the second variation more."""
    lines = []
    for number in range(24):
        arm, at_ms = ("control", "careful")[number % 2], NOON + number % 4 * DAY_MS
        views = [Happening(What.VIEW, slot) for slot in ("s1", "s2")[: 1 + number % 3 % 2 + number % 2]]
        lines += told(f"u{number:02}", arm, EXPOSURE, *views, at_ms=at_ms)
    lines += told("robot", "control", EXPOSURE, bad="crawler")
    record(clean_store, *lines)
    return clean_store


def of_store(url: str, *metrics: str, stats: Stats = Stats.SEQUENTIAL, **more: Any) -> dict[str, Any]:
    one = trial(**more)
    found = ask(url, lambda store: results_of(store, one, today=TODAY, metrics=metrics))
    return results_json(one, found, stats=stats)


def test_results_tell_who_came_and_what_to_do(counted: str) -> None:
    found = of_store(counted)
    readings = {name: found.pop(name) for name in ("metrics", "guardrails")}
    assert [one["metric"] for one in (*readings["metrics"], *readings["guardrails"])] == ["views_per_user", "bounce"]
    words = found.pop("verdict")
    assert found == {
        "experiment": "density",
        "site": "default",
        "phase": None,
        "status": "running",
        "stats": "sequential",
        "level": 0.05,
        "users": 24,
        "variations": [
            {"key": "control", "name": "As ever", "layout": "every-2", "users": 12, "share": 0.5, "expected": 12.0,
             "expected_share": 0.5, "invalid": 1},
            {"key": "careful", "name": "careful", "layout": "article", "users": 12, "share": 0.5, "expected": 12.0,
             "expected_share": 0.5, "invalid": 0},
        ],
        "srm": {"p": 1.0, "health": "healthy"},
        "multiple_exposures": {"users": 0, "share": 0.0, "health": "too few"},
        "days": 4,
        "minimum_days": 3,
        "users_wanted": found["users_wanted"],
        "days_left": found["days_left"],
        "daily": [
            {"day": "2026-11-24", "users": {"control": 6, "careful": 0}, "p": pytest.approx(0.0143, abs=1e-4)},
            {"day": "2026-11-25", "users": {"control": 0, "careful": 6}, "p": pytest.approx(0.0143, abs=1e-4)},
            {"day": "2026-11-26", "users": {"control": 6, "careful": 0}, "p": pytest.approx(0.0143, abs=1e-4)},
            {"day": "2026-11-27", "users": {"control": 0, "careful": 6}, "p": pytest.approx(0.0143, abs=1e-4)},
        ],
        "devices": [{"device": "mobile", "users": {"control": 12, "careful": 12}, "p": 1.0}],
    }  # fmt: skip
    assert (words["winner"], bool(words["words"])) == (None, True)


@pytest.mark.parametrize("stats", list(Stats))
def test_each_way_of_testing_tells_its_own_interval(counted: str, stats: Stats) -> None:
    (reading,) = of_store(counted, stats=stats)["metrics"]
    (one,) = reading["variations"]
    believes = stats is Stats.BAYESIAN
    assert (one["key"], one["value"] > reading["baseline"]) == ("careful", True)
    assert (one["p"] is None, one["chance_to_win"] is None) == (believes, not believes)
    assert one["change"]["low"] < one["change"]["value"] < one["change"]["high"]


def test_an_always_valid_interval_is_the_widest(counted: str) -> None:
    def width(stats: Stats) -> float:
        change = of_store(counted, stats=stats)["metrics"][0]["variations"][0]["change"]
        return float(change["high"] - change["low"])

    assert width(Stats.SEQUENTIAL) > width(Stats.FIXED) > width(Stats.BAYESIAN)


def test_whoever_asks_for_other_metrics_is_told_of_them_and_the_verdict_stays(counted: str) -> None:
    asked, usual = of_store(counted, "page_views_per_user", "bounce"), of_store(counted)
    assert [one["metric"] for one in asked["metrics"]] == ["page_views_per_user"]
    assert [one["metric"] for one in asked["guardrails"]] == ["bounce"]
    assert asked["verdict"] == usual["verdict"]


def test_what_cannot_be_told_is_null(clean_store: str) -> None:
    (reading,) = of_store(clean_store)["metrics"]
    assert reading == {
        "metric": "views_per_user",
        "unit": "views",
        "higher_is_better": True,
        "baseline": None,
        "variations": [
            {"key": "careful", "value": None, "change": None, "difference": None, "p": None, "chance_to_win": None,
             "direction": "unclear"},
        ],
    }  # fmt: skip


# Who saw what first.


def test_the_first_exposure_of_each_unit_is_a_row(clean_store: str) -> None:
    again = told("ann", "careful", EXPOSURE, at_ms=NOON + DAY_MS)
    lines = [*told("ann", "control", EXPOSURE, Happening(What.ENGAGED, value=1)), *again]
    record(clean_store, *lines, *told("robot", "control", EXPOSURE, bad="crawler"))
    record(clean_store, *told("bob", "careful", EXPOSURE, at_ms=NOON + 7), shard=1)
    assert rows(clean_store) == [
        Exposure("2026-11-24T12:30:00.000Z", "ann", "density", "control"),
        Exposure("2026-11-24T12:30:00.007Z", "bob", "density", "careful"),
    ]


@pytest.mark.parametrize("at_once", [1, 3, 7, 100])
def test_every_unit_is_told_once_however_few_are_kept_in_mind(clean_store: str, at_once: int) -> None:
    units = [f"{number:032x}" for number in range(20)]
    record(clean_store, *[line for unit in (*units, *units) for line in told(unit, "control", EXPOSURE)])
    assert sorted(row.user_id for row in rows(clean_store, at_once=at_once)) == units


@pytest.mark.parametrize(
    "event",
    [
        {"v": "other=control"},
        {"v": 7},
        {"h": ""},
        {"h": None},
        {"e": "view"},
        {"at": "now"},
        {"at": -1},
        {"at": 10**20},
    ],
    ids=str,
)
def test_what_is_no_exposure_of_the_experiment_is_passed_over(clean_store: str, event: dict[str, object]) -> None:
    said = {"e": "exposure", "v": "density=control", "h": "ann", "at": NOON} | event
    with redis.Redis.from_url(clean_store) as raw:
        raw.xadd(keys.stream(0), {"e": json.dumps(said)})
    assert rows(clean_store) == []


# As text.


async def _some(count: int) -> AsyncIterator[Exposure]:
    for number in range(count):
        yield Exposure("2026-11-24T12:30:00.000Z", f"u{number}", "density", "=1+1")


async def pieces(count: int, form: Form) -> list[str]:
    return [piece async for piece in written(_some(count), form)]


HEAD = "timestamp,user_id,experiment_id,variation_id\r\n"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form.CSV, f"{HEAD}2026-11-24T12:30:00.000Z,u0,density,'=1+1\r\n"),
        (
            Form.NDJSON,
            '{"timestamp": "2026-11-24T12:30:00.000Z", "user_id": "u0", "experiment_id": "density", '
            '"variation_id": "=1+1"}\n',
        ),
    ],
)
def test_rows_are_text_that_no_spreadsheet_runs(clean_store: str, form: Form, text: str) -> None:
    assert ask(clean_store, lambda _: pieces(1, form)) == [text]


@pytest.mark.parametrize(("form", "head"), [(Form.CSV, HEAD), (Form.NDJSON, "")])
def test_without_rows_there_is_the_head_alone(clean_store: str, form: Form, head: str) -> None:
    assert ask(clean_store, lambda _: pieces(0, form)) == [head]


def test_many_rows_come_in_pieces_under_one_head(clean_store: str) -> None:
    found = ask(clean_store, lambda _: pieces(1001, Form.CSV))
    assert [piece.count("\r\n") for piece in found] == [501, 500, 1]
    assert "".join(found).count(HEAD) == 1
