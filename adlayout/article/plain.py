"""The plain case of the proof, which nearly every article is: one parse of the page, inside two wrappers.

Where the wrappers come back whole, no tag between them looked further down than to the inner one. The parser then went
as it goes without them: what they hold is the page's own tree, and the article stays in whatever it is put into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turbohtml import Element, Node, parse_fragment

from adlayout.article.flow import Flow
from adlayout.article.parse import Parsed
from adlayout.article.probe import extract, marker_for, page_with, probes_in


def is_plain(parsed: Parsed, gaps: Sequence[int]) -> bool:
    """Whether the wrapped page is the wrapped article but for one ad between the right children at each gap.

    The gaps are in ascending order. Where it is false nothing is said: both proof and balance may still hold.
    """
    if not _may_be_plain(parsed):
        return False
    marker = marker_for(parsed.source)
    root = content_when_wrapped(page_with(parsed, gaps, marker))
    if root is None:
        return False
    probes = probes_in(root, marker)
    return _in_their_gaps(root, parsed, gaps, probes) and extract(probes, marker) and root.equals(parsed.root)


def content_when_wrapped(page: str) -> Element | None:
    """The tree of the page as it is inside two wrappers; None where it does not stay there.

    An end tag too many closes the inner one, and takes what follows it out of the outer one.
    """
    root = parse_fragment(f"<div><div>{page}</div><span></span></div>", "body")
    outer = root.children
    inner = outer[0].children if len(outer) == 1 else ()
    if len(inner) != 2 or not inner[1].equals(_FOLLOWING):
        return None
    inner[1].extract()
    inner[0].unwrap()
    outer[0].unwrap()
    return root


def _may_be_plain(parsed: Parsed) -> bool:
    """Neither inside a link, nor with entered wrappers, nor another tree where scripts run.

    A parser that reads a <noscript> puts it into the tree, so that where none is, none was read.
    """
    flow = parsed.flow
    if len(flow.entries) != len(flow.container.children):
        return False
    return flow.container.closest("a") is None and parsed.root.find("noscript") is None


def _in_their_gaps(root: Element, parsed: Parsed, gaps: Sequence[int], probes: Sequence[Element]) -> bool:
    """Whether each probe is among the children between its blocks; those of the article are the flow's entries."""
    flow = parsed.flow
    children = _counterpart(root, flow.container).children
    # A text that a probe parts is one child more, and places could not be told by their numbers.
    if len(probes) != len(gaps) or len(children) != len(flow.entries) + len(gaps):
        return False
    return all(
        probe in children[first + number : until + number + 1]
        for number, (probe, (first, until)) in enumerate(zip(probes, _ranges(flow, gaps), strict=True))
    )


def _counterpart(root: Element, container: Element) -> Node:
    """What stands in another tree where the container stands in its own; in a tree too small, what comes nearest."""
    path: list[int] = []
    while isinstance(container.parent, Element):
        path.append(container.parent.children.index(container))
        container = container.parent
    found: Node = root
    for index in reversed(path):
        found = next(iter(found.children[index : index + 1]), found)
    return found


def _ranges(flow: Flow, gaps: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Per gap how many entries stand before it, at least and at most."""
    stretches = flow.stretches
    for gap in gaps:
        first = stretches[gap - 1].last + 1 if gap else 0
        yield first, stretches[gap].first if gap < len(stretches) else len(flow.entries)


_FOLLOWING = parse_fragment("<span></span>", "body").children[0]
