"""The door inwards: bytes, query and headers become one typed request; what is wrong is named, never guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.errors import Fault, NotAnArticle, UnsupportedBody
from adlayout.model import ArticleFacts, Consent, Device, Output, Request
from adlayout.web.charsets import _SINGLE_BYTE, _WHATWG, read_content_type
from adlayout.web.devices import device_of
from adlayout.web.fields import FIELDS
from adlayout.web.requests import Received, read_request

HTML = {b"content-type": b"text/html", b"x-request-id": b"r-1"}
JSON = {b"content-type": b"application/json", b"x-request-id": b"r-1"}
FULL = {
    "article": {
        "html": "<p>Hello</p>",
        "id": "kz-1",
        "url": "https://news.example/1",
        "headline": "Hello",
        "byline": "A. Writer",
        "section": "world",
        "tags": ["asia", "kz"],
        "language": "en",
    },
    "site": "default",
    "layout": "article",
    "output": "fragment",
    "unit": "visitor-42",
    "device": "tablet",
    "context": {"country": "KZ", "user_agent": "x", "ip": "192.0.2.1", "keywords": ["a"], "attributes": {"plan": "x"}},
    "consent": {"gdpr": 1, "tcf": "t", "gpp": "g", "gpp_sid": [2], "gpc": False, "coppa": 0},
    "request_id": "r-9",
    "seed": "s",
    "timeout_ms": 120,
}
TYPED = Request(
    html="<p>Hello</p>",
    facts=ArticleFacts("kz-1", "https://news.example/1", "Hello", "A. Writer", "world", ("asia", "kz"), "en"),
    site="default",
    layout="article",
    output=Output.FRAGMENT,
    device=Device.TABLET,
    country="KZ",
    keywords=("a",),
    attributes=(("plan", "x"),),
    unit="visitor-42",
    user_agent="x",
    ip="192.0.2.1",
    consent=Consent(gdpr=True, tcf="t", gpp="g", gpp_sid=(2,), gpc=False, coppa=False),
    request_id="r-9",
    retried=True,
    seed="s",
    timeout_ms=120,
)
QUERY = (
    "id=kz-1&url=https%3A%2F%2Fnews.example%2F1&headline=Hello&byline=A.+Writer&section=world&tags=asia&tags=kz"
    "&language=en&site=default&layout=article&output=fragment&unit=visitor-42&device=tablet&context.country=KZ"
    "&context.user_agent=x&context.ip=192.0.2.1&context.keywords=a&context.attributes.plan=x&consent.gdpr=1"
    "&consent.tcf=t&consent.gpp=g&consent.gpp_sid=2&consent.gpc=false&consent.coppa=0&request_id=r-9&seed=s"
    "&timeout_ms=120"
)


def from_json(value: object) -> Received:
    return read_request(json.dumps(value).encode(), JSON)


def with_field(name: str, value: object) -> Received:
    return from_json({"article": {"html": "<p>x"}, name: value})


def test_attributes_are_texts_whatever_they_were_sent_as() -> None:
    given = {
        "plan": "free",
        "beta": True,
        "visits": 3,
        "lists": ["a", 2, None, ["b"]],
        "nothing": None,
        "deep": {"a": 1},
    }
    assert with_field("context", {"attributes": given}).request.attributes == (
        ("plan", "free"),
        ("beta", "true"),
        ("visits", "3"),
        ("lists", "a"),
        ("lists", "2"),
    )


def test_the_json_form_carries_every_field_of_the_contract() -> None:
    assert from_json(FULL).request == TYPED


def test_the_html_form_carries_the_same_fields_in_the_query() -> None:
    assert read_request(b"<p>Hello</p>", HTML, QUERY.encode()).request == TYPED


def test_only_the_article_is_required() -> None:
    assert from_json({"article": {"html": ""}}).request == Request(html="", request_id="r-1")


def test_the_reader_may_come_in_a_header_to_stay_out_of_logs() -> None:
    received = read_request(b"", HTML | {b"adlayout-unit": b"visitor-42", b"adlayout-consent-gpc": b"1"})
    assert received.request == Request(html="", unit="visitor-42", consent=Consent(gpc=True), request_id="r-1")


@pytest.mark.parametrize(
    ("headers", "query", "consent"),
    [
        ({}, "", None),
        ({b"sec-gpc": b"1"}, "", Consent(gpc=True)),
        ({b"sec-gpc": b"0"}, "", None),
        ({b"sec-gpc": b"?1"}, "", None),
        ({b"sec-gpc": b"1", b"adlayout-consent-gpc": b"0"}, "", Consent(gpc=False)),
        ({b"sec-gpc": b"1"}, "consent.gpc=false", Consent(gpc=False)),
        (
            {b"adlayout-consent-gdpr": b"1", b"adlayout-consent-gpp-sid": b"2, 6"},
            "",
            Consent(gdpr=True, gpp_sid=(2, 6)),
        ),
        ({}, "consent.coppa=1", Consent(coppa=True)),
        ({}, "consent.gdpr=maybe", None),
    ],
)
def test_what_is_said_of_consent_is_read_and_nothing_is_made_up(
    headers: dict[bytes, bytes], query: str, consent: Consent | None
) -> None:
    received = read_request(b"", HTML | headers, query.encode())
    assert received.request.consent == consent
    assert [warning for warning in received.request.warnings if "gpc" in warning] == []


@pytest.mark.parametrize(
    ("headers", "query", "retried"),
    [
        ({b"x-request-id": b"r-1"}, "", False),
        ({}, "request_id=r-1", True),
        ({}, "", False),
        ({b"x-request-id": b"two words"}, "", False),
        ({}, "request_id=two+words", False),
    ],
)
def test_a_request_whose_id_the_caller_gave_may_come_again(
    headers: dict[bytes, bytes], query: str, retried: bool
) -> None:
    assert read_request(b"", headers, query.encode()).request.retried is retried


def test_requests_that_ask_for_the_same_share_neither_article_nor_id_nor_reader() -> None:
    asked = [
        read_request(html, {b"content-type": b"text/html", b"x-request-id": id, b"adlayout-unit": unit}, b"layout=wide")
        for html, id, unit in ((b"<p>a", b"r-1", b"v-1"), (b"<p>b", b"r-2", b"v-1"), (b"<p>b", b"r-2", b"v-2"))
    ]
    assert [each.request for each in asked] == [
        Request(html="<p>a", layout="wide", request_id="r-1", unit="v-1"),
        Request(html="<p>b", layout="wide", request_id="r-2", unit="v-1"),
        Request(html="<p>b", layout="wide", request_id="r-2", unit="v-2"),
    ]


@pytest.mark.parametrize("length", [1, 480, 520, 20_000])
def test_a_query_may_be_long(length: int) -> None:
    headline = "x" * length
    received = read_request(b"<p>x", HTML, f"headline={headline}".encode())
    assert received.request == Request(html="<p>x", facts=ArticleFacts(headline=headline), request_id="r-1")


def test_a_field_of_the_body_wins_over_the_header() -> None:
    assert read_request(b"", HTML | {b"adlayout-unit": b"header"}, b"unit=query").request.unit == "query"


@pytest.mark.parametrize(
    "body", [b"", b"nope", b"[]", b"1", b'"x"', b"{}", b'{"article": "x"}', b"\xff\xfe", b"[" * 99999]
)
def test_a_body_without_an_article_is_refused(body: bytes) -> None:
    with pytest.raises(NotAnArticle):
        read_request(body, JSON)


@pytest.mark.parametrize("html", [None, 1, ["<p>"], {}])
def test_an_article_that_is_no_text_is_refused(html: object) -> None:
    with pytest.raises(NotAnArticle):
        from_json({"article": {"html": html}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site", 1),
        ("layout", ["article"]),
        ("output", "book"),
        ("unit", {}),
        ("device", "watch"),
        ("request_id", "two words"),
        ("request_id", "x" * 129),
        ("seed", 4),
        ("timeout_ms", "soon"),
        ("timeout_ms", 0),
        ("timeout_ms", True),
        ("timeout_ms", 2.5),
        ("context", "KZ"),
        ("consent", []),
    ],
)
def test_a_malformed_field_is_left_out_and_named(name: str, value: object) -> None:
    received = with_field(name, value)
    assert received.request == Request(html="<p>x", request_id="r-1", warnings=(f"malformed_field:{name}",))


@pytest.mark.parametrize("path", sorted(FIELDS))
def test_every_field_names_itself_when_it_is_malformed(path: str) -> None:
    group, _, name = path.rpartition(".")
    tree: dict[str, object] = {"article": {"html": "<p>x"}}
    wrong: dict[str, object] = {name: [{}]}
    merged = tree | ({group: {"html": "<p>x"} | wrong} if group == "article" else {group: wrong} if group else wrong)
    assert [fault.at for fault in from_json(merged).faults] == [path]


def test_an_unknown_field_is_left_out_and_named() -> None:
    received = from_json({"article": {"html": "", "colour": 1}, "layuot": "x", "context": {"moon": "full"}})
    assert received.request.warnings == (
        "unknown_field:article.colour",
        "unknown_field:layuot",
        "unknown_field:context.moon",
    )


def test_faults_say_what_was_expected() -> None:
    assert with_field("timeout_ms", "soon").faults == (Fault("timeout_ms", "expected a whole number above 0"),)


@pytest.mark.parametrize("output", ["esi", "client"])
def test_an_output_to_come_is_a_warning_and_no_fault(output: str) -> None:
    received = with_field("output", output)
    assert (received.request.output, received.request.warnings) == (Output.PAGE, ("unsupported_value:output",))
    assert received.faults == ()


def test_null_and_empty_text_count_as_absent() -> None:
    tree = {"article": {"html": "", "tags": None}, "unit": "", "layout": None, "timeout_ms": None}
    assert from_json(tree).request == Request(html="", request_id="r-1")


def test_a_flood_of_unknown_fields_does_not_flood_the_answer() -> None:
    warnings = from_json({"article": {"html": ""}} | {f"{n}{'x' * 999}": 1 for n in range(999)}).request.warnings
    assert (len(warnings), max(map(len, warnings))) == (20, 80)


def test_a_layout_as_an_object_is_for_plans() -> None:
    received = with_field("layout", {"inline": {}})
    assert (received.layout, received.request.layout, received.faults) == ({"inline": {}}, None, ())
    assert received.request.warnings == ("malformed_field:layout",)


def test_a_number_of_ten_thousand_digits_costs_its_field_only() -> None:
    body = b'{"article": {"html": "<p>x"}, "timeout_ms": ' + b"9" * 10_000 + b"}"
    assert read_request(body, JSON).request.warnings == ("malformed_field:timeout_ms",)


def test_a_lone_surrogate_stays_in_the_article_and_nowhere_else() -> None:
    request = from_json({"article": {"html": "a\ud800b", "headline": "a\ud800b"}}).request
    assert (request.html, request.facts.headline) == ("a\ud800b", "a\ufffdb")


def test_a_request_without_an_id_is_given_one() -> None:
    first, second = (read_request(b"", {}).request.request_id for _ in range(2))
    assert len(first) == 32
    assert first != second


def test_an_id_that_no_header_can_hold_is_not_taken_from_the_header() -> None:
    assert read_request(b"", HTML | {b"x-request-id": b"a b"}).request.request_id != "a b"


@pytest.mark.parametrize("media", ["text/html", "text/plain", "", "TEXT/HTML ; charset=utf-8"])
def test_text_bodies_are_the_article(media: str) -> None:
    assert read_request(b"\xef\xbb\xbf<p>x", {b"content-type": media.encode()}).request.html == "\ufeff<p>x"


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "application/ld+json"])
def test_json_bodies_are_a_request(media: str) -> None:
    assert read_request(b'{"article": {"html": "x"}}', {b"content-type": media.encode()}).request.html == "x"


@pytest.mark.parametrize("media", ["image/png", "application/x-www-form-urlencoded", "application/xml", "x"])
def test_other_media_types_are_refused(media: str) -> None:
    with pytest.raises(UnsupportedBody):
        read_request(b"", {b"content-type": media.encode()})


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity, gzip"])
def test_encoded_bodies_are_refused(encoding: bytes) -> None:
    with pytest.raises(UnsupportedBody):
        read_request(b"", HTML | {b"content-encoding": encoding})


def test_identity_is_no_encoding() -> None:
    assert read_request(b"x", HTML | {b"content-encoding": b"Identity"}).request.html == "x"


@pytest.mark.parametrize(
    "label", ["utf-16", "utf-7", "shift_jis", "gb18030", "big5", "euc-kr", "utf-8-sig", "rot13", "cp037", "?"]
)
def test_other_charsets_are_refused(label: str) -> None:
    with pytest.raises(UnsupportedBody):
        read_content_type(f"text/html; charset={label}")


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("windows-1251", "cp1251"),
        ('"ISO-8859-1"', "iso8859-1"),
        ("latin1", "iso8859-1"),
        ("macintosh", "mac-roman"),
        ("x-cp1252", "cp1252"),
        ("koi8-r", "koi8-r"),
        ("us-ascii", "ascii"),
        ("utf8", "utf-8"),
    ],
)
def test_charsets_go_by_their_public_labels(label: str, codec: str) -> None:
    charset = read_content_type(f"text/html; Charset = {label}; x=y")
    assert charset is not None
    assert charset.codec == codec


@pytest.mark.parametrize("codec", sorted(_SINGLE_BYTE | set(_WHATWG.values())))
def test_every_byte_of_a_taken_charset_is_one_code_point_and_comes_back(codec: str) -> None:
    charset = read_content_type(f"text/html; charset={codec}")
    every = bytes(range(256))
    assert charset is not None
    assert (len(charset.decode(every)), charset.decode(every)[:128]) == (256, every[:128].decode())
    assert charset.encode_article(charset.decode(every)) == every


@given(st.binary())
def test_any_bytes_are_an_article_and_come_back(body: bytes) -> None:
    received = read_request(body, HTML)
    assert received.charset.encode_article(received.request.html) == body


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_is_an_article(html: str) -> None:
    assert from_json({"article": {"html": html}}).request.html == html.encode("utf-16", "surrogatepass").decode(
        "utf-16", "surrogatepass"
    )


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (None, Device.MOBILE),
        ("curl/8", Device.MOBILE),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36", Device.DESKTOP),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Device.DESKTOP),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18 Safari/605", Device.DESKTOP),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148", Device.MOBILE),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140.0 Mobile Safari/537.36", Device.MOBILE),
        ("Mozilla/5.0 (Linux; Android 15; SM-X900) Chrome/140.0 Safari/537.36", Device.TABLET),
        ("Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) Mobile/15E148", Device.TABLET),
    ],
)
def test_the_user_agent_of_the_reader_tells_the_device(user_agent: str | None, device: Device) -> None:
    assert device_of(user_agent) is device


def test_the_user_agent_of_the_cms_tells_nothing() -> None:
    assert read_request(b"", HTML | {b"user-agent": b"Mozilla/5.0 (X11; Linux x86_64)"}).request.device is Device.MOBILE
