"""From a page to the bytes and headers of the answer, in both forms. Knows the contract; never how a page is made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote

from starlette.responses import Response

from adlayout.answers import page_json
from adlayout.model import Filled, Page
from adlayout.web.charsets import Charset, without_surrogates
from adlayout.web.requests import Received

RawHeader: TypeAlias = tuple[bytes, bytes]
# What was chosen for a page: its layout, `experiment=variation` or nothing, and the device.
Chosen: TypeAlias = tuple[str, str, str]

JSON = "application/json"
_PLAIN = re.compile(r"[\x21-\x2b\x2d-\x7e]*")  # visible ASCII without the comma that parts a list
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in ",%")


def page_answer(page: Page, received: Received, *, as_json: bool) -> Response:
    """The 200 of compose: the page in the request's charset, or as JSON."""
    body = _json_body(page, received) if as_json else _html_body(page, received.charset)
    answer = Response(body)
    media = JSON if as_json else f"text/html; charset={received.charset.label}"
    answer.raw_headers += _fixed_headers(_chosen(page), page.cacheable_s, media)
    answer.raw_headers += _own_headers(page, received.request.request_id)
    return answer


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Any value as JSON; a lone surrogate is escaped, so that it survives."""
    named = {"Cache-Control": "no-store", "Content-Type": JSON, **(headers or {})}
    return Response(json.dumps(value), status, headers=named)


def _html_body(page: Page, charset: Charset) -> bytes:
    if charset.codec == "utf-8":
        try:
            return "".join([piece.text for piece in page.pieces]).encode()
        except UnicodeEncodeError:
            pass  # bytes of the article that are invalid: what they become is not what becomes of our own text
    article, own = charset.encode_article, charset.encode_own
    return b"".join([article(piece.text) if piece.sacred else own(piece.text) for piece in page.pieces])


def _json_body(page: Page, received: Received) -> bytes:
    answer = page_json(page, received.request.request_id)
    if received.charset.raw:
        answer["html"] = without_surrogates(str(answer["html"]))
    return json.dumps(answer).encode()


@lru_cache(maxsize=256)
def _fixed_headers(chosen: Chosen, cacheable_s: int, media: str) -> tuple[RawHeader, ...]:
    """What many answers share: encoded once."""
    layout, variation, device = chosen
    name = _header_list((layout,))
    headers = (
        (b"content-type", media.encode()),
        (b"cache-control", b"public, max-age=%d" % cacheable_s if cacheable_s > 0 else b"private, no-store"),
        (b"vary", b"Accept"),
        (b"adlayout-layout", name.encode()),
        (b"adlayout-cache-key", f"layout={name};variation={variation};device={device}".encode()),
    )
    return (*headers, (b"adlayout-experiment", variation.encode())) if variation else headers


def _chosen(page: Page) -> Chosen:
    trial = page.experiment
    return page.layout, f"{trial.key}={trial.variation_key}" if trial else "", page.device


def _own_headers(page: Page, request_id: str) -> list[RawHeader]:
    filled = sum([isinstance(each, Filled) for each in page.decisions])
    headers = [(b"adlayout-slots", b"%d/%d" % (filled, len(page.decisions))), (b"x-request-id", request_id.encode())]
    if page.token:
        headers.append((b"adlayout-page-token", page.token.encode()))
    if page.degraded:
        headers.append((b"adlayout-degraded", _header_list(page.degraded).encode()))
    if page.warnings:
        headers.append((b"adlayout-warnings", _header_list(page.warnings).encode()))
    if page.timings_ms or page.cached:
        headers.append((b"server-timing", _server_timing(page).encode()))
    return headers


def _header_list(values: Iterable[str]) -> str:
    """A comma list; what cannot stand in a header is percent-encoded."""
    return ", ".join(value if _PLAIN.fullmatch(value) else _percent(value) for value in values)


def _percent(value: str) -> str:
    return quote(value, safe=_SAFE, errors="replace")


def _server_timing(page: Page) -> str:
    stages = [f"{name};dur={spent:.3f}" for name, spent in page.timings_ms]
    return ", ".join([*stages, "cache;desc=hit"] if page.cached else stages)


# Which form the caller wants.


@lru_cache(maxsize=256)
def wants_json(accept: str) -> bool:
    """True where JSON is preferred over HTML; at equal weight the one that is named more exactly, else HTML."""
    return wants(JSON, accept, over="text/html")


def wants(media: str, accept: str, *, over: str) -> bool:
    """Whether the one is preferred; at equal weight it is the one that is named more exactly, else the other."""
    ranges = [_media_range(part) for part in accept.lower().split(",")]
    return _preference(media, ranges) > _preference(over, ranges)


def _preference(media: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """The weight (RFC 9110, 12.5.1: the most exact range decides), and how exact that range is."""
    for exactness, pattern in ((2, media), (1, media.partition("/")[0] + "/*"), (0, "*/*")):
        weights = [weight for name, weight in ranges if name == pattern]
        if weights:
            return max(weights), exactness if max(weights) > 0 else 0
    return 0.0, 0


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return name, _weight(value)
    return name, 1.0


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
