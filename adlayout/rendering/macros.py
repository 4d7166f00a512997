"""What an advertiser leaves for the page to fill in: macros, found once when a creative is loaded, filled per page.

Every value is spelled with characters that mean nothing in a URL, an attribute, a text or a script, so that the place
in which a macro stands need not be known: everything else is percent-encoded. A value is never looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from secrets import randbits
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote

# What may follow in the address of a click that names where it leads: only under the creative's own domains.
TO: Final = "?to="
_CLICK, _CLICK_ENC, _LINK = "CLICK_URL", "CLICK_URL_ENC", "LINK"
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
_NAMED_VENDOR: Final = re.compile(r"(GDPR_CONSENT|GPP_STRING)_[0-9]{1,10}")
_AS_IT_IS: Final = "/:?=&%"  # of an address that is ours


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
# What a page that ops look at says in place of everything that could be counted.
AUDIT: Final = Sheet("AUDIT", "AUDIT", 0, "AUDIT", None, "AUDIT", "AUDIT")


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


def of_address(address: str) -> Text:
    """An address with its macros as holes; those that nobody knows are empty."""
    return _merged(_parts(address, unknown=lambda _: ""))


class Marks:
    """Marks that stand for holes in markup while it is worked on, and the way back.

    A mark reads as an address or as a word, and no creative can hold one: it is drawn anew for each.
    """

    def __init__(self) -> None:
        self._mark = f"m{randbits(96):024x}"
        self._holes: list[Hole] = []

    def of(self, hole: Hole) -> str:
        """A word that stands for the hole."""
        self._holes.append(hole)
        return f"{self._mark}x{len(self._holes) - 1}z"

    def address(self, hole: Hole) -> str:
        """An address that stands for the hole, whole."""
        return f"https://{self.of(hole)}.example/"

    def holds(self, address: str) -> bool:
        """Whether a mark stands in it."""
        return self._mark in address

    def marked(self, markup: str) -> str:
        """Markup with a mark for each macro that is known; others stay as they are."""
        found = _parts(markup, unknown=lambda said: said)
        return "".join(part if isinstance(part, str) else self._standing(part) for part in found)

    def cut(self, markup: str) -> Text | None:
        """The text with its holes; None where a mark was changed on the way."""
        pieces = re.split(rf"https://{self._mark}x([0-9]+)z\.example/|{self._mark}x([0-9]+)z", markup)
        parts: list[str | Hole] = []
        for at in range(0, len(pieces), 3):
            parts.append(pieces[at])
            numbers = [number for number in pieces[at + 1 : at + 3] if number is not None]
            parts += [self._holes[int(number)] for number in numbers]
        if any(self._mark in part.lower() for part in parts if isinstance(part, str)):
            return None
        return _merged(parts)

    def _standing(self, hole: Hole) -> str:
        # One that is an address must pass for one where addresses are looked at.
        return self.address(hole) if hole.macro == _CLICK else self.of(hole)


def to_link(link: Text) -> Hole:
    """The hole of a link: the click address where there is one, else the link itself."""
    return Hole(_LINK, link)


def to_address(address: str) -> Hole:
    """The hole of a link, in an attribute, to an address of the advertiser's that is not the creative's own."""
    return Hole("TO", address)


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
        name = found[1] or _ALIASES[found[0]]
        known = name in _VALUES or _NAMED_VENDOR.fullmatch(name)
        yield Hole(name) if known else unknown(found[0])
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
    if hole.macro == _LINK:
        return facts.click or fill(hole.link, facts)
    known = _VALUES.get(hole.macro)
    if known is not None:
        return known(facts, hole)
    vendors = facts.sheet.tcf if hole.macro.startswith("GDPR") else facts.sheet.gpp
    return _plain(vendors)


def _plain(value: str) -> str:
    return quote(value, safe="~")


def _click(facts: AdFacts) -> str:
    """The click address with room for where it leads, as tags expect it."""
    return f"{facts.click}{TO}" if facts.click else ""


def _to(facts: AdFacts, hole: Hole) -> str:
    address = fill(hole.link, facts)
    return f"{facts.click}{TO}{_plain(address)}" if facts.click else escape(address)


_VALUES: Final[Mapping[str, Callable[[AdFacts, Hole], str]]] = {
    _CLICK: lambda facts, _: quote(_click(facts), safe=_AS_IT_IS),
    _CLICK_ENC: lambda facts, _: _plain(_click(facts)),
    "TO": _to,
    "CACHEBUSTER": lambda facts, _: _plain(facts.sheet.cachebuster),
    "TIMESTAMP": lambda facts, _: str(facts.sheet.now_ms // 1000),
    "SERVE_ID": lambda facts, _: _plain(facts.sheet.serve_id),
    "CREATIVE_ID": lambda facts, _: _plain(facts.creative),
    "FLIGHT_ID": lambda facts, _: _plain(facts.flight),
    "CAMPAIGN_ID": lambda facts, _: _plain(facts.campaign),
    "PAGE_URL_ENC": lambda facts, _: _plain(facts.sheet.page_url),
    "GDPR": lambda facts, _: "" if facts.sheet.gdpr is None else str(int(facts.sheet.gdpr)),
    "GPP_SID": lambda facts, _: ",".join(map(str, facts.sheet.gpp_sid)),
}
