"""Pages are decided from what they share and drawn no further than they need: none of it is seen in what they get."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.decision.asked import Answer
from adlayout.decision.draft import draft
from adlayout.decision.field import Candidate, Field, Lots, tier_of
from adlayout.decision.inventory import Inventory, read_inventory
from adlayout.decision.kept import Kept
from adlayout.decision.lineup import Kind
from adlayout.decision.settle import settle
from adlayout.decision.shortlist import Shortlist, shortlist, tiers
from adlayout.decision.targeting import PageFacts
from adlayout.model import Filled, Slot, SlotStyle
from adlayout.rows import Rows

Fields = dict[str, Any]  # a row as JSON has it

TIMES = ["2026-03-01T00:00:00Z", "2026-03-02T12:00:00+01:00", "2026-03-02T12:00:00Z"]
MOMENTS = [datetime(2026, 3, day, hour, tzinfo=UTC) for day in (1, 2) for hour in (0, 11, 12, 23)]


def some(*values: Any, most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


def row(required: Fields, optional: Fields) -> st.SearchStrategy[Fields]:
    return st.fixed_dictionaries(required, optional=optional)


TERMS = row(
    {},
    {
        "section": some("Sport", "politics"),
        "tag": some("cup", "final"),
        "device": some("mobile", "desktop"),
        "url": some("/sport", "/", "https://x.example/"),
        "slot": some("in-article", "two", "leaderboard"),
        "kv": st.just({"plan": ["free"]}),
    },
)
TARGETING = row(
    {},
    {
        "include": TERMS,
        "exclude": TERMS,
        "days": some("mon", "sun"),
        "hours": some(0, "11-13"),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
    },
)
CREATIVE = row(
    {"kind": st.just("html"), "markup": st.just("x"), "formats": some("300x250", "fluid", "728x90")},
    {
        "slot_types": some("in-article", "leaderboard"),
        "lang": st.sampled_from(["en", "EN-gb", "de"]),
        "house": st.booleans(),
        "active": st.sampled_from([True, True, False]),
    },
)
FLIGHT = row(
    {"campaign": st.just("c"), "creatives": some(*"abcde", most=3).map(lambda ids: [{"id": id} for id in ids])},
    {
        "weight": st.sampled_from([0.5, 7, 1_000_000]),
        "line_item_type": st.sampled_from(["standard", "bulk", "house"]),
        "creative_rotation": st.sampled_from(["even", "sequential"]),
        "start_time": st.sampled_from(TIMES[:2]),
        "end_time": st.just(TIMES[2]),
        "targeting": TARGETING,
        "active": st.sampled_from([True, True, False]),
    },
)
FACTS = st.builds(
    PageFacts,
    section=st.sampled_from([None, "sport", "Politics"]),
    tags=st.lists(st.sampled_from(["cup", "final", "other"]), max_size=2).map(tuple),
    device=st.sampled_from([None, "mobile", "desktop"]),
    url=st.sampled_from([None, "https://x.example/sport/1", "https://y.example"]),
    language=st.sampled_from([None, "en", "en_GB", "enm", "de-AT"]),
    kv=st.sampled_from([(), (("plan", "free"),)]),
)
SLOTS = st.lists(
    st.builds(
        SlotStyle,
        type=st.sampled_from(["in-article", "leaderboard"]),
        formats=st.sampled_from([("300x250", "fluid"), ("728x90",)]),
    ),
    max_size=8,
).map(lambda styles: [Slot(name, style) for name, style in zip(["one", "Two", *"345678"], styles, strict=False)])


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    creatives = {id: json.dumps({"id": id, **draw(CREATIVE)}) for id in "abcde"}
    flights = {id: json.dumps({"id": id, **draw(FLIGHT)}) for id in draw(some(*"fghijklm", most=8))}
    return Rows({"c": '{"id": "c"}'}, flights, creatives)


@st.composite
def shortlists(draw: st.DrawFn) -> tuple[Shortlist, ...]:
    now, seed = draw(st.sampled_from(MOMENTS)), draw(st.text(max_size=3))
    return shortlist(inventory(draw(rows())), draw(SLOTS), draw(FACTS), now=now, seed=seed)


def inventory(texts: Rows) -> Inventory:
    read, bad = read_inventory(texts)
    assert not bad
    return read


@given(shortlists(), st.integers(0, 9))
def test_a_list_that_is_read_in_part_begins_as_the_whole(lists: tuple[Shortlist, ...], most: int) -> None:
    parts = [tuple(islice(entry.candidates(), most)) for entry in lists]
    assert parts == [tuple(entry.candidates())[:most] for entry in lists]


@given(shortlists(), st.sets(st.sampled_from("abcde")))
def test_the_first_that_is_not_taken_is_that_of_the_whole_tier(lists: tuple[Shortlist, ...], taken: set[str]) -> None:
    left = [(tier, seed) for _, tier, seed in tiers(lists) if not tier.creatives <= taken]
    assert [tier.fresh(seed, taken) for tier, seed in left] == [
        next(candidate for candidate in tier.draw(seed) if candidate.creative not in taken) for tier, seed in left
    ]


@given(shortlists())
def test_the_first_of_the_house_is_that_of_the_whole_list(lists: tuple[Shortlist, ...]) -> None:
    assert [entry.house() for entry in lists] == [
        next((candidate for candidate in entry.candidates() if candidate.house), None) for entry in lists
    ]


@given(shortlists(), st.integers(0, 9))
def test_a_page_is_the_same_whoever_read_its_lists_before(lists: tuple[Shortlist, ...], most: int) -> None:
    before = settle(draft(lists))
    for entry in reversed(lists):
        tuple(islice(entry.candidates(), most))
    assert settle(draft(lists)) == before


@given(shortlists())
def test_no_creative_stands_twice_but_one_of_the_house(lists: tuple[Shortlist, ...]) -> None:
    decisions = settle(draft(lists))
    booked = [one.creative for one in decisions if isinstance(one, Filled) and not one.house]
    assert len(booked) == len(set(booked))
    assert [one.slot for one in decisions] == [entry.slot for entry in lists]


@given(rows(), st.lists(st.tuples(FACTS, st.sampled_from(MOMENTS), SLOTS), min_size=2, max_size=6))
def test_a_page_is_the_same_whichever_pages_came_before(
    texts: Rows, pages: list[tuple[PageFacts, datetime, list[Slot]]]
) -> None:
    old = inventory(texts)
    for facts, now, slots in pages:
        assert shortlist(old, slots, facts, now=now, seed="s") == shortlist(
            inventory(texts), slots, facts, now=now, seed="s"
        )


SPORT = PageFacts(section="sport")


def booked(*flights: Fields) -> Inventory:
    """Flights, and the creatives that they name; one with a capital is of the house."""
    names = {share["id"] for row in flights for share in row["creatives"]}
    creatives = {id: {"id": id, "kind": "html", "markup": "x", "house": id.isupper()} for id in names}
    ids = {row["id"]: row for row in flights}
    texts = ({id: json.dumps(row) for id, row in rows.items()} for rows in ({"c": {"id": "c"}}, ids, creatives))
    return inventory(Rows(*texts))


def flight(id: str, *creatives: str, **wishes: Any) -> Fields:
    return {"id": id, "campaign": "c", "creatives": [{"id": one} for one in creatives], "targeting": wishes}


def creatives(stock: Inventory, slots: int, facts: PageFacts = SPORT, seed: str = "s") -> list[str | None]:
    """Who stands on a page of so many equal slots."""
    page = [Slot(f"s{n}", SlotStyle()) for n in range(slots)]
    decisions = settle(draft(shortlist(stock, page, facts, now=MOMENTS[0], seed=seed)))
    return [one.creative if isinstance(one, Filled) else None for one in decisions]


IN_SPORT = {"include": {"section": ["sport"]}}


def test_flights_that_run_here_only_are_drawn_as_if_they_ran_everywhere() -> None:
    choosy = booked(flight("f", "a", **IN_SPORT), flight("g", "b", "c"), flight("h", "d", "e", **IN_SPORT))
    everywhere = booked(flight("f", "a"), flight("g", "b", "c"), flight("h", "d", "e"))
    seeds = [str(n) for n in range(30)]
    assert [creatives(choosy, 6, seed=seed) for seed in seeds] == [
        creatives(everywhere, 6, seed=seed) for seed in seeds
    ]
    assert {*creatives(choosy, 3, PageFacts())} == {"b", "c", None}


def test_a_flight_with_many_creatives_that_joins_others_runs_with_each() -> None:
    stock = booked(flight("f", "a"), flight("g", "b", "c", **IN_SPORT))
    assert {creatives(stock, 1, seed=str(n))[0] for n in range(30)} == {"a", "b", "c"}


def test_a_house_flight_that_joins_others_may_repeat() -> None:
    house = {**flight("g", "b", **IN_SPORT), "line_item_type": "house", "priority": 8}
    assert sorted(filter(None, creatives(booked(flight("f", "a"), house), 4))) == [*"abbb"]


@pytest.mark.parametrize(
    ("wishes", "there", "elsewhere"),
    [
        ({"include": {"section": ["sport"]}}, {"section": "Sport"}, {"section": "sports"}),
        ({"exclude": {"section": ["sport"]}}, {"section": "x"}, {"section": "sport"}),
        ({"include": {"tag": ["cup"], "site": ["n"]}}, {"site": "n", "tags": ("x", "CUP")}, {"site": "n"}),
        ({"include": {"tag": ["a", "b"]}}, {"tags": ("a", "b")}, {"tags": ("c",)}),
        ({"include": {"category": ["cup"]}}, {"tags": ("cup",)}, {"keywords": ("cup",)}),
        ({"exclude": {"keyword": ["crash"]}}, {"keywords": ("x",)}, {"keywords": ("x", "Crash")}),
        ({"include": {"device": ["mobile"]}}, {"device": "mobile"}, {"device": "tablet"}),
        ({"include": {"country": ["DE"]}}, {"country": "de"}, {"country": None}),
        ({"include": {"url": ["/sport/"]}}, {"url": "https://x.example/sport/1"}, {"url": "https://x.example/sport"}),
        ({"exclude": {"url": ["https://x."]}}, {"url": "https://y.example"}, {"url": "https://x.example"}),
        ({"include": {"kv": {"plan": ["free"]}}}, {"kv": (("plan", "free"),)}, {"kv": (("plan", "paid"),)}),
    ],
)
def test_one_inventory_serves_pages_that_differ_in_a_fact(wishes: Fields, there: Fields, elsewhere: Fields) -> None:
    stock = booked(flight("f", "a", **wishes))
    pages = [PageFacts(**there), PageFacts(**elsewhere)]
    assert [creatives(stock, 1, facts) for facts in (*pages, *pages)] == [["a"], [None]] * 2


@pytest.mark.parametrize(
    ("wishes", "there", "elsewhere"),
    [
        ({"hours": [12]}, "2026-03-02T12:59+00:00", "2026-03-02T13:00+00:00"),
        ({"days": ["mon"]}, "2026-03-02T00:00+00:00", "2026-03-03T00:00+00:00"),
        ({"hours": [6], "timezone": "Asia/Kathmandu"}, "2026-03-02T00:15+00:00", "2026-03-02T00:14+00:00"),
        # Clocks go from 2:00 to 3:00: there is no third hour that day.
        ({"hours": [3], "timezone": "Europe/Berlin"}, "2026-03-29T01:00+00:00", "2026-03-29T00:59+00:00"),
    ],
)
def test_one_inventory_serves_pages_at_any_hour(wishes: Fields, there: str, elsewhere: str) -> None:
    stock = booked(flight("f", "a", **wishes))
    times = [datetime.fromisoformat(there), datetime.fromisoformat(elsewhere)] * 2
    lists = [shortlist(stock, [Slot("s", SlotStyle())], SPORT, now=now, seed="s") for now in times]
    assert [[one.creative for one in entry.candidates()] for (entry,) in lists] == [["a"], []] * 2


@pytest.mark.parametrize("weights", [[16.0] + [1.0] * 11, [1.0] * 12, [0.001] * 11 + [1000.0]])
@pytest.mark.parametrize("taken", [{"a"}, {"l"}, {*"abcdefghijk"}, set()])
def test_the_first_that_is_left_of_a_tier_is_that_of_the_whole_tier(weights: list[float], taken: set[str]) -> None:
    """Also where all that is heavy is taken, or all but one that is light."""
    lots = [Lots((Candidate(name, "fluid", name, "c", False),), (1.0,), fixed=True) for name in "abcdefghijkl"]
    tier, seeds = tier_of(lots, weights), [str(n) for n in range(200)]
    assert [tier.fresh(seed, taken) for seed in seeds] == [
        next(candidate for candidate in tier.draw(seed) if candidate.creative not in taken) for seed in seeds
    ]


def made(lots: int) -> Field:
    return (tier_of([Lots((Candidate("a", "fluid", "f", "c", False),), (1.0,), fixed=True)] * lots, [1.0] * lots),)


KIND = Kind("in-article", ("fluid",), frozenset(), frozenset())


def test_callers_that_make_up_slot_types_do_not_fill_the_memory() -> None:
    stock = inventory(Rows({}, {}, {"a": '{"id": "a", "kind": "html", "markup": "x"}'}))
    slots = [Slot("s", SlotStyle(type=f"type-{n}")) for n in range(1000)]
    assert len(shortlist(stock, slots, PageFacts(), now=MOMENTS[0], seed="s")) == 1000
    assert len(stock.kept.lineups) <= 256


def test_pages_that_all_differ_do_not_fill_the_memory() -> None:
    kept, field = Kept(), made(1000)
    for n in range(1000):
        kept.field(KIND, Answer(0, (n,), ()), lambda _: field)
    assert len(kept.fields) <= 200


def test_pages_that_answer_alike_share_their_work_until_a_flight_starts_or_ends() -> None:
    stock = booked({**flight("f", "a", **IN_SPORT), "end_time": TIMES[2]})

    def field(section: str, now: datetime) -> Field:
        facts = PageFacts(section=section, url=f"https://x.example/{section}")
        return shortlist(stock, [Slot("one", SlotStyle())], facts, now=now, seed="s")[0].field

    first, again = field("sport", MOMENTS[0]), field("SPORT", MOMENTS[1])
    assert first is again
    assert (field("politics", MOMENTS[0]), field("sport", MOMENTS[-1])) == ((), ())
    assert len(stock.kept.lineups) == 1
