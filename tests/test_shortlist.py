"""Which creatives may stand in a slot, in which order, and why the others may not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.decision.draft import draft
from adlayout.decision.explain import Passed, explain
from adlayout.decision.field import Candidate
from adlayout.decision.inventory import Inventory, read_inventory, without
from adlayout.decision.reasons import FlightReason
from adlayout.decision.settle import Settled, Word, settle
from adlayout.decision.shortlist import Shortlist, shortlist
from adlayout.decision.targeting import PageFacts
from adlayout.model import Filled, Slot, SlotStyle
from adlayout.rows import Rows

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SLOT = Slot("inline-1", SlotStyle())
NOBODY = PageFacts()
DRAWS = 4000

Fields = dict[str, Any]  # a row as JSON has it


def image(id: str, **more: Any) -> Fields:
    return {"id": id, "kind": "image", "image": {"src": "/a.png", "w": 300, "h": 250}, **more}


def flight(id: str, *creatives: str, **more: Any) -> Fields:
    return {"id": id, "campaign": "c", "creatives": [{"id": one} for one in creatives or (id,)], **more}


def stock(creatives: Sequence[Fields], flights: Sequence[Fields] = (), campaign: Fields | None = None) -> Inventory:
    def texts(rows: Sequence[Fields]) -> dict[str, str]:
        return {row["id"]: json.dumps(row) for row in rows}

    inventory, bad = read_inventory(Rows(texts([campaign or {"id": "c"}]), texts(flights), texts(creatives)))
    assert not bad
    return inventory


@dataclass(frozen=True)
class Answer:
    """What is to be tried in a slot, and what is not, with the reasons."""

    candidates: tuple[Candidate, ...]
    passed: tuple[Passed, ...]


def one(inventory: Inventory, *, slot: Slot = SLOT, facts: PageFacts = NOBODY, seed: str = "s") -> Answer:
    (entry,) = shortlist(inventory, [slot], facts, now=NOW, seed=seed)
    page = draft([entry])
    (passed,) = explain(inventory, Settled(page, Word.GRANTED, settle(page)), facts, now=NOW)
    return Answer(tuple(entry.candidates()), passed)


def order(candidates: Iterable[Candidate]) -> list[str]:
    return [candidate.creative for candidate in candidates]


def firsts(inventory: Inventory) -> dict[str, float]:
    """The share of draws in which each creative comes first."""
    counts = Counter(order(one(inventory, seed=str(n)).candidates)[0] for n in range(DRAWS))
    return {creative: count / DRAWS for creative, count in counts.items()}


def why_not(creative: Fields, slot: Slot = SLOT, facts: PageFacts = NOBODY, **more: Any) -> Passed:
    """Why a flight with this one creative does not run."""
    answer = one(stock([creative], [flight("f", creative["id"], **more)]), slot=slot, facts=facts)
    assert answer.candidates == ()
    (passed,) = answer.passed
    return passed


def test_an_empty_inventory_gives_an_empty_list_for_each_slot() -> None:
    slots = [SLOT, Slot("top", SlotStyle())]
    expected = tuple(Shortlist(slot, (), f"s\n{slot.id}") for slot in slots)
    assert shortlist(stock([]), slots, PageFacts(), now=NOW, seed="s") == expected


def test_a_candidate_names_its_flight_campaign_and_format() -> None:
    answer = one(stock([image("a")], [flight("f", "a")]))
    assert answer == Answer((Candidate("a", "300x250", "f", "c", house=False),), ())


def test_better_tiers_come_first_and_house_last() -> None:
    creatives = [image(id) for id in ("sponsor", "standard", "bulk", "filler")] + [image("fallback", house=True)]
    flights = [
        flight("bulk", line_item_type="bulk", weight=1000),
        flight("filler", line_item_type="house", weight=1000),
        flight("sponsor", line_item_type="sponsorship"),
        flight("standard"),
    ]
    answer = one(stock(creatives, flights))
    assert order(answer.candidates) == ["sponsor", "standard", "bulk", "filler", "fallback"]
    assert [candidate.house for candidate in answer.candidates] == [False, False, False, True, True]


def test_a_priority_that_is_written_beats_the_type() -> None:
    flights = [flight("a", line_item_type="sponsorship"), flight("b", line_item_type="bulk", priority=1)]
    assert order(one(stock([image("a"), image("b")], flights)).candidates) == ["b", "a"]


def test_a_house_creative_in_a_flight_is_still_house() -> None:
    answer = one(stock([image("a", house=True)], [flight("f", "a")]))
    assert answer.candidates == (
        Candidate("a", "300x250", "f", "c", house=True),
        Candidate("a", "300x250", None, None, house=True),
    )


def test_flights_of_a_tier_come_first_by_their_weight() -> None:
    flights = [flight("a", weight=6), flight("b", weight=3), flight("c", weight=1)]
    shares = firsts(stock([image("a"), image("b"), image("c")], flights))
    assert shares == pytest.approx({"a": 0.6, "b": 0.3, "c": 0.1}, abs=0.03)


def test_creatives_of_a_flight_come_first_by_their_weight() -> None:
    row = flight("f") | {"creatives": [{"id": "a", "weight": 3}, {"id": "b"}]}
    assert firsts(stock([image("a"), image("b")], [row])) == pytest.approx({"a": 0.75, "b": 0.25}, abs=0.03)


def test_even_rotation_ignores_the_weights_of_creatives() -> None:
    row = flight("f", creative_rotation="even") | {"creatives": [{"id": "a", "weight": 90}, {"id": "b"}]}
    assert firsts(stock([image("a"), image("b")], [row])) == pytest.approx({"a": 0.5, "b": 0.5}, abs=0.03)


def test_sequential_rotation_keeps_the_order_of_the_row() -> None:
    row = flight("f", "b", "a", "c", creative_rotation="sequential")
    assert order(one(stock([image("a"), image("b"), image("c")], [row])).candidates) == ["b", "a", "c"]


def test_a_flights_share_does_not_grow_with_its_creatives() -> None:
    flights = [flight("many", "a", "b", "c"), flight("one", "d")]
    shares = firsts(stock([image(id) for id in "abcd"], flights))
    assert shares["d"] == pytest.approx(0.5, abs=0.03)


def test_house_creatives_share_evenly() -> None:
    assert firsts(stock([image("a", house=True), image("b", house=True)])) == pytest.approx(
        {"a": 0.5, "b": 0.5}, abs=0.03
    )


def test_slots_of_a_page_draw_apart() -> None:
    inventory = stock([image("a"), image("b")], [flight("a"), flight("b")])
    slots = [Slot("one", SlotStyle()), Slot("two", SlotStyle())]
    draws = [shortlist(inventory, slots, PageFacts(), now=NOW, seed=str(n)) for n in range(DRAWS)]
    equal = sum(order(first.candidates())[0] == order(second.candidates())[0] for first, second in draws)
    assert equal / DRAWS == pytest.approx(0.5, abs=0.03)


def test_the_same_seed_gives_the_same_order_whatever_order_rows_came_in() -> None:
    creatives, flights = [image(id) for id in "abcde"], [flight(id) for id in "abcde"]
    turned = stock(creatives[::-1], flights[::-1])
    assert [one(turned, seed=str(n)) for n in range(20)] == [
        one(stock(creatives, flights), seed=str(n)) for n in range(20)
    ]
    assert len({tuple(order(one(turned, seed=str(n)).candidates)) for n in range(20)}) > 1


def test_any_text_is_a_seed() -> None:
    assert order(one(stock([image("a")], [flight("a")]), seed="\udcff\n").candidates) == ["a"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"active": False}, FlightReason.INACTIVE),
        ({"start_time": "2026-03-02T12:00:01Z"}, FlightReason.NOT_STARTED),
        ({"start_time": "2026-03-02T12:00:00Z"}, None),
        ({"start_time": "2026-03-02T13:00:00+01:00"}, None),
        ({"end_time": "2026-03-02T12:00:00Z"}, FlightReason.ENDED),
        ({"end_time": "2026-03-02T12:00:01"}, None),
        ({"targeting": {"include": {"section": ["sport"]}}}, FlightReason.TARGETING),
        ({"targeting": {"include": {"slot": ["leaderboard"]}}}, FlightReason.TARGETING),
        ({"targeting": {"hours": [3]}}, FlightReason.TARGETING),
    ],
)
def test_a_flight_runs_in_its_time_where_it_is_wanted(more: Fields, reason: FlightReason | None) -> None:
    answer = one(stock([image("a")], [flight("a", **more)]))
    assert [passed.reason for passed in answer.passed] == ([reason] if reason else [])
    assert order(answer.candidates) == ([] if reason else ["a"])


def test_a_campaign_that_is_over_ends_its_flights() -> None:
    over = {"id": "c", "end_time": "2026-03-01"}
    assert one(stock([image("a")], [flight("a")], over)).passed == (
        Passed("a", FlightReason.ENDED, "until 2026-03-01T00:00:00+00:00", "2026-03-02T12:00:00+00:00"),
    )


@pytest.mark.parametrize(
    ("campaign", "reason"),
    [
        ({"active": False}, FlightReason.INACTIVE),
        ({"start_time": "2026-03-02T12:00:00Z"}, None),
        ({"start_time": "2026-03-02T13:00:01+01:00"}, FlightReason.NOT_STARTED),
        ({"end_time": "2026-03-02T13:00:00+01:00"}, FlightReason.ENDED),
        ({"start_time": "2026-06-01"}, FlightReason.NOT_STARTED),  # only when the flight is over
    ],
)
def test_a_flight_runs_only_while_its_campaign_does(campaign: Fields, reason: FlightReason | None) -> None:
    row = flight("a", start_time="2026-03-01", end_time="2026-05-01")
    answer = one(stock([image("a")], [row], {"id": "c", **campaign}))
    assert [passed.reason for passed in answer.passed] == ([reason] if reason else [])
    assert order(answer.candidates) == ([] if reason else ["a"])


def test_a_switched_off_creative_does_not_run() -> None:
    assert why_not(image("a", active=False)) == Passed(
        "f", FlightReason.INACTIVE, "a creative that may run", "a: inactive"
    )
    assert order(one(stock([image("a", active=False, house=True)])).candidates) == []


def test_a_creative_with_bad_markup_does_not_run() -> None:
    inventory = without(stock([image("a"), image("b", house=True)], [flight("a")]), {"a", "b"})
    assert one(inventory) == Answer(
        (), (Passed("a", FlightReason.BAD_MARKUP, "a creative that may run", "a: bad_markup"),)
    )


def test_a_creative_for_another_type_of_slot_does_not_run() -> None:
    passed = Passed("f", FlightReason.SLOT_TYPE, "leaderboard or sticky", "in-article")
    assert why_not(image("a", slot_types=["leaderboard", "sticky"])) == passed


def test_a_creative_of_another_size_does_not_run() -> None:
    passed = Passed("f", FlightReason.SIZE, "728x90 or 970x250", "300x250, 336x280, fluid")
    assert why_not(image("a", formats=["728x90", "970x250"])) == passed


def test_what_comes_closest_is_told_of_a_flight_with_many_creatives() -> None:
    creatives = [image("a", active=False), image("b", formats=["1x1"]), image("c", slot_types=["x"])]
    (passed,) = one(stock(creatives, [flight("f", "a", "b", "c")])).passed
    assert passed.reason is FlightReason.SIZE


@pytest.mark.parametrize(
    ("wanted", "found", "runs"),
    [
        ("en", "en", True),
        ("en", "en-GB", True),
        ("EN", "en_gb", True),
        ("en-GB", "en", False),
        ("en", "enm", False),
        ("de", "en", False),
        ("de", None, True),
        (None, "en", True),
    ],
)
def test_a_creative_speaks_the_articles_language(wanted: str | None, found: str | None, runs: bool) -> None:
    answer = one(stock([image("a", lang=wanted)], [flight("a")]), facts=PageFacts(language=found))
    assert [passed.reason for passed in answer.passed] == ([] if runs else [FlightReason.TARGETING])


@pytest.mark.parametrize(
    ("creative", "taken", "form"),
    [
        (image("a"), ("300x250",), "300x250"),
        (image("a", formats=["300x250", "728x90"]), ("728x90", "300x250"), "728x90"),
        (image("a", formats=["336x280"]), ("300x250",), None),
        (image("a"), ("fluid",), None),
        (image("a", formats=["fluid"]), ("300x250", "fluid"), "fluid"),
        ({"id": "a", "kind": "native", "fields": {"title": "T"}}, ("300x250", "fluid"), "fluid"),
        ({"id": "a", "kind": "html", "markup": "x"}, ("300x250",), None),
        ({"id": "a", "kind": "html", "markup": "x", "formats": ["300x250"]}, ("300x250",), "300x250"),
        ({"id": "a", "kind": "image", "image": {"src": "/a"}}, ("fluid",), "fluid"),
        (image("a"), (), None),
    ],
)
def test_a_creative_stands_where_one_of_its_formats_is_taken(
    creative: Fields, taken: tuple[str, ...], form: str | None
) -> None:
    answer = one(stock([creative], [flight("a")]), slot=Slot("s", SlotStyle(formats=taken)))
    assert [candidate.format for candidate in answer.candidates] == ([form] if form else [])


def test_flights_that_a_slot_does_not_come_to_have_lost() -> None:
    names = [f"n{n}" for n in range(9)]
    flights = [flight(id) for id in names] + [flight("late", line_item_type="bulk")]
    answer = one(stock([image(id) for id in [*names, "late"]] + [image("house", house=True)], flights))
    assert order(answer.candidates)[9:] == ["late", "house"]
    lost = {*names} - {order(answer.candidates)[0]}
    assert {passed.flight: (passed.reason, passed.needed, passed.actual) for passed in answer.passed} == {
        "late": (FlightReason.LOST_PRIORITY, "priority 8 or better", "priority 12"),
        **dict.fromkeys(lost, (FlightReason.LOST_LOTTERY, "to be drawn earlier", "weight 1")),
    }


def test_a_flight_that_stands_elsewhere_on_the_page_is_told_so() -> None:
    inventory = stock([image(id) for id in "ab"], [flight(id) for id in "ab"])
    page = draft(shortlist(inventory, [Slot("one", SlotStyle()), Slot("two", SlotStyle())], NOBODY, now=NOW, seed="s"))
    decisions = settle(page)
    stands = [one.creative for one in decisions if isinstance(one, Filled)]
    assert explain(inventory, Settled(page, Word.GRANTED, decisions), NOBODY, now=NOW) == (
        (Passed(stands[1], FlightReason.PAGE_DUPLICATE, f"{stands[1]} once on a page", "it in two"),),
        (Passed(stands[0], FlightReason.PAGE_DUPLICATE, f"{stands[0]} once on a page", "it in one"),),
    )


WISHES = st.dictionaries(
    st.sampled_from(["section", "tag", "keyword", "category", "url", "slot"]),
    st.lists(st.sampled_from(["a", "B", "/c", "in-article"]), min_size=1, max_size=2),
    max_size=2,
)
PAGES = st.builds(
    PageFacts,
    section=st.sampled_from([None, "A", "b"]),
    tags=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple),
    url=st.sampled_from([None, "https://x.example/c", "https://x.example/d"]),
)


@given(st.lists(st.tuples(WISHES, WISHES), max_size=6), PAGES)
def test_a_flight_is_on_the_list_or_has_a_reason_not_to_be(
    wishes: list[tuple[Fields, Fields]], facts: PageFacts
) -> None:
    """The list is found by an index and the reasons one by one; they agree."""
    targeting = [{"include": include, "exclude": exclude} for include, exclude in wishes]
    flights = [flight(f"f{n}", "a", targeting=one) for n, one in enumerate(targeting)]
    answer = one(stock([image("a")], flights), facts=facts)
    listed = {candidate.flight for candidate in answer.candidates}
    why = {passed.flight: passed.reason for passed in answer.passed}
    assert listed == {row["id"] for row in flights if why.get(row["id"]) is not FlightReason.TARGETING}
    assert set(why.values()) <= {FlightReason.TARGETING, FlightReason.PAGE_DUPLICATE, FlightReason.LOST_LOTTERY}
