"""The question of a caller that renders itself: slots are read strictly, all else as for a page."""

from __future__ import annotations

import pytest

from adlayout.errors import Fault
from adlayout.model import ArticleFacts, Consent, Device, Request, Slot, SlotStyle
from adlayout.web.decide import BadDecide, Wanted, read_decide

HEADERS = {b"x-request-id": b"r-1", b"adlayout-unit": b"visitor-42"}


def test_slots_need_an_id_only() -> None:
    assert read_decide({"slots": [{"id": "top"}]}, {b"x-request-id": b"r-1"}) == Wanted(
        Request(html="", request_id="r-1"), (Slot("top", SlotStyle()),)
    )


def test_everything_but_the_article_may_be_said() -> None:
    tree = {
        "article": {"html": "<p>not needed</p>", "section": "world", "tags": ["asia"], "url": "https://news.example/1"},
        "site": "default",
        "device": "desktop",
        "context": {"country": "KZ", "keywords": ["a"], "attributes": {"plan": "x"}},
        "consent": {"gdpr": 0},
        "request_id": "r-2",
        "seed": "s",
        "slots": [
            {"id": "top", "type": "leaderboard", "formats": ["728x90", "fluid"]},
            {"id": "side", "type": None, "formats": []},
        ],
    }
    assert read_decide(tree, HEADERS) == Wanted(
        Request(
            html="",
            facts=ArticleFacts(section="world", tags=("asia",), url="https://news.example/1"),
            site="default",
            device=Device.DESKTOP,
            country="KZ",
            keywords=("a",),
            attributes=(("plan", "x"),),
            unit="visitor-42",
            consent=Consent(gdpr=False),
            request_id="r-2",
            retried=True,
            seed="s",
        ),
        (
            Slot("top", SlotStyle(type="leaderboard", formats=("728x90", "fluid"))),
            Slot("side", SlotStyle()),
        ),
    )


def test_what_else_is_wrong_costs_its_field_only() -> None:
    wanted = read_decide({"slots": [{"id": "top"}], "colour": 1, "device": "watch"}, HEADERS)
    assert wanted.request.warnings == ("unknown_field:colour", "malformed_field:device")


TOO_MANY = [{"id": f"s{number}"} for number in range(51)]


@pytest.mark.parametrize(
    ("tree", "faults"),
    [
        ([], [("", 'expected an object, as in {"slots": [{"id": "top", "formats": ["728x90"]}]}')]),
        ({}, [("slots", "expected a list of 1 to 50 slots")]),
        ({"slots": []}, [("slots", "expected a list of 1 to 50 slots")]),
        ({"slots": {"id": "x"}}, [("slots", "expected a list of 1 to 50 slots")]),
        ({"slots": TOO_MANY}, [("slots", "expected a list of 1 to 50 slots")]),
        ({"slots": ["top"]}, [("slots.0", "expected an object with an id")]),
        (
            {"slots": [{"id": "a"}, {"id": "a"}, {"id": ""}, {}, {"id": "x" * 101}, {"id": "a\nb"}]},
            [
                ("slots.1.id", '"a" was there before'),
                ("slots.2.id", "expected a text of 1 to 100 characters"),
                ("slots.3.id", "expected a text of 1 to 100 characters"),
                ("slots.4.id", "expected a text of 1 to 100 characters"),
                ("slots.5.id", "expected a text of 1 to 100 characters"),
            ],
        ),
        (
            {"slots": [{"id": "a", "type": 1, "formats": "300x250", "format": "fluid"}]},
            [
                ("slots.0.format", 'there is no such field, did you mean "formats"?'),
                ("slots.0.type", "expected the type of a slot, as in-article"),
                ("slots.0.formats", 'expected a list of sizes such as ["300x250", "fluid"]'),
            ],
        ),
        (
            {"slots": [{"id": "a", "formats": ["300X250"]}, {"id": "b", "formats": ["1x1"] * 21}]},
            [
                ("slots.0.formats", 'expected a list of sizes such as ["300x250", "fluid"]'),
                ("slots.1.formats", 'expected a list of sizes such as ["300x250", "fluid"]'),
            ],
        ),
    ],
)
def test_slots_that_do_not_hold_are_refused_all_at_once(tree: object, faults: list[tuple[str, str]]) -> None:
    with pytest.raises(BadDecide) as caught:
        read_decide(tree, HEADERS)
    assert caught.value.faults == tuple(Fault(at, message) for at, message in faults)


def test_as_many_slots_as_are_taken_are_taken() -> None:
    assert len(read_decide({"slots": TOO_MANY[:50]}, HEADERS).slots) == 50
