"""Which selectors match which blocks: CSS by the parser, and names for what CSS cannot say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from turbohtml import Element, Node, Text, parse_fragment

from adlayout.article.measure import ends_in, has_word, is_visible, trim
from adlayout.article.nodes import holders, holds_word, is_displayed, is_hidden, look
from adlayout.article.tags import MEDIA

# A line of bold text longer than this is a paragraph that happens to be bold.
_BOLD_LINE_CHARS = 80
_BOLD = frozenset(["b", "strong"])
_FLOATED_CLASSES = frozenset({"alignleft", "alignright", "thumbnail"})
_FLOAT = re.compile(r"(?:^|;)\s*float\s*:\s*(?!none\b)[a-z]", re.IGNORECASE)
# What stands in quotes is no name.
_NAME = re.compile(r""""[^"]*"|'[^']*'|:(bold-line|media-only|floated|caption|lead-in|empty-block)(?![\w-])""")
# One selector of a list: no comma but in brackets or quotes.
_PART = re.compile(
    r"""(?:"[^"]*" | '[^']*'                                          # a text
        | \( (?: [^()"'] | "[^"]*" | '[^']*' | \( [^()]* \) )* \)     # what a pseudo-class asks about
        | \[ (?: [^\]"'] | "[^"]*" | '[^']*' )* \]                     # an attribute
        | [^,] )+""",
    re.VERBOSE,
)
_TAG = re.compile(r"[a-zA-Z][a-zA-Z0-9]*\Z")


class Piece:
    """What a selector is asked about: an element, or the nodes of an anonymous paragraph.

    `elements` are those that CSS may match: the element itself, or what makes up a lone media run; none otherwise.
    """

    __slots__ = ("_line", "_seen", "_word", "elements", "media", "nodes", "tag", "text")

    def __init__(
        self, tag: str | None, nodes: Sequence[Node], elements: tuple[Element, ...], text: str, *, media: bool
    ) -> None:
        self.tag, self.nodes, self.elements, self.text, self.media = tag, nodes, elements, text, media
        self._line: str | None = None
        self._seen: bool | None = None
        self._word: bool | None = None

    @property
    def line(self) -> str:
        """The text as a reader sees it: white space collapsed, nothing invisible at its ends."""
        if self._line is None:
            self._line = trim(self.text)
        return self._line

    @property
    def seen(self) -> bool:
        """Whether there is text to see."""
        if self._seen is None:
            self._seen = self.has_word or bool(self.line)
        return self._seen

    @property
    def has_word(self) -> bool:
        """Whether there is a letter or a digit."""
        if self._word is None:
            self._word = has_word(self.text)
        return self._word


def piece_of(element: Element, *, plain: bool = False) -> Piece:
    """The piece that is one element; a `plain` one holds nothing but text and plain phrases."""
    nodes = (element,)
    tag = element.tag
    text, media = (element.text, False) if plain and tag not in MEDIA else look(nodes)
    return Piece(tag, nodes, nodes, text, media=media)


def _bold_line(piece: Piece) -> bool:
    if piece.tag not in _LINES:
        return False
    inside = piece.nodes if piece.tag is None else piece.nodes[0].children
    return not _shows_plain(inside) and 0 < len(piece.line) < _BOLD_LINE_CHARS


def _shows_plain(nodes: Sequence[Node]) -> bool:
    """Whether text is to be seen among the nodes that is not bold."""
    waiting = [nodes]
    while waiting:
        for node in waiting.pop():
            if isinstance(node, Text):
                if is_visible(node.data):
                    return True
            elif isinstance(node, Element) and node.tag not in _BOLD and not is_hidden(node) and is_displayed(node):
                waiting.append(node.children)
    return False


def _media_only(piece: Piece) -> bool:
    return piece.media and piece.tag in _LINES and not piece.seen


def _floated(piece: Piece) -> bool:
    for element in piece.elements:
        classes, style = element.attr("class"), element.attr("style")
        if classes and not _FLOATED_CLASSES.isdisjoint(classes.lower().split()):
            return True
        if style and _FLOAT.search(style):
            return True
    return False


def _caption(piece: Piece) -> bool:
    return any("caption" in classes.lower() for element in piece.elements if (classes := element.attr("class")))


def _lead_in(piece: Piece) -> bool:
    return piece.tag in _LINES and ends_in(piece.text, ":")


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

_OF_ATTRIBUTES = frozenset([":floated", ":caption"])
_BOLD_LINE = ":bold-line"
_OF_NO_TEXT = frozenset([":empty-block", ":media-only"])

_Test: TypeAlias = Callable[[Piece], bool]
_NONE: frozenset[str] = frozenset()
_NO_NODE: frozenset[Node] = frozenset()


def selector_fault(selector: str) -> str | None:
    """What is wrong with a selector, in words; None where it holds."""
    try:
        parse_fragment("").select(_spelled(selector))
    except ValueError as exc:
        return str(exc)
    return None


class _Asked(NamedTuple):
    """A list of selectors, by how they are matched; made once for a layout, and not for each of its articles."""

    by_tag: Mapping[str, tuple[str, ...]]
    css: tuple[str, ...]
    names: tuple[tuple[str, _Test], ...]
    # Names that few elements of an article can have.
    of_attributes: tuple[tuple[str, _Test], ...]
    of_bold: tuple[tuple[str, _Test], ...]


@lru_cache(maxsize=256)
def _asked(selectors: tuple[str, ...]) -> _Asked:
    tags = [selector for selector in dict.fromkeys(selectors) if _TAG.match(selector)]
    # A name matches bare text too, which CSS cannot, so it is taken out of a list.
    parts = {
        selector: [part.strip() for part in _PART.findall(selector)]
        for selector in dict.fromkeys(selectors)
        if selector not in tags
    }
    names = [(selector, part) for selector, found in parts.items() for part in found if part in NAMES]
    few = _OF_ATTRIBUTES | {_BOLD_LINE}
    return _Asked(
        {tag.lower(): tuple(one for one in tags if one.lower() == tag.lower()) for tag in tags},
        tuple(selector for selector, found in parts.items() if any(part not in NAMES for part in found)),
        tuple((selector, NAMES[name]) for selector, name in names if name not in few),
        tuple((selector, NAMES[name]) for selector, name in names if name in _OF_ATTRIBUTES),
        tuple((selector, NAMES[name]) for selector, name in names if name == _BOLD_LINE),
    )


class Matcher:
    """A list of selectors, ready to be asked about the pieces of one tree.

    A selector that the parser cannot read raises ValueError: layouts are checked with `selector_fault` before.
    """

    def __init__(self, root: Element, selectors: Iterable[str]) -> None:
        asked = _asked(tuple(selectors))
        self._by_tag, _, self._names, self._of_attributes, self._of_bold = asked
        self._by_element: dict[Element, list[str]] = {}
        for selector in asked.css:
            for element in select(root, selector):
                self._by_element.setdefault(element, []).append(selector)
        attributed = root.select("[class], [style]") if self._of_attributes else ()
        self._attributed: frozenset[Node] = frozenset(attributed)
        self._bold = holders(root.select("b, strong")) if self._of_bold else _NO_NODE

    def matches(self, piece: Piece) -> frozenset[str]:
        """Those of the selectors that match the piece."""
        found = [selector for selector, test in self._names if test(piece)]
        if self._attributed and not self._attributed.isdisjoint(piece.elements):
            found += [selector for selector, test in self._of_attributes if test(piece)]
        if self._bold and not self._bold.isdisjoint(piece.nodes):
            found += [selector for selector, test in self._of_bold if test(piece)]
        for element in piece.elements:
            found += self._by_tag.get(element.tag, ())
            if self._by_element:
                found += self._by_element.get(element, ())
        return frozenset(found) if found else _NONE


def element_test(root: Element, selectors: Sequence[str]) -> Callable[[Element], bool]:
    """A test whether an element matches any of the selectors."""
    if not selectors:
        return lambda element: False
    tags, rest = _by_tag_and_rest(tuple(selectors))
    if not rest:
        return lambda element: element.tag in tags
    found = {element for selector in rest for element in select(root, selector)}
    return lambda element: element.tag in tags or element in found


@lru_cache(maxsize=256)
def _by_tag_and_rest(selectors: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    tags = frozenset(selector.lower() for selector in selectors if _TAG.match(selector))
    return tags, tuple(selector for selector in selectors if not _TAG.match(selector))


def select(root: Element, selector: str) -> list[Element]:
    """The elements that match; names inside a longer selector stand as attributes while the parser looks."""
    names = {name for name in _NAME.findall(selector) if name}
    if not names:
        return root.select(selector)
    marked = [(element, f"adl-name-{name}") for name in names for element in _named(root, f":{name}")]
    for element, attribute in marked:
        element.attrs[attribute] = ""
    found = root.select(_spelled(selector))
    for element, attribute in marked:
        del element.attrs[attribute]
    return found


def _spelled(selector: str) -> str:
    """The selector in the parser's own words."""
    return _NAME.sub(lambda found: f"[adl-name-{found[1]}]" if found[1] else found[0], selector)


def _named(root: Element, name: str) -> list[Element]:
    """The elements of a name; the text of as few of them as can be is read, since each holds that of all inside it."""
    test, every = NAMES[name], root.select("*")
    if name in _OF_ATTRIBUTES:
        return [element for element in every if test(Piece(element.tag, (), (element,), "", media=False))]
    if name in _OF_NO_TEXT:
        every = [element for element in every if not holds_word(element)]
    if name != ":empty-block":
        every = [element for element in every if element.tag in _LINES]
    return [element for element in every if test(piece_of(element))]
