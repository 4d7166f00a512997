"""One line of a block's text, as wide as a terminal has room for. Knows markup well enough to leave it out."""

from __future__ import annotations

import html
import re
import unicodedata
from itertools import accumulate
from typing import Final

# More than any line holds, so that a block of a megabyte is not searched to its end.
_SOURCE_READ: Final = 4000

_UNSEEN: Final = re.compile(r"<!--.*?(?:-->|$)|<(script|style|template)\b.*?(?:</\1\s*>|$)", re.DOTALL | re.IGNORECASE)
# Tags inside a sentence: what stands on both sides of them is one word.
_INLINE: Final = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup"
    r"|time|tt|u|var|wbr)(?=[\s/>])(?:[^>\"']|\"[^\"]*(?:\"|$)|'[^']*(?:'|$))*(?:>|$)",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<[/!?a-z](?:[^>\"']|\"[^\"]*(?:\"|$)|'[^']*(?:'|$))*(?:>|$)", re.IGNORECASE)
# Makes the narrow sign before it a wide one, as in U+2764 U+FE0F.
_EMOJI_STYLE: Final = "\ufe0f"
_NAME: Final = re.compile(r"\s(alt|title|src|href)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)


def snippet(source: str) -> str:
    """The text of a piece of HTML on one line; of a picture without text, what it is called."""
    seen = _UNSEEN.sub(" ", source[:_SOURCE_READ])
    if text := plain(html.unescape(_TAG.sub(" ", _INLINE.sub("", seen)))):
        return text
    names = {match[1].lower(): match[2] or match[3] or match[4] or "" for match in _NAME.finditer(seen)}
    named = next((plain(html.unescape(names[name])) for name in ("alt", "title", "src", "href") if names.get(name)), "")
    return f"[{named}]" if named else "[nothing to read]"


def plain(text: str) -> str:
    """Text of a stranger on one line, with nothing in it that a terminal would obey."""
    words = " ".join(text.split())
    return unicodedata.normalize("NFC", "".join(character for character in words if character.isprintable()))


def columns(text: str) -> int:
    """How many columns a terminal gives the text: two for a wide character, none for one that joins the last."""
    return sum(_columns(character) for character in text)


def cut(text: str, room: int) -> str:
    """The text, and where it is wider than the room, its beginning and an ellipsis."""
    if columns(text) <= room:
        return text
    kept = sum(wide < room for wide in accumulate(map(_columns, text)))
    return text[:kept].rstrip() + "…"


def padded(text: str, room: int) -> str:
    """The text cut or filled with spaces to exactly the room."""
    short = cut(text, room)
    return short + " " * (room - columns(short))


def _columns(character: str) -> int:
    if character == _EMOJI_STYLE:
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
