"""From the bytes, the query and the headers of a request to one typed `Request`, once.

Knows both forms of the contract; never what is done with the article.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from typing import TypeAlias
from urllib.parse import unquote_plus

from adlayout.errors import Fault, NotAnArticle, UnsupportedBody
from adlayout.model import ArticleFacts, Consent, Device, Output, Request
from adlayout.web.charsets import UTF8, Charset, read_content_type
from adlayout.web.devices import device_of
from adlayout.web.fields import FIELDS, LISTS, NUMBERS, Fields, Flaw, Wrong, leaves, read_fields, told
from adlayout.web.json_body import read_json

Headers = Mapping[bytes, bytes]
# The headers of `_HEADER_FIELDS`, in their order.
Said: TypeAlias = tuple[bytes | None, ...]

# A request of nothing but unknown fields must not blow up the answer's headers.
_MAX_WARNINGS = 20
_MAX_WARNING_CHARS = 80
# What a browser sends whose reader objects, and a CMS passes on; no other value counts (Global Privacy Control, 3.2).
_GPC_HEADER, _OBJECTS = b"sec-gpc", b"1"
_HEADER_FIELDS = {
    b"adlayout-unit": "unit",
    b"adlayout-consent-gdpr": "consent.gdpr",
    b"adlayout-consent-tcf": "consent.tcf",
    b"adlayout-consent-gpp": "consent.gpp",
    b"adlayout-consent-gpp-sid": "consent.gpp_sid",
    b"adlayout-consent-gpc": "consent.gpc",
    b"adlayout-consent-coppa": "consent.coppa",
    _GPC_HEADER: "consent.gpc",
}
_ARTICLE_FIELDS = frozenset(path for path in FIELDS if path.startswith("article."))
_CONSENT_FIELDS = frozenset(path for path in FIELDS if path.startswith("consent."))
_ATTRIBUTES = "context.attributes"
# Asking the system for randomness with every request costs more than reading the request.
_PROCESS = os.urandom(12).hex()
_NUMBERS = count()
# A CMS asks with a few queries over and over; longer ones tell of an article, and would fill the memory.
_SHORT_QUERY = 500


@dataclass(frozen=True, slots=True)
class Received:
    """The typed request, with what its answer must know of how it came.

    `flaws` is everything that was left out; `layout` a whole layout as an object.
    """

    request: Request
    charset: Charset
    flaws: tuple[Flaw, ...] = ()
    layout: Mapping[str, object] | None = None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that was left out and should not have been there, for a person who asks for a plan."""
        return told(flaw for flaw in self.flaws if flaw.wrong is not Wrong.UNSUPPORTED)


def read_request(body: bytes, headers: Headers, query: bytes = b"") -> Received:
    """The request in either form. Refused: no article in the body, or bytes that are not taken."""
    encoding = headers.get(b"content-encoding")
    if encoding and encoding.strip().lower() != b"identity":
        raise UnsupportedBody("a body with a content-encoding is not taken: send it as it is")
    charset = read_content_type(headers.get(b"content-type", b"").decode("latin-1"))
    said = tuple(map(headers.get, _HEADER_FIELDS))
    if charset is not None:
        ask = _asked_before if len(query) <= _SHORT_QUERY else _asked
        return _received(charset.decode(body), charset, headers, ask(query, said))
    html, pairs = _json(body)
    return _received(html, UTF8, headers, _asking([*pairs, *_from_headers(said)]))


def read_question(tree: Mapping[str, object], headers: Headers) -> Received:
    """The request of a JSON object that needs no article: what it says of the page, the reader and the answer."""
    return _received(
        "", UTF8, headers, _asking([*leaves(tree), *_from_headers(tuple(map(headers.get, _HEADER_FIELDS)))])
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """What the fields of a request ask for, whatever the article: `make` lacks but that, its charset and an id."""

    make: partial[Request]
    request_id: str | None
    flaws: tuple[Flaw, ...]
    layout: Mapping[str, object] | None


def _received(html: str, charset: Charset, headers: Headers, asking: _Asking) -> Received:
    # Proxies give one id to all that comes of a reader's click; only who names it in the request means to ask again.
    retried = asking.request_id is not None
    request_id = asking.request_id or given_id(headers) or new_id()
    request = asking.make(html=html, request_id=request_id, retried=retried, charset=charset.label)
    return Received(request, charset, asking.flaws, asking.layout)


def _asked(query: bytes, said: Said) -> _Asking:
    return _asking([*_query(query), *_from_headers(said)])


_asked_before = lru_cache(maxsize=256)(_asked)


def _asking(pairs: list[tuple[str, object]]) -> _Asking:
    fields = read_fields(pairs)
    device = fields.text("device")
    make = partial(
        Request,
        facts=_facts(fields) if fields.values.keys() & _ARTICLE_FIELDS else ArticleFacts(),
        site=fields.text("site"),
        layout=fields.text("layout"),
        variation=fields.text("variation"),
        output=Output(fields.text("output") or Output.PAGE),
        device=Device(device) if device else device_of(fields.text("context.user_agent")),
        country=fields.text("context.country"),
        keywords=fields.texts("context.keywords"),
        attributes=tuple(_attributes(fields.mapping(_ATTRIBUTES) or {})),
        unit=fields.text("unit"),
        user_agent=fields.text("context.user_agent"),
        ip=fields.text("context.ip"),
        consent=_consent(fields) if fields.values.keys() & _CONSENT_FIELDS else None,
        seed=fields.text("seed"),
        timeout_ms=fields.number("timeout_ms"),
        warnings=_warnings(fields),
    )
    return _Asking(make, fields.text("request_id"), fields.flaws, fields.mapping("layout"))


def _facts(fields: Fields) -> ArticleFacts:
    return ArticleFacts(
        id=fields.text("article.id"),
        url=fields.text("article.url"),
        headline=fields.text("article.headline"),
        byline=fields.text("article.byline"),
        section=fields.text("article.section"),
        tags=fields.texts("article.tags"),
        language=fields.text("article.language"),
    )


def _consent(fields: Fields) -> Consent:
    return Consent(
        gdpr=_flag(fields, "consent.gdpr"),
        tcf=fields.text("consent.tcf"),
        gpp=fields.text("consent.gpp"),
        gpp_sid=tuple(map(int, fields.texts("consent.gpp_sid"))),
        gpc=_flag(fields, "consent.gpc"),
        coppa=_flag(fields, "consent.coppa"),
    )


def _flag(fields: Fields, path: str) -> bool | None:
    number = fields.number(path)
    return None if number is None else bool(number)


def _attributes(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The caller's own keys with their values, several for a list; what is no value is left out."""
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield name, one
            elif isinstance(one, bool | int | float):
                yield name, json.dumps(one)


def _warnings(fields: Fields) -> tuple[str, ...]:
    flaws = fields.flaws
    if fields.mapping("layout") is not None:
        flaws = (*flaws, Flaw("layout", Wrong.MALFORMED, "expected the name of a layout"))
    if not flaws:
        return ()
    found = dict.fromkeys(f"{flaw.wrong}:{flaw.at}"[:_MAX_WARNING_CHARS] for flaw in flaws)
    return tuple(found)[:_MAX_WARNINGS]


def request_id_of(headers: Headers) -> str:
    """The id that the caller sent as a header, else a new one."""
    return given_id(headers) or new_id()


def given_id(headers: Headers) -> str | None:
    """The id that the caller sent as a header, where it is one."""
    sent = headers.get(b"x-request-id")
    given = FIELDS["request_id"].read(sent.decode("latin-1")) if sent else None
    return given if isinstance(given, str) else None


def new_id() -> str:
    """An id that no other request of any process has."""
    return f"{_PROCESS}{next(_NUMBERS):08x}"


def _from_headers(said: Said) -> Iterator[tuple[str, object]]:
    for (name, path), value in zip(_HEADER_FIELDS.items(), said, strict=True):
        if value is not None and (name != _GPC_HEADER or value == _OBJECTS):
            yield path, _spelled(path, [value.decode("utf-8", "replace").strip()])


def _json(body: bytes) -> tuple[str, list[tuple[str, object]]]:
    tree = read_json(body)
    article = tree.get("article") if isinstance(tree, dict) else None
    html = article.pop("html", None) if isinstance(article, dict) else None
    if not isinstance(tree, dict) or not isinstance(html, str):
        wrong = Fault("article.html", 'expected a text, as in {"article": {"html": "<p>Hello</p>"}}')
        raise NotAnArticle("the request holds no article", (wrong,))
    return html, list(leaves(tree))


def _query(query: bytes) -> list[tuple[str, object]]:
    """Query parameters as paths; the article's fields come without their prefix, lists as repeated parameters."""
    texts: dict[str, list[str]] = {}
    attributes: dict[str, object] = {}
    for pair in filter(None, query.decode("utf-8", "replace").split("&")):
        name, _, text = map(_unquoted, pair.partition("="))
        path = f"article.{name}" if f"article.{name}" in FIELDS else name
        if path.startswith(f"{_ATTRIBUTES}."):
            attributes[path.removeprefix(f"{_ATTRIBUTES}.")] = text
        else:
            texts.setdefault(path, []).append(text)
    pairs = [(path, _spelled(path, given)) for path, given in texts.items()]
    return [*pairs, (_ATTRIBUTES, attributes)] if attributes else pairs


def _unquoted(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def _spelled(path: str, texts: list[str]) -> object:
    """What a query or a header says of a field: both have nothing but texts. Numbers of a list may share one."""
    read = _number if path in NUMBERS else str
    if path not in LISTS:
        return read(texts[-1])
    parts = ",".join(texts).split(",") if path in NUMBERS else texts
    return [read(part.strip()) for part in parts if part.strip()]


def _number(text: str) -> object:
    """The number that a text spells; else the text, which then is a flaw."""
    if text.isdecimal() and text.isascii() and len(text) < 20:
        return int(text)
    return {"true": True, "false": False}.get(text, text)
