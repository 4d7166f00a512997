"""What HTML's elements are to a layout: phrasing, media, wrappers. Knows nothing of rules."""

from __future__ import annotations

PHRASING = frozenset(
    "a abbr b bdi bdo big br button cite code data del dfn em font i img input ins kbd label map mark meter output "
    "picture progress q ruby s samp select small span strike strong sub sup textarea time tt u var wbr nobr acronym "
    # parts of ruby, media and select that never make a block of their own
    "rt rp rb rtc source track param area option optgroup".split()
)
"""Elements that stand in a line of text; with a block inside they are blocks themselves."""

UNSEEN = frozenset(["script", "style", "template", "link", "meta", "title", "base"])
"""Elements that belong to no block and are never measured."""

MEDIA = frozenset(["img", "picture", "video", "audio", "iframe", "embed", "object", "svg", "canvas"])
PLAIN_PHRASES = PHRASING - MEDIA - {"br"}
"""Phrasing that is nothing but its text."""

COUNTED_MEDIA = frozenset(["figure", "img", "iframe", "video"])
"""Media tags that count without text, where `count.tags` lists them."""

WRAPPERS = frozenset(["div", "section", "article", "main"])
VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
