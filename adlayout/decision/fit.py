"""Whether a creative fits a kind of slot, and everything that fits it, worked out once per inventory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from adlayout.decision.inventory import Candidacy, Candidate, Entry, Field, Flight, Inventory, Kind, Lots
from adlayout.decision.reasons import FlightReason
from adlayout.decision.targeting import Objection
from adlayout.model import SlotStyle

# Kinds of slots come from layouts, a few dozen at most; callers that make up their own must not fill the memory.
_MOST_KINDS = 256


def kind_of(inventory: Inventory, style: SlotStyle, language: str | None) -> Kind:
    """What decides which creatives fit: equal for most slots of a page and most pages."""
    spoken = tuple(name for name in inventory.languages if speaks(name, language))
    return style.type, style.formats, spoken


def field_of(inventory: Inventory, kind: Kind) -> Field:
    """All that fits a kind of slot."""
    found = inventory.fields.get(kind)
    if found is None:
        if len(inventory.fields) >= _MOST_KINDS:
            inventory.fields.clear()
        found = inventory.fields[kind] = _field(inventory, kind)
    return found


def judge(candidacy: Candidacy, kind: Kind) -> str | Objection:
    """The first of the slot's formats that the creative has, or what it lacks."""
    creative, (type, formats, spoken) = candidacy.creative, kind
    if candidacy.barred:
        return Objection(candidacy.barred, "a creative that may run", f"{creative.id}: {candidacy.barred}")
    if creative.slot_types and type not in creative.slot_types:
        return Objection(FlightReason.SLOT_TYPE, " or ".join(creative.slot_types), type)
    if creative.lang and creative.lang not in spoken:
        return Objection(FlightReason.TARGETING, f"language {creative.lang}", "another language")
    for form in formats:
        if form in creative.formats:
            return form
    return Objection(FlightReason.SIZE, " or ".join(creative.formats), ", ".join(formats))


def speaks(wanted: str, language: str | None) -> bool:
    """An `en` creative fits an article in `en-GB`; nobody is kept out where the article's language is unknown."""
    if not language:
        return True
    prefix, found = wanted.casefold(), language.casefold().replace("_", "-")
    return found == prefix or found.startswith(f"{prefix}-")


def _field(inventory: Inventory, kind: Kind) -> Field:
    all_entries = (Entry(one, _lots(one, one.candidacies, kind), one.unconditional) for one in inventory.flights)
    entries = tuple(entry for entry in all_entries if entry.lots.candidates)
    wanting: dict[str, dict[str, list[int]]] = {}
    anywhere: list[int] = []
    for at, entry in enumerate(entries):
        if term := next((term for term in entry.flight.targeting.page if term.include and not term.prefix), None):
            values = wanting.setdefault(term.key, {})
            for value in term.wanted:
                values.setdefault(value, []).append(at)
        else:
            anywhere.append(at)
    return Field(entries, _lots(None, inventory.house, kind), wanting, anywhere)


def _lots(flight: Flight | None, candidacies: Iterable[Candidacy], kind: Kind) -> Lots:
    fits = [(one, form) for one in candidacies if isinstance(form := judge(one, kind), str)]
    return Lots(
        tuple(_candidate(flight, one, form) for one, form in fits),
        tuple(accumulate(one.weight for one, _ in fits)),
        fixed=len(fits) < 2 or (flight is not None and flight.row.creative_rotation == "sequential"),
    )


def _candidate(flight: Flight | None, candidacy: Candidacy, form: str) -> Candidate:
    creative = candidacy.creative
    if flight is None:
        return Candidate(creative.id, form, None, None, house=True)
    return Candidate(creative.id, form, flight.id, flight.campaign.id, house=flight.house or creative.house)
