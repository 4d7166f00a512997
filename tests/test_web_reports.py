"""Reports over HTTP: what stands in the store, added up and beside what was booked; and readers who are forgotten."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.decision.files import parse_inventory
from adlayout.privacy.readers import reader
from adlayout.store import keys
from adlayout.store.client import Store
from adlayout.upkeep import Shelf
from adlayout.web.app import create_app

CONFIG = Path(__file__).parents[1] / "config"
LOCAL = ("127.0.0.1", 50_000)
SECRET = "a-secret-of-sixteen-characters-or-more"  # noqa: S105 - of these tests
TODAY = datetime.now(UTC)
HOUR = "2026112410"
FIELDS = {
    "acme|a|top|news|-|-|mobile|daily:s": 10,
    "acme|a|top|news|-|-|mobile|daily:v": 5,
    "=zoo|b|top|wide|-|3|mobile|daily:s": 4,
    "@news|-|mobile|daily:p": 10,
    "@news|-|mobile|daily:n": 20,
    "@news|-|mobile|daily:m": 10,
}


def booked(now: datetime) -> dict[str, object]:
    """A flight in the middle of its time."""
    return {
        "campaigns": [{"id": "spring"}],
        "creatives": [{"id": "a", "kind": "html", "markup": "<b>Ad</b>"}],
        "flights": [
            {
                "id": "acme",
                "name": "Acme in spring",
                "campaign": "spring",
                "creatives": [{"id": "a"}],
                "start_time": (now - timedelta(days=5)).isoformat(),
                "end_time": (now + timedelta(days=5)).isoformat(),
                "goal": {"type": "view", "units": 1000},
                "daily_cap": 50,
            },
            {"id": "idle", "campaign": "spring", "creatives": [{"id": "a"}], "active": False},
            {"id": "old", "campaign": "spring", "creatives": [{"id": "a"}], "end_time": "2020-01-01"},
            {"id": "next", "campaign": "spring", "creatives": [{"id": "a"}], "start_time": "2099-01-01"},
        ],
    }


class Lines(list[tuple[str, dict[str, object]]]):
    """A log that is kept as what was told."""

    def __call__(self, event: str, /, **fields: object) -> None:
        self.append((event, fields))

    def answered(self, *_: object) -> None: ...

    def flush(self) -> None: ...


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(CONFIG, {"ADLAYOUT_SECRET": SECRET})


@pytest.fixture
def raw(clean_store: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(clean_store) as client:
        yield client


@pytest.fixture
def client(edition: Edition, clean_store: str) -> Iterator[TestClient]:
    """A service whose shelf follows the store, which holds the flights that are booked."""
    with redis.Redis.from_url(clean_store) as raw:
        rows = parse_inventory(booked(TODAY))
        raw.hset(keys.CAMPAIGNS, mapping=dict(rows.campaigns))
        raw.hset(keys.FLIGHTS, mapping=dict(rows.flights))
        raw.hset(keys.CREATIVES, mapping=dict(rows.creatives))
        raw.set(keys.REVISION, 1)
    with TestClient(create_app(edition, Shelf(), Store(clean_store)), client=LOCAL) as local:
        yield local


def day(back: int) -> str:
    return f"{TODAY - timedelta(days=back):%Y%m%d}"


# Flights.


def test_a_delivery_tells_counts_beside_what_was_booked(client: TestClient, raw: redis.Redis) -> None:
    raw.hset(
        keys.totals(0), mapping={"acme:s": 1000, "acme:v": 450, "acme:c": 9, "acme:uc": 2, "acme:xv": 30, "acme2:s": 7}
    )
    raw.hset(keys.day(0, day(0)), mapping={"acme:s": 90, "acme:v": 50})
    raw.hset(keys.day(0, day(13)), mapping={"acme:s": 4, "acme:xc": 2})
    raw.expire(keys.day(0, day(0)), 1000)
    raw.expire(keys.day(0, day(13)), 1000)
    told = client.get("/v1/flights/acme/delivery").json()
    days = told.pop("days")
    assert told == {
        "flight": "acme",
        "name": "Acme in spring",
        "campaign": "spring",
        "status": "daily_cap",
        "start_time": f"{TODAY - timedelta(days=5):%Y-%m-%dT%H:%MZ}",
        "end_time": f"{TODAY + timedelta(days=5):%Y-%m-%dT%H:%MZ}",
        "counts": "view",
        "goal": {"type": "view", "units": 1000},
        "daily_cap": 50,
        "lifetime_cap": None,
        "delivery_rate": "evenly",
        "done": 450,
        "held": 0,
        "expected": pytest.approx(500, abs=2),  # time goes on
        "pace": pytest.approx(0.9, abs=0.01),
        "spent": {"reason": "daily_cap", "needed": "at most 50 today", "actual": "50/50 today"},
        "total": {
            "served": 1000,
            "views": 450,
            "clicks": 9,
            "clicks_unseen": 2,
            "ctr": 0.009,
            "viewability": 0.45,
            "invalid": {"served": 0, "views": 30, "clicks": 0},
        },
        "today": {
            "served": 90,
            "views": 50,
            "clicks": 0,
            "clicks_unseen": 0,
            "ctr": 0.0,
            "viewability": 0.5556,
            "invalid": {"served": 0, "views": 0, "clicks": 0},
        },
    }
    assert [one["day"] for one in days] == [f"{TODAY - timedelta(days=back):%Y-%m-%d}" for back in range(14)]
    assert (days[0]["views"], days[1]["ctr"], days[13]["served"], days[13]["invalid"]["clicks"]) == (50, None, 4, 2)


@pytest.mark.parametrize(
    ("flight", "status"), [("acme", "running"), ("idle", "inactive"), ("old", "ended"), ("next", "not_started")]
)
def test_a_delivery_says_why_a_flight_does_not_run(client: TestClient, flight: str, status: str) -> None:
    told = client.get(f"/v1/flights/{flight}/delivery").json()
    assert (told["status"], told["done"], told["spent"]) == (status, 0, None)


def test_a_flight_that_is_gone_is_told_for_as_long_as_it_was_counted(client: TestClient, raw: redis.Redis) -> None:
    raw.hset(keys.totals(0), mapping={"gone:s": 3})
    told = client.get("/v1/flights/gone/delivery").json()
    assert (told["status"], told["total"]["served"], "goal" in told) == (None, 3, False)
    answer = client.get("/v1/flights/nobody/delivery")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "GET /v1/flights/nobody/delivery: there is no such flight, and nothing was ever counted for one",
    )


# Hours.


@pytest.fixture
def counted(client: TestClient, raw: redis.Redis) -> TestClient:
    for name, count in FIELDS.items():
        raw.hset(keys.hour(0, HOUR), name, str(count))
    raw.expire(keys.hour(0, HOUR), 1000)
    return client


def test_a_report_is_of_hours_and_what_it_is_by(counted: TestClient) -> None:
    told = counted.get("/v1/reports?by=layout&from=2026-11-24T09:00Z&to=2026-11-24T12:00Z").json()
    both = {"time": "2026-11-24T10:00Z", "clicks": 0, "clicks_unseen": 0, "invalid": 0, "ctr": 0.0}
    assert told == {
        "by": "layout",
        "per": "hour",
        "from": "2026-11-24T09:00Z",
        "to": "2026-11-24T12:00Z",
        "rows": [
            both
            | {"layout": "news", "served": 10, "views": 5, "viewability": 0.5}
            | {"pages": 10, "slots": 20, "filled": 10, "fill_rate": 0.5},
            both
            | {"layout": "wide", "served": 4, "views": 0, "viewability": 0.0}
            | {"pages": 0, "slots": 0, "filled": 0, "fill_rate": None},
        ],
        "total": {
            "served": 14,
            "views": 5,
            "clicks": 0,
            "clicks_unseen": 0,
            "invalid": 0,
            "ctr": 0.0,
            "viewability": 0.3571,
            "pages": 10,
            "slots": 20,
            "filled": 10,
            "fill_rate": 0.5,
        },
    }


@pytest.mark.parametrize(
    ("query", "served"),
    [
        ("from=2026-11-24&to=2026-11-24", 14),
        ("from=2026-11-24T10:00&to=2026-11-24T11:00", 14),
        ("from=2026-11-24T11:00%2B01:00&to=2026-11-24T12:00%2B01:00", 14),
        ("from=2026-11-24T11:00+01:00&to=2026-11-24T12:00+01:00", 14),
        ("from=2026-11-24T11:00&to=2026-11-24T12:00", 0),
        ("from=2026-11-23&to=2026-11-23", 0),
        ("from=2026-11-24&to=2026-11-24&flight=acme", 10),
        ("from=2026-11-24&to=2026-11-24&campaign=spring&by=gap&per=total", 10),
        ("from=2026-11-24&to=2026-11-24&layout=wide&by=creative&per=day", 4),
    ],
)
def test_a_report_is_of_the_time_and_the_values_that_are_asked_for(
    counted: TestClient, query: str, served: int
) -> None:
    assert counted.get(f"/v1/reports?{query}").json()["total"]["served"] == served


def test_a_report_without_a_time_is_of_the_last_day(client: TestClient, raw: redis.Redis) -> None:
    for back in (1, 23, 30):
        hour = keys.hour(0, f"{datetime.now(UTC) - timedelta(hours=back):%Y%m%d%H}")
        raw.hset(hour, "acme|a|top|news|-|-|mobile|daily:s", 1)
        raw.expire(hour, 1000)
    assert client.get("/v1/reports").json()["total"]["served"] == 2


@pytest.mark.parametrize(("query", "accept"), [("&format=csv", "*/*"), ("", "text/csv"), ("", "text/csv, */*;q=0.1")])
def test_a_report_may_be_csv(counted: TestClient, query: str, accept: str) -> None:
    answer = counted.get(f"/v1/reports?from=2026-11-24&to=2026-11-24{query}", headers={"accept": accept})
    lines = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="flight_2026-11-24.csv"'
    assert lines == [
        ["hour_utc", "flight", "served", "views", "clicks", "clicks_unseen", "invalid", "ctr", "viewability"],
        ["2026-11-24 10:00", "'=zoo", "4", "0", "0", "0", "0", "0.0", "0.0"],
        ["2026-11-24 10:00", "acme", "10", "5", "0", "0", "0", "0.0", "0.5"],
    ]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("by=slot&from=2026-11-20&to=2026-11-24", "slot_2026-11-20_2026-11-24.csv"),
        ("by=gap&from=2026-11-24T09:30Z&to=2026-11-25T00:00Z", "gap_2026-11-24.csv"),
    ],
)
def test_the_file_of_a_report_says_of_which_days_it_is(client: TestClient, query: str, name: str) -> None:
    answer = client.get(f"/v1/reports?{query}&format=csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("2026-11-24T09:59Z", "2026-11-24T09:00Z"),
        ("2026-11-24T09:59+05:30", "2026-11-24T09:30+05:30"),
        ("2026-11-24", "2026-11-24T00:00Z"),
    ],
)
def test_a_report_begins_with_a_whole_hour_and_says_so(client: TestClient, said: str, told: str) -> None:
    assert client.get("/v1/reports", params={"from": said, "to": "2026-11-24T12:00Z"}).json()["from"] == told


def test_the_days_of_a_delivery_may_be_csv(client: TestClient, raw: redis.Redis) -> None:
    raw.hset(keys.day(0, day(0)), mapping={"acme:s": 90, "acme:v": 45, "acme:c": 9, "acme:uc": 3, "acme:xv": 1})
    raw.expire(keys.day(0, day(0)), 1000)
    answer = client.get("/v1/flights/acme/delivery?format=csv")
    head, *lines = csv.reader(io.StringIO(answer.text, newline=""))
    assert answer.headers["content-disposition"] == 'attachment; filename="acme.csv"'
    assert head == [
        *("day", "served", "views", "clicks", "clicks_unseen", "ctr", "viewability"),
        *("invalid_served", "invalid_views", "invalid_clicks"),
    ]
    assert [line[0] for line in lines] == [f"{TODAY - timedelta(days=back):%Y-%m-%d}" for back in range(13, -1, -1)]
    assert lines[13][1:] == ["90", "45", "9", "3", "0.1", "0.5", "0", "1", "0"]
    assert lines[0][1:] == ["0", "0", "0", "0", "", "", "0", "0", "0"]


def test_a_delivery_in_another_format_is_refused(client: TestClient) -> None:
    answer = client.get("/v1/flights/acme/delivery?format=xml")
    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        [{"at": "format", "message": "expected json or csv"}],
    )


@pytest.mark.parametrize("accept", ["application/json", "text/csv, application/json", "*/*", "text/html"])
def test_without_a_wish_for_csv_a_report_is_json(counted: TestClient, accept: str) -> None:
    assert counted.get("/v1/reports", headers={"accept": accept}).json()["by"] == "flight"


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            "by=colour&per=week&format=xml&limit=2",
            [
                ("by", "expected one of flight, creative, slot, layout, variation, gap, device, site, campaign"),
                ("per", "expected one of hour, day, total"),
                ("limit", "there is no such parameter"),
                ("format", "expected json or csv"),
            ],
        ),
        ("from=2026-11-24&to=2026-11-23", [("to", "expected a time after `from`")]),
        (
            "from=2026-01-01&to=2026-11-24",
            [("from", "expected at most 15 days: hours are not kept for longer")],
        ),
        (
            "from=yesterday",
            [("from", "expected a day such as 2026-11-24 or a time such as 2026-11-24T13:00Z")],
        ),
        (
            "to=9999-12-31T23:00-12:00",
            [("to", "expected a day such as 2026-11-24 or a time such as 2026-11-24T13:00Z")],
        ),
        (
            "to=9999-12-31",
            [("to", "expected a day such as 2026-11-24 or a time such as 2026-11-24T13:00Z")],
        ),
    ],
)
def test_a_question_that_does_not_hold_is_told_all_at_once(
    client: TestClient, query: str, errors: list[tuple[str, str]]
) -> None:
    answer = client.get(f"/v1/reports?{query}")
    assert (answer.status_code, [(each["at"], each["message"]) for each in answer.json()["errors"]]) == (422, errors)


# Readers.


@pytest.mark.parametrize("unit", ["visitor-42", "a/b", "ä ö"])
def test_a_reader_is_forgotten_under_every_key(edition: Edition, clean_store: str, raw: redis.Redis, unit: str) -> None:
    log = Lines()
    for key in (*reader(unit, [SECRET], TODAY, 90), *reader("another", [SECRET], TODAY, 90)):
        raw.hset(keys.reader(0, key), "flight/acme:v:60000", "1|9999999999999")
        raw.expire(keys.reader(0, key), 1000)
    app = create_app(edition, Shelf(), Store(clean_store), log=log)  # type: ignore[arg-type] # as a log
    with TestClient(app, client=LOCAL) as local:
        assert local.delete(f"/v1/units/{unit}").status_code == 204
    left = {str(key, "ascii").rpartition(":")[2] for key in raw.scan_iter("*:u:*")}
    assert left == set(reader("another", [SECRET], TODAY, 90))
    assert [fields for event, fields in log if event == "unit_forgotten"] == [{"who": "local", "hashes": 2}]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/flights/x/delivery"), ("GET", "/v1/reports"), ("DELETE", "/v1/units/x")]
)
def test_reports_and_readers_are_for_admins(edition: Edition, method: str, path: str) -> None:
    remote = TestClient(create_app(edition, Shelf(), None), client=("192.0.2.1", 1))
    assert remote.request(method, path).status_code == 401


@pytest.mark.parametrize("path", ["/v1/flights/x/delivery", "/v1/reports"])
def test_without_a_store_there_is_nothing_to_report(edition: Edition, path: str) -> None:
    assert TestClient(create_app(edition, Shelf(), None), client=LOCAL).get(path).status_code == 503


def test_a_unit_that_nobody_can_have_is_a_404(client: TestClient) -> None:
    assert client.delete(f"/v1/units/{'x' * 5000}").status_code == 404
