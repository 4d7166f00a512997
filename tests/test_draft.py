"""A page decided as a whole: budgets, caps, labels, roadblocks, shares, pace, and what the store says of them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adlayout.counts import Asking, Attempt, Event, Ledger, Limit, Refused, Reserved
from adlayout.decision.board import Board
from adlayout.decision.draft import Conditions, Draft, draft
from adlayout.decision.explain import Passed, explain
from adlayout.decision.inventory import Inventory, read_inventory
from adlayout.decision.limits import caps_of
from adlayout.decision.reasons import FlightReason
from adlayout.decision.settle import Outcome, Settled, Word, settle
from adlayout.decision.shortlist import shortlist
from adlayout.decision.targeting import PageFacts
from adlayout.decision.turns import AT_START, Standing
from adlayout.model import Filled, Slot, SlotStyle
from adlayout.rows import Rows
from adlayout.store.client import Store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOBODY = PageFacts()
DAY_MS = 86_400_000
Fields = dict[str, Any]


def image(id: str, size: str = "300x250", **more: Any) -> Fields:
    return {"id": id, "kind": "image", "image": {"src": "/a.png"}, "formats": [size], **more}


def flight(id: str, *creatives: str, **more: Any) -> Fields:
    return {"id": id, "campaign": "c", "creatives": [{"id": one} for one in creatives or (id,)], **more}


def stock(creatives: Sequence[Fields], flights: Sequence[Fields], **campaign: Any) -> Inventory:
    def texts(rows: Sequence[Fields]) -> dict[str, str]:
        return {row["id"]: json.dumps(row) for row in rows}

    inventory, bad = read_inventory(Rows(texts([{"id": "c", **campaign}]), texts(flights), texts(creatives)))
    assert not bad
    return inventory


def slots(*sizes: str) -> list[Slot]:
    return [Slot(f"s{n}", SlotStyle(formats=(size,))) for n, size in enumerate(sizes, 1)]


TWO = slots("300x250", "300x250")
ONE = TWO[:1]


def drafted(
    inventory: Inventory,
    page: Sequence[Slot] = ONE,
    *,
    seed: str = "s",
    standing: Standing = AT_START,
    **conditions: bool,
) -> Draft:
    lists = shortlist(inventory, page, NOBODY, now=NOW, seed=seed)
    return draft(lists, Conditions(seed, standing=standing, **conditions))


def stands(page: Draft, outcome: Outcome = Word.GRANTED) -> list[str | None]:
    return [one.creative if isinstance(one, Filled) else None for one in settle(page, outcome)]


def reasons(inventory: Inventory, page: Draft, outcome: Outcome = Word.GRANTED) -> list[dict[str, Passed]]:
    told = explain(inventory, Settled(page, outcome, settle(page, outcome)), NOBODY, now=NOW)
    return [{passed.flight: passed for passed in slot} for slot in told]


def reserved(*picks: tuple[str, str, str | None], refused: Sequence[Refused] = ()) -> Reserved:
    return Reserved(picks, 7, 1, tuple(refused))


def test_a_page_of_flights_without_limits_asks_nobody() -> None:
    page = drafted(stock([image("a")], [flight("a")]))
    assert (page.asks, page.attempts, stands(page)) == (False, (), ["a"])


def test_every_budget_and_cap_is_a_limit_of_the_attempt() -> None:
    row = flight(
        "f",
        "a",
        goal={"type": "view", "units": 500},
        lifetime_cap=400,
        daily_cap=20,
        labels=["cars"],
        frequency_caps=[
            {"max": 3, "per": "day", "scope": "campaign"},
            {"max": 1, "per": "page", "scope": "advertiser"},
        ],
    )
    page = drafted(stock([image("a")], [row], advertiser="Acme", labels=["motor"]), reader=True)
    (tried,) = page.attempts
    assert tried.attempt == Attempt(
        (("s1", "a"),),
        "f",
        labels=("cars", "motor"),
        page_caps=(("advertiser/Acme", 1),),
        limits=(
            Limit(Ledger.TOTAL, "f:v", 400, "lifetime_cap"),
            Limit(Ledger.DAY, "f:v", 20, "daily_cap"),
            Limit(Ledger.READER, f"campaign/c:v:{DAY_MS}", 3, "frequency_cap", DAY_MS),
        ),
    )


def test_a_campaigns_cap_counts_for_the_campaign() -> None:
    inventory = stock([image("a")], [flight("f", "a")], frequency_caps=[{"max": 2, "per": "hour", "num": 6}])
    (tried,) = drafted(inventory, reader=True).attempts
    assert [limit.field for limit in tried.attempt.limits] == ["campaign/c:v:21600000"]


def test_what_an_event_counts_for_its_reader_follows_the_caps() -> None:
    caps = [{"max": 3, "per": "day"}, {"max": 9, "per": "week", "event": "click", "scope": "creative"}]
    (row,) = stock([image("a")], [flight("f", "a", frequency_caps=caps)]).flights
    assert caps_of(row.row, row.campaign, "a", Event.VIEW) == ((f"flight/f:v:{DAY_MS}", DAY_MS),)
    assert caps_of(row.row, row.campaign, "a", Event.CLICK) == ((f"creative/a:c:{7 * DAY_MS}", 7 * DAY_MS),)
    assert caps_of(row.row, row.campaign, "a", Event.SERVED) == ()


def test_a_click_is_nothing_to_hold_for() -> None:
    row = flight("f", "a", goal={"type": "click", "units": 5})
    (tried,) = drafted(stock([image("a")], [row])).attempts
    assert tried.attempt.limits == (Limit(Ledger.TOTAL, "f:c", 5, "goal_reached", held=False),)


CAPPED = {"frequency_caps": [{"max": 1, "per": "day"}]}


@pytest.mark.parametrize(
    ("known", "unknown", "expect"),
    [
        (False, "deny", ["house"]),
        (False, "allow", ["a", "b"]),
        (False, "page_only", ["a", "house"]),
        (True, "deny", ["a", "b"]),
    ],
)
def test_who_the_reader_is_decides_what_capped_flights_may(known: bool, unknown: str, expect: list[str]) -> None:
    row = flight("f", "a", "b", cap_unknown_viewer=unknown, creative_rotation="sequential", **CAPPED)
    inventory = stock([image("a"), image("b"), image("house", house=True)], [row])
    assert stands(drafted(inventory, TWO, reader=known))[: len(expect)] == expect


def test_what_the_store_picked_stands_and_the_rest_is_filled_without_it() -> None:
    inventory = stock([image("a"), image("b")], [flight("a", daily_cap=5), flight("b", line_item_type="bulk")])
    page = drafted(inventory, TWO)
    assert page.asks
    assert stands(page, reserved(("s2", "a", "a"))) == ["b", "a"]
    assert stands(page, reserved()) == ["b", None]


def test_a_pick_of_what_is_gone_is_left_out() -> None:
    page = drafted(stock([image("a")], [flight("a", daily_cap=5)]))
    assert stands(page, reserved(("s1", "gone", "a"), ("s9", "a", "a"))) == [None]


def test_without_the_store_only_those_stand_that_are_served_all_the_same() -> None:
    flights = [
        flight("a", daily_cap=5),
        flight("b", daily_cap=5, on_store_error="serve"),
        flight("c", on_store_error="skip"),
    ]
    inventory = stock([image(id) for id in "abc"], flights)
    page = drafted(inventory, slots(*["300x250"] * 3))
    assert sorted(filter(None, stands(page, Word.FAILED))) == ["b", "c"]
    assert reasons(inventory, page, Word.FAILED)[0]["a"].reason is FlightReason.STORE_ERROR


@given(st.integers(0, 200))
def test_two_flights_with_one_label_never_share_a_page(seed: int) -> None:
    flights = [flight("a", "a", "a2", labels=["cars"]), flight("b", labels=["cars"]), flight("c")]
    inventory = stock([image(id) for id in ("a", "a2", "b", "c")], flights)
    page = [
        one for one in settle(drafted(inventory, slots(*["300x250"] * 4), seed=str(seed))) if isinstance(one, Filled)
    ]
    assert not {"a", "b"} <= {one.flight for one in page}
    assert len(page) >= 2


def test_a_label_is_told_with_who_has_it() -> None:
    flights = [flight("a", labels=["cars"], priority=1), flight("b", labels=["cars"])]
    inventory = stock([image("a"), image("b")], flights)
    (first, second) = reasons(inventory, drafted(inventory, TWO))
    assert second["b"] == Passed("b", FlightReason.PAGE_LABEL, "no other of cars", "a stands on the page")
    assert first["b"].reason is FlightReason.PAGE_LABEL


def test_a_better_tier_goes_first_wherever_its_slot_stands() -> None:
    flights = [flight("a", labels=["cars"], priority=12), flight("b", labels=["cars"], priority=4)]
    inventory = stock([image("a"), image("b", "728x90")], flights)
    assert stands(drafted(inventory, slots("300x250", "728x90"))) == [None, "b"]


def test_only_one_takes_one_slot_of_a_page() -> None:
    row = flight("f", "a", "b", roadblock="only_one")
    inventory = stock([image("a"), image("b")], [row])
    page = drafted(inventory, TWO)
    assert sum(one is not None for one in stands(page)) == 1


@pytest.mark.parametrize(
    ("sizes", "expect"),
    [
        (("300x250", "728x90"), {"box", "board"}),
        (("728x90", "300x250"), {"box", "board"}),
        (("300x250", "300x250"), {"other", None}),
        (("300x250",), {"other"}),
        (("728x90", "300x250", "300x250"), {"box", "board", "other"}),
    ],
)
def test_a_roadblock_takes_all_its_slots_or_none(sizes: tuple[str, ...], expect: set[str | None]) -> None:
    row = flight("f", "box", "board", roadblock="all", priority=1)
    inventory = stock([image("box"), image("board", "728x90"), image("other")], [row, flight("other")])
    assert set(stands(drafted(inventory, slots(*sizes)))) == expect


def test_a_roadblock_moves_within_its_slots_to_fit() -> None:
    row = flight("f", "either", "box", roadblock="all")
    either = image("either") | {"formats": ["300x250", "728x90"]}
    inventory = stock([either, image("box")], [row])
    assert sorted(filter(None, stands(drafted(inventory, slots("728x90", "300x250"))))) == ["box", "either"]


def test_a_roadblock_that_does_not_fit_says_so() -> None:
    inventory = stock([image("box"), image("board", "728x90")], [flight("f", "box", "board", roadblock="all")])
    (told,) = reasons(inventory, drafted(inventory))
    assert told["f"] == Passed(
        "f", FlightReason.ROADBLOCK, "a free slot for each of box, board", "not all fit this page"
    )


def test_a_roadblock_with_a_budget_is_one_attempt_for_all_its_slots() -> None:
    inventory = stock(
        [image("box"), image("board", "728x90")], [flight("f", "box", "board", roadblock="all", daily_cap=2)]
    )
    page = drafted(inventory, slots("300x250", "728x90"))
    assert (("s1", "box"), ("s2", "board")) in [tried.attempt.fills for tried in page.attempts]
    assert stands(page, reserved(("s1", "box", "f"), ("s2", "board", "f"))) == ["box", "board"]


def test_as_many_as_possible_takes_every_slot_that_it_fits() -> None:
    flights = [flight("f", "a", "b", roadblock="as_many_as_possible"), flight("x", weight=2)]
    inventory = stock([image("a"), image("b"), image("x")], flights)
    pages = [stands(drafted(inventory, TWO, seed=str(seed))) for seed in range(60)]
    firsts = [page for page in pages if page[0] in ("a", "b")]
    assert firsts
    assert all(set(page) == {"a", "b"} for page in firsts)


def chi_squared(found: Counter[Any], expected: dict[Any, float]) -> float:
    total = sum(found.values())
    return sum((found[key] - share * total) ** 2 / (share * total) for key, share in expected.items())


def test_booked_shares_are_exact_and_the_house_gets_what_is_nobodys() -> None:
    flights = [
        flight("a", goal={"type": "percentage", "units": 30}),
        flight("b", goal={"type": "percentage", "units": 20}),
    ]
    inventory = stock([image("a"), image("b"), image("h", house=True)], flights)
    found = Counter(stands(drafted(inventory, seed=str(n)))[0] for n in range(20_000))
    assert chi_squared(found, {"a": 0.3, "b": 0.2, "h": 0.5}) < 13.8  # df 2, p 0.001


def test_flights_with_a_weight_share_what_is_not_booked() -> None:
    flights = [flight("a", goal={"type": "percentage", "units": 40}), flight("b", weight=2), flight("c")]
    inventory = stock([image("a"), image("b"), image("c")], flights)
    found = Counter(stands(drafted(inventory, seed=str(n)))[0] for n in range(20_000))
    assert chi_squared(found, {"a": 0.4, "b": 0.4, "c": 0.2}) < 13.8


def test_shares_beyond_the_whole_shrink_alike() -> None:
    flights = [flight(id, goal={"type": "percentage", "units": 100}) for id in "ab"]
    inventory = stock([image("a"), image("b")], flights)
    found = Counter(stands(drafted(inventory, seed=str(n)))[0] for n in range(10_000))
    assert chi_squared(found, {"a": 0.5, "b": 0.5}) < 10.8


def test_the_lottery_of_a_tier_keeps_its_shares() -> None:
    inventory = stock(
        [image(id) for id in "abc"], [flight("a", weight=5), flight("b", weight=3), flight("c", weight=2)]
    )
    found = Counter(stands(drafted(inventory, seed=str(n)))[0] for n in range(100_000))
    assert chi_squared(found, {"a": 0.5, "b": 0.3, "c": 0.2}) < 13.8


def test_those_that_bid_stand_by_what_they_pay_behind_the_lottery() -> None:
    bid = {"line_item_type": "price_priority"}
    flights = [
        flight("low", price=2, **bid),
        flight("high", price=9, **bid),
        flight("clicks", price=3, rate_type="cpc", **bid),  # at one click in a thousand
        flight("drawn", line_item_type="network"),
    ]
    names = ("drawn", "high", "clicks", "low")
    inventory = stock([image(id) for id in names], flights)
    assert stands(drafted(inventory, slots(*["300x250"] * 4))) == list(names)


def test_what_is_known_of_clicks_moves_those_that_are_paid_by_them() -> None:
    bid = {"line_item_type": "price_priority"}
    rows = [flight("views", price=5, **bid), flight("clicks", price=1, rate_type="cpc", **bid)]
    texts = {row["id"]: json.dumps(row) for row in rows}
    creatives = {id: json.dumps(image(id)) for id in ("views", "clicks")}
    inventory, _ = read_inventory(Rows({"c": '{"id":"c"}'}, texts, creatives), ctr={"clicks": 0.01})
    assert [one.id for one in inventory.flights] == ["clicks", "views"]


def test_a_flight_ahead_of_its_pace_lets_pages_pass() -> None:
    inventory = stock([image("a"), image("h", house=True)], [flight("a", daily_cap=1000)])
    standing = Standing({"a": 0.25})
    pages = [drafted(inventory, seed=str(n), standing=standing) for n in range(4000)]
    share = sum(stands(page) == ["a"] for page in pages) / len(pages)
    assert share == pytest.approx(0.25, abs=0.03)
    waits = next(page for page in pages if stands(page) == ["h"])
    assert reasons(inventory, waits)[0]["a"].reason is FlightReason.PACING


def test_a_flight_that_is_spent_is_not_tried_and_says_its_figures() -> None:
    inventory = stock([image("a")], [flight("a", daily_cap=7)])
    page = drafted(inventory, standing=Standing(spent={"a": ("daily_cap", "at most 7 today", "7/7 today")}))
    assert (page.asks, stands(page)) == (False, [None])
    assert reasons(inventory, page) == [{"a": Passed("a", FlightReason.DAILY_CAP, "at most 7 today", "7/7 today")}]


def test_a_cap_that_was_reached_says_its_figures_and_when_it_ends() -> None:
    inventory = stock([image("a")], [flight("f", "a", frequency_caps=[{"max": 3, "per": "day"}])])
    page = drafted(inventory, reader=True)
    until = int(datetime(2026, 3, 2, 14, 5, tzinfo=UTC).timestamp() * 1000)
    answer = reserved(refused=[Refused(0, 0, 3, until)])
    assert reasons(inventory, page, answer) == [
        {"f": Passed("f", FlightReason.FREQUENCY_CAP, "at most 3 of flight/f", "3/3 until 2026-03-02 14:05")}
    ]


@pytest.mark.parametrize(("withheld", "reason"), [(True, "consent"), (False, "frequency_cap")])
def test_a_reader_who_is_not_known_is_told_with_the_cause(withheld: bool, reason: str) -> None:
    inventory = stock([image("a")], [flight("f", "a", frequency_caps=[{"max": 3, "per": "day"}])])
    (told,) = reasons(inventory, drafted(inventory, withheld=withheld))
    assert told["f"].reason == reason


@pytest.mark.parametrize(
    ("blocked", "cat", "runs"),
    [("iab7", "IAB7-39", False), ("iab7-39", "IAB7", True), ("iab7", "IAB70", True), ("iab7", "IAB7", False)],
)
def test_a_site_takes_no_ads_of_a_blocked_category(blocked: str, cat: str, runs: bool) -> None:
    inventory = stock([image("a", cat=[cat])], [flight("f", "a")])
    facts = PageFacts(blocked=frozenset({blocked}))
    page = draft(shortlist(inventory, ONE, facts, now=NOW, seed="s"))
    (told,) = explain(inventory, Settled(page, Word.GRANTED, settle(page)), facts, now=NOW)
    assert [one.reason for one in told] == ([] if runs else [FlightReason.BLOCKED_CATEGORY])


def test_what_is_not_told_without_consent_is_a_want_of_consent() -> None:
    inventory = stock([image("a")], [flight("f", "a", targeting={"include": {"country": ["KZ"]}})])
    facts = PageFacts(country="KZ").without_reader()
    page = draft(shortlist(inventory, ONE, facts, now=NOW, seed="s"))
    (told,) = explain(inventory, Settled(page, Word.GRANTED, settle(page)), facts, now=NOW)
    assert told == (Passed("f", FlightReason.CONSENT, "country kz", "not told without the reader's consent"),)


def some_flight(name: str) -> st.SearchStrategy[Fields]:
    optional = {
        "daily_cap": st.sampled_from([1, 2, 1000]),
        "labels": st.lists(st.sampled_from(["cars", "beer"]), max_size=2, unique=True),
        "priority": st.sampled_from([4, 8]),
        "roadblock": st.sampled_from(["only_one", "as_many_as_possible", "all"]),
        "frequency_caps": st.just([{"max": 1, "per": "page", "scope": "campaign"}]),
        "on_store_error": st.sampled_from(["serve", "skip"]),
    }
    return st.fixed_dictionaries({}, optional=optional).map(lambda more: flight(name, name, f"{name}2", **more))


@st.composite
def pages(draw: st.DrawFn) -> Draft:
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))
    creatives = [image(id, draw(st.sampled_from(["300x250", "728x90"]))) for name in names for id in (name, f"{name}2")]
    inventory = stock([*creatives, image("h", house=True)], [draw(some_flight(name)) for name in names])
    sizes = draw(st.lists(st.sampled_from(["300x250", "728x90"]), min_size=1, max_size=5))
    return drafted(inventory, slots(*sizes), seed=str(draw(st.integers(0, 99))))


@given(pages(), st.sampled_from(Word))
def test_no_page_breaks_a_rule_of_its_flights(page: Draft, outcome: Word) -> None:
    board = Board()
    rules = {fill: tried.attempt for tried in page.attempts for fill in tried.attempt.fills}
    for decision in settle(page, outcome):
        attempt = rules.get((decision.slot.id, decision.creative)) if isinstance(decision, Filled) else None
        if attempt is not None and isinstance(decision, Filled):
            alone = attempt._replace(fills=((decision.slot.id, decision.creative),))
            assert board.refuses(alone) is None
            board.take(alone)


@given(pages=st.lists(pages(), min_size=8, max_size=8))
@settings(max_examples=12)
def test_the_store_keeps_the_rules_of_a_page_as_the_page_does(pages: list[Draft], store_url: str) -> None:
    """Where every budget has room, what the store picks is what the page would have."""

    async def both(page: Draft, day: int) -> tuple[object, object]:
        roomy = [tried.attempt._replace(limits=_roomy(tried.attempt)) for tried in page.attempts]
        answer = await store.reserve(Asking(tuple(roomy), shard_key="r", day=f"{day}"))
        return settle(page, answer), settle(page)

    async def all_of_them() -> list[tuple[object, object]]:
        try:
            return [await both(page, day) for day, page in enumerate(pages, 20260101)]
        finally:
            await store.close()

    store = Store(f"{store_url}?socket_connect_timeout=9", page_timeout_ms=9000)
    for counted, page in asyncio.run(all_of_them()):
        assert counted == page


def _roomy(attempt: Attempt) -> tuple[Limit, ...]:
    return tuple(limit._replace(most=10**9) for limit in attempt.limits)


@pytest.mark.parametrize("rates", [{"a": 0.9, "b": 0.3, "c": 0.01, "d": 1e-9, "e": 1.0, "f": 0.5, "g": 0.25}])
def test_each_flight_takes_its_turn_at_its_own_rate(rates: dict[str, float]) -> None:
    standing = Standing(rates)
    found = Counter(flight for n in range(20_000) for flight in standing.taking(str(n)))
    assert {flight: found[flight] / 20_000 for flight in rates} == pytest.approx(rates, abs=0.011)


def test_turns_are_taken_apart_from_each_other() -> None:
    standing = Standing(dict.fromkeys("abcdefgh", 0.5))
    pages = [standing.taking(str(n)) for n in range(20_000)]
    assert sum({"a", "b"} <= page for page in pages) / 20_000 == pytest.approx(0.25, abs=0.01)
    assert sum("a" in page and "h" not in page for page in pages) / 20_000 == pytest.approx(0.25, abs=0.01)


def test_those_who_take_their_turn_are_drawn_by_weight_with_the_others() -> None:
    capped = {"daily_cap": 1000}
    flights = [flight("a", weight=3, **capped), flight("b", weight=2, **capped), flight("c", weight=5)]
    inventory = stock([image(id) for id in "abc"], flights)
    standing = Standing({"a": 0.5, "b": 0.999999})
    found = Counter(stands(drafted(inventory, seed=str(n), standing=standing))[0] for n in range(20_000))
    with_a = {"a": 0.3, "b": 0.2, "c": 0.5}
    without_a = {"a": 0.0, "b": 2 / 7, "c": 5 / 7}
    assert chi_squared(found, {id: (with_a[id] + without_a[id]) / 2 for id in "abc"}) < 13.8


@pytest.mark.parametrize("known", [True, False])
def test_a_page_tries_few_of_many_flights_with_limits_and_then_those_without(known: bool) -> None:
    """Whoever asks the store is tried a few times only; a reader who is not known costs no more."""
    caps = {"frequency_caps": [{"max": 1, "per": "day"}]}
    flights = [*(flight(f"f{n}", **caps) for n in range(2000)), flight("plain")]
    inventory = stock([image(row["id"]) for row in flights], flights)
    page = drafted(inventory, slots(*["300x250"] * 8), reader=known)
    assert len(page.attempts) <= 6 * 8
    assert stands(page, reserved())[0] == "plain"


def test_flights_that_are_done_are_not_drawn_however_many() -> None:
    flights = [*(flight(f"f{n}", daily_cap=9) for n in range(2000)), flight("plain")]
    inventory = stock([image(row["id"]) for row in flights], flights)
    done = {f"f{n}": ("daily_cap", "at most 9 today", "9/9 today") for n in range(2000)}
    page = drafted(inventory, standing=Standing(spent=done))
    assert ([tried.attempt.flight for tried in page.attempts], page.asks) == (["plain"], False)


def test_flights_that_all_share_a_label_leave_the_other_slots_to_the_next_tier() -> None:
    flights = [*(flight(f"f{n}", labels=["cars"]) for n in range(2000)), flight("late", line_item_type="bulk")]
    inventory = stock([image(row["id"]) for row in flights], flights)
    assert stands(drafted(inventory, TWO))[1] == "late"
