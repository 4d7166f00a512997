"""Inventory over HTTP: rows in, rows out, every fault with its place, and nobody in who may not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from httpx2 import Response
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.store import embedded, keys
from adlayout.store.client import Store
from adlayout.upkeep import Shelf
from adlayout.web.app import create_app

CONFIG = Path(__file__).parents[1] / "config"
LOCAL = ("127.0.0.1", 50_000)
JSON = {"content-type": "application/json"}
CAMPAIGN = {"id": "c", "advertiser": "Acme"}
CREATIVE = {"id": "a", "kind": "html", "markup": "<b>Ad</b>", "sandbox": "first-party"}
FLIGHT = {"id": "f", "campaign": "c", "creatives": [{"id": "a"}]}
WHOLE = {"campaigns": [CAMPAIGN], "flights": [FLIGHT], "creatives": [CREATIVE]}
Told = list[tuple[str, dict[str, object]]]


class Lines:
    """A log that is kept as what was told."""

    def __init__(self) -> None:
        self.told: Told = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.told.append((event, fields))

    def answered(self, *_: object) -> None: ...

    def flush(self) -> None: ...

    @property
    def changes(self) -> list[dict[str, object]]:
        return [fields for event, fields in self.told if event == "inventory_changed"]


@pytest.fixture
def log() -> Lines:
    return Lines()


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(CONFIG, {})


@pytest.fixture
def client(edition: Edition, clean_store: str, log: Lines) -> Iterator[TestClient]:
    app = create_app(edition, Shelf(), Store(clean_store), log=log)  # type: ignore[arg-type] # as a log
    with TestClient(app, client=LOCAL) as local:
        yield local


def whole(client: TestClient, contents: object = WHOLE, query: str = "") -> Response:
    return client.post(f"/v1/inventory{query}", json=contents)


def problem(answer: Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    value: dict[str, object] = answer.json()
    return value


def test_many_rows_are_written_at_once(client: TestClient) -> None:
    answer = whole(client)
    touched = {"rows": 1, "added": 1, "changed": 0, "removed": 0}
    assert (answer.status_code, answer.headers["etag"], answer.json()) == (
        200,
        '"1"',
        {"revision": 1, "campaigns": touched, "flights": touched, "creatives": touched, "warnings": []},
    )


def test_replacing_removes_the_rest(client: TestClient) -> None:
    whole(client)
    answer = whole(client, {"campaigns": [CAMPAIGN]}, "?replace=true").json()
    assert answer == {
        "revision": 2,
        "campaigns": {"rows": 1, "added": 0, "changed": 0, "removed": 0},
        "flights": {"rows": 0, "added": 0, "changed": 0, "removed": 1},
        "creatives": {"rows": 0, "added": 0, "changed": 0, "removed": 1},
        "warnings": [],
    }


def test_what_hardly_does_what_was_meant_is_written_and_told(client: TestClient) -> None:
    whole(client)
    answer = whole(client, {"flights": [FLIGHT | {"goal": {"type": "view", "units": 9}}]})
    assert (answer.status_code, [warning["at"] for warning in answer.json()["warnings"]]) == (200, ["flights.0.goal"])


def test_every_fault_is_told_with_its_path(client: TestClient) -> None:
    bad = {"flights": [FLIGHT], "creatives": [CREATIVE | {"markup": "<iframe>", "sandbox": "first-party"}]}
    answer = whole(client, bad)
    assert (answer.status_code, problem(answer)) == (
        422,
        {
            "type": "urn:adlayout:problem:bad-inventory",
            "title": "The inventory does not hold",
            "status": 422,
            "detail": "nothing was written",
            "errors": [
                {"at": "flights.0.campaign", "message": 'no campaign "c"'},
                {"at": "creatives.0.markup", "message": "nothing that may stand in a page remains of it"},
            ],
        },
    )
    assert client.get("/v1/creatives").json()["total"] == 0


def test_a_row_comes_back_as_it_was_put(client: TestClient) -> None:
    first = client.put("/v1/campaigns/c", json={"advertiser": "Acme"})
    second = client.put("/v1/campaigns/c", json={"advertiser": "Apex"})
    read = client.get("/v1/campaigns/c")
    told = [(each.status_code, each.headers["etag"], each.json()) for each in (first, second, read)]
    assert told == [
        (201, '"1"', {"id": "c", "advertiser": "Acme"}),
        (200, '"2"', {"id": "c", "advertiser": "Apex"}),
        (200, '"2"', {"id": "c", "advertiser": "Apex"}),
    ]


def test_a_bad_creative_is_refused_with_the_fault_at_its_path(client: TestClient) -> None:
    answer = client.put("/v1/creatives/a", json={"kind": "native", "fields": {"title": "t"}, "template": "gone"})
    assert (answer.status_code, [error["at"] for error in answer.json()["errors"]]) == (422, ["template"])


@pytest.mark.parametrize("id", ["two words", "-x", "ä", "x" * 129])
def test_an_id_that_no_row_may_have_is_refused(client: TestClient, id: str) -> None:
    answer = client.put(f"/v1/campaigns/{id}", json={})
    assert (answer.status_code, [error["at"] for error in answer.json()["errors"]]) == (422, ["id"])


def test_what_flights_name_stays(client: TestClient) -> None:
    whole(client)
    answer = client.delete("/v1/creatives/a")
    assert (answer.status_code, problem(answer)) == (
        409,
        {
            "type": "urn:adlayout:problem:still-named",
            "title": "Flights still name it",
            "status": 409,
            "detail": 'the creative "a" is named by flights: f',
            "errors": [{"at": "flights.f", "message": 'names "a"'}],
        },
    )


def test_a_row_is_removed_once(client: TestClient) -> None:
    whole(client)
    first, second = client.delete("/v1/flights/f"), client.delete("/v1/flights/f")
    assert (first.status_code, first.content, first.headers["etag"]) == (204, b"", '"2"')
    assert (second.status_code, problem(second)["detail"]) == (404, "DELETE /v1/flights/f: there is no such flight")


def test_a_row_that_is_not_there_is_a_404_with_what_was_probably_meant(client: TestClient) -> None:
    client.put("/v1/campaigns/acme-spring", json={})
    answer = client.get("/v1/campaigns/acme-sprnig")
    assert (answer.status_code, problem(answer)["detail"]) == (
        404,
        'GET /v1/campaigns/acme-sprnig: there is no such campaign; did you mean "acme-spring"?',
    )


@pytest.mark.parametrize(("tag", "status"), [('"1"', 200), ('W/"1"', 200), ('"2"', 412), ("1", 412), ('"x"', 412)])
@pytest.mark.parametrize("method", ["put", "post"])
def test_a_change_may_be_of_a_revision_only(client: TestClient, tag: str, status: int, method: str) -> None:
    whole(client)
    path, body = ("/v1/campaigns/c", '{"name": "New"}') if method == "put" else ("/v1/inventory", "{}")
    answer = client.request(method.upper(), path, content=body, headers=JSON | {"if-match": tag})
    assert answer.status_code == status


def test_a_removal_may_be_of_a_revision_only(client: TestClient) -> None:
    whole(client)
    assert client.delete("/v1/flights/f", headers={"if-match": '"9"'}).status_code == 412
    assert client.delete("/v1/flights/f", headers={"if-match": '"1"'}).status_code == 204


# Collections.


@pytest.fixture
def five(client: TestClient) -> TestClient:
    names = {"a": "Spring in Bern", "b": "Autumn", "c": "spring tyres", "d": "Winter", "e": "Spring, BERN again"}
    whole(client, {"campaigns": [{"id": id, "name": name} for id, name in names.items()]})
    return client


@pytest.mark.parametrize(
    ("query", "ids", "total", "next"),
    [
        ("", "abcde", 5, None),
        ("?limit=2", "ab", 5, "b"),
        ("?limit=2&after=b", "cd", 5, "d"),
        ("?limit=2&after=d", "e", 5, None),
        ("?after=e", "", 5, None),
        ("?q=spring", "ace", 3, None),
        ("?q=bern+SPRING", "ae", 2, None),
        ("?q=spring&limit=1&after=a", "c", 3, "c"),
        ("?q=%C3%A4", "", 0, None),
    ],
)
def test_rows_are_listed_by_id_page_by_page(
    five: TestClient, query: str, ids: str, total: int, next: str | None
) -> None:
    page = five.get(f"/v1/campaigns{query}").json()
    assert ([row["id"] for row in page.pop("campaigns")], page) == (
        list(ids),
        {"bad": [], "total": total, "next": next, "revision": 1},
    )


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1.5", "9" * 30])
def test_a_page_of_no_size_is_refused(client: TestClient, limit: str) -> None:
    answer = client.get(f"/v1/flights?limit={limit}")
    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        [{"at": "limit", "message": "expected a whole number from 1 to 1000"}],
    )


def test_rows_that_do_not_hold_are_told(client: TestClient, clean_store: str) -> None:
    with redis.Redis.from_url(clean_store) as raw:
        raw.hset(keys.CAMPAIGNS, mapping={"x": "{", "y": '{"id": "y", "nmae": 1}', "z": '{"id": "z"}'})
    page = client.get("/v1/campaigns").json()
    assert (page["campaigns"], [(bad["id"], bad["message"][:12]) for bad in page["bad"]]) == (
        [{"id": "y", "nmae": 1}, {"id": "z"}],
        [("x", "Invalid JSON"), ("y", "nmae: unknow")],
    )
    assert problem(client.get("/v1/campaigns/x"))["errors"] == [
        {"at": "", "message": 'what stands in the store as "x" is no JSON object'}
    ]


# Bodies.


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{}", "application/json", 200),
        (b"{}", "application/vnd.x+json; charset=utf-8", 200),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"nope", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"replace": true}', "application/json", 422),
    ],
)
def test_a_body_is_an_object_of_json(client: TestClient, body: bytes, media: str, status: int) -> None:
    assert client.post("/v1/inventory", content=body, headers={"content-type": media}).status_code == status


def test_a_body_over_the_limit_is_a_413(client: TestClient) -> None:
    assert client.put("/v1/campaigns/c", content=b" " * (2 * 1024 * 1024 + 1), headers=JSON).status_code == 413


def test_a_switch_is_true_or_false(client: TestClient) -> None:
    assert problem(whole(client, {}, "?replace=yes"))["errors"] == [
        {"at": "replace", "message": "expected true or false"}
    ]


# Who, and what is written down of it.

ROUTES = [
    *(("GET", f"/v1/{kind}") for kind in ("campaigns", "flights", "creatives")),
    *(
        (method, f"/v1/{kind}/x")
        for kind in ("campaigns", "flights", "creatives")
        for method in ("GET", "PUT", "DELETE")
    ),
    ("POST", "/v1/inventory"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("token", "peer", "sent"),
    [(None, "192.0.2.1", ""), ("s", "127.0.0.1", ""), ("s", "127.0.0.1", "Bearer t")],
)
def test_inventory_is_for_admins(  # noqa: PLR0913, PLR0917 - each is a column of the tables above
    edition: Edition, method: str, path: str, token: str | None, peer: str, sent: str
) -> None:
    guarded = replace(edition, settings=edition.settings.model_copy(update={"admin_token": token, "cms_token": "t"}))
    asking = TestClient(create_app(guarded, Shelf(), None), client=(peer, 1))
    answer = asking.request(method, path, content=b"{}", headers={"authorization": sent} if sent else {})
    assert answer.status_code == 401


def test_each_change_is_one_line_that_says_who_and_what(client: TestClient, log: Lines) -> None:
    whole(client)
    client.put("/v1/campaigns/c", json=CAMPAIGN)
    client.put("/v1/campaigns/c", json={"name": "secret plans"})
    client.delete("/v1/flights/f")
    client.delete("/v1/flights/f")
    nothing: dict[str, object] = {"who": "local", "added": [], "changed": [], "removed": []}
    assert log.changes == [
        nothing | {"revision": 1, "added": ["campaigns/c", "flights/f", "creatives/a"]},
        nothing | {"revision": 2, "changed": ["campaigns/c"]},
        nothing | {"revision": 3, "removed": ["flights/f"]},
    ]


def test_a_change_of_very_many_rows_is_still_one_line(client: TestClient, log: Lines) -> None:
    whole(client, {"campaigns": [{"id": f"{number:03}"} for number in range(60)]})
    told = log.changes[0]["added"]
    assert isinstance(told, list)
    assert (told[0], told[-2:], len(told)) == ("campaigns/000", ["campaigns/049", "and 10 more"], 51)


def test_who_has_the_token_is_known_by_the_start_of_its_hash(clean_store: str, log: Lines) -> None:
    edition = assemble(CONFIG, {"ADLAYOUT_ADMIN_TOKEN": "swordfish"})
    app = create_app(edition, Shelf(), Store(clean_store), log=log)  # type: ignore[arg-type] # as a log
    with TestClient(app, client=("192.0.2.1", 1), headers={"authorization": "Bearer swordfish"}) as remote:
        whole(remote)
    assert [fields["who"] for fields in log.changes] == ["b9f195c5"]


# A store that is away.


@pytest.fixture
def stopped(edition: Edition) -> Iterator[Callable[[], TestClient]]:
    """A service whose store is killed once it runs."""
    with embedded.start() as server:
        app = create_app(edition, Shelf(), Store(server.url))
        with TestClient(app, client=LOCAL) as local:

            def kill() -> TestClient:
                os.kill(server.pid, signal.SIGKILL)
                return local

            yield kill


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/flights"), ("PUT", "/v1/campaigns/c"), ("POST", "/v1/inventory")]
)
def test_without_its_store_the_desk_is_closed_for_a_while(
    stopped: Callable[[], TestClient], method: str, path: str
) -> None:
    answer = stopped().request(method, path, json={})
    told = problem(answer)
    assert (answer.status_code, answer.headers["retry-after"], told["title"]) == (503, "2", "The store does not answer")
    assert "unix://" in str(told["detail"])


def test_a_service_without_a_store_has_no_inventory(edition: Edition) -> None:
    asking = TestClient(create_app(edition, Shelf(), None), client=LOCAL)
    answer = asking.get("/v1/flights")
    assert (answer.status_code, problem(answer)["detail"]) == (503, "this service has no store")
