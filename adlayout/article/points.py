"""Where the gaps are in the source. Offsets here are those of the parsed (newline-normalised) text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turbohtml import Comment, ProcessingInstruction

from adlayout.article.flow import Entry, Flow, Kind
from adlayout.article.spans import Span, content_end, spans_of


@dataclass(frozen=True, slots=True)
class Points:
    """Spans of the entries, and the offsets of the gaps; None where the source has no such point."""

    spans: tuple[Span | None, ...]
    gaps: tuple[int | None, ...]


def points_of(source: str, flow: Flow) -> Points:
    """Places every entry and every gap of the flow in the source."""
    spans = spans_of(source, flow)
    if not flow.stretches:
        return Points(spans, (None,))
    # Nothing but a comment moves a gap away from the end of its block.
    moved = Kind.ASIDE in [kind for kind, _ in flow.entries]
    gaps = [_opening(flow, spans, 0)]
    for number, (_, last, _) in enumerate(flow.stretches):
        span = spans[last]
        end = span[1] if span is not None else None
        if end is None:
            gaps.append(_behind_open(source, flow, spans, number))
        else:
            gaps.append(_closed(flow, spans, number, end) if moved else end)
    return Points(spans, _in_order(gaps))


def _behind_open(source: str, flow: Flow, spans: Sequence[Span | None], number: int) -> int | None:
    """Where the gap is behind a block that the source does not end."""
    if number + 1 < len(flow.stretches):
        return _opening(flow, spans, number + 1)
    return content_end(source, flow.container)


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
