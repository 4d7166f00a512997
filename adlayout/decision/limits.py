"""What a flight may not do too often, compiled from caps, goals and labels; knows no store and no page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from adlayout.counts import Event, Ledger, Limit
from adlayout.decision.reasons import FlightReason
from adlayout.decision.schema import CampaignRow, FlightRow, FrequencyCap

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
# Longer than any reader's key lasts.
_LONGEST_MS: Final = 400 * _DAY_MS
# A month is 30 days.
WINDOWS_MS: Final = {
    "minute": _MINUTE_MS,
    "hour": 60 * _MINUTE_MS,
    "day": _DAY_MS,
    "week": 7 * _DAY_MS,
    "month": 30 * _DAY_MS,
    "lifetime": _LONGEST_MS,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What one candidate must heed on a page: see `counts.Attempt`."""

    labels: tuple[str, ...] = ()
    page_caps: tuple[tuple[str, int], ...] = ()
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a creative of a flight must heed; `known` where the reader is known, else `unknown`: None, it may not run.

    `served_anyway` says what becomes of it where the store cannot be asked. `together` are the creatives of a roadblock
    that takes all its slots or none, and `spreads` says that it takes as many as it can.
    """

    known: Rules = Rules()
    unknown: Rules | None = Rules()
    served_anyway: bool = True
    together: tuple[str, ...] = ()
    spreads: bool = False

    def rules(self, *, reader: bool) -> Rules | None:
        """Those of a page with a known reader, or without."""
        return self.known if reader else self.unknown


def compile_terms(flight: FlightRow, campaign: CampaignRow, creative: str, together: tuple[str, ...]) -> Terms | None:
    """The terms of a flight's creative; None where there is nothing to heed. `together` are all creatives that run."""
    budgets = tuple(_budgets(flight))
    caps = tuple(_caps(flight, campaign, creative))
    of_page = [(scope, cap.max) for scope, cap in caps if cap.per == "page"]
    of_reader = tuple(_merged([_reader_limit(scope, cap) for scope, cap in caps if cap.per != "page"]))
    labels = tuple(dict.fromkeys((*flight.labels, *campaign.labels)))
    only = [(f"roadblock/{flight.id}", 1)] if flight.roadblock == "only_one" else []
    page_caps = (*of_page, *only)
    known = Rules(labels, page_caps, (*budgets, *of_reader))
    unknown: Rules | None = known
    if of_reader:
        per_page = [(scope, cap.max) for scope, cap in caps]
        fallback = {
            "deny": None,
            "allow": Rules(labels, page_caps, budgets),
            "page_only": Rules(labels, (*per_page, *only), budgets),
        }
        unknown = fallback[flight.cap_unknown_viewer]
    terms = Terms(
        known=known,
        unknown=unknown,
        served_anyway=_served_anyway(flight, known),
        together=together if flight.roadblock == "all" else (),
        spreads=flight.roadblock == "as_many_as_possible",
    )
    return None if terms == Terms() else terms


def caps_of(flight: FlightRow, campaign: CampaignRow, creative: str, event: Event) -> tuple[tuple[str, int], ...]:
    """What an event counts for its reader: fields of the reader's ledger, each with its window in milliseconds."""
    limits = [
        _reader_limit(scope, cap)
        for scope, cap in _caps(flight, campaign, creative)
        if cap.per != "page" and cap.event == event
    ]
    return tuple((limit.field, limit.window_ms or 0) for limit in _merged(limits))


def counted_event(flight: FlightRow) -> Event:
    """What a flight's budgets count: its goal's event, and views where the goal names none."""
    return Event(flight.goal.type) if flight.goal and flight.goal.type != "percentage" else Event.VIEW


def _budgets(flight: FlightRow) -> Iterator[Limit]:
    event = counted_event(flight)
    field = f"{flight.id}:{event.letter}"
    total: list[Limit] = []
    if flight.goal and flight.goal.type != "percentage":
        total.append(Limit(Ledger.TOTAL, field, flight.goal.units, FlightReason.GOAL_REACHED))
    if flight.lifetime_cap:
        total.append(Limit(Ledger.TOTAL, field, flight.lifetime_cap, FlightReason.LIFETIME_CAP))
    day = [Limit(Ledger.DAY, field, flight.daily_cap, FlightReason.DAILY_CAP)] if flight.daily_cap else []
    for limit in (*_merged(total), *day):
        yield limit._replace(held=event is not Event.CLICK)


def _caps(flight: FlightRow, campaign: CampaignRow, creative: str) -> Iterator[tuple[str, FrequencyCap]]:
    """Every cap that holds for the creative, with what it counts for."""
    names = {
        "advertiser": f"advertiser/{campaign.advertiser or campaign.id}",
        "campaign": f"campaign/{campaign.id}",
        "flight": f"flight/{flight.id}",
        "creative": f"creative/{creative}",
    }
    for cap in flight.frequency_caps:
        yield names[cap.scope], cap
    for cap in campaign.frequency_caps:
        # Written for a campaign, a cap without a scope of its own means the campaign.
        yield names["campaign" if "scope" not in cap.model_fields_set else cap.scope], cap


def _reader_limit(scope: str, cap: FrequencyCap) -> Limit:
    window_ms = min(WINDOWS_MS[cap.per] * cap.num, _LONGEST_MS)
    event = Event(cap.event)
    # Who followed an ad is not known when it is served, so there is nothing to hold for a click.
    return Limit(
        Ledger.READER,
        f"{scope}:{event.letter}:{window_ms}",
        cap.max,
        FlightReason.FREQUENCY_CAP,
        window_ms,
        held=event is not Event.CLICK,
    )


def _merged(limits: Iterable[Limit]) -> Iterable[Limit]:
    """One limit for each field, the narrowest: a pick must hold its place in a field once."""
    found: dict[str, Limit] = {}
    for limit in limits:
        known = found.get(limit.field)
        if known is None or limit.most < known.most:
            found[limit.field] = limit
    return found.values()


def _served_anyway(flight: FlightRow, known: Rules) -> bool:
    if flight.on_store_error:
        return flight.on_store_error == "serve"
    return not known.limits
