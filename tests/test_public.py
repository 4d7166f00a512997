"""What browsers call: counted once where it is authentic, answered the same whatever comes, led to advertisers only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis
from httpx2 import Response
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.config.settings import Settings
from adlayout.counts import Reader
from adlayout.decision.files import parse_inventory
from adlayout.events.token import Ad, Signed, Ticket
from adlayout.store import keys
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts, closet, open_accounts, open_store
from adlayout.web.app import create_app
from adlayout.web.public import GIF

CONFIG = Path(__file__).parents[1] / "config"
READERS = ("198.51.100.7", 50_000)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = "https://www.news.example"
LINK = "https://acme.example/spring?from=ad"
INVENTORY = {
    "campaigns": [{"id": "spring", "frequency_caps": [{"max": 3, "per": "day"}]}],
    "flights": [{"id": "acme", "campaign": "spring", "creatives": [{"id": "a"}, {"id": "bare"}]}],
    "creatives": [
        {"id": "a", "kind": "html", "markup": "<b>Ad</b>", "link": LINK, "adomain": ["acme.example"]},
        {"id": "bare", "kind": "html", "markup": "<b>Ad</b>"},
    ],
}
ADS = (
    Ad("inline-1", "acme", "a", "spring", 3, "in-article"),
    Ad("inline-2", "acme", "bare", "spring", 7, "in-article"),
    Ad("top", "acme", "gone", "spring", None, "leaderboard"),
)


@dataclass(frozen=True)
class Service:
    """A running service that counts, and what looks into its store."""

    client: TestClient
    accounts: Accounts
    raw: redis.Redis

    def sign(self, expires_s: float = 3600, reader: Reader | None = None, serve: str = "0123456789abcdef") -> Signed:
        ticket = Ticket(
            int(time.time() + expires_s), "daily", "news", "mobile", serve=serve, reader=reader, slots=3, ads=ADS
        )
        return self.accounts.books.signer.sign(ticket)

    def counted(self) -> dict[str, int]:
        """What the store has counted once everything was sent to it."""
        wait_until(lambda: self.accounts.counter.waiting().lines == 0)
        found = self.raw.hgetall(keys.totals(0))
        return {str(name, "ascii"): int(count) for name, count in found.items()}

    def stream(self) -> list[Mapping[str, object]]:
        wait_until(lambda: self.accounts.counter.waiting().lines == 0)
        return [json.loads(fields[b"e"]) for _, fields in self.raw.xrange(keys.stream(0))]

    def tell(self, signed: Signed, *events: Mapping[str, object], **headers: str) -> Response:
        body = json.dumps({"token": signed.page, "id": "browser-made-id", "events": events})
        return self.client.post("/v1/events", content=body, headers={"content-type": "text/plain"} | headers)


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(CONFIG, {"ADLAYOUT_SECRET": "a-secret-of-sixteen-characters-or-more"})


def settled(settings: Settings, **server: object) -> Settings:
    return settings.model_copy(update={"server": settings.server.model_copy(update=server)})


@pytest.fixture
def service(edition: Edition, clean_store: str, tmp_path: Path) -> Iterator[Service]:
    with redis.Redis.from_url(clean_store) as raw:
        rows = parse_inventory(INVENTORY)
        for key, texts in zip(keys.INVENTORY, (rows.campaigns, rows.flights, rows.creatives), strict=True):
            for id, text in texts.items():
                raw.hset(key, id, text)
        raw.set(keys.REVISION, 1)
        settings, shelf = settled(edition.settings, origins=(SITE,)), Shelf()
        store = open_store(settings, clean_store)
        accounts = open_accounts(settings, shelf, store, closet(tmp_path, "store"))
        app = create_app(replace(edition, settings=settings), shelf, store, accounts=accounts)
        headers = {"user-agent": BROWSER}
        with TestClient(app, client=READERS, headers=headers, follow_redirects=False) as client:
            yield Service(client, accounts, raw)


VIEW = {"type": "view", "slot": "inline-1"}


# Events.


def test_what_a_page_reports_is_counted_once(service: Service) -> None:
    signed = service.sign()
    told = [service.tell(signed, VIEW, {"type": "exposure"}) for _ in range(3)]
    assert [(answer.status_code, answer.content, answer.headers["cache-control"]) for answer in told] == [
        (204, b"", "no-store")
    ] * 3
    assert service.counted() == {"acme:v": 1}
    assert [entry["e"] for entry in service.stream()] == ["view", "exposure"]


def test_a_page_that_caches_keep_is_told_apart_by_the_id_of_its_browser(service: Service) -> None:
    signed = service.sign(serve="")
    service.tell(signed, VIEW)
    service.tell(signed, VIEW)
    other = json.dumps({"token": signed.page, "id": "another-browser", "events": [VIEW]})
    service.client.post("/v1/events", content=other, headers={"content-type": "application/json"})
    assert service.counted() == {"acme:v": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"[]",
        b"{}",
        b'{"token": 1}',
        b'{"token": "x.y.z", "events": [{"type": "view", "slot": "inline-1"}]}',
        b"\xff" * 100,
        b" " * 20_000,
        b"[" * 10_000,
    ],
)
def test_whatever_comes_is_answered_with_nothing(service: Service, body: bytes) -> None:
    answer = service.client.post("/v1/events", content=body)
    assert (answer.status_code, answer.content, service.counted()) == (204, b"", {})


def test_an_expired_page_reports_nothing(service: Service) -> None:
    assert service.tell(service.sign(expires_s=-1), VIEW).status_code == 204
    assert service.counted() == {}


def test_an_address_is_no_page(service: Service) -> None:
    """A view's signature must not report the other ads of its page."""
    body = json.dumps({"token": service.sign().view(0), "events": [VIEW]})
    assert service.client.post("/v1/events", content=body).status_code == 204
    assert service.counted() == {}


def test_a_view_counts_for_its_reader(service: Service) -> None:
    signed = service.sign(reader=Reader("now", "before"))
    service.tell(signed, VIEW)
    assert service.counted() == {"acme:v": 1}
    assert [field.partition(b"|")[0] for field in service.raw.hvals(keys.reader(0, "now"))] == [b"1"]


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"user-agent": ""},
        {"sec-purpose": "prefetch;prerender"},
    ],
)
def test_what_no_reader_is_behind_is_counted_apart(service: Service, headers: dict[str, str]) -> None:
    service.tell(service.sign(), VIEW, **headers)
    assert service.counted() == {"acme:xv": 1}


# Scripts of other sites.


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (SITE, SITE),
        ("https://WWW.news.example", "https://WWW.news.example"),
        ("https://evil.example", None),
        ("null", None),
        ("", None),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("OPTIONS", "/v1/events"), ("OPTIONS", "/v1/view/x"), ("POST", "/v1/events")]
)
def test_scripts_of_the_configured_sites_may_call(
    service: Service, method: str, path: str, origin: str, allowed: str | None
) -> None:
    answer = service.client.request(method, path, headers={"origin": origin})
    told = {name: answer.headers.get(f"access-control-allow-{name}") for name in ("origin", "methods", "headers")}
    shared = (
        {"methods": "GET, HEAD, POST", "headers": "Content-Type"} if allowed else {"methods": None, "headers": None}
    )
    assert (answer.status_code, answer.headers["vary"], told) == (204, "Origin", {"origin": allowed} | shared)


# Views.


def test_a_picture_counts_a_view_once(service: Service) -> None:
    path = f"/v1/view/{service.sign().view(0)}"
    answers = [service.client.get(path) for _ in range(2)]
    assert [(each.status_code, each.content) for each in answers] == [(200, GIF)] * 2
    assert (answers[0].headers["content-type"], answers[0].headers["cache-control"]) == ("image/gif", "no-store")
    assert (len(GIF), service.counted()) == (43, {"acme:v": 1})


@pytest.mark.parametrize("token", ["x", "a.b.c.0", "%00", "ä", "x" * 20_000])
def test_a_picture_is_shown_whatever_comes(service: Service, token: str) -> None:
    answer = service.client.get(f"/v1/view/{token}")
    assert (answer.status_code, answer.content, service.counted()) == (200, GIF, {})


def test_neither_a_click_nor_an_expired_page_is_a_view(service: Service) -> None:
    for token in (service.sign().click(0), service.sign(expires_s=-1).view(0), service.sign().view(9)):
        assert service.client.get(f"/v1/view/{token}").content == GIF
    assert service.counted() == {}


def test_to_ask_about_a_picture_is_no_view(service: Service) -> None:
    answer = service.client.head(f"/v1/view/{service.sign().view(0)}")
    assert (answer.status_code, answer.content, service.counted()) == (200, b"", {})


# Clicks.


def led(service: Service, token: str, query: str = "", method: str = "GET") -> tuple[int, str | None]:
    answer = service.client.request(method, f"/v1/click/{token}{query}")
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    return answer.status_code, answer.headers.get("location")


def test_a_click_counts_once_and_leads_to_the_link_each_time(service: Service) -> None:
    token = service.sign().click(0)
    assert [led(service, token) for _ in range(3)] == [(302, LINK)] * 3
    assert service.counted() == {"acme:c": 1}


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("?to=https%3A%2F%2Fshop.acme.example%2Fx", "https://shop.acme.example/x"),
        ("?to=https://acme.example/x", "https://acme.example/x"),
        ("?to=https%3A%2F%2Fevil.example%2F", LINK),
        ("?to=https%3A%2F%2Facme.example%0d%0aX-Evil%3A1", LINK),
        ("?to=https%3A%2F%2Facme.example%40evil.example", LINK),
        ("?to=javascript%3Aalert(1)", LINK),
        ("?to=", LINK),
    ],
)
def test_a_click_leads_elsewhere_only_to_its_advertiser(service: Service, query: str, location: str) -> None:
    assert led(service, service.sign().click(0), query) == (302, location)


def test_a_click_that_is_late_is_led_and_not_counted(service: Service) -> None:
    assert led(service, service.sign(expires_s=-1).click(0)) == (302, LINK)
    assert service.counted() == {}


def test_to_ask_about_a_click_is_none(service: Service) -> None:
    assert led(service, service.sign().click(0), method="HEAD") == (302, LINK)
    assert service.counted() == {}


def test_a_robot_is_led_and_counted_apart(service: Service) -> None:
    answer = service.client.get(f"/v1/click/{service.sign().click(0)}", headers={"user-agent": "curl/8.5"})
    assert (answer.status_code, service.counted()) == (302, {"acme:xc": 1})


@pytest.mark.parametrize("number", [1, 2, 3, 99])
def test_an_ad_without_a_link_leads_nowhere(service: Service, number: int) -> None:
    assert led(service, service.sign().click(number), "?to=https://evil.example/") == (404, None)
    assert service.counted() == {}


def test_what_was_not_signed_leads_nowhere_and_is_not_repeated(service: Service) -> None:
    token = service.sign().click(0)
    forged = [token[:-2] + ".1", token.replace("A", "B", 1), service.sign().view(0), "<script>alert(1)"]
    answers = [service.client.get(f"/v1/click/{each}?to=https://evil.example/<b>") for each in forged]
    assert [(each.status_code, each.headers["content-type"]) for each in answers] == [
        (404, "text/html; charset=utf-8")
    ] * 4
    assert {each.text for each in answers} == {answers[0].text}
    assert not {"evil", "script"} & set(answers[0].text.split())
    assert service.counted() == {}


# Without a store nothing is counted.


def test_a_service_that_does_not_count_answers_all_the_same(edition: Edition) -> None:
    client = TestClient(create_app(edition, Shelf(), None), client=READERS, follow_redirects=False)
    answers = [
        client.post("/v1/events", content=b'{"token": "x", "events": []}').status_code,
        client.get("/v1/view/x").status_code,
        client.get("/v1/click/x").status_code,
    ]
    assert answers == [204, 200, 404]


# Pages.


def compose(service: Service, **fields: object) -> dict[str, object]:
    html = "".join(f"<p>Paragraph {number} says a little more than it must.</p>" for number in range(8))
    body = json.dumps({"article": {"html": html}, "layout": "every-2", "output": "fragment", **fields})
    headers = {"content-type": "application/json", "accept": "application/json"}
    local = TestClient(service.client.app, client=("127.0.0.1", 1))
    value: dict[str, object] = local.post("/v1/compose", content=body, headers=headers).json()
    return value
