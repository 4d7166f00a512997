"""Where blocks and gaps are in the source. Offsets here are those of the parsed (newline-normalised) text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from typing import TypeAlias

from turbohtml import Comment, Element, ProcessingInstruction, Text, TokenType, tokenize

from adlayout.article.flow import Entry, Flow, Kind
from adlayout.article.measure import BLANK
from adlayout.article.nodes import span_of

# White space is nowhere looked for, and an edge that the source does not have cannot be found.
_WITHOUT_PLACE = frozenset([Kind.BLANK, Kind.OPEN, Kind.CLOSE])

Span: TypeAlias = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class Points:
    """Spans of the entries, and the offsets of the gaps; None where the source has no such point."""

    spans: tuple[Span | None, ...]
    gaps: tuple[int | None, ...]


def points_of(source: str, flow: Flow) -> Points:
    """Places every entry and every gap of the flow in the source."""
    spans = _spans(source, flow)
    if not flow.stretches:
        return Points(spans, (None,))
    gaps = [_opening(flow, spans, 0)]
    for number, stretch in enumerate(flow.stretches):
        span = spans[stretch.last]
        if span is not None and span[1] is not None:
            gaps.append(_closed(flow, spans, number, span[1]))
        elif number + 1 < len(flow.stretches):
            gaps.append(_opening(flow, spans, number + 1))
        else:
            gaps.append(content_end(source, flow.container))
    return Points(spans, _in_order(gaps))


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


def _in_order(gaps: Sequence[int | None]) -> tuple[int | None, ...]:
    furthest = 0
    ordered: list[int | None] = []
    for offset in gaps:
        if offset is None or offset < furthest:
            ordered.append(None)
        else:
            furthest = offset
            ordered.append(offset)
    return tuple(ordered)


def _closed(flow: Flow, spans: Sequence[Span | None], number: int, end: int) -> int:
    """The end of a block, moved past the comments that close it."""
    for index in range(flow.stretches[number].last + 1, _next_start(flow, number)):
        entry, span = flow.entries[index], spans[index]
        if _is_blank(entry):
            continue
        if not _closes(entry) or span is None or span[1] is None:
            break
        end = span[1]
    return end


def _opening(flow: Flow, spans: Sequence[Span | None], number: int) -> int | None:
    """The start of a block, moved before the comments that open it."""
    stretch = flow.stretches[number]
    span = spans[stretch.first]
    if span is None:
        return None
    start = span[0]
    floor = flow.stretches[number - 1].last if number else -1
    for index in range(stretch.first - 1, floor, -1):
        entry, span = flow.entries[index], spans[index]
        if _is_blank(entry):
            continue
        # A browser takes a processing instruction for a comment.
        if not isinstance(entry.node, Comment | ProcessingInstruction) or _closes(entry) or span is None:
            break
        start = span[0]
    return start


def _next_start(flow: Flow, number: int) -> int:
    return flow.stretches[number + 1].first if number + 1 < len(flow.stretches) else len(flow.entries)


def _is_blank(entry: Entry) -> bool:
    return entry.kind is Kind.BLANK


def _closes(entry: Entry) -> bool:
    return isinstance(entry.node, Comment) and entry.node.data.lstrip().startswith("/")


def _spans(source: str, flow: Flow) -> tuple[Span | None, ...]:
    """The span of every entry; what has no location of its own is found between its located neighbours."""
    spans: list[Span | None] = []
    known: int | None = _content_start(flow.container)
    loose: list[int] = []
    for index, entry in enumerate(flow.entries):
        span = _own_span(source, entry)
        spans.append(span)
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
    return tuple(spans)


def _own_span(source: str, entry: Entry) -> Span | None:
    if not isinstance(entry.node, Element):
        return None
    if entry.kind is Kind.OPEN or entry.kind is Kind.CLOSE:
        return _edge_span(entry)
    span = span_of(entry.node)
    if span is None or span[1] is not None or entry.node.tag not in {"svg", "math"}:
        return span
    location = entry.node.source_location
    end = location.start_tag.end_offset if location is not None else 0
    return (span[0], end) if source[end - 2 : end] == "/>" else span


def _edge_span(entry: Entry) -> Span | None:
    assert isinstance(entry.node, Element)  # noqa: S101 - edges are elements; for the type checker
    location = entry.node.source_location
    if location is None:
        return None
    tag = location.start_tag if entry.kind is Kind.OPEN else location.end_tag
    return (tag.start_offset, tag.end_offset) if tag is not None else None


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
