"""The inventory as pages use it: rows read, joined and compiled once; knows nothing of where rows are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from adlayout.config.read import validate_json
from adlayout.counts import Event
from adlayout.decision.asked import Asked, ask
from adlayout.decision.field import Rank
from adlayout.decision.kept import Kept
from adlayout.decision.limits import Terms, caps_of, compile_terms
from adlayout.decision.reasons import FlightReason
from adlayout.decision.schema import PRIORITIES, CampaignRow, CreativeRow, FieldsRow, FlightRow, ImageRow
from adlayout.decision.targeting import Targeting, compile_targeting
from adlayout.errors import ConfigError, Fault
from adlayout.model import Creative, Html, Image, Native
from adlayout.rows import Rows

_MOST_TOLD = 8  # faults of one row
# What display ads get where nothing is known of one yet.
USUAL_CTR = 0.001

_R = TypeVar("_R", CampaignRow, FlightRow, CreativeRow)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is left out, and why; `kind` is `campaign`, `flight` or `creative`."""

    kind: str
    id: str
    message: str


@dataclass(frozen=True, slots=True)
class Candidacy:
    """A creative as a flight runs it; `barred` says why it may not run, and is None where it may.

    `terms` are what it must heed on a page.
    """

    creative: Creative
    weight: float
    barred: FlightReason | None
    terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class Flight:
    """A flight joined with its campaign: the narrower of both windows, active only if both are.

    `row` and `campaign` hold all that was written. `ecpm` is what a thousand views are worth; those that bid stand by
    it, behind the lottery of their priority.
    """

    id: str
    campaign: CampaignRow
    row: FlightRow
    active: bool
    start: datetime | None
    end: datetime | None
    priority: int
    house: bool
    targeting: Targeting
    candidacies: tuple[Candidacy, ...]
    ecpm: float = 0.0

    @property
    def rank(self) -> Rank:
        """Its place among all tiers."""
        bids = self.row.line_item_type == "price_priority"
        return (self.priority, 1, -self.ecpm) if bids else (self.priority, 0, 0.0)

    @property
    def share(self) -> float:
        """The share of all slots that it is booked, 0 to 1; 0 where it is not booked so."""
        goal = self.row.goal
        return goal.units / 100 if goal and goal.type == "percentage" else 0.0


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that may run: creatives by id, flights by rank and id, house creatives that need no flight.

    `asked` is what they ask of pages, `kept` what pages worked out, and `by_id` the flights by their ids.
    """

    creatives: Mapping[str, Creative]
    flights: tuple[Flight, ...]
    house: tuple[Candidacy, ...]
    asked: Asked = field(init=False, repr=False, compare=False)
    by_id: Mapping[str, Flight] = field(init=False, repr=False, compare=False)
    kept: Kept = field(init=False, repr=False, compare=False, default_factory=Kept)

    def __post_init__(self) -> None:
        active = [flight for flight in self.flights if flight.active]
        asked = ask(
            [flight.targeting for flight in active],
            [time for flight in active for time in (flight.start, flight.end) if time],
            [creative.lang.casefold() for creative in self.creatives.values() if creative.lang],
        )
        object.__setattr__(self, "asked", asked)
        object.__setattr__(self, "by_id", {flight.id: flight for flight in self.flights})

    def caps_of(self, flight: str | None, creative: str, event: Event) -> tuple[tuple[str, int], ...]:
        """What an event counts for its reader; nothing where the flight is gone."""
        found = self.by_id.get(flight) if flight else None
        return caps_of(found.row, found.campaign, creative, event) if found else ()

    def worth_of(self, flight: str | None, event: Event) -> int:
        """What an event earns, in millionths of the currency; nothing where the flight is gone."""
        found = self.by_id.get(flight) if flight else None
        return _worth_of(found.row, event) if found else 0


EMPTY = Inventory({}, (), ())


def read_inventory(
    rows: Rows, *, ctr: Mapping[str, float] = MappingProxyType({}), time_zone: str = "UTC"
) -> tuple[Inventory, tuple[BadRow, ...]]:
    """Reads every row; one that does not hold is named and left out, and takes no other with it.

    A flight that names an unknown creative runs with its others; without its campaign it does not run. `ctr` are the
    click-through rates of flights that are paid by the click, as far as they are known; `time_zone` is that of
    flights that name none.
    """
    bad: list[BadRow] = []
    campaigns = _read("campaign", rows.campaigns, CampaignRow, bad)
    creatives = _read("creative", rows.creatives, CreativeRow, bad)
    flights = _read("flight", rows.flights, FlightRow, bad)
    run = {id: _candidacy(row) for id, row in creatives.items()}
    joined = [flight for row in flights.values() if (flight := _join(row, campaigns, run, time_zone, bad))]
    priced = [replace(flight, ecpm=_ecpm(flight.row, ctr.get(flight.id, USUAL_CTR))) for flight in joined]
    inventory = Inventory(
        creatives={id: candidacy.creative for id, candidacy in run.items()},
        flights=tuple(sorted(priced, key=lambda flight: (flight.rank, flight.id))),
        house=tuple(run[id] for id in sorted(run) if run[id].creative.house),
    )
    return inventory, tuple(bad)


def without(inventory: Inventory, creatives: Collection[str]) -> Inventory:
    """The inventory in which these creatives do not run because of their markup."""

    def bar(candidacies: tuple[Candidacy, ...]) -> tuple[Candidacy, ...]:
        return tuple(
            replace(candidacy, barred=FlightReason.BAD_MARKUP) if candidacy.creative.id in creatives else candidacy
            for candidacy in candidacies
        )

    if not creatives:
        return inventory
    flights = tuple(replace(flight, candidacies=bar(flight.candidacies)) for flight in inventory.flights)
    return replace(inventory, flights=flights, house=bar(inventory.house))


def _read(kind: str, texts: Mapping[str, str], model: type[_R], bad: list[BadRow]) -> dict[str, _R]:
    read: dict[str, _R] = {}
    for id, text in texts.items():
        try:
            row = validate_json(text, model)
        except ConfigError as exc:
            bad.append(BadRow(kind, _readable(id), _told(exc.faults)))
        else:
            if row.id == id:
                read[id] = row
            else:
                bad.append(BadRow(kind, _readable(id), f'stands under this key and says its id is "{row.id}"'))
    return read


def _told(faults: Sequence[Fault]) -> str:
    """The first faults in one line: a row of any length must not fill the log."""
    more = len(faults) - _MOST_TOLD
    return "; ".join((*map(str, faults[:_MOST_TOLD]), *([f"and {more} more"] if more > 0 else ())))


def _readable(id: str) -> str:
    """The id as it can be logged, whatever bytes it was made of."""
    return id.encode("utf-8", "backslashreplace").decode()


def _join(
    row: FlightRow,
    campaigns: Mapping[str, CampaignRow],
    run: Mapping[str, Candidacy],
    time_zone: str,
    bad: list[BadRow],
) -> Flight | None:
    unknown = [share.id for share in row.creatives if share.id not in run]
    bad.extend(BadRow("flight", row.id, f'creatives: no creative "{id}" that holds; left out') for id in unknown)
    campaign = campaigns.get(row.campaign)
    if campaign is None:
        bad.append(BadRow("flight", row.id, f'campaign: no campaign "{row.campaign}" that holds'))
        return None
    if len(unknown) == len(row.creatives):
        return None
    together = tuple(share.id for share in row.creatives if share.id in run and run[share.id].barred is None)
    starts = [time for time in (row.start_time, campaign.start_time) if time]
    ends = [time for time in (row.end_time, campaign.end_time) if time]
    return Flight(
        id=row.id,
        campaign=campaign,
        row=row,
        active=row.active and campaign.active,
        start=max(starts, default=None),
        end=min(ends, default=None),
        priority=PRIORITIES[row.line_item_type] if row.priority is None else row.priority,
        house=row.line_item_type == "house",
        targeting=compile_targeting(row.targeting, time_zone),
        candidacies=tuple(
            replace(
                run[share.id],
                weight=1.0 if row.creative_rotation == "even" else share.weight,
                terms=compile_terms(row, campaign, share.id, together),
            )
            for share in row.creatives
            if share.id in run
        ),
    )


def _ecpm(row: FlightRow, ctr: float) -> float:
    """What a thousand views are worth; nothing is known of a flat rate."""
    return {"cpm": row.price, "cpc": row.price * ctr * 1000, "flat": 0.0}[row.rate_type]


def _worth_of(row: FlightRow, event: Event) -> int:
    """A view of a thousand that are paid, or a click that is; a flat rate is paid whatever happens."""
    match row.rate_type, event:
        case "cpm", Event.VIEW:
            return round(row.price * 1_000)
        case "cpc", Event.CLICK:
            return round(row.price * 1_000_000)
        case _:
            return 0


def _candidacy(row: CreativeRow) -> Candidacy:
    creative = Creative(
        id=row.id,
        content=_content(row),
        link=row.link,
        slot_types=row.slot_types,
        formats=row.formats or (_own_format(row.image),),
        lang=row.lang,
        house=row.house,
        adomain=row.adomain,
        cat=row.cat,
        view_trackers=row.trackers.view,
        click_trackers=row.trackers.click,
    )
    return Candidacy(creative, 1.0, None if row.active else FlightReason.INACTIVE)


def _content(row: CreativeRow) -> Image | Native | Html:
    if row.image:
        return _image(row.image)
    if row.fields:
        return _native(row.fields, row.template or "card")
    return Html(row.markup or "", row.sandbox or "strict")


def _image(row: ImageRow) -> Image:
    return Image(row.src, row.alt, row.w, row.h)


def _native(row: FieldsRow, template: str) -> Native:
    image = _image(row.image) if row.image else None
    return Native(row.title, row.body, row.cta, row.sponsor, image, template)


def _own_format(image: ImageRow | None) -> str:
    """The format of a creative that names none: an image has its own size, everything else takes the width it gets."""
    return f"{image.w}x{image.h}" if image and image.w and image.h else "fluid"
