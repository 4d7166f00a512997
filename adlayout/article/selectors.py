"""Which selectors match which blocks: CSS by the parser, and names for what CSS cannot say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from turbohtml import Element, Node, Text, parse_fragment

from adlayout.article.measure import is_visible, trim
from adlayout.article.nodes import has_media, text_of

# A line of bold text longer than this is a paragraph that happens to be bold.
_BOLD_LINE_CHARS = 80
_FLOATED_CLASSES = frozenset({"alignleft", "alignright", "thumbnail"})
_FLOAT = re.compile(r"(?:^|;)\s*float\s*:\s*(?!none\b)[a-z]", re.IGNORECASE)
_NAME = re.compile(r":(bold-line|media-only|floated|caption|lead-in|empty-block)(?![\w-])")
_TAG = re.compile(r"[a-zA-Z][a-zA-Z0-9]*\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """What a selector is asked about: an element, or the nodes of an anonymous paragraph.

    `elements` are those that CSS may match: the element itself, or what makes up a lone media run; none otherwise.
    """

    tag: str | None
    nodes: Sequence[Node]
    elements: tuple[Element, ...]
    text: str
    media: bool

    @property
    def seen(self) -> bool:
        """Whether there is text to see."""
        return is_visible(self.text)


def _bold_line(piece: Piece) -> bool:
    if piece.tag not in _LINES or not piece.seen or len(trim(piece.text)) >= _BOLD_LINE_CHARS:
        return False
    waiting = [node for outer in piece.nodes for node in ([outer] if piece.tag is None else outer.children)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Text):
            if is_visible(node.data):
                return False
        elif isinstance(node, Element) and node.tag not in {"b", "strong"}:
            waiting.extend(node.children)
    return True


def _media_only(piece: Piece) -> bool:
    return piece.tag in _LINES and piece.media and not piece.seen


def _floated(piece: Piece) -> bool:
    classes = {name for element in piece.elements for name in (element.attr("class") or "").lower().split()}
    return bool(classes & _FLOATED_CLASSES) or any(_FLOAT.search(el.attr("style") or "") for el in piece.elements)


def _caption(piece: Piece) -> bool:
    return any("caption" in (element.attr("class") or "").lower() for element in piece.elements)


def _lead_in(piece: Piece) -> bool:
    return piece.tag in _LINES and trim(piece.text).endswith(":")


def _empty_block(piece: Piece) -> bool:
    return not piece.media and not piece.seen


_LINES = frozenset({"p", "div", None})
NAMES: dict[str, Callable[[Piece], bool]] = {
    ":bold-line": _bold_line,
    ":media-only": _media_only,
    ":floated": _floated,
    ":caption": _caption,
    ":lead-in": _lead_in,
    ":empty-block": _empty_block,
}

_Test: TypeAlias = Callable[[Piece], bool]


def selector_fault(selector: str) -> str | None:
    """What is wrong with a selector, in words; None where it holds."""
    try:
        parse_fragment("").select(_NAME.sub("[adl]", selector))
    except ValueError as exc:
        return str(exc)
    return None


class Matcher:
    """A list of selectors, ready to be asked about the pieces of one tree.

    A selector that the parser cannot read raises ValueError: layouts are checked with `selector_fault` before.
    """

    def __init__(self, root: Element, selectors: Iterable[str]) -> None:
        self._tests = [(selector, _test_of(root, selector)) for selector in dict.fromkeys(selectors)]

    def matches(self, piece: Piece) -> frozenset[str]:
        """Those of the selectors that match the piece."""
        return frozenset(selector for selector, test in self._tests if test(piece))


def element_test(root: Element, selectors: Sequence[str]) -> Callable[[Element], bool]:
    """A test whether an element matches any of the selectors."""
    tags = frozenset(selector.lower() for selector in selectors if _TAG.match(selector))
    rest = [selector for selector in selectors if not _TAG.match(selector)]
    found = {element for selector in rest for element in _select(root, selector)}
    return lambda element: element.tag in tags or element in found


def _test_of(root: Element, selector: str) -> _Test:
    if selector in NAMES:
        return NAMES[selector]
    if _TAG.match(selector):
        tag = selector.lower()
        return lambda piece: any(element.tag == tag for element in piece.elements)
    found = set(_select(root, selector))
    return lambda piece: any(element in found for element in piece.elements)


def _select(root: Element, selector: str) -> list[Element]:
    """The elements that match; names inside a longer selector stand as attributes while the parser looks."""
    names = set(_NAME.findall(selector))
    if not names:
        return root.select(selector)
    marked = [(element, f"adl-name-{name}") for name in names for element in _named(root, f":{name}")]
    for element, attribute in marked:
        element.attrs[attribute] = ""
    found = root.select(_NAME.sub(r"[adl-name-\1]", selector))
    for element, attribute in marked:
        del element.attrs[attribute]
    return found


def _named(root: Element, name: str) -> list[Element]:
    test = NAMES[name]
    return [element for element in root.select("*") if test(piece_of(element))]


def piece_of(element: Element) -> Piece:
    """The piece that is one element."""
    nodes = (element,)
    return Piece(element.tag, nodes, nodes, text_of(nodes), has_media(nodes))
