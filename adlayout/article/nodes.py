"""Reading turbohtml's nodes: what is hidden, what can be seen, where a tag stands. Never walks by recursion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from turbohtml import Element, Node, Text

from adlayout.article.measure import has_word, is_visible
from adlayout.article.tags import MEDIA, PHRASING, PLAIN_PHRASES, UNSEEN, VOID

_DISPLAY_NONE = re.compile(r"(?:^|;)\s*display\s*:\s*none\b", re.IGNORECASE)


def is_hidden(element: Element) -> bool:
    """Whether the element belongs to no block."""
    return element.tag in UNSEEN or element.attr("hidden") is not None


def is_displayed(element: Element) -> bool:
    """Whether the element's own style leaves it on the page."""
    style = element.attr("style")
    return style is None or _DISPLAY_NONE.search(style) is None


def is_phrasing(element: Element) -> bool:
    """Whether the element stands in a line of text: by its tag, and because no block is inside."""
    if element.tag not in PHRASING:
        return False
    waiting = list(element.children)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Element) and not is_hidden(node):
            if node.tag not in PHRASING:
                return False
            waiting.extend(node.children)
    return True


def holders(elements: Iterable[Node]) -> frozenset[Node]:
    """The elements and all that hold them; what holds one that was met is met already, so no tree is climbed twice."""
    met: set[Node] = set()
    for element in elements:
        node: Node | None = element
        while node is not None and node not in met:
            met.add(node)
            node = node.parent
    return frozenset(met)


def unplain(root: Element) -> frozenset[Node]:
    """The nodes that hold anything but text and plain phrases, or that a style or `hidden` may hide.

    Asked once for a whole tree, so that the text of every other element is simply its text.
    """
    odd = (element.parent for element in root.select("*") if element.tag not in PLAIN_PHRASES)
    return holders([*root.select("[hidden], [style]"), *(parent for parent in odd if parent is not None)])


def look(nodes: Sequence[Node]) -> tuple[str, bool]:
    """All visible text of the nodes, and whether media is among them; `br` and the edges of blocks are white space."""
    if len(nodes) == 1 and (text := _plain_text(nodes[0])) is not None:
        return text, False
    parts: list[str] = []
    media = False
    # Media counts even where its style hides it: whether it loads is the browser's affair.
    waiting: list[tuple[Node, bool] | str] = [(node, True) for node in reversed(nodes)]
    while waiting:
        step = waiting.pop()
        if isinstance(step, str):
            parts.append(step)
            continue
        node, shown = step
        if isinstance(node, Text):
            if shown:
                parts.append(node.data)
        elif isinstance(node, Element) and not is_hidden(node):
            media = media or node.tag in MEDIA
            shown = shown and is_displayed(node)
            space = "" if not shown or (node.tag in PHRASING and node.tag != "br") else " "
            parts.append(space)
            waiting.append(space)
            waiting.extend((child, shown) for child in reversed(node.children))
    return "".join(parts), media


def text_of(nodes: Sequence[Node]) -> str:
    """All visible text of the nodes."""
    return look(nodes)[0]


def holds_word(element: Element) -> bool:
    """Whether a letter or a digit can be seen in the element."""
    waiting: list[Node] = [element]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Text):
            if has_word(node.data):
                return True
        elif isinstance(node, Element) and not is_hidden(node) and is_displayed(node):
            waiting.extend(reversed(node.children))
    return False


def _plain_text(node: Node) -> str | None:
    """The text of a node in which nothing hides, breaks a line or is media; None for any other."""
    if isinstance(node, Text):
        return node.data
    if not isinstance(node, Element) or node.tag in MEDIA or is_hidden(node) or not is_displayed(node):
        return None
    for child in node.children:
        if not isinstance(child, Text) and not _is_plain_phrase(child):
            return None
    return node.text


def _is_plain_phrase(node: Node) -> bool:
    if not isinstance(node, Element) or node.tag not in PLAIN_PHRASES or node.attr("hidden") is not None:
        return False
    return is_displayed(node) and all(isinstance(inner, Text) for inner in node.children)


def lone_media(nodes: Sequence[Node]) -> tuple[Element, ...]:
    """The elements of a run that is one media element (`img`, `picture`, or one of them in a link); else none."""
    elements = [node for node in nodes if isinstance(node, Element) and node.tag != "br" and not is_hidden(node)]
    if len(elements) != 1 or elements[0].tag not in {"img", "picture", "a"} or is_visible(text_of(nodes)):
        return ()
    chain = [elements[0]]
    while chain[-1].tag in {"a", "picture"}:
        wanted = {"img", "picture"} if chain[-1].tag == "a" else {"img"}
        inner = [node for node in chain[-1].children if isinstance(node, Element) and not is_hidden(node)]
        pictures = [node for node in inner if node.tag in wanted]
        if chain[-1].tag == "a" and len(inner) != 1:
            return ()
        if not pictures:
            break
        chain.append(pictures[0])
    return tuple(chain) if chain[-1].tag != "a" else ()


def span_of(element: Element) -> tuple[int, int | None] | None:
    """Where the element starts and ends in the parsed source; no end where the source has no end tag."""
    location = element.source_location
    if location is None or location.start_tag is None:
        return None
    start = location.start_tag
    if location.end_tag is not None:
        return start.start_offset, location.end_tag.end_offset
    return start.start_offset, start.end_offset if element.tag in VOID else None
