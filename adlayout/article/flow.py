"""The flow of an article: what stands in the flow container, entry by entry, grouped into pieces. Knows no offsets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import NamedTuple

from turbohtml import Element, Node, Text

from adlayout.article.measure import BLANK, trim, words
from adlayout.article.nodes import holds_word, is_displayed, is_hidden, is_phrasing, lone_media, look, text_of, unplain
from adlayout.article.selectors import Piece, element_test, piece_of, select
from adlayout.article.tags import COUNTED_MEDIA, WRAPPERS
from adlayout.model import Count, Needs

_MOST_DESCENTS = 4
_MOST_OF_IT = 0.8


class Kind(Enum):
    """What an entry of the flow is."""

    BLOCK = "block"
    INLINE = "inline"
    TEXT = "text"
    BLANK = "blank"  # a text of nothing but white space
    ASIDE = "aside"  # comments and elements that belong to no block
    OPEN = "open"  # an entered wrapper's start tag
    CLOSE = "close"


# An enumeration's members are looked up slowly, and there is one look-up or more for each node of an article.
_BLOCK, _INLINE, _TEXT, _BLANK, _ASIDE = Kind.BLOCK, Kind.INLINE, Kind.TEXT, Kind.BLANK, Kind.ASIDE


class Entry(NamedTuple):
    """One node of the flow, or one edge of an entered wrapper."""

    kind: Kind
    node: Node


class Stretch(NamedTuple):
    """A block's entries: `first`..`last` index the flow; `piece` is what selectors and measures look at."""

    first: int
    last: int
    piece: Piece


@dataclass(frozen=True, slots=True)
class Flow:
    """The container, its entries in order, and the blocks they make."""

    container: Element
    entries: tuple[Entry, ...]
    stretches: tuple[Stretch, ...]
    warnings: tuple[str, ...]


def flow_of(root: Element, needs: Needs, ads: frozenset[Element] = frozenset()) -> Flow:
    """Finds the container, lays out what stands in it and groups it into blocks; each of `ads` is one of its own."""
    closed = element_test(root, needs.exclude_within)
    excluded = (lambda element: element in ads or closed(element)) if ads else closed
    entered = element_test(root, needs.enter)
    container, warnings = _container(root, needs, (excluded, entered), ads)
    entries = tuple(_entries(container, excluded, entered))
    return Flow(container, entries, tuple(_stretches(entries, unplain(root))), warnings)


def counts(piece: Piece, count: Count) -> bool:
    """Whether an element's piece counts; anonymous paragraphs are the caller's to decide."""
    if piece.tag in COUNTED_MEDIA and piece.tag in count.tags:
        return True
    return piece.tag in count.tags and is_enough_text(piece, count)


def _counts_inside(element: Element, count: Count) -> bool:
    """The same of an element at any depth; one word is looked for no further than it is found."""
    if count.min_words > 1 or count.min_chars or element.tag in COUNTED_MEDIA:
        return counts(piece_of(element), count)
    return holds_word(element)


def is_enough_text(piece: Piece, count: Count) -> bool:
    """Whether the piece is text, and as much of it as a counted block needs."""
    if piece.media and not piece.seen:
        return False
    enough_words = piece.has_word if count.min_words == 1 else words(piece.line) >= count.min_words
    return enough_words and (not count.min_chars or len(piece.line) >= count.min_chars)


def _container(
    root: Element,
    needs: Needs,
    tests: tuple[Callable[[Element], bool], Callable[[Element], bool]],
    ads: frozenset[Element],
) -> tuple[Element, tuple[str, ...]]:
    excluded, entered = tests
    if needs.container is not None:
        found = select(root, needs.container)
        return (found[0], ()) if found else (root, ("container_not_found",))
    container, count = root, needs.count
    is_counted = cache(
        lambda element: element.tag in count.tags and element not in ads and _counts_inside(element, count)
    )
    for _ in range(_MOST_DESCENTS):
        wrappers = _wrappers(container, excluded, entered)
        inner = _holds_most(container, wrappers, is_counted, excluded) if wrappers else None
        if inner is None:
            break
        container = inner
    return container, ()


def _wrappers(
    container: Element, excluded: Callable[[Element], bool], entered: Callable[[Element], bool]
) -> list[Element]:
    """The wrappers of the flow that may become the container; those that are entered are never it."""
    found: list[Element] = []
    waiting = list(reversed(container.children))
    while waiting:
        node = waiting.pop()
        # Most of what stands in a flow is no wrapper, and is not looked at any closer.
        if not isinstance(node, Element) or not (node.tag in WRAPPERS or entered(node)):
            continue
        if is_hidden(node) or excluded(node) or not is_displayed(node):
            continue
        if entered(node):
            waiting.extend(reversed(node.children))
        elif node.tag in WRAPPERS:
            found.append(node)
    return found


def _holds_most(
    container: Element,
    wrappers: Sequence[Element],
    is_counted: Callable[[Element], bool],
    excluded: Callable[[Element], bool],
) -> Element | None:
    """The wrapper that holds most of what counts; of the characters where nothing counts."""
    shares = {wrapper: _counted_inside(wrapper, is_counted, excluded) for wrapper in wrappers}
    total = _counted_inside(container, is_counted, excluded)
    if total == 0:
        shares = {wrapper: len(trim(text_of((wrapper,)))) for wrapper in wrappers}
        total = len(trim(text_of((container,))))
    best = max(wrappers, key=lambda wrapper: shares[wrapper])
    return best if total and shares[best] >= _MOST_OF_IT * total else None


def _counted_inside(
    wrapper: Element, is_counted: Callable[[Element], bool], excluded: Callable[[Element], bool]
) -> int:
    found = 0
    waiting: list[Node] = list(wrapper.children)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Element) or is_hidden(node) or not is_displayed(node):
            continue
        found += is_counted(node)
        if not excluded(node):
            waiting.extend(node.children)
    return found


def _entries(
    container: Element, excluded: Callable[[Element], bool], entered: Callable[[Element], bool]
) -> Iterator[Entry]:
    waiting: list[Node | Entry] = list(reversed(container.children))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Entry):
            yield node
        elif isinstance(node, Text):
            yield Entry(_TEXT if node.data.strip(BLANK) else _BLANK, node)
        elif not isinstance(node, Element) or is_hidden(node):
            yield Entry(_ASIDE, node)
        elif entered(node) and not excluded(node) and is_displayed(node):
            yield Entry(Kind.OPEN, node)
            waiting.append(Entry(Kind.CLOSE, node))
            waiting.extend(reversed(node.children))
        else:
            yield Entry(_INLINE if is_phrasing(node) and not excluded(node) else _BLOCK, node)


def _stretches(entries: Sequence[Entry], unplain: frozenset[Node]) -> Iterator[Stretch]:
    inked: list[int] = []
    for index, (kind, node) in enumerate(entries):
        if kind is _INLINE or kind is _TEXT:
            inked.append(index)
        elif kind is not _BLANK and kind is not _ASIDE:
            if inked:
                yield from _paragraphs(entries, inked)
                inked = []
            if kind is _BLOCK and isinstance(node, Element):
                yield Stretch(index, index, piece_of(node, plain=node not in unplain))
    if inked:
        yield from _paragraphs(entries, inked)


def _paragraphs(entries: Sequence[Entry], run: Sequence[int]) -> Iterator[Stretch]:
    """The anonymous paragraphs of a run: it is split after two or more `br` in a row."""
    breaks = 0
    inked: list[int] = []
    for index in run:
        node = entries[index].node
        if isinstance(node, Element) and node.tag == "br":
            breaks += 1
        else:
            if breaks > 1:
                yield from _anonymous(entries, inked)
                inked = []
            breaks = 0
        inked.append(index)
    yield from _anonymous(entries, inked)


def _anonymous(entries: Sequence[Entry], inked: Sequence[int]) -> Iterator[Stretch]:
    # White space between phrasing elements parts their words.
    nodes = [node for kind, node in entries[inked[0] : inked[-1] + 1] if kind is not _ASIDE] if inked else []
    text, media = look(nodes)
    lone = lone_media(nodes)
    piece = Piece("img" if lone else None, nodes, lone, text, media=media)
    if media or piece.seen:
        yield Stretch(inked[0], inked[-1], piece)
