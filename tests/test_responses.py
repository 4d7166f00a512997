"""The door outwards: pages become bytes and headers, in the request's charset or as JSON; failures become problems."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.answers import page_json
from adlayout.errors import BadPlan, Fault, InputError, NotAllowed, NotAnArticle, TooLarge, UnsupportedBody
from adlayout.model import Degraded, Device, Empty, Filled, Output, Page, Piece, Request, Slot, SlotStyle, Unfilled
from adlayout.web.charsets import UTF8, Charset
from adlayout.web.problems import problem_of
from adlayout.web.requests import Received
from adlayout.web.responses import page_answer, wants_json

FIRST = Slot("inline-1", SlotStyle(), gap=1, offset=8, due_gap=1)
SECOND = Slot("inline-2", SlotStyle(), gap=2, offset=16, due_gap=2)
PAGE = Page(
    pieces=(
        Piece("<body>"),
        Piece("<p>one</p>"[:8], sacred=True),
        Piece("<aside>", slot=0),
        Piece("Å</aside>", slot=0),
        Piece("two", sacred=True),
        Piece("</body>"),
    ),
    article_from=1,
    article_to=5,
    decisions=(
        Filled(FIRST, "acme-300x250", "acme-spring", "acme-2026", False, "300x250"),
        Empty(SECOND, Unfilled.NO_CANDIDATE),
    ),
    output=Output.PAGE,
    site="default",
    layout="article",
    device=Device.MOBILE,
)


def received(charset: Charset = UTF8) -> Received:
    return Received(Request(html="", request_id="r-1"), charset)


def article(text: str) -> Page:
    return replace(PAGE, pieces=(Piece(text, sacred=True),), article_from=0, article_to=1, decisions=())


def body(page: Page, charset: Charset = UTF8) -> bytes:
    return bytes(page_answer(page, received(charset), as_json=False).body)


def headers(page: Page) -> dict[str, str]:
    return dict(page_answer(page, received(), as_json=False).headers)


def test_the_json_answer_says_where_everything_is() -> None:
    assert page_json(PAGE, "r-1") == {
        "html": "<body><p>one</<aside>Å</aside>two</body>",
        "output": "page",
        "layout": "article",
        "device": "mobile",
        "experiment": None,
        "slots": [
            {
                "id": "inline-1",
                "type": "in-article",
                "gap": 1,
                "offset": 8,
                "output_start": 14,
                "output_end": 30,
                "filled": True,
                "creative": "acme-300x250",
                "flight": "acme-spring",
                "campaign": "acme-2026",
                "house": False,
                "reason": None,
            },
            {
                "id": "inline-2",
                "type": "in-article",
                "gap": 2,
                "offset": 16,
                "output_start": None,
                "output_end": None,
                "filled": False,
                "creative": None,
                "flight": None,
                "campaign": None,
                "house": False,
                "reason": "no_candidate",
            },
        ],
        "article_start": 6,
        "article_end": 33,
        "script": None,
        "degraded": [],
        "warnings": [],
        "request_id": "r-1",
    }


def test_the_html_answer_carries_the_headers_of_the_contract() -> None:
    page = replace(
        PAGE,
        degraded=(Degraded.DEADLINE, Degraded.UNKNOWN_SITE),
        warnings=("existing_ads", "unknown_field:a,b"),
        timings_ms=(("parse", 1.25), ("place", 0.5)),
        cached=True,
    )
    assert headers(page) == {
        "content-type": "text/html; charset=utf-8",
        "content-length": "41",
        "adlayout-layout": "article",
        "adlayout-slots": "1/2",
        "adlayout-cache-key": "layout=article;variation=;device=mobile",
        "adlayout-degraded": "deadline, unknown_site",
        "adlayout-warnings": "existing_ads, unknown_field:a%2Cb",
        "server-timing": "parse;dur=1.250, place;dur=0.500, cache;desc=hit",
        "cache-control": "private, no-store",
        "vary": "Accept",
        "x-request-id": "r-1",
    }


def test_a_page_for_every_reader_may_be_cached() -> None:
    assert headers(replace(PAGE, cacheable_s=60))["cache-control"] == "public, max-age=60"


def test_headers_hold_names_in_any_script() -> None:
    page = replace(PAGE, layout="щит 100%", warnings=("unknown_field:\r\nX: y",))
    assert headers(page)["adlayout-layout"] == "%D1%89%D0%B8%D1%82%20100%25"
    assert headers(page)["adlayout-warnings"] == "unknown_field:%0D%0AX:%20y"


def test_our_text_becomes_references_where_the_charset_cannot_hold_it() -> None:
    page = replace(PAGE, pieces=(Piece("Щи ☃ "), Piece("\udc98тип", sacred=True)), article_to=2)
    charset = Charset("windows-1251", "cp1251", raw=True)
    assert body(page, charset) == "Щи &#9731; ".encode("cp1251") + b"\x98" + "тип".encode("cp1251")


def test_the_content_type_names_the_charset_of_the_request() -> None:
    answer = page_answer(PAGE, received(Charset("koi8-r", "koi8-r", raw=True)), as_json=False)
    assert answer.headers["content-type"] == "text/html; charset=koi8-r"


def test_invalid_bytes_are_kept_in_html_and_marked_in_json() -> None:
    charset = Charset(raw=True)
    page = article("a\udcffb")
    assert body(page, charset) == b"a\xffb"
    assert json.loads(bytes(page_answer(page, received(charset), as_json=True).body))["html"] == "a\ufffdb"


def test_a_lone_surrogate_of_a_json_request_is_marked_in_html_and_kept_in_json() -> None:
    page = article("a\udcffb\ud800")
    assert body(page) == "a\ufffdb\ufffd".encode()
    assert json.loads(bytes(page_answer(page, received(), as_json=True).body))["html"] == "a\udcffb\ud800"


@given(st.binary())
def test_the_article_of_an_html_request_comes_back_byte_for_byte(source: bytes) -> None:
    charset = Charset(raw=True)
    assert body(article(charset.decode(source)), charset) == source


@pytest.mark.parametrize(
    ("accept", "as_json"),
    [
        ("", False),
        ("*/*", False),
        ("text/html", False),
        ("text/*", False),
        ("nonsense", False),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/*", True),
        ("application/json, text/html", False),
        ("text/html, application/json", False),
        ("application/json, text/html;q=0.9", True),
        ("application/json;q=0.5, text/html", False),
        ("application/json;q=0.5, text/html; q=0.4", True),
        ("application/json, */*", True),
        ("application/json, text/plain, */*", True),
        ("text/html, */*", False),
        ("application/json;q=0, */*", False),
        ("text/html;q=0, */*", True),
        ("application/json;q=x", False),
        ("application/json;q=nan", False),
    ],
)
def test_json_is_sent_to_those_who_prefer_it(accept: str, as_json: bool) -> None:
    assert wants_json(accept) is as_json


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (NotAnArticle("why"), 400, "not-an-article"),
        (NotAllowed("why"), 401, "not-allowed"),
        (TooLarge("why"), 413, "too-large"),
        (UnsupportedBody("why"), 415, "unsupported-body"),
        (BadPlan("why"), 422, "bad-plan"),
        (BadPlan("why", status=404), 404, "bad-plan"),
    ],
)
def test_every_input_error_is_a_problem(error: InputError, status: int, kind: str) -> None:
    answer = problem_of(error)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert json.loads(bytes(answer.body)) == {
        "type": f"urn:adlayout:problem:{kind}",
        "title": error.title,
        "status": status,
        "detail": "why",
    }


def test_a_problem_lists_everything_that_is_wrong() -> None:
    answer = problem_of(BadPlan("two faults", (Fault("site", "expected a text"), Fault("seed", "expected a text"))))
    assert json.loads(bytes(answer.body))["errors"] == [
        {"at": "site", "message": "expected a text"},
        {"at": "seed", "message": "expected a text"},
    ]
