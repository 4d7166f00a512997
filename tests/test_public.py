"""What browsers call: counted once where it is authentic, answered the same whatever comes, led to advertisers only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import redis
from httpx2 import Response
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.config.settings import Settings
from adlayout.counts import Reader
from adlayout.decision.files import parse_inventory
from adlayout.events.token import Ad, Signed, Ticket
from adlayout.events.traffic import family_of
from adlayout.store import keys
from adlayout.upkeep import Shelf
from adlayout.web.accounts import Accounts, closet, open_accounts, open_store
from adlayout.web.app import create_app
from adlayout.web.public import GIF

CONFIG = Path(__file__).parents[1] / "config"
LOCAL, READERS = ("127.0.0.1", 50_000), ("198.51.100.7", 50_000)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = "https://www.news.example"
LINK = "https://acme.example/spring?from=ad"
INVENTORY = {
    "campaigns": [{"id": "spring", "frequency_caps": [{"max": 3, "per": "day"}]}],
    "flights": [{"id": "acme", "campaign": "spring", "creatives": [{"id": "a"}, {"id": "bare"}]}],
    "creatives": [
        {"id": "a", "kind": "html", "markup": "<b>Ad</b>", "link": LINK, "adomain": ["acme.example"]},
        {"id": "bare", "kind": "html", "markup": "<b>Ad</b>"},
        {
            "id": "told",
            "kind": "html",
            "markup": "<b>Ad</b>",
            "link": "https://acme.example/?ad=${CREATIVE_ID}&of=${CAMPAIGN_ID}&page=${PAGE_URL_ENC}&no=${NOBODY_KNOWS}",
        },
    ],
}
ADS = (
    Ad("inline-1", "acme", "a", "spring", 3, "in-article"),
    Ad("inline-2", "acme", "bare", "spring", 7, "in-article"),
    Ad("top", "acme", "gone", "spring", None, "leaderboard"),
    Ad("foot", "-", "told", "-", None, "leaderboard"),
)


@dataclass(frozen=True)
class Service:
    """A running service that counts, and what looks into its store."""

    client: TestClient
    accounts: Accounts
    raw: redis.Redis

    def sign(
        self, expires_s: float = 3600, reader: Reader | None = None, serve: str = "0123456789abcdef", agent: str = ""
    ) -> Signed:
        ticket = Ticket(
            int(time.time() + expires_s), "daily", "news", "mobile", serve=serve, reader=reader, slots=3, ads=ADS
        )
        return self.accounts.books.signer.sign(ticket._replace(agent=agent))

    def counted(self) -> dict[str, int]:
        """What the store has counted once everything was sent to it."""
        wait_until(lambda: self.accounts.counter.waiting().lines == 0)
        return {str(name): int(count) for name, count in self.raw.hgetall(keys.totals(0)).items()}

    def stream(self) -> list[Mapping[str, object]]:
        wait_until(lambda: self.accounts.counter.waiting().lines == 0)
        entries: Any = self.raw.xrange(keys.stream(0))  # the client's replies are untyped
        return [json.loads(fields["e"]) for _, fields in entries]

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
    with redis.Redis.from_url(clean_store, decode_responses=True) as raw:
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
        with TestClient(app, client=LOCAL, headers=headers, follow_redirects=False) as client:
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


def test_what_does_not_hold_is_left_out_and_the_rest_is_counted(service: Service) -> None:
    service.tell(service.sign(), {"type": "view", "slot": "nowhere"}, {"type": "dance"}, VIEW)
    assert service.counted() == {"acme:v": 1}


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
    assert [str(count).partition("|")[0] for count in service.raw.hvals(keys.reader(0, "now"))] == ["1"]


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


@pytest.mark.parametrize(("agent", "counted"), [(BROWSER, "v"), (BROWSER.replace("Linux", "Windows"), "xv")])
def test_what_another_browser_tells_of_a_page_is_counted_apart(service: Service, agent: str, counted: str) -> None:
    signed = service.sign(agent=family_of(BROWSER))
    service.tell(signed, VIEW, **{"user-agent": agent})
    assert service.counted() == {f"acme:{counted}": 1}
    assert [entry.get("bad") for entry in service.stream()] == ["agent_changed" if counted == "xv" else None]


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


@pytest.mark.parametrize(("kind", "counted"), [("view", "acme:v"), ("click", "acme:c")])
def test_a_page_that_caches_keep_counts_each_of_its_readers_once(service: Service, kind: str, counted: str) -> None:
    signed = service.sign(serve="")
    for agent in (BROWSER, BROWSER, f"{BROWSER} Phone"):
        service.client.get(f"/v1/{kind}/{getattr(signed, kind)(0)}", headers={"user-agent": agent})
    assert service.counted() == {counted: 2}


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
    assert service.counted() == {"acme:c": 1, "acme:uc": 1}  # of an ad that nobody has seen


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


def test_a_link_says_what_it_is_asked_to(service: Service) -> None:
    assert led(service, service.sign().click(3)) == (302, "https://acme.example/?ad=told&of=&page=&no=")


@pytest.mark.parametrize("number", [1, 2, 4, 99])
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
    body = json.dumps(
        {"article": {"html": html}, "layout": "every-2", "output": "fragment", "unit": "visitor-42", **fields}
    )
    headers = {"content-type": "application/json", "accept": "application/json"}
    value: dict[str, object] = service.client.post("/v1/compose", content=body, headers=headers).json()
    return value


def test_a_page_is_counted_and_its_ads_can_be_seen_and_followed(service: Service) -> None:
    page = compose(service)
    slots = page["slots"]
    assert isinstance(slots, list)
    filled = [slot for slot in slots if slot["creative"] == "a"]
    link = str(page["html"]).partition("/v1/click/")[2].partition('"')[0]
    assert (len(filled), link) == (1, "")  # the markup of the ad asks for no click address
    token = str(page["script"]).partition('data-token="')[2].partition('"')[0]
    body = json.dumps({"token": token, "events": [{"type": "view", "slot": filled[0]["id"]}]})
    assert service.client.post("/v1/events", content=body).status_code == 204
    assert service.counted() == {"acme:s": len([slot for slot in slots if slot["filled"]]), "acme:v": 1}


def test_a_page_that_is_asked_for_again_is_counted_once(service: Service) -> None:
    pages = [compose(service, request_id="r-1", unit="visitor-42") for _ in range(3)]
    assert [page["slots"] for page in pages] == [pages[0]["slots"]] * 3
    served = len([slot for slot in pages[0]["slots"] if slot["filled"]])  # type: ignore[attr-defined] # a list
    assert (served > 0, service.counted()) == (True, {"acme:s": served})


def test_a_page_for_a_robot_is_counted_apart(service: Service) -> None:
    compose(service, context={"user_agent": "Mozilla/5.0 (compatible; bingbot/2.0)"})
    assert set(service.counted()) == {"acme:xs"}


# The page script.


def test_the_page_script_is_kept_for_an_hour_and_asked_for_again(service: Service) -> None:
    first = service.client.get("/adlayout.js")
    again = service.client.get("/adlayout.js", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert [first.headers[name] for name in ("cache-control", "x-content-type-options")] == [
        "public, max-age=3600",
        "nosniff",
    ]
    assert b"sendBeacon" in first.content


# Decisions for callers that render themselves.


def decide(service: Service, **fields: object) -> Response:
    asked = {"slots": [{"id": "top"}, {"id": "side"}], "unit": "visitor-42", **fields}
    return service.client.post("/v1/decide", json=asked)


def test_a_decision_tells_the_ad_its_addresses_and_why_others_do_not_run(service: Service) -> None:
    answer = decide(service, request_id="r-1", slots=[{"id": "top"}, {"id": "side"}, {"id": "foot"}])
    told = answer.json()
    shown = {id: ad and (ad["creative"], ad["flight"], ad["campaign"]) for id, ad in told["decisions"].items()}
    assert sorted(filter(None, shown.values())) == [("a", "acme", "spring"), ("bare", "acme", "spring")]
    empty = next(id for id, ad in shown.items() if ad is None)
    assert (answer.headers["x-request-id"], told["request_id"], told["degraded"], told["warnings"]) == (
        "r-1",
        "r-1",
        [],
        [],
    )
    assert told["explain"][empty] == [
        {
            "flight": "acme",
            "reason": "page_duplicate",
            "needed": "bare once on a page",
            "actual": f"it in {next(id for id, ad in shown.items() if ad and ad[0] == 'bare')}",
        }
    ]
    assert service.counted() == {"acme:s": 2}


def test_the_addresses_of_a_decision_count(service: Service) -> None:
    told = decide(service).json()
    ad = next(ad for ad in told["decisions"].values() if ad and ad["creative"] == "a")
    paths = [str(ad[name]).partition("/v1/")[2] for name in ("view_url", "click_url")]
    assert [service.client.get(f"/v1/{path}").status_code for path in paths] == [200, 302]
    ad.update(view_url="", click_url="", markup="")
    assert ad == {
        "creative": "a",
        "flight": "acme",
        "campaign": "spring",
        "house": False,
        "format": "fluid",
        "kind": "html",
        "markup": "",
        "link": LINK,
        "adomain": ["acme.example"],
        "trackers": {"view": [], "click": []},
        "click_url": "",
        "view_url": "",
    }
    assert service.counted() == {"acme:s": 2, "acme:v": 1, "acme:c": 1}


def test_an_ad_without_a_link_has_no_address_to_click(service: Service) -> None:
    ads = decide(service).json()["decisions"].values()
    assert {ad["creative"]: (ad["link"] is None, ad["click_url"] is None) for ad in ads} == {
        "a": (False, False),
        "bare": (True, True),
    }


def test_a_decision_that_is_asked_for_again_is_the_same_and_counted_once(service: Service) -> None:
    told = [decide(service, request_id="r-1").json()["decisions"] for _ in range(2)]
    creatives = [{id: ad["creative"] for id, ad in decisions.items()} for decisions in told]
    assert (creatives[0] == creatives[1], service.counted()) == (True, {"acme:s": 2})


@pytest.mark.parametrize(("body", "status"), [(b"{}", 422), (b"nope", 400)])
def test_a_question_without_slots_is_refused(service: Service, body: bytes, status: int) -> None:
    headers = {"content-type": "application/json"}
    assert service.client.post("/v1/decide", content=body, headers=headers).status_code == status


def test_an_ad_is_told_as_its_kind_has_it(service: Service) -> None:
    rows = parse_inventory(
        {
            "creatives": [
                {
                    "id": "i",
                    "kind": "image",
                    "house": True,
                    "slot_types": ["i"],
                    "image": {"src": "/a.jpg", "w": 9, "h": 8},
                },
                {
                    "id": "n",
                    "kind": "native",
                    "house": True,
                    "slot_types": ["n"],
                    "fields": {"title": "T", "image": "/b.jpg"},
                },
            ]
        }
    )
    for id, text in rows.creatives.items():
        service.raw.hset(keys.CREATIVES, id, text)
    service.raw.incr(keys.REVISION)
    slots = [{"id": name, "type": name, "formats": ["9x8", "fluid"]} for name in ("i", "n")]

    def decided() -> dict[str, dict[str, object] | None]:
        told: dict[str, dict[str, object] | None] = decide(service, slots=slots).json()["decisions"]
        return told

    wait_until(lambda: [ad and ad["creative"] for ad in decided().values()] == ["i", "n"])
    image, native = decided().values()
    assert image is not None
    assert native is not None
    assert (image["kind"], image["image"], image["house"]) == (
        "image",
        {"src": "/a.jpg", "alt": "", "w": 9, "h": 8},
        True,
    )
    assert (native["kind"], native["template"], native["fields"]) == (
        "native",
        "card",
        {
            "title": "T",
            "body": "",
            "cta": "",
            "sponsor": "",
            "image": {"src": "/b.jpg", "alt": "", "w": None, "h": None},
        },
    )


def test_decisions_are_for_a_cms(service: Service) -> None:
    remote = TestClient(service.client.app, client=READERS)
    assert remote.post("/v1/decide", json={"slots": [{"id": "top"}]}).status_code == 401
