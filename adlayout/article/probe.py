"""What stands for an ad in a proof: its markup, the page with one at each gap, and taking them out of a tree again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from turbohtml import Element, Node, parse_fragment

from adlayout.article.parse import Parsed
from adlayout.article.splice import splice

# The longer it is and the rarer its letters, the sooner an article is searched for it.
_MARKER = "probe-0123456789-0123456789"


def marker_for(source: str) -> str:
    """What tells probes apart from whatever the article holds."""
    marker = _MARKER
    while marker in source:
        marker += "x"
    return marker


def page_with(parsed: Parsed, gaps: Iterable[int], marker: str) -> str:
    """The article with a probe at each of the gaps that the source has."""
    probe = _probe(marker)
    return splice(parsed.source, ((offset, probe) for gap in gaps if (offset := parsed.points[gap]) is not None))


def probes_in(root: Element, marker: str) -> list[Element]:
    """The probes of a tree, in document order."""
    return root.select(f'aside[data-adl-slot="{marker}"]')


def extract(probes: Sequence[Element], marker: str) -> bool:
    """Takes the probes out of their tree; false where one of them is not what was put in."""
    reference = _reference(marker)
    if not all(probe.equals(reference) for probe in probes):
        return False
    for probe in probes:
        probe.extract()
    return True


@lru_cache(maxsize=8)
def _probe(marker: str) -> str:
    """All the elements of a slot, few attributes: text alone would pass where a real ad breaks an open link."""
    return (
        f'<aside data-adl-slot="{marker}"><span>ad</span><a href="#"><img src="#" alt=""></a>'
        "<p>ad</p><div>ad</div><iframe></iframe></aside>"
    )


@lru_cache(maxsize=8)
def _reference(marker: str) -> Node:
    """A probe as it must come out of the parser."""
    return parse_fragment(_probe(marker), "body").children[0]
