"""What the page script reports: what holds is read, what does not is left out, and no body is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.events.beacon import LONGEST_BODY, MOST_EVENTS, Batch, read_batch
from adlayout.events.record import Happening, What

ID = "k3v9x0a1b2c3"


def batch(*events: object, **fields: object) -> Batch:
    return read_batch(json.dumps({"token": "t", "id": ID, "events": events} | fields).encode())


def test_every_kind_of_event_is_read() -> None:
    events: tuple[dict[str, Any], ...] = (
        {"type": "view", "slot": "inline-1"},
        {"type": "exposure"},
        {"type": "engaged", "ms": 12_000.4, "n": 2},
        {"type": "shift", "value": 0.02001},
        {"type": "conversion", "name": "signup", "value": 9.5},
        {"type": "conversion", "name": "read"},
    )
    assert batch(*events) == Batch(
        "t",
        ID,
        (
            Happening(What.VIEW, slot="inline-1"),
            Happening(What.EXPOSURE),
            Happening(What.ENGAGED, value=12_000, number=2),
            Happening(What.SHIFT, value=0.02),
            Happening(What.CONVERSION, value=9.5, name="signup"),
            Happening(What.CONVERSION, value=1, name="read"),
        ),
    )


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (None, "not_an_event"),
        ("view", "not_an_event"),
        ({}, "unknown_type"),
        ({"type": "click", "slot": "a"}, "unknown_type"),
        ({"type": ["view"]}, "unknown_type"),
        ({"type": "view"}, "bad_value"),
        ({"type": "view", "slot": 1}, "bad_value"),
        ({"type": "view", "slot": "a b"}, "bad_value"),
        ({"type": "view", "slot": "x" * 101}, "bad_value"),
        ({"type": "engaged", "ms": -1}, "bad_value"),
        ({"type": "engaged", "ms": True}, "bad_value"),
        ({"type": "engaged", "ms": 86_400_001}, "bad_value"),
        ({"type": "engaged", "ms": 10**400}, "bad_value"),
        ({"type": "engaged", "ms": float("inf")}, "bad_value"),
        ({"type": "shift", "value": float("nan")}, "bad_value"),
        ({"type": "shift", "value": -0.1}, "bad_value"),
        ({"type": "conversion", "value": 1}, "bad_value"),
        ({"type": "conversion", "name": "a", "value": "1"}, "bad_value"),
        ({"type": "engaged", "ms": 1, "n": -1}, "bad_number"),
        ({"type": "engaged", "ms": 1, "n": True}, "bad_number"),
        ({"type": "engaged", "ms": 1, "n": 1_000}, "bad_number"),
        ({"type": "engaged", "ms": 1, "n": "1"}, "bad_number"),
    ],
)
def test_an_event_that_does_not_hold_costs_itself_only(event: object, reason: str) -> None:
    assert batch({"type": "exposure"}, event) == Batch("t", ID, (Happening(What.EXPOSURE),), (reason,))


def test_a_view_counts_once_whatever_number_it_bears() -> None:
    numbered = batch(*({"type": kind, "slot": "a", "name": "a", "n": 7} for kind in ("view", "exposure", "conversion")))
    assert [one.once for one in numbered.happenings] == ["view:a", "exposure", "conversion:a"]


def test_what_comes_in_parts_counts_in_parts() -> None:
    parts = batch(*({"type": "engaged", "ms": 5, "n": n} for n in range(3)))
    assert [one.once for one in parts.happenings] == ["engaged", "engaged:1", "engaged:2"]


def test_more_events_than_a_page_sends_are_left_out() -> None:
    found = batch(*[{"type": "exposure"}] * (MOST_EVENTS + 9))
    assert (len(found.happenings), found.dropped) == (MOST_EVENTS, ("too_many",))


@pytest.mark.parametrize("id", [None, "", "short", "x" * 65, "with space", "with:colon", "ключключ", ["a" * 9]])
def test_a_name_that_is_none_leaves_the_page_without(id: object) -> None:
    assert batch({"type": "exposure"}, id=id) == Batch("t", "", (Happening(What.EXPOSURE),))


@pytest.mark.parametrize(
    ("body", "expect"),
    [
        (b"", Batch("", dropped=("not_json",))),
        (b"\xff\xfe\x00", Batch("", dropped=("not_json",))),
        (b"[" * 9_000, Batch("", dropped=("not_json",))),
        (b"9" * 9_000, Batch("", dropped=("not_json",))),
        (b"null", Batch("", dropped=("no_token",))),
        (b"{}", Batch("", dropped=("no_token",))),
        (b'{"token": 1, "events": []}', Batch("", dropped=("no_token",))),
        (b'{"token": "t"}', Batch("t", dropped=("no_events",))),
        (b'{"token": "t", "events": {}}', Batch("t", dropped=("no_events",))),
        (b'{"token": "t", "events": []}', Batch("t")),
        (b" " * (LONGEST_BODY + 1), Batch("", dropped=("too_long",))),
    ],
)
def test_a_body_that_is_no_batch_is_an_empty_one(body: bytes, expect: Batch) -> None:
    assert read_batch(body) == expect


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["type"]), inner),
)
EVENTS = st.lists(
    VALUES
    | st.fixed_dictionaries(
        {"type": st.sampled_from(["view", "exposure", "engaged", "shift", "conversion"])},
        optional={"slot": VALUES, "ms": VALUES, "value": VALUES, "name": VALUES, "n": VALUES},
    ),
    max_size=5,
)


@given(EVENTS)
def test_every_event_is_read_or_has_a_reason(events: list[object]) -> None:
    found = batch(*events)
    assert len(found.happenings) + len(found.dropped) == len(events)


@given(st.binary())
def test_any_bytes_are_a_batch(body: bytes) -> None:
    assert isinstance(read_batch(body), Batch)
