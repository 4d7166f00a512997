"""Proof that ads at a set of gaps leave the article's tree alone: the page is parsed again and compared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

from turbohtml import Element, Node, Text, parse_fragment

from adlayout.article.flow import Flow, Kind
from adlayout.article.measure import BLANK
from adlayout.article.parse import Parsed
from adlayout.article.plain import content_when_wrapped, is_plain
from adlayout.article.probe import extract, marker_for, page_with, probes_in

Path: TypeAlias = tuple[int, ...]
# How many entries of the flow other than texts stand before, and how many characters of text since the last of them.
Seat: TypeAlias = tuple[int, int]


class Proof(NamedTuple):
    """Whether the ads leave the tree alone, and whether the article stays in the element around it."""

    holds: bool
    balanced: bool


class Order(NamedTuple):
    """The seats of the flow: for its container and each wrapper that was entered, the sequence number at each of them.

    Both are named by the ranks that lead to them from the root; `nested` says whether there are such wrappers.
    """

    container: Path
    seats: Mapping[Path, Sequence[int]]
    nested: bool


# However many gaps fail, the work stays bounded; what is not decided by then counts as unsafe.
_MOST_PARSES = 256
_MOST_CHARS = 16_000_000


def prove(parsed: Parsed, gaps: Sequence[int]) -> Proof:
    """The proof of ads at all these gaps, which are in ascending order."""
    if is_plain(parsed, gaps):
        return Proof(holds=True, balanced=True)
    return Proof(not gaps or _Proof(parsed).holds(gaps), is_balanced(parsed))


def unsafe_gaps(parsed: Parsed, gaps: Iterable[int]) -> frozenset[int]:
    """Those of the gaps at which an ad would change the article's tree; found by halving the set."""
    placed = [gap for gap in gaps if parsed.points[gap] is not None]
    if is_plain(parsed, placed):
        return frozenset()
    proof = _Proof(parsed)
    unsafe: set[int] = set()
    waiting = [[gap] for gap in reversed(placed)] if proof.in_link else [placed]
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
    return is_plain(parsed, gaps) or _Proof(parsed).holds(gaps)


class _Proof:
    """What every parse of a page is held against, found once for all sets of gaps."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._marker = marker_for(parsed.source)
        self._order = _order(parsed.flow)
        self._windows = _windows(parsed.flow)
        self.in_link = _in_link(parsed.flow)
        self._scripted: Element | None = None
        if "<noscript" in parsed.source.lower():
            self._scripted = parse_fragment(parsed.source, "body", scripting=True)

    def holds(self, gaps: Sequence[int]) -> bool:
        # The link of one ad can close a link around the article, so that the next ad finds it closed already.
        alone = [[gap] for gap in gaps] if self.in_link and len(gaps) > 1 else []
        return all(map(self._hold_together, (gaps, *alone)))

    def _hold_together(self, gaps: Sequence[int]) -> bool:
        page = page_with(self._parsed, gaps, self._marker)
        if not self._stands(parse_fragment(page, "body"), gaps):
            return False
        if self._scripted is None:
            return True
        root = parse_fragment(page, "body", scripting=True)
        return _taken_out(root, self._marker, len(gaps)) and root.equals(self._scripted)

    def _stands(self, root: Element, gaps: Sequence[int]) -> bool:
        seats = _seats(root, probes_in(root, self._marker), self._order)
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


def _seats(root: Element, probes: Sequence[Element], order: Order) -> list[Seat] | None:
    """Where in the flow each probe stands; None where one stands outside of it."""
    ours: frozenset[Node] = frozenset(probes)
    seats: dict[Node, Seat] = {}
    container = _descend(root, order.container, ours)
    waiting = [(container, order.container)] if container is not None else []
    while waiting:
        parent, path = waiting.pop()
        numbers, rank, chars = order.seats[path], 0, 0
        for child in parent.children:
            if child in ours:
                # A tree that is not the article's may have more seats than the flow.
                seats[child] = numbers[min(rank, len(numbers) - 1)], chars
            elif isinstance(child, Text):
                chars += len(child.data)
            else:
                if order.nested and (*path, rank) in order.seats:
                    waiting.append((child, (*path, rank)))
                rank, chars = rank + 1, 0
    return [seats[probe] for probe in probes] if len(seats) == len(probes) else None


def _descend(root: Element, path: Path, ours: frozenset[Node]) -> Node | None:
    """The node that these ranks lead to, if the tree has one; `ours` count nowhere."""
    node: Node | None = root
    for rank in path:
        inner = node.children if node is not None else ()
        counted = (child for child in inner if not isinstance(child, Text) and child not in ours)
        node = next(islice(counted, rank, None), None)
    return node


def _taken_out(root: Element, marker: str, expected: int) -> bool:
    """Takes the probes out of the tree; false where they are not what was put in."""
    probes = probes_in(root, marker)
    if len(probes) != expected or not extract(probes, marker):
        return False
    root.normalize()
    return True


def _order(flow: Flow) -> Order:
    """For the container and each entered wrapper: the flow's sequence number at each of its seats."""
    number = 0
    seats: dict[Path, list[int]] = {}
    open_seats: list[tuple[Path, list[int]]] = [(_path(flow.container), [0])]
    for entry in flow.entries:
        if isinstance(entry.node, Text):
            continue
        number += 1
        if entry.kind is Kind.OPEN:
            path, before = open_seats[-1]
            open_seats.append(((*path, len(before) - 1), [number]))
            continue
        if entry.kind is Kind.CLOSE:
            seats.update([open_seats.pop()])
        open_seats[-1][1].append(number)
    path, numbers = open_seats.pop()
    return Order(path, seats | {path: numbers}, nested=bool(seats))


def _path(node: Node) -> Path:
    """The ranks that lead to a node from the root."""
    path: list[int] = []
    while node.parent is not None and node.parent.parent is not None:
        path.append(_rank(node))
        node = node.parent
    return tuple(reversed(path))


def _rank(node: Node) -> int:
    """How many siblings other than texts stand before the node."""
    rank = 0
    sibling = node.previous_sibling
    while sibling is not None:
        rank += not isinstance(sibling, Text)
        sibling = sibling.previous_sibling
    return rank


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
    content = content_when_wrapped(parsed.source)
    return content is not None and content.equals(parsed.root)
