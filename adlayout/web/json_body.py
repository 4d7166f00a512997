"""From the bytes of a JSON body to its values, however deep they lie. Never knows what the values are for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import inf

from adlayout.errors import NotAnArticle

# Deeper than any field of a request: what lies below is wrong, and must not cost the article.
_DEEPEST = 20
_STRING_OR_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{]+|[\]}]+', re.DOTALL)


def read_json(body: bytes) -> object:
    """The values of a JSON body, at most with a BOM before them; raises NotAnArticle where it is none."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        wrong = f"byte {exc.start} of it is not (0x{exc.object[exc.start]:02x})"
        raise NotAnArticle(f"the body is not JSON: it has to be UTF-8, and {wrong}") from exc
    try:
        return _parsed(text)
    except ValueError as exc:
        raise NotAnArticle(f"the body is not JSON: {exc}") from exc


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_int=_int)
    except RecursionError:
        return json.loads("".join(_shallow(text)), parse_int=_int)


def _int(digits: str) -> int | float:
    """A number too long for Python's own limit costs its field, not the article."""
    return int(digits) if len(digits) < 20 else inf


def _shallow(text: str) -> Iterator[str]:
    """The text with null for what lies too deep: JSON has no end to its depth, a parser's stack has."""
    depth, kept = 0, 0
    for found in _STRING_OR_BRACKETS.finditer(text):
        run, was = found[0], depth
        if run[0] in "[{":
            depth += len(run)
            if was <= _DEEPEST < depth:
                yield text[kept : found.start() + _DEEPEST - was]
                yield "null"
        elif run[0] in "]}":
            depth -= len(run)
            if depth <= _DEEPEST < was:
                kept = found.start() + was - _DEEPEST
    if depth <= _DEEPEST:
        yield text[kept:]
