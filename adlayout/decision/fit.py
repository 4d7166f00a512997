"""Whether a creative fits a kind of slot, and the lineup of all that do; knows nothing of pages and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from adlayout.decision.field import Candidate, Lots, tier_of
from adlayout.decision.inventory import Candidacy, Flight
from adlayout.decision.lineup import Choosy, Kind, Lineup, Row, tier_at
from adlayout.decision.reasons import FlightReason
from adlayout.decision.targeting import Objection


def judge(candidacy: Candidacy, kind: Kind) -> str | Objection:
    """The first of the slot's formats that the creative has, or what it lacks."""
    creative = candidacy.creative
    if candidacy.barred:
        return Objection(candidacy.barred, "a creative that may run", f"{creative.id}: {candidacy.barred}")
    if kind.blocked and (blocked := _blocked(creative.cat, kind.blocked)):
        return Objection(FlightReason.BLOCKED_CATEGORY, f"not {', '.join(sorted(kind.blocked))}", blocked)
    if creative.slot_types and kind.type not in creative.slot_types:
        return Objection(FlightReason.SLOT_TYPE, " or ".join(creative.slot_types), kind.type)
    if creative.lang and creative.lang.casefold() not in kind.languages:
        return Objection(FlightReason.TARGETING, f"language {creative.lang}", "another language")
    for form in kind.formats:
        if form in creative.formats:
            return form
    return Objection(FlightReason.SIZE, " or ".join(creative.formats), ", ".join(kind.formats))


def _blocked(categories: Iterable[str], blocked: Collection[str]) -> str | None:
    """The first category that is blocked, itself or what it is a part of: IAB7-39 is a part of IAB7."""
    for category in categories:
        name = category.casefold()
        if any(name == one or name.startswith(f"{one}-") for one in blocked):
            return category
    return None


def line_up(flights: Iterable[Flight], house: Iterable[Candidacy], kind: Kind) -> Lineup:
    """All of the flights, which come by tier and id, and of the house that fit a kind of slot."""
    fits = (
        (flight, _lots(flight, flight.candidacies, kind)) for flight in flights if flight.targeting.takes(kind.places)
    )
    rows: list[Row] = []
    choosy: list[Choosy] = []
    for _, group in groupby((pair for pair in fits if pair[1].candidates), key=lambda pair: pair[0].rank):
        entries = tuple(group)
        wishes = [(at, flight.targeting) for at, (flight, _) in enumerate(entries) if flight.targeting.choosy]
        choosy += [Choosy(len(rows), at, targeting) for at, targeting in wishes]
        always = sorted({*range(len(entries))} - {at for at, _ in wishes})
        rows.append(_row(entries, always))
    fallback = _lots(None, house, kind)
    return Lineup(
        tuple(rows),
        tuple(choosy),
        *_seekers(choosy),
        house=(tier_of((fallback,), (1.0,)),) if fallback.candidates else (),
    )


def _row(entries: Sequence[tuple[Flight, Lots]], always: Sequence[int]) -> Row:
    row = Row(
        rank=entries[0][0].rank,
        lots=tuple(lots for _, lots in entries),
        weights=tuple(flight.row.weight for flight, _ in entries),
        shares=tuple(flight.share for flight, _ in entries),
        always=tuple(always),
        base=None,
    )
    return replace(row, base=tier_at(row, always)) if always else row


def _seekers(choosy: Sequence[Choosy]) -> tuple[dict[str, dict[str, list[int]]], list[int]]:
    """Each under that one of its wishes that the fewest share, and those that only shun something."""
    wishes = [[term for term in one.targeting.page if term.include] for one in choosy]
    shared = Counter((term.key, value) for terms in wishes for term in terms for value in term.wanted)
    seekers: dict[str, dict[str, list[int]]] = {}
    others: list[int] = []
    for at, terms in enumerate(wishes):
        if not terms:
            others.append(at)
            continue
        rarest = min(terms, key=lambda term: sum(shared[term.key, value] for value in term.wanted))
        for value in rarest.wanted:
            seekers.setdefault(rarest.key, {}).setdefault(value, []).append(at)
    return seekers, others


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
    house = flight.house or creative.house
    return Candidate(creative.id, form, flight.id, flight.campaign.id, house, candidacy.terms)
