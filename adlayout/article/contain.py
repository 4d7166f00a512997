"""Proof that a creative's markup stays inside its slot, in whatever article it stands. Knows no creative, no slot."""

from __future__ import annotations

from turbohtml import Element, parse_fragment

# Around the slot everything is open that an end tag inside it could close; but no link: the proof of a gap has one.
_AROUND = "".join(
    f"<{tag}>"
    for tag in (
        "object div section article main header footer nav aside blockquote center details dialog fieldset figure "
        "address pre h2 ul li dl dd b big code em font i s small strong tt u"
    ).split()
)
# Whether these are taken as written depends on what is open in the article, so no probe speaks for them.
_NEEDY = frozenset(["button", "form", "nobr", "select"])


def escape_of(markup: str) -> str | None:
    """What is wrong with the markup, in words; None where it stays inside the element that it is put into."""
    if not all(_stays(markup, scripting=scripting) for scripting in (False, True)):
        return "does not stay inside its slot: it leaves something open, or closes what it did not open"
    for element in parse_fragment(markup, "aside").select("*"):
        if element.tag in _NEEDY:
            return f"holds a <{element.tag}>, which an article need not let stand: leave it out, or frame the creative"
    return None


def _stays(markup: str, *, scripting: bool) -> bool:
    root = parse_fragment(f"{_AROUND}<aside id=slot>{markup}</aside><span></span>", "body", scripting=scripting)
    slot = root.select_one("#slot")
    if slot is None or slot.inner_html != parse_fragment(markup, "aside", scripting=scripting).inner_html:
        return False
    for child in tuple(slot.children):
        child.extract()
    return root.equals(_EMPTY)


_EMPTY: Element = parse_fragment(f"{_AROUND}<aside id=slot></aside><span></span>", "body")
