"""Rows become an inventory; what does not hold is named, and takes nothing else with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.decision.draft import draft
from adlayout.decision.explain import explain
from adlayout.decision.files import merged, parse_inventory
from adlayout.decision.inventory import BadRow, Inventory, read_inventory, without
from adlayout.decision.reasons import FlightReason
from adlayout.decision.settle import Settled, Word, settle
from adlayout.decision.shortlist import shortlist
from adlayout.decision.targeting import PageFacts
from adlayout.errors import ConfigError
from adlayout.model import Creative, Html, Image, Native, Slot, SlotStyle
from adlayout.rows import Rows

Fields = dict[str, Any]  # a row as JSON has it

IMAGE: Fields = {"id": "a", "kind": "image", "image": {"src": "/a.png", "w": 300, "h": 250}}
NATIVE: Fields = {"id": "n", "kind": "native", "fields": {"title": "Sofas"}}
HTML: Fields = {"id": "h", "kind": "html", "markup": "<b>Ad</b>"}
CAMPAIGN: Fields = {"id": "c"}
FLIGHT: Fields = {"id": "f", "campaign": "c", "creatives": [{"id": "a"}]}

# Every field that a row may have, as the documentation names them.
FULL_CAMPAIGN: Fields = {
    "id": "c",
    "advertiser": "Acme",
    "adomain": ["acme.example"],
    "name": "Acme 2026",
    "active": True,
    "start_time": "2026-01-01T00:00:00Z",
    "end_time": "2027-01-01T00:00:00Z",
    "frequency_caps": [{"max": 3, "per": "day", "num": 2, "scope": "campaign", "event": "click"}],
    "labels": ["automotive"],
}
FULL_FLIGHT: Fields = {
    "id": "f",
    "campaign": "c",
    "name": "Spring",
    "active": True,
    "start_time": "2026-03-01T00:00:00+01:00",
    "end_time": "2026-06-01",
    "creatives": [{"id": "a", "weight": 2.5}],
    "line_item_type": "sponsorship",
    "priority": 3,
    "weight": 7,
    "rate_type": "cpc",
    "price": 12.5,
    "goal": {"type": "view", "units": 500000},
    "daily_cap": 25000,
    "lifetime_cap": 900000,
    "delivery_rate": "asap",
    "frequency_caps": [{"max": 1, "per": "page", "scope": "advertiser"}],
    "cap_unknown_viewer": "page_only",
    "on_store_error": "skip",
    "targeting": {
        "include": {
            "site": ["news"],
            "section": ["sport"],
            "category": ["football"],
            "tag": ["cup"],
            "keyword": ["goal"],
            "country": ["DE"],
            "device": ["mobile"],
            "url": ["https://news.example/"],
            "slot": ["in-article"],
            "kv": {"plan": ["free"]},
        },
        "exclude": {"keyword": ["crash"]},
        "days": ["mon"],
        "hours": [7, "8-18"],
        "timezone": "Europe/Berlin",
    },
    "labels": ["automotive"],
    "roadblock": "all",
    "creative_rotation": "sequential",
}
FULL_CREATIVE: Fields = {
    "id": "a",
    "advertiser": "Acme",
    "adomain": ["acme.example"],
    "cat": ["IAB2"],
    "kind": "native",
    "slot_types": ["in-article"],
    "formats": ["300x250", "fluid"],
    "fields": {"title": "T", "body": "B", "cta": "C", "image": {"src": "https://x.example/i"}, "sponsor": "S"},
    "template": "card-wide",
    "link": "https://acme.example/?x=${CACHEBUSTER}",
    "trackers": {"view": ["https://t.example/v"], "click": ["https://t.example/c"]},
    "lang": "en-GB",
    "active": True,
    "house": False,
}


def rows(
    *, campaigns: tuple[Fields, ...] = (), flights: tuple[Fields, ...] = (), creatives: tuple[Fields, ...] = ()
) -> Rows:
    texts = ({row["id"]: json.dumps(row) for row in kind} for kind in (campaigns, flights, creatives))
    return Rows(*texts)


def creative(**changes: Any) -> Creative:
    inventory, bad = read_inventory(rows(creatives=({**IMAGE, **changes},)))
    assert not bad
    return inventory.creatives["a"]


def complaint(row: Fields) -> str:
    """What is said of a creative that does not hold."""
    inventory, (bad,) = read_inventory(rows(creatives=({"id": "a", **row},)))
    assert not inventory.creatives
    return bad.message


def flight_complaint(**changes: Any) -> str:
    """What is said of a flight that does not hold."""
    inventory, (bad,) = read_inventory(
        rows(campaigns=(CAMPAIGN,), creatives=(IMAGE,), flights=({**FLIGHT, **changes},))
    )
    assert not inventory.flights
    return bad.message


def faults(data: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_inventory(data)
    return [str(fault) for fault in caught.value.faults]


def test_nothing_is_an_inventory() -> None:
    assert read_inventory(Rows()) == (Inventory({}, (), ()), ())


def test_the_three_kinds_become_creatives() -> None:
    inventory, bad = read_inventory(rows(creatives=(IMAGE, NATIVE, HTML)))
    assert not bad
    assert inventory.creatives == {
        "a": Creative("a", Image("/a.png", "", 300, 250), formats=("300x250",)),
        "n": Creative("n", Native("Sofas"), formats=("fluid",)),
        "h": Creative("h", Html("<b>Ad</b>", "strict"), formats=("fluid",)),
    }


def test_every_documented_field_is_taken_and_kept() -> None:
    inventory, bad = read_inventory(
        rows(campaigns=(FULL_CAMPAIGN,), flights=(FULL_FLIGHT,), creatives=(FULL_CREATIVE,))
    )
    assert not bad
    (flight,) = inventory.flights
    assert flight.row.model_fields_set == set(FULL_FLIGHT)
    assert flight.campaign.model_fields_set == set(FULL_CAMPAIGN)
    assert inventory.creatives["a"] == Creative(
        "a",
        Native("T", "B", "C", "S", Image("https://x.example/i"), "card-wide"),
        "https://acme.example/?x=${CACHEBUSTER}",
        ("in-article",),
        ("300x250", "fluid"),
        "en-GB",
        adomain=("acme.example",),
        cat=("IAB2",),
        view_trackers=("https://t.example/v",),
        click_trackers=("https://t.example/c",),
    )


def test_a_flight_is_joined_with_its_campaign() -> None:
    inventory, _ = read_inventory(rows(campaigns=(FULL_CAMPAIGN,), flights=(FULL_FLIGHT,), creatives=(IMAGE,)))
    (flight,) = inventory.flights
    assert (flight.active, flight.priority, flight.house) == (True, 3, False)
    assert flight.start == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert flight.end == datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type", "priority"),
    [("sponsorship", 4), ("standard", 8), ("network", 12), ("bulk", 12), ("price_priority", 12), ("house", 16)],
)
def test_priority_follows_the_line_item_type(type: str, priority: int) -> None:
    row = {**FLIGHT, "line_item_type": type}
    inventory, _ = read_inventory(rows(campaigns=(CAMPAIGN,), flights=(row,), creatives=(IMAGE,)))
    assert [(flight.priority, flight.house) for flight in inventory.flights] == [(priority, type == "house")]


def test_an_inactive_campaign_switches_its_flights_off() -> None:
    campaign = {"id": "c", "active": False}
    inventory, _ = read_inventory(rows(campaigns=(campaign,), flights=(FLIGHT,), creatives=(IMAGE,)))
    assert [flight.active for flight in inventory.flights] == [False]


def test_house_creatives_need_no_flight() -> None:
    inventory, bad = read_inventory(rows(creatives=(IMAGE, {**NATIVE, "house": True})))
    assert not bad
    assert [one.creative.id for one in inventory.house] == ["n"]


def test_a_creative_may_be_barred_for_its_markup() -> None:
    inventory, _ = read_inventory(rows(campaigns=(CAMPAIGN,), flights=(FLIGHT,), creatives=({**IMAGE, "house": True},)))
    barred = without(inventory, {"a"})
    assert [one.barred for one in (*barred.flights[0].candidacies, *barred.house)] == [FlightReason.BAD_MARKUP] * 2
    assert without(inventory, ()) is inventory


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ("null", "expected keys with values (got null)"),
        ('"a"', 'expected keys with values (got "a")'),
        ("[]", "expected keys with values (got a list)"),
        ('{"id": "a", "kind": "image", "image": "\\ud800"}', ""),
        ("\udcff", "is not UTF-8"),
        ('{"id": "other", "kind": "html", "markup": "x"}', 'says its id is "other"'),
    ],
)
def test_a_bad_row_is_named_and_takes_nothing_else_down(text: str, message: str) -> None:
    good = rows(campaigns=(CAMPAIGN,), flights=(FLIGHT,), creatives=(IMAGE,))
    inventory, bad = read_inventory(merged(good, Rows(creatives={"b": text})))
    assert [(row.kind, row.id) for row in bad] == [("creative", "b")]
    assert message in bad[0].message
    assert inventory == read_inventory(good)[0]


def test_of_a_row_with_many_faults_the_first_are_told() -> None:
    *first, last = flight_complaint(targeting={"include": {"section": [3] * 10_000}}).split("; ")
    assert first == [f"targeting.include.section.{at}: expected text (got 3)" for at in range(8)]
    assert last == "and 9992 more"


def test_a_key_of_strange_bytes_is_named_readably() -> None:
    _, bad = read_inventory(Rows(campaigns={"\udcff": "{"}))
    assert [(row.kind, row.id) for row in bad] == [("campaign", "\\udcff")]


def test_a_flight_without_its_campaign_does_not_run() -> None:
    inventory, bad = read_inventory(rows(flights=(FLIGHT,), creatives=(IMAGE,)))
    assert not inventory.flights
    assert bad == (BadRow("flight", "f", 'campaign: no campaign "c" that holds'),)


def test_a_flight_runs_with_those_of_its_creatives_that_hold() -> None:
    flight = {**FLIGHT, "creatives": [{"id": "a"}, {"id": "gone"}]}
    inventory, bad = read_inventory(rows(campaigns=(CAMPAIGN,), flights=(flight,), creatives=(IMAGE,)))
    assert [one.creative.id for one in inventory.flights[0].candidacies] == ["a"]
    assert bad == (BadRow("flight", "f", 'creatives: no creative "gone" that holds; left out'),)


def test_a_flight_whose_creatives_are_all_unknown_does_not_run() -> None:
    inventory, bad = read_inventory(rows(campaigns=(CAMPAIGN,), flights=(FLIGHT,)))
    assert not inventory.flights
    assert [row.id for row in bad] == ["f"]


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "//evil.example",
        "/path",
        "https://",
        "https://:443/",
        "https://bank.example@evil.example/",
        "https://a.example/\r\nSet-Cookie: x",
        "https://a.example\\@b.example",
        "https:\\\\evil.example",
        "ftp://a.example/",
        "https://[::",
        " https://a.example",
        "",
    ],
)
def test_a_link_leads_to_a_web_page_and_nowhere_else(link: str) -> None:
    assert complaint({**IMAGE, "link": link}).startswith("link: ")


@pytest.mark.parametrize("src", ["javascript:x", "//cdn.example/a.png", "data:text/html,x", "a.png", "/a\\b", ""])
def test_a_picture_comes_from_the_web_the_site_or_the_row(src: str) -> None:
    assert complaint({"kind": "image", "image": {"src": src}}).startswith("image.src: ")


@pytest.mark.parametrize(
    "src", ["https://c.example/a.png", "http://c.example/a", "/a.png", "data:image/png;base64,AA=="]
)
def test_these_pictures_are_taken(src: str) -> None:
    assert creative(image={"src": src}) == Creative("a", Image(src), formats=("fluid",))


def test_a_native_picture_may_be_its_address_alone() -> None:
    inventory, _ = read_inventory(rows(creatives=({**NATIVE, "fields": {"title": "T", "image": "/i.png"}},)))
    assert inventory.creatives["n"].content == Native("T", image=Image("/i.png"))


@pytest.mark.parametrize("form", ["300", "300X250", "0x250", "300x", "fluid ", "largest", "300x250x2", "-1x5"])
def test_a_format_is_a_size_or_fluid(form: str) -> None:
    assert complaint({**IMAGE, "formats": [form]}).startswith("formats.0: ")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": "image"}, "image: missing, and kind is image"),
        ({"kind": "native"}, "fields: missing, and kind is native"),
        ({"kind": "html"}, "markup: missing, and kind is html"),
        ({**IMAGE, "markup": "x"}, "markup: belongs to kind html, and kind is image"),
        ({**IMAGE, "template": "card"}, "template: belongs to kind native, and kind is image"),
        ({**IMAGE, "sandbox": "strict"}, "sandbox: belongs to kind html, and kind is image"),
        ({**IMAGE, "kind": "video"}, 'kind: expected "image", "native" or "html" (got "video")'),
        ({**IMAGE, "colour": "red"}, "colour: unknown key, there are: active, adomain, advertiser, cat, "),
        ({**IMAGE, "id": "with space"}, "id: expected text of the form "),
        (
            {**HTML, "markup": "x", "sandbox": "none", "id": "a"},
            'sandbox: expected "strict", "scripts" or "first-party" (got "none")',
        ),
    ],
)
def test_a_creative_is_of_one_kind_and_has_known_keys(row: Fields, message: str) -> None:
    assert message in complaint(row)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": 0}, "weight: "),
        ({"priority": 17}, "priority: "),
        ({"priority": 2.5}, "priority: expected a whole number (got 2.5)"),
        ({"creatives": []}, "creatives: "),
        ({"creatives": [{"id": "a", "weight": 0}]}, "creatives.0.weight: expected more than 0"),
        ({"creatives": [{"id": "a"}, {"id": "a"}]}, 'creatives: "a" is listed twice'),
        ({"start_time": 1772000000}, "start_time: expected a time such as"),
        ({"start_time": "tomorrow"}, 'start_time: expected a time such as 2026-03-01T00:00:00+01:00 (got "tomorrow")'),
        ({"start_time": "20260301"}, 'start_time: expected a time such as 2026-03-01T00:00:00+01:00 (got "20260301")'),
        ({"end_time": "1772000000"}, "end_time: expected a time such as"),
        ({"end_time": "2026-02-30"}, "end_time: expected a time such as"),
        ({"weight": float("nan")}, "weight: "),
        ({"weight": 1e7}, "weight: expected at most 1000000"),
        ({"start_time": "2026-03-01", "end_time": "2026-03-01T00:00:00Z"}, "end_time is not after start_time"),
        ({"goal": {"type": "view"}}, "goal.units: "),
        ({"targeting": {"hours": ["8-25"]}}, "targeting.hours: expected an hour"),
        ({"targeting": {"hours": 8}}, "targeting.hours: expected a list"),
        ({"targeting": {"timezone": "Mars/Olympus"}}, 'targeting.timezone: no time zone "Mars/Olympus"'),
        ({"targeting": {"timezone": "../etc/passwd"}}, "targeting.timezone: no time zone"),
        (
            {"targeting": {"include": {"sections": ["sport"]}}},
            'targeting.include.sections: unknown key, did you mean "section"?',
        ),
    ],
)
def test_a_flight_that_does_not_hold_says_where(changes: Fields, message: str) -> None:
    assert message in flight_complaint(**changes)


def test_a_file_becomes_the_rows_it_says() -> None:
    data = {"campaigns": [FULL_CAMPAIGN], "flights": [FULL_FLIGHT], "creatives": [FULL_CREATIVE]}
    inventory, bad = read_inventory(parse_inventory(data))
    assert not bad
    assert (
        inventory
        == read_inventory(rows(campaigns=(FULL_CAMPAIGN,), flights=(FULL_FLIGHT,), creatives=(FULL_CREATIVE,)))[0]
    )


def test_a_row_keeps_what_was_written_and_no_defaults() -> None:
    written = parse_inventory({"campaigns": [{"id": "c", "active": True}]}).campaigns
    assert {id: json.loads(text) for id, text in written.items()} == {"c": {"id": "c", "active": True}}


def test_a_file_names_all_its_faults_with_their_places() -> None:
    flight = {**FLIGHT, "start_time": "soon", "weight": -1}
    assert [fault.partition(": ")[0] for fault in faults({"flights": [flight], "adverts": []})] == [
        "flights.0.start_time",
        "flights.0.weight",
        "adverts",
    ]


def test_a_file_that_names_what_is_not_there_is_refused() -> None:
    data = {"flights": [{**FLIGHT, "creatives": [{"id": "a"}, {"id": "gone"}]}], "creatives": [IMAGE, IMAGE]}
    assert faults(data) == [
        'creatives.1.id: "a" was there before',
        'flights.0.campaign: no campaign "c"',
        'flights.0.creatives.1.id: no creative "gone"',
    ]


def test_a_file_may_name_what_the_store_has() -> None:
    known = rows(campaigns=(CAMPAIGN,), creatives=(IMAGE,))
    assert parse_inventory({"flights": [FLIGHT]}, known).flights.keys() == {"f"}


@pytest.mark.parametrize("data", [None, [], "text", 3, {"campaigns": {}}, {"campaigns": [None]}])
def test_a_file_of_another_shape_is_refused(data: object) -> None:
    assert faults(data)


# What ops, scripts and accidents put where something else belongs.
RUBBISH = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(10**320), 10**320)
    | st.text(max_size=5)
    | st.sampled_from(["20260301", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "24-8", "٣", "localtime"])
    | st.sampled_from(["https://[::", "https://:80", "data:", "\x00", "en-", "99999x1", "America", "../zone"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=8,
)


def paths(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything within a value."""
    yield at
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*at, key))


def spoilt(value: Any, at: tuple[Any, ...], rubbish: object) -> Any:
    """The value with something else at one place."""
    if not at:
        return rubbish
    copy = value.copy()
    copy[at[0]] = spoilt(value[at[0]], at[1:], rubbish)
    return copy


def rubbish(row: Fields) -> st.SearchStrategy[str]:
    """The row with rubbish at one place, as a JSON text."""
    return st.builds(lambda at, value: json.dumps(spoilt(row, at, value)), st.sampled_from([*paths(row)]), RUBBISH)


def bytes_as_text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


GOOD = {"c": FULL_CAMPAIGN, "f": FULL_FLIGHT, "a": FULL_CREATIVE}


@pytest.mark.parametrize("spoil", GOOD)
@given(data=st.data())
def test_a_row_is_read_or_named_and_pages_are_decided(spoil: str, data: st.DataObject) -> None:
    texts = {id: json.dumps(row) for id, row in GOOD.items()}
    texts[spoil] = data.draw(rubbish(GOOD[spoil]) | st.binary(max_size=20).map(bytes_as_text))
    inventory, bad = read_inventory(Rows({"c": texts["c"]}, {"f": texts["f"]}, {"a": texts["a"]}))
    assert len(inventory.creatives) == (("creative", "a") not in {(row.kind, row.id) for row in bad})
    assert len(inventory.flights) == (not bad)
    "".join(row.message + row.id for row in bad).encode()
    now, facts = datetime(2026, 3, 2, 12, tzinfo=UTC), PageFacts(section="sport", url="https://[::")
    lists = shortlist(inventory, [Slot("s", SlotStyle())], facts, now=now, seed="s")
    page = draft(lists)
    settled = Settled(page, Word.GRANTED, settle(page))
    assert len(explain(inventory, settled, facts, now=now)) == len(settled.decisions) == 1


@pytest.mark.parametrize(("named", "opens"), [(None, 8), ("Europe/Berlin", 8)])
def test_hours_are_those_of_the_site_where_a_flight_names_no_time_zone(named: str | None, opens: int) -> None:
    targeting = {"days": ["mon"], "hours": [8], **({"timezone": named} if named else {})}
    texts = rows(campaigns=(CAMPAIGN,), creatives=(IMAGE,), flights=({**FLIGHT, "targeting": targeting},))
    (flight,) = read_inventory(texts, time_zone="Asia/Tokyo")[0].flights
    hours = flight.targeting.hours
    assert hours is not None
    assert (hours.open, str(hours.zone)) == (frozenset({opens}), named or "Asia/Tokyo")
