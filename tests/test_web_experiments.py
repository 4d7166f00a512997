"""Experiments over HTTP: who may ask what, what is answered, and what of a page's events counts in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.counts import Event
from adlayout.decision.files import parse_inventory
from adlayout.decision.inventory import read_inventory
from adlayout.privacy.readers import unit_key
from adlayout.store import keys
from adlayout.store.client import Store
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts, closet, open_accounts, open_store
from adlayout.web.app import create_app

from .pages import ask
from .servers import server, wait_until

CONFIG = Path(__file__).parents[1] / "config"
LOCAL = ("127.0.0.1", 50_000)
ENV = {
    "ADLAYOUT_SECRET": "a-secret-of-sixteen-characters-or-more",
    "ADLAYOUT_CMS_TOKEN": "cms-of-these-tests",
    "ADLAYOUT_ADMIN_TOKEN": "admin-of-these-tests",
}
CMS, ADMIN = ({"Authorization": f"Bearer {ENV[f'ADLAYOUT_{who}_TOKEN']}"} for who in ("CMS", "ADMIN"))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
ARTICLE = "<h1>On the hill</h1>" + "".join(f"<p>Paragraph {n} says a little.</p>" for n in range(8))
EXPERIMENTS = """
version: 1
experiments:
  - key: density
    status: running
    variations: [every-2, article]
    meta: [{key: control, name: As ever}, {key: careful}]
    metrics: [views_per_user, revenue_per_user]
  - key: later
    variations: [article, every-2]
    coverage: 0.25
"""
LINK = "https://x.example/"
ADS: dict[str, list[dict[str, Any]]] = {
    "campaigns": [{"id": "spring"}],
    "creatives": [
        {"id": name, "kind": "html", "markup": f'<a href="{LINK}">Ad</a>', "link": LINK, "sandbox": "first-party"}
        for name in "abcd"
    ],
    "flights": [
        {"id": "mille", "campaign": "spring", "creatives": [{"id": "a"}, {"id": "b"}], "price": 4.5},
        {"id": "click", "campaign": "spring", "creatives": [{"id": "c"}], "rate_type": "cpc", "price": 0.25},
        {"id": "flat", "campaign": "spring", "creatives": [{"id": "d"}], "rate_type": "flat", "price": 900},
    ],
}


class Service:
    """A service with an experiment that runs, and what it counts with."""

    def __init__(self, client: TestClient, accounts: Accounts) -> None:
        self.client, self.accounts = client, accounts

    def page(self, unit: str) -> tuple[dict[str, Any], str]:
        """A page of a reader: the JSON answer and the page's token."""
        said = {"article": {"html": ARTICLE}, "unit": unit, "output": "fragment", "context": {"user_agent": FIREFOX}}
        answer = self.client.post("/v1/compose", json=said, headers=CMS | {"Accept": "application/json"})
        return answer.json(), answer.headers["adlayout-page-token"]

    def tell(self, token: str, *events: Mapping[str, object], agent: str = FIREFOX, **headers: str) -> None:
        answer = self.client.post(
            "/v1/events", json={"token": token, "events": events}, headers={"User-Agent": agent, **headers}
        )
        assert answer.status_code == 204
        wait_until(lambda: self.accounts.counter.waiting().lines == 0)

    def results(self, *metrics: str, key: str = "density") -> dict[str, Any]:
        query = "&".join(f"metric={name}" for name in metrics)
        answer: dict[str, Any] = self.client.get(f"/v1/experiments/{key}/results?{query}", headers=ADMIN).json()
        return answer


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Edition:
    directory = tmp_path_factory.mktemp("trials") / "config"
    shutil.copytree(CONFIG, directory)
    (directory / "experiments.yaml").write_text(EXPERIMENTS)
    settings = directory / "adlayout.yaml"
    # Others use this machine too: none of the answers is about time.
    patient = "store: {timeout_ms: 10000, page_timeout_ms: 10000}\nserver: {timeout_ms: 60000}\n"
    settings.write_text("version: 1\nsites: {default: {name: News}}\n" + patient)
    return assemble(directory, ENV)


@contextmanager
def running(edition: Edition, url: str, state: Path, ads: Mapping[str, object]) -> Iterator[Service]:
    """A service over a store that holds these ads."""
    ask(url, lambda store: store.publish(parse_inventory(ads), replace=True))
    shelf, store = Shelf(), open_store(edition.settings, url)
    accounts = open_accounts(edition.settings, shelf, store, closet(state, "store"))
    with TestClient(create_app(edition, shelf, store, accounts=accounts), client=LOCAL) as client:
        yield Service(client, accounts)


@pytest.fixture
def service(edition: Edition, clean_store: str, tmp_path: Path) -> Iterator[Service]:
    with running(edition, clean_store, tmp_path, ADS) as found:
        yield found


@pytest.fixture
def raw(clean_store: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        yield client


# What there is.


def test_all_experiments_are_listed_also_drafts(service: Service) -> None:
    found = service.client.get("/v1/experiments", headers=CMS).json()["experiments"]
    assert [(one["key"], one["status"], one["coverage"]) for one in found] == [
        ("density", "running", 1.0),
        ("later", "draft", 0.25),
    ]
    assert found[0]["variations"] == [
        {"key": "control", "name": "As ever", "layout": "every-2", "weight": 0.5},
        {"key": "careful", "name": "careful", "layout": "article", "weight": 0.5},
    ]


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        ("", {}, 401),
        ("/density/assignment", {}, 401),
        ("/density/results", CMS, 401),
        ("/density/exposures", CMS, 401),
        ("", CMS, 200),
        ("/density/assignment", CMS, 200),
        ("/density/results", ADMIN, 200),
        ("/density/exposures", ADMIN, 200),
    ],
)
def test_lists_and_assignments_are_for_the_cms_and_what_came_of_them_for_admins(
    service: Service, path: str, who: dict[str, str], status: int
) -> None:
    assert service.client.get(f"/v1/experiments{path}", headers=who).status_code == status


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        ("densty", 'there is no such experiment; did you mean "density"?'),
        ("x" * 500, "there is no such experiment"),
        ("zzz", "there is no such experiment"),
    ],
)
@pytest.mark.parametrize("what", ["assignment", "results", "exposures"])
def test_a_key_that_is_none_is_a_404(service: Service, what: str, key: str, detail: str) -> None:
    who = CMS if what == "assignment" else ADMIN
    answer = service.client.get(f"/v1/experiments/{key}/{what}", headers=who)
    assert (answer.status_code, answer.json()["detail"].partition(": ")[2]) == (404, detail)


@pytest.mark.parametrize(
    ("path", "errors"),
    [
        ("?x=1", [("x", "there is no such parameter")]),
        (
            "/density/assignment?untt=7&device=phone",
            [
                ("untt", 'there is no such field, did you mean "unit"?'),
                ("device", "expected mobile, tablet or desktop"),
            ],
        ),
        (
            "/density/results?stats=magic&metric=luck&by=day",
            [
                ("by", "there is no such parameter"),
                ("stats", "expected one of sequential, fixed, bayesian"),
                (
                    "metric",
                    "expected one of views_per_user, ctr, viewability, revenue_per_user, page_views_per_user, "
                    "engaged_seconds, layout_shift, compose_ms, bounce, conversions:<name>",
                ),
            ],
        ),
        (
            "/density/exposures?format=xls&since=1",
            [("since", "there is no such parameter"), ("format", "expected one of csv, ndjson")],
        ),
    ],
)
def test_a_question_that_does_not_hold_is_told_all_at_once(
    service: Service, path: str, errors: list[tuple[str, str]]
) -> None:
    who = ADMIN if "results" in path or "exposures" in path else CMS
    answer = service.client.get(f"/v1/experiments{path}", headers=who)
    assert (answer.status_code, [(each["at"], each["message"]) for each in answer.json()["errors"]]) == (422, errors)


@pytest.mark.parametrize("what", ["results", "exposures"])
def test_without_a_store_nothing_came_of_anything(edition: Edition, what: str) -> None:
    client = TestClient(create_app(edition, Shelf(), None), client=LOCAL)
    assert client.get(f"/v1/experiments/density/{what}", headers=ADMIN).status_code == 503


def test_a_store_that_is_gone_is_told_before_the_first_row(edition: Edition) -> None:
    with server() as one:
        client = TestClient(create_app(edition, Shelf(), Store(one.url)), client=LOCAL)
        one.kill()
        answer = client.get("/v1/experiments/density/exposures", headers=ADMIN)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


def test_a_reader_who_is_forgotten_is_no_unit_any_more_and_the_sums_stay(service: Service, raw: redis.Redis) -> None:
    for unit in ("a", "b"):
        service.tell(service.page(unit)[1], {"type": "exposure"})
    before = raw.hgetall(keys.sums(0, "density"))
    known = {unit: keys.unit(0, unit_key("density", unit, [ENV["ADLAYOUT_SECRET"]])) for unit in ("a", "b")}
    assert service.client.delete("/v1/units/a", headers=ADMIN).status_code == 204
    assert ([raw.exists(known[unit]) for unit in ("a", "b")], raw.hgetall(keys.sums(0, "density"))) == ([0, 1], before)


# Who would see what.


@pytest.mark.parametrize("unit", ["a", "b", "c", "d"])
def test_who_is_asked_for_gets_the_page_that_was_foretold(service: Service, unit: str) -> None:
    told = service.client.get(f"/v1/experiments/density/assignment?unit={unit}", headers=CMS).json()
    page, _ = service.page(unit)
    assert (told.pop("taken_by"), told.pop("layout")) == (None, page["layout"])
    assert told == page["experiment"]


def test_an_assignment_is_asked_for_in_the_words_of_a_page(service: Service) -> None:
    query = "url=https://x.example/a?b&section=world&tags=x&tags=y&device=tablet&country=DE&consent.gpc=1&unit=a"
    told = service.client.get(f"/v1/experiments/density/assignment?{query}", headers=CMS).json()
    by_header = service.client.get("/v1/experiments/density/assignment", headers=CMS | {"Adlayout-Unit": "a"}).json()
    assert (told["in_experiment"], by_header["in_experiment"]) == (False, True)


# What came of it.


def test_what_pages_tell_is_in_the_results(service: Service) -> None:
    for unit in ("a", "b"):
        page, token = service.page(unit)
        seen = [{"type": "view", "slot": slot["id"]} for slot in page["slots"][: 2 if unit == "a" else 1]]
        service.tell(token, {"type": "exposure"}, *seen)
    service.tell(service.page("c")[1], {"type": "exposure"})
    found = service.results("views_per_user")
    (reading,) = found["metrics"]
    assert [(one["key"], one["users"]) for one in found["variations"]] == [("control", 2), ("careful", 1)]
    assert (reading["baseline"], found["verdict"]["status"]) == (1.0, "running")


@pytest.fixture
def selling(request: pytest.FixtureRequest, edition: Edition, clean_store: str, tmp_path: Path) -> Iterator[Service]:
    """A service with one flight."""
    ads = ADS | {"flights": [one for one in ADS["flights"] if one["id"] == request.param]}
    with running(edition, clean_store, tmp_path, ads) as found:
        yield found


@pytest.mark.parametrize(
    ("selling", "earned"), [("mille", "4500"), ("click", "250000"), ("flat", None)], indirect=["selling"]
)
def test_each_flight_earns_by_what_it_is_paid(selling: Service, raw: redis.Redis, earned: str | None) -> None:
    page, token = selling.page("a")
    slot = next(slot["id"] for slot in page["slots"] if slot["filled"])
    link = page["html"].partition("/v1/click/")[2].partition('"')[0]
    selling.client.get(f"/v1/click/{link}", headers={"User-Agent": FIREFOX}, follow_redirects=False)
    selling.tell(token, {"type": "exposure"}, {"type": "view", "slot": slot})
    sums = raw.hgetall(keys.sums(0, "density"))
    assert [sums.get(f"control:{letter}") for letter in "VCR"] == ["1", "1", earned]


def test_a_flight_that_is_gone_earns_nothing() -> None:
    inventory = read_inventory(parse_inventory(ADS))[0]
    assert [inventory.worth_of(flight, Event.VIEW) for flight in ("mille", "gone", None)] == [4500, 0, 0]


ORDER = {"type": "conversion", "name": "order"}


@pytest.mark.parametrize(
    ("agent", "headers", "counted"),
    [
        ("python-requests/2.32", {}, None),
        ("python-requests/2.32", CMS, "1"),
        ("python-requests/2.32", {"Authorization": "Bearer of-somebody"}, None),
        ("python-requests/2.32", ADMIN, None),
        (FIREFOX, {}, "1"),
    ],
)
def test_a_server_with_the_token_of_the_cms_tells_of_a_conversion(
    service: Service, raw: redis.Redis, agent: str, headers: dict[str, str], counted: str | None
) -> None:
    _, token = service.page("a")
    service.tell(token, {"type": "exposure"})
    service.tell(token, ORDER, ORDER, agent=agent, **headers)
    assert raw.hget(keys.sums(0, "density"), "control:K:order") == counted


@pytest.mark.parametrize(
    ("query", "accept", "media"),
    [
        ("", "*/*", "text/csv; charset=utf-8; header=present"),
        ("?format=ndjson", "*/*", "application/x-ndjson"),
        ("", "application/x-ndjson", "application/x-ndjson"),
        ("?format=csv", "application/x-ndjson", "text/csv; charset=utf-8; header=present"),
    ],
)
def test_first_exposures_are_csv_or_lines_of_json(service: Service, query: str, accept: str, media: str) -> None:
    for unit in ("a", "b", "a"):
        service.tell(service.page(unit)[1], {"type": "exposure"})
    path = f"/v1/experiments/density/exposures{query}"
    answer = service.client.get(path, headers=ADMIN | {"Accept": accept})
    form = "ndjson" if "ndjson" in media else "csv"
    assert (answer.headers["content-type"], answer.headers["content-disposition"]) == (
        media,
        f'attachment; filename="density.{form}"',
    )
    rows = [line for line in answer.text.splitlines() if "density" in line]
    assert [("control" in row, "careful" in row) for row in rows] == [(True, False), (False, True)]


def test_more_rows_than_one_piece_are_all_sent(service: Service, raw: redis.Redis) -> None:
    with raw.pipeline() as pipe:
        for number in range(1201):
            event = f'{{"e":"exposure","v":"density=control","h":"u{number}","at":1795516200000}}'
            pipe.xadd(keys.stream(0), {"e": event})
        pipe.execute()
    answer = service.client.get("/v1/experiments/density/exposures", headers=ADMIN)
    units = [line.split(",")[1] for line in answer.text.splitlines()[1:]]
    assert units == [f"u{number}" for number in range(1201)]
