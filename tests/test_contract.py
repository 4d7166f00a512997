"""The contract as a CMS meets it, in tables: what is sent, and the whole of what has to come back."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.decision.inventory import read_inventory
from adlayout.upkeep import Shelf, Stock
from adlayout.web.app import create_app

CONFIG = Path(__file__).parents[1] / "config"
HTML = {"content-type": "text/html"}
JSON = {"content-type": "application/json", "accept": "application/json"}
LOCAL = ("127.0.0.1", 50_000)
ARTICLE = "<h1>On the hill</h1>\n" + "\n".join(f"<p>Paragraph {n} says a little.</p>" for n in range(1, 7))
SHORT = "<p>One.</p><p>Two.</p>"
ASIDE = re.compile('<aside class="adl-slot".*?</aside>', re.DOTALL)

# Layouts and sites beside the shipped ones: slots that nobody fills, and rules that choose.
HOLD = """
version: 1
name: hold
inline:
  first: 1 paragraph
  every: 1 paragraph
  end_guard: 0 paragraphs
  reserve: none
  slots:
    - {type: nobody, formats: [1x1], on_empty: hold}
    - {type: nobody, formats: [1x1]}
page_slots:
  leaderboard: {formats: [1x1], on_empty: hold}
"""
SETTINGS = """
version: 1
sites:
  default: {name: Daily}
  ruled:
    name: Ruled
    layouts:
      - {when: {section: [World, sport], device: [desktop]}, layout: hold}
      - {when: {tags: [long-read]}, layout: article}
      - {when: {section: [world]}, layout: article}
  quiet: {name: Quiet, ads: false, cache_max_age_s: 0}
"""


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Edition:
    directory = Path(shutil.copytree(CONFIG, tmp_path_factory.mktemp("contract") / "config"))
    (directory / "layouts" / "hold.yaml").write_text(HOLD, "utf-8")
    (directory / "adlayout.yaml").write_text(SETTINGS, "utf-8")
    return assemble(directory, {})


def worker(edition: Edition) -> TestClient:
    """A worker of its own, with the ads of the sample inventory."""
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    return TestClient(create_app(edition, Shelf(Stock(inventory, prepared, 1)), None), client=LOCAL)


@pytest.fixture(scope="module")
def client(edition: Edition) -> Iterator[TestClient]:
    with worker(edition) as local:
        yield local


def ask(client: TestClient, fields: Mapping[str, object], path: str = "/v1/compose") -> Response:
    """The JSON form; the article is ARTICLE where the fields bring none."""
    beside = fields.get("article", {})
    assert isinstance(beside, dict)
    return client.post(path, content=json.dumps({**fields, "article": {"html": ARTICLE} | beside}), headers=JSON)


def send(client: TestClient, body: str | bytes, query: str = "", **headers: str) -> Response:
    """The HTML form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/v1/compose?{query}", content=body, headers=HTML | named)


def cut(answer: Response) -> str:
    """The stretch of the article with the inline spans cut out of it."""
    page = answer.json()
    html, end = page["html"], page["article_end"]
    spans = [(each["output_start"], each["output_end"]) for each in page["slots"] if each["gap"] is not None]
    for first, last in sorted((span for span in spans if span[0] is not None), reverse=True):
        assert page["article_start"] <= first < last <= end
        html, end = html[:first] + html[last:], end - (last - first)
    return str(html[page["article_start"] : end])


def warned(answer: Response) -> tuple[int, list[str]]:
    """The status, and the warnings of the header."""
    return answer.status_code, [each for each in answer.headers.get("adlayout-warnings", "").split(", ") if each]


# What is wrong with a field costs the field.


@pytest.mark.parametrize(
    ("header", "value", "warnings"),
    [
        ("adlayout-unit", "visitor-42", []),
        ("adlayout-unit", "", []),
        ("adlayout-consent-gdpr", "1", []),
        ("adlayout-consent-gdpr", "2", ["malformed_field:consent.gdpr"]),
        ("adlayout-consent-tcf", "CPc7TgA", []),
        ("adlayout-consent-gpp", "DBAA", []),
        ("adlayout-consent-gpp-sid", "2", []),
        ("adlayout-consent-gpp-sid", "2, 6", []),
        ("adlayout-consent-gpp-sid", "", []),
        ("adlayout-consent-gpp-sid", "two", ["malformed_field:consent.gpp_sid"]),
        ("adlayout-consent-gpc", "true", []),
        ("adlayout-consent-gpc", "yes", ["malformed_field:consent.gpc"]),
        ("adlayout-consent-coppa", "0", []),
    ],
)
def test_the_reader_may_be_told_in_headers(client: TestClient, header: str, value: str, warnings: list[str]) -> None:
    assert warned(send(client, SHORT, **{header: value})) == (200, warnings)


def test_malformed_headers_are_named_in_one_order(client: TestClient) -> None:
    headers = {f"adlayout-consent-{name}": "?" for name in ("coppa", "gpc", "gdpr", "gpp-sid")}
    assert warned(send(client, SHORT, **headers)) == (
        200,
        [f"malformed_field:consent.{name}" for name in ("gdpr", "gpp_sid", "gpc", "coppa")],
    )


@pytest.mark.parametrize(
    ("query", "warnings"),
    [
        ("tags=a&tags=b&context.keywords=c&context.attributes.plan=free", []),
        ("article.section=world&article.tags=a", []),
        ("consent.gpp_sid=2&consent.gpp_sid=6", []),
        ("consent.gpp_sid=2,6", []),
        ("consent.gpp_sid=2;6", ["malformed_field:consent.gpp_sid"]),
        ("consent.gdpr=true&consent.gpc=0&timeout_ms=250", []),
        ("site=&layout=&tags=&timeout_ms=&consent.gpp_sid=&context=", []),
        ("&&", []),
        ("timeout_ms=%2B250", ["malformed_field:timeout_ms"]),
        ("device=Mobile&device=mobile", []),
        ("context=x&article=y", ["malformed_field:context", "malformed_field:article"]),
        ("colour=", ["unknown_field:colour"]),
        ("colour", ["unknown_field:colour"]),
        ("%E2%98%83=1&a%2Cb=1", ["unknown_field:%E2%98%83", "unknown_field:a%2Cb"]),
        ("b%0d%0aX-Evil:1=2", ["unknown_field:b%0D%0AX-Evil:1"]),
        ("seed=%ff%ed%a0%80", []),
    ],
)
def test_what_the_query_says_is_read_or_named(client: TestClient, query: str, warnings: list[str]) -> None:
    assert warned(send(client, SHORT, query)) == (200, warnings)


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({"article": {"colour": None}}, ["unknown_field:article.colour"]),
        ({"colour": ""}, ["unknown_field:colour"]),
        ({"context": None, "consent": "", "site": None}, []),
        ({"context": "KZ", "consent": [1]}, ["malformed_field:context", "malformed_field:consent"]),
        ({"context": {"country": {"a": [1]}}}, ["malformed_field:context.country"]),
        ({"article": {"tags": ["a", None]}}, ["malformed_field:article.tags"]),
        ({"article": {"tags": "asia"}}, ["malformed_field:article.tags"]),
        ({"consent": {"gpp_sid": [2, "6"]}}, ["malformed_field:consent.gpp_sid"]),
        ({"consent": {"gpp_sid": [True]}}, ["malformed_field:consent.gpp_sid"]),
        ({"consent": {"gdpr": 1.0}}, ["malformed_field:consent.gdpr"]),
        ({"timeout_ms": 1e308, "seed": 10**30}, ["malformed_field:timeout_ms", "malformed_field:seed"]),
        ({"unit": "x" * 100_000, "context": {"attributes": {"a": [{"b": [1]}]}}}, []),
        ({"output": "book", "device": ["mobile"]}, ["malformed_field:output", "malformed_field:device"]),
    ],
)
def test_what_a_json_request_says_is_read_or_named(
    client: TestClient, fields: Mapping[str, object], warnings: list[str]
) -> None:
    answer = ask(client, fields)
    assert (warned(answer), answer.json()["warnings"], cut(answer)) == ((200, warnings), warnings, ARTICLE)


@pytest.mark.parametrize(
    ("field", "warning"),
    [
        ('"colour": %s', "unknown_field:colour"),
        ('"context": {"country": %s}', "malformed_field:context.country"),
        ('"unit": "]", "seed": %s', "malformed_field:seed"),
    ],
)
@pytest.mark.parametrize("brackets", ["[ ]", '{"a": }', '["]}",{"a\\"[":[ ]}]'])
@pytest.mark.parametrize("depth", [100, 100_000])
def test_a_field_however_deep_costs_the_field_only(
    client: TestClient, field: str, warning: str, brackets: str, depth: int
) -> None:
    opening, closing = brackets.split()
    value = opening * depth + "1" + closing * depth
    answer = client.post("/v1/compose", content=f'{{{field % value}, "article": {{"html": "<p>[x"}}}}', headers=JSON)
    assert (warned(answer), cut(answer)) == ((200, [warning]), "<p>[x")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", {"detail": "the body is not JSON: Expecting value: line 1 column 1 (char 0)"}),
        (b'{"article": ' + b'[{"a":' * 100_000, {"detail": "the body is not JSON: "}),
        (b'{"article": ' + b"[" * 100_000 + b'"\\', {"detail": "the body is not JSON: "}),
        (
            b'{"article": {"html": "\xe9"}}',
            {"detail": "the body is not JSON: it has to be UTF-8, and byte 22 of it is not (0xe9)"},
        ),
        (
            b'{"html": "<p>x"}',
            {
                "detail": "the request holds no article",
                "errors": [
                    {"at": "article.html", "message": 'expected a text, as in {"article": {"html": "<p>Hello</p>"}}'}
                ],
            },
        ),
    ],
)
def test_without_an_article_the_problem_says_why(client: TestClient, body: bytes, problem: dict[str, object]) -> None:
    answer = client.post("/v1/compose", content=body, headers=JSON)
    told = answer.json()
    head = {"type": "urn:adlayout:problem:not-an-article", "title": "No article in the request", "status": 400}
    told["detail"] = told["detail"][: len(str(problem["detail"]))]
    assert (answer.status_code, told) == (400, head | problem)


def test_a_plan_says_which_field_was_probably_meant(client: TestClient) -> None:
    fields = {"layuot": "x", "tags": ["a"], "userAgent": "x", "colour": 1, "contxt": {}, "x" * 100: 1, "layout": 5}
    answer = ask(client, {"article": {"lang": "en", "haedline": "x"}} | fields, "/v1/plan")
    assert answer.status_code == 422
    assert {each["at"]: each["message"] for each in answer.json()["errors"]} == {
        "article.lang": 'there is no such field, did you mean "article.language"?',
        "article.haedline": 'there is no such field, did you mean "article.headline"?',
        "layuot": 'there is no such field, did you mean "layout"?',
        "tags": 'there is no such field, did you mean "article.tags"?',
        "userAgent": 'there is no such field, did you mean "context.user_agent"?',
        "colour": "there is no such field",
        "contxt": 'there is no such field, did you mean "context"?',
        "x" * 100: "there is no such field",
        "layout": "expected the name of a layout, or for a plan a layout as an object",
    }


@pytest.mark.parametrize(
    ("asked", "status", "allow", "hint"),
    [
        ("GET /v1/compose", 405, "POST", "this address takes POST"),
        ("OPTIONS /v1/compose", 405, "POST", "this address takes POST"),
        ("PUT /v1/plan", 405, "POST", "this address takes POST"),
        ("POST /healthz", 405, "GET, HEAD", "this address takes GET, HEAD"),
        ("DELETE /readyz", 405, "GET, HEAD", "this address takes GET, HEAD"),
        ("POST /v1", 404, None, "there is no such address; GET / lists those there are"),
        ("GET /preview", 404, None, "there is no sample ''; there are: none"),
    ],
)
def test_other_methods_and_addresses_are_told_what_there_is(
    client: TestClient, asked: str, status: int, allow: str | None, hint: str
) -> None:
    answer = client.request(*asked.split())
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{asked}: {hint}",
    }


def test_a_head_has_no_body(client: TestClient) -> None:
    answer = client.head("/v1/compose")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize(
    ("fields", "device", "warnings"),
    [
        ({}, "mobile", []),
        ({"device": "desktop"}, "desktop", []),
        ({"device": "Desktop"}, "mobile", ["malformed_field:device"]),
        ({"context": {"user_agent": "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/125"}}, "desktop", []),
        ({"context": {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}, "device": "tablet"}, "tablet", []),
        (
            {"context": {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}, "device": "watch"},
            "desktop",
            ["malformed_field:device"],
        ),
        ({"context": {"user_agent": "Mozilla/5.0 (Android 14; Tablet; rv:126.0) Firefox/126.0"}}, "tablet", []),
        ({"context": {"user_agent": "Mozilla/5.0 (Linux; Android 9; KFTT) Silk/108 Mobile Safari"}}, "tablet", []),
        (
            {"context": {"user_agent": "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Tablet PC 2.0)"}},
            "desktop",
            [],
        ),
        ({"context": {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}}, "mobile", []),
    ],
)
def test_the_device_is_what_is_said_else_what_the_browser_says(
    client: TestClient, fields: Mapping[str, object], device: str, warnings: list[str]
) -> None:
    page = ask(client, fields).json()
    assert (page["device"], page["warnings"]) == (device, warnings)


# The article comes back.


@pytest.mark.parametrize("output", ["page", "fragment"])
@pytest.mark.parametrize("layout", ["every-2", "article", "hold"])
@pytest.mark.parametrize(
    "html",
    [
        "",
        " \r\n\t ",
        "\u00a0",
        "\x00",
        "\ufeff<p>One.</p><p>Two.</p><p>Three.</p>",
        "<p>😀👩‍👩‍👧 One.</p>\r\n<p>Two\rx\n.</p>\r\n<p>e\u0301 \u202e Three.</p>\r\n<p>漢字 four.</p>",
        "<p>\ud83d One.</p><p>\ude00 Two.</p>\ude00\ud83d<p>Three.</p><p>Four \udc80.</p>",
        "<p>One.<p>Two.<p>Three.<p>Four.</div></body></html><p>Five.",
        "One.<br><br>Two.<br><br>Three.<br><br>Four.",
        '<script>"</p><p>"</script><p>One.</p><!-- </p> --><p>Two.</p><p>Three.</p><a href=x><p>Four.',
        "<p>One.</p>" + ARTICLE * 20,
    ],
)
def test_cut_out_of_the_answer_the_spans_leave_the_article(
    client: TestClient, html: str, layout: str, output: str
) -> None:
    answer = ask(client, {"article": {"html": html, "headline": "😀"}, "layout": layout, "output": output})
    page = answer.json()
    inserted = [page["html"][each["output_start"] : each["output_end"]] for each in page["slots"] if shown(each)]
    assert (answer.status_code, cut(answer)) == (200, html)
    assert [markup for markup in inserted if not ASIDE.fullmatch(markup)] == []
    assert page["html"].count('<aside class="adl-slot"') == len(inserted)


def shown(slot: Mapping[str, object]) -> bool:
    """Whether the slot stands in the page."""
    return slot["output_start"] is not None


def test_a_slot_that_nobody_fills_goes_away_or_keeps_its_place(client: TestClient) -> None:
    answer = ask(client, {"article": {"html": SHORT}, "layout": "hold"})
    page = answer.json()
    start = page["article_start"]
    board, first, second = page["slots"]
    held = page["html"][first["output_start"] : first["output_end"]]
    empty = {"creative": None, "flight": None, "campaign": None, "house": False, "reason": "no_candidate"}
    at = page["html"].index('<aside class="adl-slot" data-adl-slot="leaderboard"')
    ends = page["html"].index("</aside>", at) + len("</aside>")
    assert (
        board
        == {
            "id": "leaderboard",
            "type": "leaderboard",
            "gap": None,
            "offset": None,
            "output_start": at,
            "output_end": ends,
            "filled": False,
        }
        | empty
    )
    assert (
        first
        == {
            "id": "inline-1",
            "type": "nobody",
            "gap": 1,
            "offset": 11,
            "output_start": start + 11,
            "output_end": start + 11 + len(held),
            "filled": False,
        }
        | empty
    )
    assert (
        second
        == {
            "id": "inline-2",
            "type": "nobody",
            "gap": 2,
            "offset": 22,
            "output_start": None,
            "output_end": None,
            "filled": False,
        }
        | empty
    )
    assert answer.headers["adlayout-slots"] == "0/3"
    assert ASIDE.fullmatch(held)


@pytest.mark.parametrize(
    ("content_type", "codec", "label"),
    [
        ("text/html", "utf-8", "utf-8"),
        ("", "utf-8", "utf-8"),
        ('text/html;charset="UTF-8"', "utf-8", "utf-8"),
        ("text/html; charset=windows-1251", "cp1251", "windows-1251"),
        ("text/html; charset=KOI8-R", "koi8-r", "koi8-r"),
        ("text/html; charset=iso-8859-5; x=y", "iso8859-5", "iso-8859-5"),
        ("text/html; charset=iso-8859-1", "latin-1", "iso-8859-1"),
        ("text/html; charset=us-ascii", "ascii", "us-ascii"),
    ],
)
def test_an_article_in_any_single_byte_charset_comes_back_byte_for_byte(
    client: TestClient, content_type: str, codec: str, label: str
) -> None:
    every = bytes([*range(0x80), *range(0xA0, 0x100), 0x98]).replace(b"<", b"")
    source = b"<p>One " + every + b".</p>\r\n<p>Two.</p><p>Three.</p><p>Four.</p>"
    headers = {"content-type": content_type}
    page = client.post("/v1/compose?headline=%E2%98%83", content=source, headers=headers)
    fragment = client.post("/v1/compose?output=fragment", content=source, headers=headers)
    whole = client.post("/v1/compose", content=source, headers=headers | {"accept": "application/json"})
    seen = source.decode(codec, "surrogateescape")
    assert page.headers["content-type"] == f"text/html; charset={label}"
    assert f'<meta charset="{label}">'.encode() in page.content
    assert "<h1>☃</h1>".encode(codec, "xmlcharrefreplace") in page.content
    assert re.sub(ASIDE.pattern.encode(), b"", fragment.content, flags=re.DOTALL) == source
    assert cut(whole) == re.sub("[\udc80-\udcff]", "\ufffd", seen)


@pytest.mark.parametrize(
    ("content_type", "encoding", "detail"),
    [
        (
            "text/html; charset=utf-16",
            "",
            "charset 'utf-16' is not taken: send UTF-8, or a single-byte charset such as windows-1251",
        ),
        (
            "text/html; charset=nope",
            "",
            "charset 'nope' is not taken: send UTF-8, or a single-byte charset such as windows-1251",
        ),
        ("text/html", "gzip", "a body with a content-encoding is not taken: send it as it is"),
        (
            "application/x-www-form-urlencoded",
            "",
            "content-type 'application/x-www-form-urlencoded' is not taken: send the article as text/html,"
            " or a request as application/json",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/compose", "/v1/plan"])
def test_what_is_not_taken_is_a_415_that_says_what_is(
    client: TestClient, path: str, content_type: str, encoding: str, detail: str
) -> None:
    headers = {"content-type": content_type} | ({"content-encoding": encoding} if encoding else {})
    answer = client.post(path, content=b"<p>x", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
    assert answer.json() == {
        "type": "urn:adlayout:problem:unsupported-body",
        "title": "Unsupported body",
        "status": 415,
        "detail": detail,
    }


@pytest.mark.parametrize("framed", ["whole", "chunked"])
def test_the_limit_itself_is_taken(client: TestClient, edition: Edition, framed: str) -> None:
    full = b"<" * edition.settings.server.max_body_bytes
    body = full if framed == "whole" else iter([full[:7], full[7:]])
    answer = client.post("/v1/compose?output=fragment&timeout_ms=60000", content=body, headers=HTML)
    assert (answer.status_code, answer.content == full) == (200, True)


# What the answer says of itself.

_HTML_HEADERS = {
    "content-length",
    "content-type",
    "cache-control",
    "vary",
    "adlayout-layout",
    "adlayout-cache-key",
    "adlayout-slots",
    "x-request-id",
    "server-timing",
}


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("", set()),
        ("layout=none&site=none", {"adlayout-degraded"}),
        ("colour=red", {"adlayout-warnings"}),
        ("colour=red&layout=none", {"adlayout-degraded", "adlayout-warnings"}),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_both_forms_carry_the_headers_that_apply(client: TestClient, query: str, more: set[str], accept: str) -> None:
    assert set(send(client, ARTICLE, query, accept=accept).headers) == _HTML_HEADERS | more


def test_a_page_says_what_it_is_and_how_long_each_stage_took(client: TestClient) -> None:
    html = ARTICLE.replace("hill", "moor")
    first, second = (send(client, html, "site=default&device=desktop&layout=article") for _ in range(2))
    named = ("adlayout-layout", "adlayout-cache-key", "adlayout-slots", "cache-control", "vary")
    assert [first.headers[name] for name in named] == [
        "article",
        "layout=article;variation=;device=desktop",
        "2/2",
        "public, max-age=60",
        "Accept",
    ]
    stages = [re.sub("dur=[0-9.]+", "dur", answer.headers["server-timing"]) for answer in (first, second)]
    assert stages == [
        "parse;dur, place;dur, verify;dur, decide;dur, render;dur",
        "decide;dur, render;dur, cache;desc=hit",
    ]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("r-7", True), ("a,b;c", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)],
)
def test_the_id_of_the_request_is_echoed_where_a_header_can_hold_it(client: TestClient, sent: str, kept: bool) -> None:
    answer = send(client, SHORT, x_request_id=sent, accept="application/json")
    echoed = answer.headers["x-request-id"]
    assert (echoed == sent, answer.json()["request_id"]) == (kept, echoed)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"request_id": "r"}, {"request_id": "r"}, True),
        ({"seed": "s", "request_id": "1"}, {"seed": "s", "request_id": "2"}, True),
        ({"request_id": "1"}, {"request_id": "2"}, False),
        ({"seed": "1", "request_id": "r"}, {"seed": "2", "request_id": "r"}, False),
    ],
)
def test_every_worker_decides_alike(
    client: TestClient, edition: Edition, one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    first = ask(client, one).json()
    second = ask(worker(edition), other).json()
    assert (first["html"] == second["html"], first["slots"] == second["slots"]) == (same, same)


@pytest.mark.parametrize(
    ("fields", "layout", "degraded"),
    [
        ({}, "every-2", []),
        ({"layout": "article"}, "article", []),
        ({"layout": "Article"}, "every-2", ["unknown_layout"]),
        ({"site": "none"}, "every-2", ["unknown_site"]),
        ({"site": "none", "layout": "none"}, "every-2", ["unknown_site", "unknown_layout"]),
        ({"site": "ruled"}, "every-2", []),
        ({"site": "ruled", "article": {"section": "WORLD"}}, "article", []),
        ({"site": "ruled", "article": {"section": "worlds"}}, "every-2", []),
        ({"site": "ruled", "article": {"section": "world"}, "device": "desktop"}, "hold", []),
        (
            {"site": "ruled", "article": {"section": "sport"}, "context": {"user_agent": "Mozilla/5.0 (X11; Linux)"}},
            "hold",
            [],
        ),
        ({"site": "ruled", "article": {"section": "sport"}, "device": "tablet"}, "every-2", []),
        ({"site": "ruled", "article": {"tags": ["x", "Long-Read"]}}, "article", []),
        ({"site": "ruled", "article": {"section": "world"}, "layout": "every-2"}, "every-2", []),
        ({"site": "ruled", "article": {"section": "world"}, "layout": "none"}, "article", ["unknown_layout"]),
        ({"layout": {"inline": {}}}, "every-2", []),
    ],
)
def test_the_layout_is_what_is_named_else_what_the_site_says(
    client: TestClient, fields: Mapping[str, object], layout: str, degraded: list[str]
) -> None:
    answer = ask(client, fields)
    page = answer.json()
    assert (page["layout"], page["degraded"]) == (layout, degraded)
    assert answer.headers["adlayout-layout"] == layout
    assert answer.headers.get("adlayout-degraded", "") == ", ".join(degraded)
    assert answer.headers["cache-control"] == ("private, no-store" if degraded else "public, max-age=60")


def test_a_site_without_ads_answers_with_the_article(client: TestClient) -> None:
    answer = ask(client, {"site": "quiet", "output": "fragment"})
    assert (answer.json()["html"], answer.json()["slots"]) == (ARTICLE, [])
    assert answer.headers["cache-control"] == "private, no-store"


# Plans.


def test_a_plan_is_the_whole_truth_about_an_article(client: TestClient) -> None:
    html = "<h2>Hi 😀</h2><p>One two.</p>Bare.<p>Three.</p>"
    layout = {"inline": {"first": "1 paragraph", "every": "2 paragraphs", "end_guard": "0 paragraphs"}}
    answer = ask(client, {"article": {"html": html}, "layout": layout, "device": "tablet"}, "/v1/plan")
    aside = ASIDE.findall(answer.json()["html"])[0]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "layout": "layout",
        "device": "tablet",
        "totals": {
            "blocks": 4,
            "paragraphs": 2,
            "words": 3,
            "chars": 14,
            "px": 162,
            "ad_px": 304,
            "density": 0.652,
        },
        "blocks": [
            {"block": 1, "tag": "h2", "start": 0, "end": 13, "words": 1, "chars": 4, "px": 48, "counted": False},
            {"block": 2, "tag": "p", "start": 13, "end": 28, "words": 2, "chars": 8, "px": 38, "counted": True},
            {"block": 3, "tag": None, "start": 28, "end": 33, "words": 1, "chars": 5, "px": 38, "counted": False},
            {"block": 4, "tag": "p", "start": 33, "end": 46, "words": 1, "chars": 6, "px": 38, "counted": True},
        ],
        "gaps": [
            {
                "gap": 0,
                "offset": 0,
                "verdict": "refused",
                "slot": None,
                "reasons": [{"rule": "first", "needed": "1 paragraph", "actual": "0 paragraphs"}],
            },
            {
                "gap": 1,
                "offset": 13,
                "verdict": "refused",
                "slot": None,
                "reasons": [
                    {"rule": "no_after", "needed": "not h2", "actual": "h2"},
                    {"rule": "keep_with_next", "needed": "not h2", "actual": "h2"},
                    {"rule": "first", "needed": "1 paragraph", "actual": "0 paragraphs"},
                ],
            },
            {"gap": 2, "offset": 28, "verdict": "slot", "slot": "inline-1", "reasons": []},
            {
                "gap": 3,
                "offset": 33,
                "verdict": "free",
                "slot": None,
                "reasons": [{"rule": "every", "needed": "2 paragraphs", "actual": "0 paragraphs"}],
            },
            {
                "gap": 4,
                "offset": 46,
                "verdict": "free",
                "slot": None,
                "reasons": [{"rule": "every", "needed": "2 paragraphs", "actual": "1 paragraph"}],
            },
        ],
        "slots": [{"id": "inline-1", "type": "in-article", "gap": 2, "offset": 28, "due_gap": 2}],
        "dropped": [],
        "warnings": ["density_over_30"],
        "html": html[:28] + aside + html[28:],
    }


def test_an_article_without_blocks_has_one_gap_without_a_point(client: TestClient) -> None:
    plan = ask(client, {"article": {"html": " "}}, "/v1/plan").json()
    assert [(gap["gap"], gap["offset"], gap["verdict"], gap["slot"]) for gap in plan["gaps"]] == [
        (0, None, "refused", None)
    ]
    assert (plan["blocks"], plan["slots"], plan["html"]) == ([], [], " ")


def test_a_due_ad_that_finds_no_gap_is_dropped(client: TestClient) -> None:
    inline = {"anchor": "grid", "first": "1 paragraph", "every": "1 paragraph", "on_conflict": "drop"}
    html = "<p>One.</p><figure><img src=x></figure><p>Two.</p><p>Three.</p>"
    plan = ask(client, {"article": {"html": html}, "layout": {"inline": inline}}, "/v1/plan").json()
    assert plan["dropped"] == [
        {"due_gap": 1, "position": None, "reason": "conflict"},
        {"due_gap": 4, "position": None, "reason": "conflict"},
    ]
    assert [slot["gap"] for slot in plan["slots"]] == [3]


@pytest.mark.parametrize("layout", [{}, {"inline": {}}, {"inline": None}, {"version": 1, "name": "mine"}])
def test_a_layout_of_a_plan_needs_nothing(client: TestClient, layout: dict[str, object]) -> None:
    plan = ask(client, {"layout": layout}, "/v1/plan").json()
    assert (plan["layout"], [slot["gap"] for slot in plan["slots"]]) == (layout.get("name", "layout"), [4])


def test_pages_are_composed_as_they_were_planned(client: TestClient) -> None:
    plan = ask(client, {"layout": "hold"}, "/v1/plan").json()
    page = ask(client, {"layout": "hold", "output": "fragment"}).json()
    keys = ("id", "type", "gap", "offset")
    assert [[slot[key] for key in keys] for slot in page["slots"]] == [
        [slot[key] for key in keys] for slot in plan["slots"]
    ]


# Who may ask.


@pytest.mark.parametrize(
    ("token", "peer", "sent", "status"),
    [
        ("", "127.0.0.1", "", 200),
        ("", "::1", "", 200),
        ("", "::ffff:127.0.0.1", "", 200),
        ("", "192.0.2.1", "", 401),
        ("", "192.0.2.1", "Bearer x", 401),
        ("s", "127.0.0.1", "", 401),
        ("s", "127.0.0.1", "Bearer t", 401),
        ("s", "127.0.0.1", "Basic s", 401),
        ("s", "127.0.0.1", "Bearer s", 200),
        ("s", "192.0.2.1", "bearer s", 200),
    ],
)
@pytest.mark.parametrize("path", ["/v1/compose", "/v1/plan"])
def test_cms_routes_want_the_token_or_a_caller_on_this_machine(
    path: str, token: str, peer: str, sent: str, status: int
) -> None:
    edition = assemble(CONFIG, {"ADLAYOUT_CMS_TOKEN": token} if token else {})
    asking = TestClient(create_app(edition, Shelf(), None), client=(peer, 50_000))
    answer = asking.post(path, content=SHORT, headers=HTML | ({"authorization": sent} if sent else {}))
    assert (answer.status_code, answer.headers.get("www-authenticate")) == (
        status,
        'Bearer realm="adlayout"' if status == 401 else None,
    )
    assert [asking.get(probe).status_code for probe in ("/healthz", "/readyz")] == [200, 503]
