"""The ads that an article brings with it, found by selectors. Knows nothing of ours."""

from __future__ import annotations

from turbohtml import Element, Node

from adlayout.article.flow import Flow
from adlayout.article.nodes import is_displayed, is_hidden
from adlayout.article.selectors import NAMES, select


def brought_ads(root: Element, selectors: tuple[str, ...]) -> frozenset[Element]:
    """The ads that can be seen; an ad inside another is part of it."""
    if not selectors:
        return frozenset()
    # One question to the parser is cheaper than many, where none of them holds a name of ours.
    asked = selectors if any(name in selector for selector in selectors for name in NAMES) else (", ".join(selectors),)
    found = frozenset(element for selector in asked for element in select(root, selector))
    return _outermost(root, found) if found else found


def ads_in_blocks(flow: Flow, ads: frozenset[Element]) -> dict[Node, int]:
    """By node of the flow how many ads stand in it; an ad of the flow stands in itself."""
    standing = {entry.node for entry in flow.entries}
    held: dict[Node, int] = {}
    for ad in ads:
        node: Node | None = ad
        while node is not None and node not in standing:
            node = node.parent
        if node is not None:
            held[node] = held.get(node, 0) + 1
    return held


def _outermost(root: Element, found: frozenset[Element]) -> frozenset[Element]:
    # From the root down: what hides is then met once, not once for each ad inside it.
    ads: list[Element] = []
    waiting: list[Node] = list(root.children)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Element) or is_hidden(node) or not is_displayed(node):
            continue
        if node in found:
            ads.append(node)
        else:
            waiting.extend(node.children)
    return frozenset(ads)
