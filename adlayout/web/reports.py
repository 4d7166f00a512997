"""Reports over HTTP, and readers forgotten. Knows the contract; never how anything was counted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adlayout.config.fields import zone
from adlayout.config.settings import Settings
from adlayout.decision.inventory import Inventory
from adlayout.decision.pacing import Clock
from adlayout.errors import Fault, StoreError
from adlayout.privacy.readers import all_keys, unit_key
from adlayout.reports.flight import Counts, days_before, days_sheet, delivery
from adlayout.reports.hourly import BY, Per, Question, Span, rows, total
from adlayout.reports.table import figures, sheet, table, time_of
from adlayout.store.client import Store
from adlayout.telemetry.logs import QUIET, Log
from adlayout.upkeep import Shelf
from adlayout.web.inventory import caller
from adlayout.web.limits import admit
from adlayout.web.questions import BadQuery
from adlayout.web.responses import json_answer, wants

_USUAL: Final = timedelta(hours=24)
_CSV: Final = "text/csv"
_FORMATS: Final = ("json", "csv")
_LONGEST_UNIT: Final = 4096


@dataclass(slots=True)
class Office:
    """The handlers of reports, over the store and the shelf; `secrets` are what readers are hashed with.

    `experiments` are the keys of those that may know a reader.
    """

    settings: Settings
    shelf: Shelf
    store: Store | None
    secrets: tuple[str, ...] = ()
    log: Log = QUIET
    experiments: tuple[str, ...] = ()

    async def delivery(self, request: Request) -> Response:
        """How far a flight is delivered: its events, its pace, and what it has used up."""
        self._admit(request)
        id, now, clock = str(request.path_params["id"]), datetime.now(UTC), self._clock
        flight = next((one for one in self._inventory.flights if one.id == id), None)
        store, days = self._open(), days_before(now, clock)
        totals, held, *by_day = await asyncio.gather(store.totals(), store.held(), *map(store.day, days))
        counts = Counts(totals, held, dict(zip(days, by_day, strict=True)))
        if flight is None and not counts.knows(id):
            raise HTTPException(404, "there is no such flight, and nothing was ever counted for one")
        told = delivery(id, flight, counts, now=now, clock=clock)
        return _csv_answer(days_sheet(told), f"{id}.csv") if _as_csv(request) else json_answer(told)

    async def report(self, request: Request) -> Response:
        """What was counted: by flight, creative, slot, layout, variation, gap, device, site or campaign."""
        self._admit(request)
        question, span = self._question(request)
        hours = await self._open().hours(span.hours())
        campaigns = {flight.id: flight.row.campaign for flight in self._inventory.flights}
        found = rows(hours, question, campaigns)
        if _as_csv(request):
            return _csv_answer(sheet(found, question.by, question.per), _name_of(question, span))
        answer = {
            "by": question.by,
            "per": question.per.value,
            "from": time_of(span.start),
            "to": time_of(span.end),
            "rows": table(found, question.by),
            "total": figures(total(found), question.by),
        }
        return json_answer(answer)

    async def forget(self, request: Request) -> Response:
        """Forgets a reader: whatever is counted for a unit, under every key that it may still have."""
        self._admit(request)
        unit = str(request.path_params["unit"])
        if len(unit) > _LONGEST_UNIT or not self.secrets:
            raise HTTPException(404, "there is no such reader")
        found = all_keys(unit, self.secrets, datetime.now(UTC), self.settings.counting.reader_days)
        units = [unit_key(experiment, unit, self.secrets) for experiment in self.experiments]
        gone = await self._open().forget((*found, *units))
        self.log("unit_forgotten", who=caller(request, self.settings.admin_token), hashes=gone)
        return Response(status_code=204)

    @property
    def _inventory(self) -> Inventory:
        return self.shelf.stock.inventory

    @property
    def _clock(self) -> Clock:
        return Clock(zone(self.settings.counting.time_zone), self.settings.pacing.curve)

    def _admit(self, request: Request) -> None:
        headers = dict(request.scope["headers"])
        admit(request.scope, headers, self.settings.admin_token, variable="ADLAYOUT_ADMIN_TOKEN")

    def _open(self) -> Store:
        if self.store is None:
            raise StoreError("this service has no store")
        return self.store

    def _question(self, request: Request) -> tuple[Question, Span]:
        query, faults = request.query_params, list[Fault]()
        by = query.get("by", "flight")
        if by not in BY:
            faults.append(Fault("by", f"expected one of {', '.join(BY)}"))
        per = query.get("per", Per.HOUR)
        if per not in set(Per):
            faults.append(Fault("per", f"expected one of {', '.join(Per)}"))
        faults += (
            Fault(name, "there is no such parameter")
            for name in dict.fromkeys(query)
            if name not in {"by", "per", "from", "to", "format", *BY}
        )
        if query.get("format", "json") not in _FORMATS:
            faults.append(Fault("format", f"expected {' or '.join(_FORMATS)}"))
        span = self._span(query, faults)
        if faults:
            raise BadQuery(*faults)
        only = {name: query[name] for name in BY if query.get(name)}
        return Question(by, Per(per), only, self._clock.zone), span

    def _span(self, query: Mapping[str, str], faults: list[Fault]) -> Span:
        """The hours that are asked for: the last day where nobody says, and never more than are kept."""
        now = datetime.now(UTC)
        end = self._moment(query, "to", faults, ends=True) or now
        start = self._moment(query, "from", faults) or end - _USUAL
        longest = timedelta(days=self.settings.counting.hourly_days + 1)
        if end <= start:
            faults.append(Fault("to", "expected a time after `from`"))
        elif end - start > longest:
            faults.append(Fault("from", f"expected at most {longest.days} days: hours are not kept for longer"))
        return Span(_hour(start), end)

    def _moment(
        self, query: Mapping[str, str], name: str, faults: list[Fault], *, ends: bool = False
    ) -> datetime | None:
        """A time, or a day of the reporting time zone, of which `to` is the end; None where it is not said."""
        said = query.get(name, "").replace(" ", "+")  # which is what a query makes of the plus of a zone
        if not said:
            return None
        try:
            if len(said) == len("2026-11-24"):
                day = date.fromisoformat(said) + timedelta(days=ends)
                return datetime(day.year, day.month, day.day, tzinfo=self._clock.zone)
            found = datetime.fromisoformat(said)
            found.astimezone(UTC)
        except (ValueError, OverflowError):
            faults.append(Fault(name, "expected a day such as 2026-11-24 or a time such as 2026-11-24T13:00Z"))
            return None
        return found if found.tzinfo else found.replace(tzinfo=self._clock.zone)


def _hour(at: datetime) -> datetime:
    """When the hour of UTC began: what is counted of it is of all of it."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0).astimezone(at.tzinfo)


def _csv_answer(text: str, name: str) -> Response:
    """A file of this name, as far as names of ours may be those of files."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), media_type=f"{_CSV}; charset=utf-8; header=present", headers=headers)


def _name_of(question: Question, span: Span) -> str:
    """The name of a report's file, with the days that it is of."""
    last = span.end - timedelta(seconds=1)
    days = sorted({f"{at.astimezone(question.zone):%Y-%m-%d}" for at in (span.start, last)})
    return f"{'_'.join((question.by, *days))}.csv"


def _as_csv(request: Request) -> bool:
    if said := request.query_params.get("format"):
        if said not in _FORMATS:
            raise BadQuery(Fault("format", f"expected {' or '.join(_FORMATS)}"))
        return said == "csv"
    return wants(_CSV, request.headers.get("accept", ""), over="application/json")
