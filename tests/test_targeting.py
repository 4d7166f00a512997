"""What a flight may ask of a page, a slot and the hour."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from adlayout.decision.reasons import FlightReason
from adlayout.decision.schema import TargetingRow
from adlayout.decision.targeting import Objection, PageFacts, PageValues, compile_targeting
from adlayout.model import Slot, SlotStyle

PAGE = PageFacts(
    site="news",
    section="Sport",
    tags=("Cup", "final"),
    keywords=("goal",),
    country="DE",
    device="mobile",
    url="https://news.example/sport/cup?x=1",
    language="en-GB",
    kv=(("plan", "free"), ("plan", "trial"), ("edition", "eu")),
)
MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def refuse(targeting: dict[str, Any], facts: PageFacts = PAGE, now: datetime = MONDAY_NOON) -> Objection | None:
    compiled = compile_targeting(TargetingRow.model_validate(targeting))
    return compiled.refuse_page(PageValues(facts), now)


FITTING = [
    ("site", "news"),
    ("section", "sport"),
    ("category", "SPORT"),
    ("category", "cup"),
    ("tag", "cup"),
    ("keyword", "Goal"),
    ("keyword", "final"),
    ("country", "de"),
    ("device", "mobile"),
    ("url", "https://news.example/sport"),
    ("url", "/sport/"),
    ("kv", {"plan": ["trial"]}),
]
OTHER = [
    ("site", "blog"),
    ("section", "politics"),
    ("category", "goal"),
    ("tag", "goal"),
    ("keyword", "sport"),
    ("country", "FR"),
    ("device", "desktop"),
    ("url", "https://other.example/"),
    ("url", "/cup"),
    ("kv", {"plan": ["paid"]}),
    ("kv", {"editions": ["eu"]}),
]


def wish(key: str, value: object) -> dict[str, object]:
    return {key: value if isinstance(value, dict) else [value]}


def test_no_wishes_are_always_met() -> None:
    assert refuse({}) is None
    assert refuse({}, PageFacts()) is None


@pytest.mark.parametrize(("key", "value"), FITTING)
def test_what_is_included_runs_where_it_fits_and_is_kept_out_where_excluded(key: str, value: object) -> None:
    assert refuse({"include": wish(key, value)}) is None
    assert refuse({"exclude": wish(key, value)}) is not None


@pytest.mark.parametrize(("key", "value"), OTHER)
def test_what_does_not_fit_is_kept_out_where_included_and_runs_where_excluded(key: str, value: object) -> None:
    assert refuse({"include": wish(key, value)}) is not None
    assert refuse({"exclude": wish(key, value)}) is None


@pytest.mark.parametrize(("key", "value"), FITTING)
def test_what_nobody_said_about_a_page_is_neither_included_nor_excluded(key: str, value: object) -> None:
    assert refuse({"include": wish(key, value)}, PageFacts()) is not None
    assert refuse({"exclude": wish(key, value)}, PageFacts()) is None


def test_any_value_of_a_list_fits_and_all_keys_must() -> None:
    assert refuse({"include": {"section": ["politics", "sport"], "site": ["news"]}}) is None
    assert refuse({"include": {"section": ["sport"], "site": ["blog"]}}) is not None
    assert refuse({"include": {"kv": {"plan": ["free"], "edition": ["us"]}}}) is not None


def test_an_exclusion_beats_an_inclusion() -> None:
    assert refuse({"include": {"section": ["sport"]}, "exclude": {"tag": ["cup"]}}) is not None


def test_an_objection_says_what_was_asked_and_what_was_found() -> None:
    assert refuse({"include": {"section": ["politics", "culture"]}}) == Objection(
        FlightReason.TARGETING, "section culture or politics", "section sport"
    )
    assert refuse({"exclude": {"tag": ["cup"]}}) == Objection(FlightReason.TARGETING, "tag not cup", "tag cup, final")
    assert refuse({"include": {"site": ["news"]}}, PageFacts()) == Objection(
        FlightReason.TARGETING, "site news", "site unknown"
    )


@pytest.mark.parametrize(("url", "prefix"), [("https://[::", "https://["), ("https://news.example", "/")])
def test_any_address_can_be_judged(url: str, prefix: str) -> None:
    assert refuse({"include": {"url": [prefix]}}, PageFacts(url=url)) is None


@pytest.mark.parametrize(("wanted", "fits"), [("in-article", True), ("Inline-2", True), ("leaderboard", False)])
def test_a_slot_is_wanted_by_its_type_or_its_id(wanted: str, fits: bool) -> None:
    compiled = compile_targeting(TargetingRow.model_validate({"include": {"slot": [wanted]}}))
    slot = Slot("inline-2", SlotStyle(type="in-article"))
    assert (compiled.refuse_slot(slot) is None) is fits
    assert compiled.refuse_page(PageValues(PageFacts()), MONDAY_NOON) is None


@pytest.mark.parametrize(
    ("hours", "now", "runs"),
    [
        ({"days": ["mon"]}, "2026-03-02T12:00+00:00", True),
        ({"days": ["tue", "sun"]}, "2026-03-02T12:00+00:00", False),
        ({"hours": [12]}, "2026-03-02T12:59+00:00", True),
        ({"hours": [12]}, "2026-03-02T13:00+00:00", False),
        ({"hours": ["8-18"]}, "2026-03-02T17:59+00:00", True),
        ({"hours": ["8-18"]}, "2026-03-02T18:00+00:00", False),
        ({"hours": ["22-6"]}, "2026-03-02T05:00+00:00", True),
        ({"hours": ["22-6"]}, "2026-03-02T21:00+00:00", False),
        ({"hours": ["0-24"]}, "2026-03-02T23:00+00:00", True),
        # 23:30 UTC on Sunday is 0:30 on Monday in Berlin; in summer the clock there is two hours ahead.
        ({"days": ["mon"], "hours": [0], "timezone": "Europe/Berlin"}, "2026-03-01T23:30+00:00", True),
        ({"hours": [0], "timezone": "Europe/Berlin"}, "2026-07-01T22:30+00:00", True),
        ({"hours": [0], "timezone": "Europe/Berlin"}, "2026-07-01T23:30+00:00", False),
    ],
)
def test_days_and_hours_are_those_of_the_flights_time_zone(hours: dict[str, Any], now: str, runs: bool) -> None:
    assert (refuse(hours, now=datetime.fromisoformat(now)) is None) is runs


def test_an_hour_that_does_not_fit_is_told() -> None:
    assert refuse({"days": ["tue"], "timezone": "Europe/Berlin"}) == Objection(
        FlightReason.TARGETING, "tue Europe/Berlin", "mon 13:00"
    )
