"""What an advertiser leaves for the page to fill in: macros, found once when a creative is loaded, filled per page.

Every value is spelled with characters that mean nothing in a URL, an attribute, a text or a script, so that the place
in which a macro stands need not be known: everything else is percent-encoded. A value is never looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from secrets import randbits
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, unquote

# What may follow in the address of a click that names where it leads: only under the creative's own domains.
TO: Final = "?to="
_CLICK, _CLICK_ENC = "CLICK_URL", "CLICK_URL_ENC"
# The holes of links: no macro is written like them.
_LINK, _TO = "link", "to"
# Names that people give are no place to hide a page's worth of text in.
_LONGEST: Final = 100
# What other ad servers call them, so that their tags can be pasted.
_ALIASES: Final = {
    "%%CLICK_URL_UNESC%%": _CLICK,
    "%%CLICK_URL_ESC%%": _CLICK_ENC,
    "%%CACHEBUSTER%%": "CACHEBUSTER",
    "{clickurl}": _CLICK,
    "{clickurl_enc}": _CLICK_ENC,
    "{clickurl_html}": _CLICK,
    "{random}": "CACHEBUSTER",
}
_MACRO: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]{0,63})\}|" + "|".join(map(re.escape, _ALIASES)))
# A page has one consent string, whichever vendor's tag asks for it.
_OF_VENDOR: Final = re.compile(r"(GDPR_CONSENT|GPP_STRING)_[0-9]{1,10}")
_ENCODED: Final = re.compile(r"https?%3A%2F%2F", re.IGNORECASE)
_AS_IT_IS: Final = "/:?=&%"  # of an address that is ours
_RESERVED: Final = [(char, quote(char, safe="")) for char in "%:/?=&"]


class Sheet(NamedTuple):
    """What all ads of a page may know of it."""

    serve_id: str = ""
    page_url: str = ""
    now_ms: int = 0
    cachebuster: str = ""
    gdpr: bool | None = None
    tcf: str = ""
    gpp: str = ""
    gpp_sid: tuple[int, ...] = ()


EMPTY_SHEET: Final = Sheet()
# What a page that ops look at says in place of everything that could be counted, its click addresses excepted.
_AUDIT: Final = "AUDIT"
AUDIT: Final = Sheet(_AUDIT, _AUDIT, 0, _AUDIT, None, _AUDIT, _AUDIT)


class AdFacts(NamedTuple):
    """What one ad knows of where it stands; `click` is the address that counts its clicks, empty where none does."""

    creative: str
    flight: str = ""
    campaign: str = ""
    click: str = ""
    sheet: Sheet = EMPTY_SHEET


class Hole(NamedTuple):
    """A place for a macro's value; one that leads to a link (`LINK`) holds where to without a click address."""

    macro: str
    link: Text = ""


Text: TypeAlias = "str | tuple[str | Hole, ...]"


def fill(text: Text, facts: AdFacts) -> str:
    """The text with what the page says in its holes."""
    if isinstance(text, str):
        return text
    return "".join([part if isinstance(part, str) else _value(part, facts) for part in text])


def is_personal(text: Text) -> bool:
    """Whether something in it is another reader's next time: their consent, or what tells one page from another."""
    if isinstance(text, str):
        return False
    holes = [part for part in text if isinstance(part, Hole)]
    return any(hole.macro in _PERSONAL or (hole.macro == _TO and is_personal(hole.link)) for hole in holes)


def of_address(address: str) -> Text:
    """An address with its macros as holes; those that nobody knows are empty."""
    return _merged(_parts(address, unknown=lambda _: ""))


def has_macros(said: str) -> bool:
    """Whether a page would change it."""
    return not isinstance(_merged(_parts(said, unknown=lambda said: said)), str)


def behind_click(address: str) -> Text | None:
    """Where an address that begins with the click macro leads, written out; None for any other address."""
    text = of_address(address)
    first, *rest = (text,) if isinstance(text, str) else text
    if not isinstance(first, Hole) or first.macro != _CLICK:
        return None
    if rest and isinstance(rest[0], str) and _ENCODED.match(rest[0]):
        rest = [unquote(part) if isinstance(part, str) else part for part in rest]
    return _merged(rest)


class Marks:
    """Marks that stand for holes in markup while it is worked on, and the way back.

    A mark reads as an address or as a word, and no creative can hold one: it is drawn anew for each.
    """

    def __init__(self) -> None:
        self._mark = f"m{randbits(96):024x}"
        self._holes: list[Hole] = []

    def address(self, hole: Hole) -> str:
        """An address that stands for the hole, whole."""
        return f"https://{self._number(hole)}y.example/"

    def marked(self, markup: str) -> str:
        """Markup with a mark for each macro that is known; others stay as they are."""
        return self.standing(_parts(markup, unknown=lambda said: said))

    def standing(self, parts: Iterable[str | Hole]) -> str:
        """The text with a mark for each of its holes."""
        return "".join(part if isinstance(part, str) else f"{self._number(part)}z" for part in parts)

    def cut(self, markup: str) -> Text | None:
        """The text with its holes; None where a mark was changed on the way."""
        pieces = re.split(rf"https://{self._mark}x([0-9]+)y\.example/|{self._mark}x([0-9]+)z", markup)
        parts: list[str | Hole] = []
        for at in range(0, len(pieces), 3):
            parts.append(pieces[at])
            numbers = [number for number in pieces[at + 1 : at + 3] if number is not None]
            parts += [self._holes[int(number)] for number in numbers]
        if any(self._mark in part.lower() for part in parts if isinstance(part, str)):
            return None
        return _merged(parts)

    def _number(self, hole: Hole) -> str:
        self._holes.append(hole)
        return f"{self._mark}x{len(self._holes) - 1}"


def to_link(link: Text) -> Hole:
    """The hole of a link: the click address where there is one, else the link itself."""
    return Hole(_LINK, link)


def to_address(address: Text) -> Hole:
    """The hole of a link, in an attribute, to an address of the advertiser's that is not the creative's own."""
    return Hole(_TO, address)


def without(text: Text, piece: str) -> Text:
    """The text without a piece of markup, wherever it stands."""
    if isinstance(text, str):
        return text.replace(piece, "")
    return tuple(part.replace(piece, "") if isinstance(part, str) else part for part in text)


def escaped(text: Text) -> Text:
    """The text with all that the advertiser wrote escaped; what fills the holes needs no escaping."""
    if isinstance(text, str):
        return escape(text)
    return tuple(escape(part) if isinstance(part, str) else part for part in text)


def joined(*texts: Text) -> Text:
    """One after the other."""
    return _merged(part for text in texts for part in ((text,) if isinstance(text, str) else text))


def _parts(said: str, *, unknown: Callable[[str], str]) -> Iterator[str | Hole]:
    at = 0
    for found in _MACRO.finditer(said):
        yield said[at : found.start()]
        name = _OF_VENDOR.sub(r"\1_nnn", found[1] or _ALIASES[found[0]])
        yield Hole(name) if name in _VALUES or name in _ADDRESSES else unknown(found[0])
        at = found.end()
    yield said[at:]


def _merged(parts: Iterator[str | Hole] | list[str | Hole]) -> Text:
    """Neighbouring strings become one, and a text without holes is a string."""
    merged: list[str | Hole] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    if all(isinstance(part, str) for part in merged):
        return "".join(part for part in merged if isinstance(part, str))
    return tuple(merged)


def _value(hole: Hole, facts: AdFacts) -> str:
    address = _ADDRESSES.get(hole.macro)
    if address is not None:
        return address(facts, hole.link)
    return _AUDIT if facts.sheet is AUDIT else _VALUES[hole.macro](facts)


def _plain(value: str) -> str:
    # What addresses are full of is taken first: `quote` is slow where it finds anything to do.
    for char, code in _RESERVED:
        value = value.replace(char, code)
    return quote(value, safe="~%", errors="replace")


def _name(value: str) -> str:
    return _plain(value[:_LONGEST])


def _click(facts: AdFacts) -> str:
    """The click address with room for where it leads, as tags expect it."""
    return f"{facts.click}{TO}" if facts.click else ""


def _to(facts: AdFacts, link: Text) -> str:
    address = fill(link, facts)
    return f"{facts.click}{TO}{_plain(address)}" if facts.click else escape(address)


_ADDRESSES: Final[Mapping[str, Callable[[AdFacts, Text], str]]] = {
    _LINK: lambda facts, link: facts.click or fill(link, facts),
    _TO: _to,
    _CLICK: lambda facts, _: quote(_click(facts), safe=_AS_IT_IS),
    _CLICK_ENC: lambda facts, _: _plain(_click(facts)),
}
_VALUES: Final[Mapping[str, Callable[[AdFacts], str]]] = {
    "CACHEBUSTER": lambda facts: _plain(facts.sheet.cachebuster),
    "TIMESTAMP": lambda facts: str(facts.sheet.now_ms // 1000),
    "SERVE_ID": lambda facts: _name(facts.sheet.serve_id),
    "CREATIVE_ID": lambda facts: _name(facts.creative),
    "FLIGHT_ID": lambda facts: _name(facts.flight),
    "CAMPAIGN_ID": lambda facts: _name(facts.campaign),
    "PAGE_URL_ENC": lambda facts: _plain(facts.sheet.page_url),
    "GDPR": lambda facts: "" if facts.sheet.gdpr is None else str(int(facts.sheet.gdpr)),
    "GDPR_CONSENT_nnn": lambda facts: _plain(facts.sheet.tcf),
    "GPP_STRING_nnn": lambda facts: _plain(facts.sheet.gpp),
    "GPP_SID": lambda facts: ",".join(map(str, facts.sheet.gpp_sid)),
}
_PERSONAL: Final = frozenset(
    ("CACHEBUSTER", "TIMESTAMP", "SERVE_ID", "GDPR", "GDPR_CONSENT_nnn", "GPP_STRING_nnn", "GPP_SID")
)
