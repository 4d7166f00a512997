"""Why each flight that does not run in a slot does not: the judgements again, this time with their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from adlayout.counts import Ledger, Limit, Refused, Reserved
from adlayout.decision.board import Board
from adlayout.decision.draft import Draft, attempt_of, rules_of
from adlayout.decision.field import HOUSE_RANK, Candidate, Rank
from adlayout.decision.fit import judge
from adlayout.decision.inventory import Flight, Inventory
from adlayout.decision.lineup import Kind
from adlayout.decision.occasion import Occasion
from adlayout.decision.reasons import FlightReason
from adlayout.decision.settle import Outcome, Settled, Word
from adlayout.decision.shortlist import Shortlist
from adlayout.decision.targeting import Objection, PageFacts
from adlayout.model import Decision, Filled, Slot


@dataclass(frozen=True, slots=True)
class Passed:
    """A flight that does not run in a slot, and why."""

    flight: str
    reason: FlightReason
    needed: str
    actual: str


def explain(
    inventory: Inventory, settled: Settled, facts: PageFacts, *, now: datetime, zone: tzinfo = UTC
) -> tuple[tuple[Passed, ...], ...]:
    """For each slot the flights that do not stand in it, in the order of the inventory.

    Moments are told in `zone`.
    """
    page = _Page(inventory, settled, Occasion(inventory, facts, now), zone)
    return tuple(tuple(page.passed(at)) for at in range(len(settled.decisions)))


class _Page:
    """A page that is settled, and what can be asked of it."""

    def __init__(self, inventory: Inventory, settled: Settled, occasion: Occasion, zone: tzinfo) -> None:
        self._draft, self._outcome, self._decisions = settled
        self._inventory, self._occasion, self._zone = inventory, occasion, zone
        self._board = _board(self._draft, self._decisions)
        self._refused = _refused(self._draft, self._outcome)
        conditions = self._draft.conditions
        self._taking = conditions.standing.taking(conditions.seed)

    def passed(self, at: int) -> Iterator[Passed]:
        entry, decision = self._draft.shortlists[at], self._decisions[at]
        stands = decision.flight if isinstance(decision, Filled) else None
        rank = _rank(entry, decision)
        kind = self._occasion.kind_of(entry.slot)
        for flight in self._inventory.flights:
            if flight.id != stands:
                why = self._objection(flight, entry, kind) or _lost(flight, rank)
                yield Passed(flight.id, why.reason, why.needed, why.actual)

    def _objection(self, flight: Flight, entry: Shortlist, kind: Kind) -> Objection | None:
        return (
            self._occasion.refuse(flight)
            or _refuse_slot(flight, entry.slot, kind)
            or self._rests(flight)
            or self._unknown_reader(flight, entry)
            or self._limited(flight)
            or self._clash(flight, entry)
        )

    def _rests(self, flight: Flight) -> Objection | None:
        standing = self._draft.conditions.standing
        if flight.id in standing.spent:
            reason, needed, actual = standing.spent[flight.id]
            return Objection(FlightReason(reason), needed, actual)
        if flight.id in standing.rates and flight.id not in self._taking:
            rate = standing.rates[flight.id]
            return Objection(FlightReason.PACING, f"one of the {rate:.1%} of pages that its pace asks for", "another")
        return None

    def _unknown_reader(self, flight: Flight, entry: Shortlist) -> Objection | None:
        found = _candidates(entry, flight.id)
        if not found or any(rules_of(one, self._draft.conditions) is not None for one in found):
            return None
        if self._draft.conditions.withheld:
            return Objection(FlightReason.CONSENT, "consent to be known, to count its caps", "no consent")
        return Objection(FlightReason.FREQUENCY_CAP, "a reader that is known (unit), to count its caps", "no unit")

    def _limited(self, flight: Flight) -> Objection | None:
        """What the store had against it, or that it could not be asked."""
        if found := self._refused.get(flight.id):
            return _told(*found, self._zone)
        terms = [one.terms for one in flight.candidacies if one.terms]
        if self._outcome is Word.FAILED and any(one.known.limits and not one.served_anyway for one in terms):
            return Objection(FlightReason.STORE_ERROR, "an answer of the store to its budgets and caps", "none")
        return None

    def _clash(self, flight: Flight, entry: Shortlist) -> Objection | None:
        """What the page has against all its creatives for the slot, told of the last."""
        objection = None
        for candidate in _candidates(entry, flight.id):
            rules = rules_of(candidate, self._draft.conditions)
            attempt = attempt_of(entry.slot.id, candidate, rules) if rules else None
            reason = self._board.refuses(attempt) if attempt else None
            if attempt is None or reason is None:
                return self._roadblock(candidate) if candidate.terms and candidate.terms.together else None
            objection = self._worded(reason, candidate, attempt.labels, attempt.page_caps)
        return objection

    def _worded(
        self, reason: FlightReason, candidate: Candidate, labels: Sequence[str], caps: Sequence[tuple[str, int]]
    ) -> Objection:
        match reason:
            case FlightReason.PAGE_DUPLICATE:
                at = next(slot for slot, (creative, _) in self._board.filled.items() if creative == candidate.creative)
                return Objection(reason, f"{candidate.creative} once on a page", f"it in {at}")
            case FlightReason.PAGE_LABEL:
                label = next(label for label in labels if self._board.owners.get(label) not in (None, candidate.flight))
                return Objection(reason, f"no other of {label}", f"{self._board.owners[label]} stands on the page")
            case _:
                key, most = next((key, most) for key, most in caps if self._board.counts.get(key, 0) >= most)
                kind = "one slot" if reason is FlightReason.ROADBLOCK else f"at most {most} of {key}"
                return Objection(reason, f"{kind} on a page", f"{self._board.counts.get(key, 0)}/{most} on this page")

    def _roadblock(self, candidate: Candidate) -> Objection:
        names = candidate.terms.together if candidate.terms else ()
        return Objection(FlightReason.ROADBLOCK, f"a free slot for each of {', '.join(names)}", "not all fit this page")


def _board(draft: Draft, decisions: Sequence[Decision]) -> Board:
    """The page as it was filled."""
    board = Board()
    for entry, decision in zip(draft.shortlists, decisions, strict=True):
        if isinstance(decision, Filled):
            found = [one for one in _candidates(entry, decision.flight) if one.creative == decision.creative]
            for candidate in found[:1]:
                rules = rules_of(candidate, draft.conditions)
                if rules is not None:
                    board.take(attempt_of(entry.slot.id, candidate, rules))
    return board


def _refused(draft: Draft, outcome: Outcome) -> Mapping[str, tuple[Refused, Limit]]:
    """By flight the limit that stood against it."""
    if not isinstance(outcome, Reserved):
        return {}
    attempts = [tried.attempt for tried in draft.attempts]
    told = [one for one in outcome.refused if one.attempt < len(attempts)]
    return {
        attempts[one.attempt].flight or "": (one, attempts[one.attempt].limits[one.limit])
        for one in told
        if one.limit < len(attempts[one.attempt].limits)
    }


def _told(refused: Refused, limit: Limit, zone: tzinfo) -> Objection:
    """The figures, as `3/3 until 14:05`."""
    needed = f"at most {limit.most}"
    if limit.ledger is Ledger.READER:
        until = datetime.fromtimestamp(refused.until_ms / 1000, zone) if refused.until_ms else None
        end = f" until {until:%Y-%m-%d %H:%M}" if until else ""
        return Objection(
            FlightReason(limit.reason), f"{needed} of {limit.field.split(':')[0]}", _of(refused, limit) + end
        )
    span = " today" if limit.ledger is Ledger.DAY else ""
    return Objection(FlightReason(limit.reason), needed + span, _of(refused, limit) + span)


def _of(refused: Refused, limit: Limit) -> str:
    return f"{refused.counted}/{limit.most}"


def _candidates(entry: Shortlist, flight: str | None) -> tuple[Candidate, ...]:
    return tuple(entry.of_flight(flight))


def _rank(entry: Shortlist, decision: Decision) -> Rank:
    """That of the candidate that stands in the slot."""
    if not isinstance(decision, Filled):
        return HOUSE_RANK
    ranks = [
        tier.rank
        for tier in entry.field
        if any(one.creative == decision.creative for one in tier.of_flight(decision.flight))
    ]
    return ranks[0] if ranks else HOUSE_RANK


def _refuse_slot(flight: Flight, slot: Slot, kind: Kind) -> Objection | None:
    """What the slot refuses, or what the creative that came closest lacks."""
    if objection := flight.targeting.refuse_slot(slot):
        return objection
    judged = [judge(candidacy, kind) for candidacy in flight.candidacies]
    if any(isinstance(judgement, str) for judgement in judged):
        return None
    return max((no for no in judged if isinstance(no, Objection)), key=lambda no: _CLOSENESS[no.reason])


# How far a creative came before it was refused: the furthest tells ops most.
_CLOSENESS = {
    FlightReason.INACTIVE: 0,
    FlightReason.BAD_MARKUP: 1,
    FlightReason.BLOCKED_CATEGORY: 2,
    FlightReason.SLOT_TYPE: 3,
    FlightReason.TARGETING: 4,
    FlightReason.SIZE: 5,
}


def _lost(flight: Flight, rank: Rank) -> Objection:
    if flight.rank > rank:
        return Objection(FlightReason.LOST_PRIORITY, f"{_tier(rank)} or better", _tier(flight.rank))
    return Objection(FlightReason.LOST_LOTTERY, "to be drawn earlier", f"weight {flight.row.weight:g}")


def _tier(rank: Rank) -> str:
    priority, bids, worth = rank
    return f"priority {priority} at {-worth:.2f} eCPM" if bids else f"priority {priority}"
