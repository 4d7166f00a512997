"""Where the entries of the flow are in the source, as offsets of the parsed (newline-normalised) text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import TypeAlias

from turbohtml import Element, Node, Text, TokenType, tokenize

from adlayout.article.flow import Entry, Flow, Kind
from adlayout.article.measure import BLANK
from adlayout.article.nodes import span_of
from adlayout.article.tags import VOID

# White space is nowhere looked for, and an edge that the source does not have cannot be found.
_WITHOUT_PLACE = frozenset([Kind.BLANK, Kind.OPEN, Kind.CLOSE])

Span: TypeAlias = tuple[int, int | None]


def spans_of(source: str, flow: Flow) -> tuple[Span | None, ...]:
    """The span of every entry; what has no location of its own is found between its located neighbours."""
    spans: list[Span | None] = []
    loose = False
    blank, opens, closes = Kind.BLANK, Kind.OPEN, Kind.CLOSE  # the names of an Enum are slow to look up
    for kind, node in flow.entries:
        if kind is blank:
            spans.append(None)
        elif kind is opens or kind is closes:
            spans.append(_edge_span(kind, node))
        else:
            span = _own_span(source, node)
            loose = loose or span is None
            spans.append(span)
    if loose:
        _settle_all(source, flow, spans)
    return tuple(spans)


def content_end(source: str, container: Element) -> int | None:
    """Where the container's content ends: at its end tag, or at what closed it without one."""
    element: Element = container
    while isinstance(element.parent, Element):
        location = element.source_location
        if location is not None and location.end_tag is not None:
            return location.end_tag.start_offset
        following = element.next_sibling
        while following is not None and not isinstance(following, Element):
            following = following.next_sibling
        span = span_of(following) if following is not None else None
        if span is not None:
            return span[0]
        element = element.parent
    return len(source)


def _settle_all(source: str, flow: Flow, spans: list[Span | None]) -> None:
    """Finds what has no location of its own between what has one."""
    known: int | None = _content_start(flow.container)
    loose: list[int] = []
    for index, entry in enumerate(flow.entries):
        span = spans[index]
        if span is None:
            if entry.kind not in _WITHOUT_PLACE:
                loose.append(index)
            continue
        if loose:
            _settle(source, flow, spans, loose, (known, span[0]))
            if isinstance(entry.node, Element) and entry.node.tag == "table" and span[1] is not None:
                _settle_inside(source, flow, spans, loose, (span[0], span[1]))
            loose = []
        known = span[1]
    if loose:
        _settle(source, flow, spans, loose, (known, content_end(source, flow.container)))


def _own_span(source: str, node: Node) -> Span | None:
    # An access to the location costs more than all the rest, so there is one.
    location = node.source_location if isinstance(node, Element) else None
    if location is None or (start := location.start_tag) is None:
        return None
    if (end := location.end_tag) is not None:
        return start.start_offset, end.end_offset
    assert isinstance(node, Element)  # noqa: S101 - nothing else has a location; for the type checker
    return start.start_offset, start.end_offset if _ends_itself(source, node.tag, start.end_offset) else None


def _edge_span(kind: Kind, node: Node) -> Span | None:
    location = node.source_location
    tag = None if location is None else location.start_tag if kind is Kind.OPEN else location.end_tag
    return (tag.start_offset, tag.end_offset) if tag is not None else None


def _ends_itself(source: str, tag: str, end: int) -> bool:
    """Whether the start tag that ends here is all there is of the element."""
    return tag in VOID or (tag in {"svg", "math"} and source[end - 2 : end] == "/>")


def _content_start(container: Element) -> int | None:
    if not isinstance(container.parent, Element):
        return 0
    location = container.source_location
    return location.start_tag.end_offset if location is not None and location.start_tag is not None else None


def _settle(
    source: str,
    flow: Flow,
    spans: list[Span | None],
    loose: Sequence[int],
    between: tuple[int | None, int | None],
) -> None:
    """Finds the spans of the loose entries that lie between two places of the source."""
    start, stop = between
    if start is None or stop is None or stop <= start:
        return
    found = _pieces(source, start, stop)
    expected = [_shape(flow.entries[index]) for index in loose]
    if [shape for shape, _ in found] == expected:
        for index, (_, span) in zip(loose, found, strict=True):
            spans[index] = span


def _settle_inside(
    source: str, flow: Flow, spans: list[Span | None], loose: Sequence[int], table: tuple[int, int]
) -> None:
    """Finds texts that the parser moved out of a table in front of it: where they read the same."""
    moved = [index for index in loose if spans[index] is None and flow.entries[index].kind is Kind.TEXT]
    texts = iter(span for shape, span in _pieces(source, *table, apart=True) if shape == "text") if moved else iter(())
    for index in moved:
        node = flow.entries[index].node
        wanted = node.data.strip(BLANK) if isinstance(node, Text) else ""
        spans[index] = next((span for span in texts if unescape(source[slice(*span)]) == wanted), None)


def _shape(entry: Entry) -> str:
    if isinstance(entry.node, Text):
        return "text"
    return entry.node.tag if isinstance(entry.node, Element) else "comment"


def _pieces(source: str, start: int, stop: int, *, apart: bool = False) -> list[tuple[str, Span]]:
    """The texts, comments and lone `</p>`, `</br>` of a stretch of source, with their spans; blank texts left out.

    Phrasing does not part a text, unless `apart`: then every tag does.
    """
    stretch = source[start:stop]
    line_starts = [0, *(match.end() for match in re.finditer("\n", stretch))]
    tokens = [
        (token.type, token.tag, line_starts[token.line - 1] + token.col)
        for token in tokenize(stretch, capture_source=True)
    ]
    found: list[tuple[str, Span]] = []
    text: list[int] = []
    for index, (kind, tag, begin) in enumerate(tokens):
        end = tokens[index + 1][2] if index + 1 < len(tokens) else len(stretch)
        if kind is TokenType.TEXT or kind is TokenType.CHARACTER_REFERENCE:
            if unescape(stretch[begin:end]).strip(BLANK):
                _grow(stretch, text, begin, end)
        elif kind in {TokenType.COMMENT, TokenType.PROCESSING_INSTRUCTION}:
            _flush(found, text, start)
            found.append(("comment", (start + begin, start + end)))
        elif kind is TokenType.END_TAG and tag in {"p", "br"}:
            _flush(found, text, start)
            found.append((tag, (start + begin, start + end)))
        elif apart:
            _flush(found, text, start)
    _flush(found, text, start)
    return found


def _grow(stretch: str, text: list[int], begin: int, end: int) -> None:
    """Widens the text by what can be seen of a token."""
    ink = stretch[begin:end].strip(BLANK + "\0")
    if ink:
        first = begin + stretch[begin:end].index(ink)
        text[:] = [text[0] if text else first, first + len(ink)]


def _flush(found: list[tuple[str, Span]], text: list[int], start: int) -> None:
    if text:
        found.append(("text", (start + text[0], start + text[1])))
        text.clear()
