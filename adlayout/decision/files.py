"""Inventory as ops write it in files: checked as a whole, then turned into rows; opens no file itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adlayout.config.read import validate
from adlayout.decision.schema import CampaignRow, CreativeRow, FlightRow, InventoryFile
from adlayout.errors import ConfigError, Fault
from adlayout.rows import Rows

# By which of them a tag of somebody else's tells of clicks does not matter.
_CLICK_MACROS: Final = ("${CLICK_URL", "%%CLICK_URL_", "{clickurl")


def parse_inventory(data: object, known: Rows | None = None) -> Rows:
    """The rows of one file's contents `{campaigns: […], flights: […], creatives: […]}`.

    `known` are the rows that its flights may name besides its own. Raises `ConfigError` with every fault, each at a
    dotted path such as `flights.0.start_time`.
    """
    file = validate(data, InventoryFile)
    rows = to_rows([file])
    if faults := (*repeated([file])[0], *dangling(file, merged(known or Rows(), rows))):
        raise ConfigError(faults)
    return rows


def to_rows(files: Iterable[InventoryFile]) -> Rows:
    """The rows of checked files, as they stand in the store: what was written, without the defaults."""
    rows = Rows({}, {}, {})
    for file in files:
        rows = merged(rows, Rows(_texts(file.campaigns), _texts(file.flights), _texts(file.creatives)))
    return rows


def merged(below: Rows, above: Rows) -> Rows:
    """Both; where both have an id, the row of `above`."""
    return Rows(
        {**below.campaigns, **above.campaigns},
        {**below.flights, **above.flights},
        {**below.creatives, **above.creatives},
    )


def repeated(files: Iterable[InventoryFile]) -> tuple[tuple[Fault, ...], ...]:
    """Per file a fault for each id that it, or a file before it, has said already."""
    seen: set[tuple[str, str]] = set()
    return tuple(tuple(_repeated(file, seen)) for file in files)


def _repeated(file: InventoryFile, seen: set[tuple[str, str]]) -> Iterator[Fault]:
    for kind in ("campaigns", "flights", "creatives"):
        for at, row in enumerate(getattr(file, kind)):
            if (kind, row.id) in seen:
                yield Fault(f"{kind}.{at}.id", f'"{row.id}" was there before')
            seen.add((kind, row.id))


def dangling(file: InventoryFile, rows: Rows) -> tuple[Fault, ...]:
    """A fault for each campaign or creative that a flight of the file names and `rows` do not have."""
    return tuple(_dangling(file, rows))


def _dangling(file: InventoryFile, rows: Rows) -> Iterator[Fault]:
    for at, flight in enumerate(file.flights):
        if flight.campaign not in rows.campaigns:
            yield Fault(f"flights.{at}.campaign", f'no campaign "{flight.campaign}"')
        for nth, share in enumerate(flight.creatives):
            if share.id not in rows.creatives:
                yield Fault(f"flights.{at}.creatives.{nth}.id", f'no creative "{share.id}"')


def doubtful(file: InventoryFile) -> Iterator[Fault]:
    """A warning for each row that holds and hardly does what was meant."""
    ends = {campaign.id for campaign in file.campaigns if campaign.end_time}
    for at, flight in enumerate(file.flights):
        spread = flight.goal and flight.goal.type != "percentage" and flight.delivery_rate != "asap"
        if spread and not flight.end_time and flight.campaign not in ends:
            yield Fault(f"flights.{at}.goal", "has no end_time to be spread over: the flight runs on every page it can")
    for at, creative in enumerate(file.creatives):
        markup = (creative.markup or "") if creative.sandbox != "first-party" else ""
        if "href" in markup.lower() and not any(macro in markup for macro in _CLICK_MACROS):
            yield Fault(f"creatives.{at}.markup", "its clicks are not counted: write ${CLICK_URL} before its links")


def _texts(rows: Iterable[CampaignRow | FlightRow | CreativeRow]) -> Mapping[str, str]:
    return {row.id: row.model_dump_json(exclude_unset=True) for row in rows}
