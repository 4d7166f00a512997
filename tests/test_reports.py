"""Reports: counts of hours become rows that add up, and CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from adlayout.reports.hourly import Per, Question, Row, Span, Sums, rows, total
from adlayout.reports.table import as_csv, sheet, table

TEN, ELEVEN, NIGHT = "2026112410", "2026112411", "2026112423"
HOURS = {
    TEN: {
        "acme|a1|top|news||-|mobile|daily:s": 10,
        "acme|a1|top|news||-|mobile|daily:v": 5,
        "acme|a1|top|news||-|mobile|daily:c": 1,
        "acme|a1|top|news||-|mobile|daily:uc": 1,
        "acme|a1|top|news||-|mobile|daily:xv": 4,
        "acme|a2|inline-1|news||3|desktop|daily:s": 2,
        "-|house|inline-2|news||7|desktop|daily:s": 3,
        "@news||mobile|daily:p": 10,
        "@news||mobile|daily:n": 30,
        "@news||mobile|daily:m": 15,
        "nonsense:s": 99,
        "acme|a1|top|news||-|mobile|daily:q": 99,
    },
    ELEVEN: {"acme|a1|top|wide|density=b|-|mobile|local:s": 1, "@wide|density=b|mobile|local:p": 1},
    NIGHT: {"zoo|z|top|news||-|tablet|daily:s": 7},
}
CAMPAIGNS = {"acme": "spring", "zoo": "summer"}


def at(hour: int, day: int = 24) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_rows_are_by_hour_and_name() -> None:
    assert rows(HOURS, Question("flight"), CAMPAIGNS) == (
        Row(at(10), "-", Sums(served=3)),
        Row(at(10), "acme", Sums(served=12, views=5, clicks=1, clicks_unseen=1, invalid=4)),
        Row(at(11), "acme", Sums(served=1)),
        Row(at(23), "zoo", Sums(served=7)),
    )


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("creative", ["a1", "a2", "house", "z"]),
        ("slot", ["inline-1", "inline-2", "top"]),
        ("layout", ["news", "wide"]),
        ("variation", ["", "density=b"]),
        ("gap", ["-", "3", "7"]),
        ("device", ["desktop", "mobile", "tablet"]),
        ("site", ["daily", "local"]),
        ("campaign", ["-", "spring", "summer"]),
    ],
)
def test_a_report_may_be_by_whatever_is_counted(by: str, names: list[str]) -> None:
    found = rows(HOURS, Question(by, Per.TOTAL), CAMPAIGNS)
    assert [row.name for row in found] == names
    assert total(found)._replace(pages=0, slots=0, filled=0) == Sums(
        served=23, views=5, clicks=1, clicks_unseen=1, invalid=4
    )


def test_pages_and_their_slots_are_told_of_layouts() -> None:
    assert rows(HOURS, Question("layout", Per.TOTAL), CAMPAIGNS)[0] == Row(
        None, "news", Sums(22, 5, 1, clicks_unseen=1, invalid=4, pages=10, slots=30, filled=15)
    )


def test_days_are_those_of_the_reporting_time_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    found = rows(HOURS, Question("campaign", Per.DAY, zone=berlin), CAMPAIGNS)
    assert found == (
        Row(datetime(2026, 11, 24, tzinfo=berlin), "-", Sums(served=3)),
        Row(
            datetime(2026, 11, 24, tzinfo=berlin),
            "spring",
            Sums(served=13, views=5, clicks=1, clicks_unseen=1, invalid=4),
        ),
        Row(datetime(2026, 11, 25, tzinfo=berlin), "summer", Sums(served=7)),
    )


@pytest.mark.parametrize(
    ("only", "served"),
    [
        ({"flight": "acme"}, 13),
        ({"flight": "acme", "device": "desktop"}, 2),
        ({"campaign": "summer"}, 7),
        ({"site": "local"}, 1),
        ({"flight": "nobody"}, 0),
    ],
)
def test_a_report_may_be_of_some_values_only(only: dict[str, str], served: int) -> None:
    assert total(rows(HOURS, Question("slot", only=only), CAMPAIGNS)).served == served


def test_a_span_is_of_whole_hours() -> None:
    span = Span(datetime(2026, 11, 24, 22, 30, tzinfo=UTC), datetime(2026, 11, 25, 0, 1, tzinfo=UTC))
    assert span.hours() == ("2026112422", "2026112423", "2026112500")
    assert Span(at(3), at(3)).hours() == ()


def test_a_span_of_another_zone_is_told_in_utc() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    span = Span(datetime(2026, 11, 24, tzinfo=berlin), datetime(2026, 11, 24, 2, tzinfo=berlin))
    assert span.hours() == ("2026112323", "2026112400")


def test_a_table_has_shares_where_there_is_something_to_divide_by() -> None:
    found = rows(HOURS, Question("layout", only={"site": "local"}), CAMPAIGNS)
    assert table(found, "layout") == [
        {
            "time": "2026-11-24T11:00Z",
            "layout": "wide",
            "served": 1,
            "views": 0,
            "clicks": 0,
            "clicks_unseen": 0,
            "invalid": 0,
            "ctr": 0.0,
            "viewability": 0.0,
            "pages": 1,
            "slots": 0,
            "filled": 0,
            "fill_rate": None,
        }
    ]


def test_a_gap_is_a_number_and_what_has_none_is_none() -> None:
    told = table(rows(HOURS, Question("gap", Per.TOTAL), CAMPAIGNS), "gap")
    assert [(line["time"], line["gap"], line["served"], line["ctr"]) for line in told] == [
        (None, None, 18, 0.0556),
        (None, 3, 2, 0.0),
        (None, 7, 3, 0.0),
    ]


@pytest.mark.parametrize(
    ("per", "lines"),
    [
        (Per.HOUR, ["hour_utc,site,served", "2026-11-24 10:00,daily,15", "2026-11-24 11:00,local,1"]),
        (Per.DAY, ["day,site,served", "2026-11-24,daily,15", "2026-11-24,local,1", "2026-11-25,daily,7"]),
        (Per.TOTAL, ["site,served", "daily,22", "local,1"]),
    ],
)
def test_a_sheet_has_times_that_spreadsheets_take_for_times(per: Per, lines: list[str]) -> None:
    """ISO 8601 with a zone is text to them, and so nothing to sort, group or chart by."""
    found = rows(HOURS, Question("site", per, zone=ZoneInfo("Europe/Berlin")), CAMPAIGNS)
    told = [",".join(line[: lines[0].count(",") + 1]) for line in csv.reader(io.StringIO(sheet(found, "site", per)))]
    assert told[: len(lines)] == lines


def test_a_sheet_without_rows_has_its_head() -> None:
    assert sheet((), "flight", Per.DAY) == ("day,flight,served,views,clicks,clicks_unseen,invalid,ctr,viewability\r\n")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_one_that_a_spreadsheet_runs(cell: str) -> None:
    told = list(csv.reader(io.StringIO(as_csv(["a", "b"], [{"a": cell, "b": -1}]), newline="")))
    assert told == [["a", "b"], [f"'{cell}", "-1"]]


def test_csv_is_quoted_where_it_must_be() -> None:
    assert as_csv(["name", "n"], [{"name": 'a,"b"\n', "n": None}]) == 'name,n\r\n"a,""b""\n",\r\n'
