"""Proof that ads at a set of gaps leave the article's tree alone: the page is parsed again and compared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from turbohtml import Element, Node, Text, parse_fragment

from adlayout.article.flow import Flow, Kind
from adlayout.article.measure import BLANK
from adlayout.article.parse import Parsed
from adlayout.article.splice import splice

Path: TypeAlias = tuple[int, ...]
# How many entries of the flow other than texts stand before, and how many characters of text since the last of them.
Seat: TypeAlias = tuple[int, int]

# However many gaps fail, the work stays bounded; what is not decided by then counts as unsafe.
_MOST_PARSES = 256
_MOST_CHARS = 16_000_000


def unsafe_gaps(parsed: Parsed, gaps: Iterable[int]) -> frozenset[int]:
    """Those of the gaps at which an ad would change the article's tree; found by halving the set."""
    proof = _Proof(parsed)
    unsafe: set[int] = set()
    waiting = [[gap for gap in gaps if parsed.points[gap] is not None]]
    most = max(8, min(_MOST_PARSES, _MOST_CHARS // (len(parsed.source) + 1)))
    while waiting:
        group = waiting.pop()
        most -= 1
        if most < 0:
            unsafe.update(group)
        elif not group or proof.holds(group):
            continue
        elif len(group) == 1:
            unsafe.update(group)
        else:
            waiting += (group[len(group) // 2 :], group[: len(group) // 2])
    return frozenset(unsafe)


def holds(parsed: Parsed, gaps: Sequence[int]) -> bool:
    """Whether ads at all these gaps leave the tree alone, together and each by itself, between the right blocks."""
    return _Proof(parsed).holds(gaps)


class _Proof:
    """What every parse of a page is held against, found once for all sets of gaps."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._marker = _marker(parsed.source)
        self._order = dict(_order(parsed.root, parsed.flow))
        self._windows = _windows(parsed.flow)
        self._in_link = _in_link(parsed.flow)
        self._scripted: Element | None = None
        if "<noscript" in parsed.source.lower():
            self._scripted = parse_fragment(parsed.source, "body", scripting=True)

    def holds(self, gaps: Sequence[int]) -> bool:
        # The link of one ad can close a link around the article, so that the next ad finds it closed already.
        alone = [[gap] for gap in gaps] if self._in_link and len(gaps) > 1 else []
        return all(map(self._hold_together, (gaps, *alone)))

    def _hold_together(self, gaps: Sequence[int]) -> bool:
        points = self._parsed.points
        probe = _probe(self._marker)
        page = splice(self._parsed.source, ((offset, probe) for gap in gaps if (offset := points[gap]) is not None))
        if not self._stands(parse_fragment(page, "body"), gaps):
            return False
        if self._scripted is None:
            return True
        root = parse_fragment(page, "body", scripting=True)
        return _taken_out(root, self._marker, len(gaps)) and root.equals(self._scripted)

    def _stands(self, root: Element, gaps: Sequence[int]) -> bool:
        seats = _seats(_probes(root, self._marker), self._order)
        if seats is None or not _taken_out(root, self._marker, len(gaps)) or not root.equals(self._parsed.root):
            return False
        windows = (self._windows[gap] for gap in gaps)
        return all(first <= seat <= last for (first, last), seat in zip(windows, seats, strict=True))


def _in_link(flow: Flow) -> bool:
    """Whether the flow stands inside a link."""
    node: Node | None = flow.container
    while isinstance(node, Element):
        if node.tag == "a":
            return True
        node = node.parent
    return any(isinstance(one.node, Element) and one.node.tag == "a" for one in flow.entries if one.kind is Kind.OPEN)


def _seats(probes: Sequence[Element], order: Mapping[Path, Sequence[int]]) -> list[Seat] | None:
    """Where in the flow each probe stands; None where one stands outside of it."""
    ours: frozenset[Node] = frozenset(probes)
    seats: dict[Node, Seat] = {}
    for parent in dict.fromkeys(probe.parent for probe in probes):
        numbers = order.get(_path(parent, ours)) if parent is not None else None
        if parent is None or numbers is None:
            return None
        rank, chars = 0, 0
        for child in parent.children:
            if child in ours:
                # A tree that is not the article's may have more seats than the flow.
                seats[child] = numbers[min(rank, len(numbers) - 1)], chars
            elif isinstance(child, Text):
                chars += len(child.data)
            else:
                rank, chars = rank + 1, 0
    return [seats[probe] for probe in probes]


def _taken_out(root: Element, marker: str, expected: int) -> bool:
    """Takes the probes out of the tree; false where they are not what was put in."""
    probes = _probes(root, marker)
    reference = _reference(marker)
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


@lru_cache(maxsize=8)
def _probe(marker: str) -> str:
    """The full markup of a slot: text alone would pass where a real ad breaks an open link."""
    return (
        f'<aside class="adl-slot" data-adl-slot="{marker}" data-adl-type="in-article" aria-label="Advertisement" '
        'style="min-height:0"><span class="adl-label">Advertisement</span><a href="#"><img src="#" alt=""></a>'
        "<p>ad</p><div>ad</div><iframe></iframe></aside>"
    )


@lru_cache(maxsize=8)
def _reference(marker: str) -> Node:
    """A probe as it must come out of the parser."""
    return parse_fragment(_probe(marker), "body").children[0]


def _path(node: Node, ours: frozenset[Node] = frozenset()) -> Path:
    """The ranks that lead to a node from the root; `ours` count nowhere."""
    path: list[int] = []
    while node.parent is not None:
        path.append(_rank(node, ours))
        node = node.parent
    return tuple(reversed(path))


def _rank(node: Node, ours: frozenset[Node]) -> int:
    """How many siblings other than texts and `ours` stand before the node."""
    rank = 0
    sibling = node.previous_sibling
    while sibling is not None:
        rank += not isinstance(sibling, Text) and sibling not in ours
        sibling = sibling.previous_sibling
    return rank


def _order(root: Element, flow: Flow) -> Iterator[tuple[Path, list[int]]]:
    """For the container and each entered wrapper: the flow's sequence number at each of its seats."""
    number = 0
    open_seats: list[tuple[Path, list[int]]] = [(_path(flow.container), [0])]
    for entry in flow.entries:
        if isinstance(entry.node, Text):
            continue
        number += 1
        if entry.kind is Kind.OPEN:
            open_seats.append((_path(entry.node), [number]))
            continue
        if entry.kind is Kind.CLOSE:
            yield open_seats.pop()
        open_seats[-1][1].append(number)
    yield open_seats.pop()


def _windows(flow: Flow) -> list[tuple[Seat, Seat]]:
    """Per gap the seats between which it lies: after the block before, up to the block behind."""
    starts: list[Seat] = []
    ends: list[Seat] = []
    number, chars = 0, 0
    for entry in flow.entries:
        if isinstance(entry.node, Text):
            text = entry.node.data
            starts.append((number, chars + len(text) - len(text.lstrip(BLANK))))
            ends.append((number, chars + len(text.rstrip(BLANK))))
            chars += len(text)
        else:
            starts.append((number, sys.maxsize))
            number, chars = number + 1, 0
            ends.append((number, 0))
    after = [(0, 0), *(ends[stretch.last] for stretch in flow.stretches)]
    until = [*(starts[stretch.first] for stretch in flow.stretches), (number, sys.maxsize)]
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
