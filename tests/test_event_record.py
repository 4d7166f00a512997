"""A record comes back from its line as it was, and what is no record's line is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.counts import Reader, Record
from adlayout.events.record import Happening, What, event_record, line_of, lost_record, page_record, record_of
from adlayout.events.token import Ad, Signer, Ticket

TICKET = Ticket(9, "default", "article", "mobile", serve="5e7e", reader=Reader("now", "before"), slots=1)


@given(st.text(), st.text(), st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_any_record_comes_back_from_its_line(slot: str, article: str, name: str, value: float | None) -> None:
    ticket = TICKET._replace(article=article, serve=article, ads=(Ad(slot, "-", name),))
    record = event_record(ticket, Happening(What.VIEW, slot, value, name), 7, caps=[(name, 5)], bad=name)
    line = line_of(record)
    assert record_of(line) == record
    assert b"\n" not in line
    json.loads(line)


def test_a_page_that_counts_for_nobody_and_can_be_asked_for_again_bears_no_reader() -> None:
    signed = Signer(["secret"]).sign(TICKET)
    record = page_record(signed, 7, once=True)
    assert (record.serve, record.once, record.reader) == ("5e7e", "page", None)
    assert record_of(line_of(record)) == record


def test_a_page_without_a_name_counts_each_time() -> None:
    record = page_record(Signer(["secret"]).sign(TICKET._replace(serve="")), 7, once=True, caps=[("a", 1)])
    assert (record.serve, record.once, record.reader) == (None, None, TICKET.reader)


def test_an_exposure_tells_an_experiment_how_many_ads_stood_there_and_how_long_the_page_took() -> None:
    ticket = TICKET._replace(variation="size=big", unit="4a", ms=7, ads=(Ad("s1", "-", "house"), Ad("s2", "-", "box")))
    said = json.loads(event_record(ticket, Happening(What.EXPOSURE), 7).text)
    told = {name: said.get(name) for name in ("e", "v", "h", "m", "f", "p")}
    assert told == {"e": "exposure", "v": "size=big", "h": "4a", "m": 7, "f": 2, "p": []}


def test_an_event_says_what_it_is_worth() -> None:
    ticket = TICKET._replace(unit="4a", ads=(Ad("s1", "spring", "box"),))
    said = json.loads(event_record(ticket, Happening(What.CLICK, "s1", worth=250_000), 7).text)
    assert (said["w"], said["h"], said["p"][0][:2]) == (250_000, "4a", ["s1", "spring"])


def test_what_no_experiment_counts_says_nothing_to_one() -> None:
    said = json.loads(event_record(TICKET._replace(ads=(Ad("s1", "-", "a"),)), Happening(What.EXPOSURE), 7).text)
    assert not {"h", "m", "f", "w"} & set(said)


def test_what_stands_for_a_lost_line_counts_nothing() -> None:
    assert lost_record(7) == Record('{"e":"lost","at":7,"i":"","p":[]}', 7)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0" * 90,
        b"{}",
        b'{"at":1,"record":{"e":"page"}',
        b'{"at":1,"record":{"e":"page"}}',
        b'{"at":1,"serve":"","once":"","reader":["a"],"record":{"e":"page"}}',
        b'{"at":1,"serve":"","once":"","reader":null,"record":{"e":"p\xff"}}',
        b'at,"record":{"e":"page"}}',
        b'[1,"record":{"e":"page"}}',
    ],
)
def test_another_line_is_no_record(line: bytes) -> None:
    assert record_of(line) is None
