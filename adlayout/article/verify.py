"""Proof that ads at a set of gaps leave the article's tree alone: the page is parsed again and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from turbohtml import Element, Node, Text, parse_fragment

from adlayout.article.flow import Flow, Kind
from adlayout.article.parse import Parsed
from adlayout.article.splice import splice

# However many gaps fail, the work stays bounded; what is not decided by then counts as unsafe.
_MOST_PARSES = 256
_MOST_CHARS = 16_000_000


def unsafe_gaps(parsed: Parsed, gaps: Iterable[int]) -> frozenset[int]:
    """Those of the gaps at which an ad would change the article's tree; found by halving the set."""
    unsafe: set[int] = set()
    waiting = [[gap for gap in gaps if parsed.points[gap] is not None]]
    most = max(8, min(_MOST_PARSES, _MOST_CHARS // (len(parsed.source) + 1)))
    while waiting:
        group = waiting.pop()
        most -= 1
        if most < 0:
            unsafe.update(group)
        elif not group or holds(parsed, group):
            continue
        elif len(group) == 1:
            unsafe.update(group)
        else:
            waiting += (group[len(group) // 2 :], group[: len(group) // 2])
    return frozenset(unsafe)


def holds(parsed: Parsed, gaps: Sequence[int]) -> bool:
    """Whether ads at all these gaps together leave the tree alone and stand between the blocks they should."""
    marker = _marker(parsed.source)
    probe = _probe(marker)
    offsets = [(parsed.points[gap], gap) for gap in gaps]
    page = splice(parsed.source, ((offset, probe) for offset, _ in offsets if offset is not None))
    root = parse_fragment(page, "body")
    if not _stands(parsed, root, gaps, marker):
        return False
    if "<noscript" not in parsed.source.lower():
        return True
    scripted = parse_fragment(page, "body", scripting=True)
    return _taken_out(scripted, marker, len(gaps)) and scripted.equals(
        parse_fragment(parsed.source, "body", scripting=True)
    )


def _stands(parsed: Parsed, root: Element, gaps: Sequence[int], marker: str) -> bool:
    places = [_place(probe) for probe in _probes(root, marker)]
    if not _taken_out(root, marker, len(gaps)) or not root.equals(parsed.root):
        return False
    order = dict(_order(parsed.root, parsed.flow))
    windows = _windows(parsed.flow)
    for gap, (path, before) in zip(gaps, places, strict=True):
        seats = order.get(path)
        if seats is None or not windows[gap][0] <= seats[before] <= windows[gap][1]:
            return False
    return True


def _taken_out(root: Element, marker: str, expected: int) -> bool:
    """Takes the probes out of the tree; false where they are not what was put in."""
    probes = _probes(root, marker)
    reference = parse_fragment(_probe(marker), "body").children[0]
    if len(probes) != expected or not all(probe.equals(reference) for probe in probes):
        return False
    for probe in probes:
        probe.extract()
    root.normalize()
    return True


def _probes(root: Element, marker: str) -> list[Element]:
    return root.select(f'aside[data-adl-slot="{marker}"]')


def _marker(source: str) -> str:
    marker = "probe"
    while marker in source:
        marker += "x"
    return marker


def _probe(marker: str) -> str:
    """The full markup of a slot: text alone would pass where a real ad breaks an open link."""
    return (
        f'<aside class="adl-slot" data-adl-slot="{marker}" data-adl-type="in-article" aria-label="Advertisement" '
        'style="min-height:0"><span class="adl-label">Advertisement</span><a href="#"><img src="#" alt=""></a>'
        "<p>ad</p><div>ad</div><iframe></iframe></aside>"
    )


def _is_probe(node: Node) -> bool:
    return isinstance(node, Element) and node.tag == "aside" and (node.attr("data-adl-slot") or "").startswith("probe")


def _rank(node: Node) -> int:
    """How many siblings other than texts and probes stand before the node."""
    rank = 0
    sibling = node.previous_sibling
    while sibling is not None:
        rank += not isinstance(sibling, Text) and not _is_probe(sibling)
        sibling = sibling.previous_sibling
    return rank


def _path(node: Node) -> tuple[int, ...]:
    path: list[int] = []
    while node.parent is not None:
        path.append(_rank(node))
        node = node.parent
    return tuple(reversed(path))


def _place(probe: Element) -> tuple[tuple[int, ...], int]:
    path = _path(probe)
    return path[:-1], path[-1]


def _order(root: Element, flow: Flow) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """For the container and each entered wrapper: the flow's sequence number at each of its seats."""
    number = 0
    open_seats: list[tuple[tuple[int, ...], list[int]]] = [(_path(flow.container), [0])]
    for entry in flow.entries:
        if entry.kind is Kind.TEXT:
            continue
        number += 1
        if entry.kind is Kind.OPEN:
            open_seats.append((_path(entry.node), [number]))
            continue
        if entry.kind is Kind.CLOSE:
            yield open_seats.pop()
        open_seats[-1][1].append(number)
    yield open_seats.pop()


def _windows(flow: Flow) -> list[tuple[int, int]]:
    """Per gap the sequence numbers between which it lies: after the block before, up to the block behind."""
    counts = [0]
    for entry in flow.entries:
        counts.append(counts[-1] + (entry.kind is not Kind.TEXT))
    after = [0, *(counts[stretch.last + 1] for stretch in flow.stretches)]
    until = [*(counts[stretch.first] for stretch in flow.stretches), counts[-1]]
    return list(zip(after, until, strict=True))


def is_balanced(parsed: Parsed) -> bool:
    """Whether the article stays within the element that a page puts around it."""
    root = parse_fragment(f"<div>{parsed.source}</div><span></span>", "body")
    children = root.children
    return (
        len(children) == 2
        and isinstance(children[0], Element)
        and children[0].inner_html == parsed.root.inner_html
        and isinstance(children[1], Element)
        and children[1].tag == "span"
    )
