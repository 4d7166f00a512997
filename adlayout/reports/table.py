"""Rows of a report as JSON values and as CSV. Knows columns and spreadsheets; never how a row was counted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeAlias

from adlayout.counts import NO_FLIGHT
from adlayout.reports.hourly import OF_PAGE, Per, Row, Sums

Cell: TypeAlias = str | int | float | None

# How a sheet calls the time of its rows and writes it; rows of the whole time have none. Days are as ops configured.
_TIMES: Final = {Per.HOUR: ("hour_utc", "%Y-%m-%d %H:%M"), Per.DAY: ("day", "%Y-%m-%d"), Per.TOTAL: ("", "")}

# Programs that open CSV run a cell that begins so (OWASP, "CSV Injection").
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r")


def table(found: Iterable[Row], by: str) -> list[dict[str, Cell]]:
    """One object for each row; shares are None where there is nothing to divide by."""
    return [{"time": time_of(row.at), **_named(row, by)} for row in found]


def sheet(found: Iterable[Row], by: str, per: Per) -> str:
    """The same as CSV, with times that spreadsheets take for times: the head says of which zone they are."""
    head, form = _TIMES[per]
    lines = [{head: row.at.strftime(form) if row.at else None, **_named(row, by)} for row in found]
    return as_csv((*([head] if head else []), by, *figures(Sums(), by)), lines)


def figures(sums: Sums, by: str) -> dict[str, Cell]:
    """What was counted, and its shares; pages and their slots where the report is by what pages have."""
    told: dict[str, Cell] = {
        "served": sums.served,
        "views": sums.views,
        "clicks": sums.clicks,
        "clicks_unseen": sums.clicks_unseen,
        "invalid": sums.invalid,
        "ctr": share(sums.clicks, sums.served),
        "viewability": share(sums.views, sums.served),
    }
    if by in OF_PAGE:
        told |= {
            "pages": sums.pages,
            "slots": sums.slots,
            "filled": sums.filled,
            "fill_rate": share(sums.filled, sums.slots),
        }
    return told


def share(part: int, whole: int) -> float | None:
    """How much of the whole the part is."""
    return round(part / whole, 4) if whole else None


def time_of(at: datetime | None) -> str | None:
    """A moment as it is written: with its zone, to the minute."""
    return at.isoformat(timespec="minutes").replace("+00:00", "Z") if at else None


def as_csv(columns: Iterable[str], lines: Iterable[dict[str, Cell]]) -> str:
    """The lines with a head (RFC 4180); no cell is one that a spreadsheet would run."""
    names = tuple(columns)
    return csv_rows([names, *([line[name] for name in names] for line in lines)])


def csv_rows(rows: Iterable[Iterable[Cell]]) -> str:
    """Rows of CSV, each with its end; no cell is one that a spreadsheet would run."""
    text = io.StringIO()
    csv.writer(text).writerows(map(_still, row) for row in rows)
    return text.getvalue()


def _still(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_RUNS) else cell


def _named(row: Row, by: str) -> dict[str, Cell]:
    return {by: _name(row.name, by), **figures(row.sums, by)}


def _name(name: str, by: str) -> Cell:
    if name in ("", NO_FLIGHT):
        return None
    return int(name) if by == "gap" and name.isdecimal() else name
