"""Reading turbohtml's nodes: what is hidden, what can be seen, where a tag stands. Never walks by recursion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turbohtml import Element, Node, Text

from adlayout.article.measure import is_visible
from adlayout.article.tags import MEDIA, PHRASING, UNSEEN, VOID


def is_hidden(element: Element) -> bool:
    """Whether the element belongs to no block."""
    return element.tag in UNSEEN or element.attr("hidden") is not None


def is_displayed(element: Element) -> bool:
    """Whether the element's own style leaves it on the page."""
    style = element.attr("style")
    return style is None or "display:none" not in style.replace(" ", "").lower()


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


def text_of(nodes: Sequence[Node]) -> str:
    """All visible text of the nodes; `br` and the edges of blocks are white space."""
    if len(nodes) == 1 and _is_plain(nodes[0]):
        node = nodes[0]
        return node.data if isinstance(node, Text) else node.text
    parts: list[str] = []
    waiting: list[Node | str] = list(reversed(nodes))
    while waiting:
        node_or_space = waiting.pop()
        if isinstance(node_or_space, str):
            parts.append(node_or_space)
        elif isinstance(node_or_space, Text):
            parts.append(node_or_space.data)
        elif isinstance(node_or_space, Element) and not is_hidden(node_or_space) and is_displayed(node_or_space):
            space = "" if node_or_space.tag in PHRASING and node_or_space.tag != "br" else " "
            waiting.append(space)
            waiting.extend(reversed(node_or_space.children))
            parts.append(space)
    return "".join(parts)


def _is_plain(node: Node) -> bool:
    """Whether `.text` of the node is its visible text: nothing in it hides or breaks a line."""
    if isinstance(node, Text):
        return True
    if not isinstance(node, Element) or not is_displayed(node):
        return False
    for child in node.children:
        if isinstance(child, Text):
            continue
        if not isinstance(child, Element) or child.tag not in PHRASING or child.tag == "br" or child.attrs:
            return False
        if not all(isinstance(inner, Text) for inner in child.children):
            return False
    return True


def has_media(nodes: Iterable[Node]) -> bool:
    """Whether a picture, film, sound or frame is among the nodes or inside them."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Element) and not is_hidden(node):
            if node.tag in MEDIA:
                return True
            waiting.extend(node.children)
    return False


def lone_media(nodes: Sequence[Node]) -> tuple[Element, ...]:
    """The elements of a run that is one media element (`img`, `picture`, or one of them in a link); else none."""
    elements = [node for node in nodes if isinstance(node, Element) and node.tag != "br" and not is_hidden(node)]
    if len(elements) != 1 or any(isinstance(node, Text) and is_visible(node.data) for node in nodes):
        return ()
    outer = elements[0]
    if outer.tag in {"img", "picture"}:
        return (outer,)
    inner = [node for node in outer.children if isinstance(node, Element) and not is_hidden(node)]
    alone = outer.tag == "a" and len(inner) == 1 and inner[0].tag in {"img", "picture"} and not is_visible(outer.text)
    return (outer, inner[0]) if alone else ()


def span_of(element: Element) -> tuple[int, int | None] | None:
    """Where the element starts and ends in the parsed source; no end where the source has no end tag."""
    location = element.source_location
    if location is None or location.start_tag is None:
        return None
    start = location.start_tag
    if location.end_tag is not None:
        return start.start_offset, location.end_tag.end_offset
    return start.start_offset, start.end_offset if element.tag in VOID else None
