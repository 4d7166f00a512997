"""How high a block is likely to be in a reader's column. An estimate: no font and no style sheet is known here."""

from __future__ import annotations

from turbohtml import Element

from adlayout.article.nodes import is_hidden
from adlayout.article.selectors import Piece
from adlayout.article.tags import MEDIA
from adlayout.model import Height, Heights

_PICTURES = frozenset(["img", "picture", "svg", "canvas"])


def height_of(piece: Piece, heights: Heights) -> int:
    """The piece's height in CSS pixels: `fixed + margin + line` for each line of its text.

    Media without text around it, and a figure, are as high as the first of their media; a picture that says its
    measures is as high as the column makes it.
    """
    tag = piece.tag or "p"
    media = _first_media(piece) if piece.media and (tag == "figure" or not piece.seen) else None
    if media is not None:
        return _of_media(tag, media, piece, heights)
    if tag == "figure":
        tag = "p"
    known = heights.by_tag.get(tag)
    if known is None:
        known = heights.by_tag["p" if piece.seen else "unknown"]
    return known.fixed + known.margin + _lines(piece, heights) * known.line


def _of_media(tag: str, media: Element, piece: Piece, heights: Heights) -> int:
    own = heights.by_tag.get(tag if tag == "figure" else media.tag, heights.by_tag["unknown"])
    kind = own if media.tag in _PICTURES else heights.by_tag.get(media.tag, heights.by_tag["unknown"])
    return _measured(media, heights, kind) + own.margin + _lines(piece, heights) * own.line


def _measured(media: Element, heights: Heights, kind: Height) -> int:
    """The height of a picture in the column by the measures that it says, else what its kind usually has."""
    image = _image_in(media)
    width, height = (_number(image.attr(name)) if image is not None else 0 for name in ("width", "height"))
    return round(heights.column * height / width) if width and height else kind.fixed


def _number(said: str | None) -> int:
    return int(said) if said is not None and said.isascii() and said.isdecimal() and len(said) < 6 else 0


def _image_in(media: Element) -> Element | None:
    if media.tag == "picture":
        return next((node for node in media.children if isinstance(node, Element) and node.tag == "img"), None)
    return media if media.tag == "img" else None


def _first_media(piece: Piece) -> Element | None:
    waiting = list(reversed(piece.nodes))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Element) and not is_hidden(node):
            if node.tag in MEDIA:
                return node
            waiting.extend(reversed(node.children))
    return None


def _lines(piece: Piece, heights: Heights) -> int:
    return -(-len(piece.line) // heights.chars_per_line)
