"""The contract over HTTP: statuses, both forms of request and answer, who is let in, and the article in every 200."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from adlayout import __version__
from adlayout.assemble import Edition, assemble
from adlayout.store import keys
from adlayout.store.client import Store
from adlayout.upkeep import Shelf
from adlayout.web.app import create_app
from adlayout.web.background import stop
from adlayout.web.routes import Doors

CONFIG = Path(__file__).parent.parent / "config"
ARTICLE = "<h1>On the hill</h1>\n" + "\n".join(
    f"<p>Paragraph {n} says a little more than it must.</p>" for n in range(9)
)
HTML = {"content-type": "text/html"}
AS_JSON = {"accept": "application/json"}
LOCAL = ("127.0.0.1", 50_000)


@pytest.fixture(scope="module")
def edition() -> Edition:
    return assemble(CONFIG, {})


@pytest.fixture(scope="module")
def client(edition: Edition) -> Iterator[TestClient]:
    with TestClient(create_app(edition, Shelf(), None, samples=CONFIG / "samples"), client=LOCAL) as local:
        yield local


def compose(client: TestClient, body: str | bytes, query: str = "", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/v1/compose{query}", content=body, headers=HTML | named)


def without_ads(answer: dict[str, object]) -> str:
    """The stretch of the article with its inline spans cut out."""
    html, start, end = str(answer["html"]), answer["article_start"], answer["article_end"]
    slots = answer["slots"]
    assert isinstance(slots, list)
    assert isinstance(start, int)
    assert isinstance(end, int)
    spans = [(each["output_start"], each["output_end"]) for each in slots if each["gap"] is not None]
    for first, last in sorted((span for span in spans if span[0] is not None), reverse=True):
        html, end = html[:first] + html[last:], end - (last - first)
    return html[start:end]


def problem(answer: Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    value: dict[str, object] = answer.json()
    assert value["status"] == answer.status_code
    return value


def test_the_answer_is_a_page_around_the_article(client: TestClient) -> None:
    answer = compose(client, "<p>Only one.</p>")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<p>Only one.</p>" in answer.text
    assert answer.text.startswith("<!")


def test_a_fragment_without_room_for_an_ad_is_the_article(client: TestClient) -> None:
    assert compose(client, "<p>Only one.", "?output=fragment").content == b"<p>Only one."


@pytest.mark.parametrize("output", ["page", "fragment"])
def test_without_its_ads_the_article_is_what_was_sent(client: TestClient, output: str) -> None:
    answer = compose(client, ARTICLE, f"?output={output}", **AS_JSON).json()
    assert without_ads(answer) == ARTICLE
    assert answer["output"] == output


def test_the_json_form_of_a_request_says_the_same(client: TestClient) -> None:
    request = {"article": {"html": ARTICLE}, "output": "fragment", "request_id": "r-1"}
    answer = client.post("/v1/compose", json=request).content
    assert answer == compose(client, ARTICLE, "?output=fragment&request_id=r-1").content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(html=st.text(alphabet=st.characters(codec=None)))
def test_any_text_in_json_is_answered_with_itself(client: TestClient, html: str) -> None:
    body = json.dumps({"article": {"html": html}, "output": "fragment"})
    answer = client.post("/v1/compose", content=body, headers=AS_JSON | {"content-type": "application/json"})
    assert answer.status_code == 200
    assert without_ads(answer.json()) == json.loads(body)["article"]["html"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(body=st.binary())
def test_any_bytes_are_answered_with_themselves(client: TestClient, body: bytes) -> None:
    answer = compose(client, b"<p>" + body, "?output=fragment")
    assert (answer.status_code, answer.content) == (200, b"<p>" + body)


def test_a_page_is_answered_in_the_charset_of_its_request(client: TestClient) -> None:
    source = "<p>Щит и меч \x98</p>".encode("cp1251", "replace") + b"\x98"
    answer = client.post("/v1/compose", content=source, headers={"content-type": "text/html; charset=windows-1251"})
    assert answer.headers["content-type"] == "text/html; charset=windows-1251"
    assert source in answer.content


def test_every_answer_carries_the_id_of_its_request(client: TestClient) -> None:
    assert compose(client, "<p>x", x_request_id="r-7").headers["x-request-id"] == "r-7"


def test_what_is_wrong_with_a_field_never_costs_the_article(client: TestClient) -> None:
    answer = compose(client, "<p>x", "?timeout_ms=soon&colour=red&output=esi")
    assert (answer.status_code, answer.headers["adlayout-warnings"]) == (
        200,
        "malformed_field:timeout_ms, unknown_field:colour, unsupported_value:output",
    )


@pytest.mark.parametrize(("field", "reason"), [("layout", "unknown_layout"), ("site", "unknown_site")])
def test_an_unknown_name_falls_back_to_the_default(client: TestClient, field: str, reason: str) -> None:
    answer = compose(client, "<p>x", f"?{field}=nowhere")
    assert (answer.status_code, answer.headers["adlayout-degraded"]) == (200, reason)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_failure_of_our_own_costs_the_ads_and_not_the_article(edition: Edition, accept: str) -> None:
    doors = Doors(edition, None, Shelf(), None)  # type: ignore[arg-type] # a composer that fails at once
    answer = compose(TestClient(Starlette(routes=doors.routes()), client=LOCAL), ARTICLE, accept=accept)
    assert (answer.status_code, answer.headers["adlayout-degraded"]) == (200, "verify")
    assert (answer.json()["html"] if accept == "application/json" else answer.text) == ARTICLE


@pytest.mark.parametrize("body", [b"nope", b"{}", b'{"article": {"html": 1}}'])
def test_a_request_without_an_article_is_a_400(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/compose", content=body, headers={"content-type": "application/json"})
    assert problem(answer)["status"] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/html; charset=utf-16"},
        {"content-type": "image/png"},
        {"content-type": "text/html", "content-encoding": "gzip"},
    ],
)
def test_a_body_that_is_not_taken_is_a_415(client: TestClient, headers: dict[str, str]) -> None:
    assert problem(client.post("/v1/compose", content=b"x", headers=headers))["status"] == 415


def test_a_body_over_the_limit_is_a_413_however_it_is_framed(client: TestClient, edition: Edition) -> None:
    over = b"x" * (edition.settings.server.max_body_bytes + 1)
    whole = client.post("/v1/compose", content=over, headers=HTML)
    chunked = client.post("/v1/compose", content=iter([over[:-1], over[-1:]]), headers=HTML)
    assert problem(whole) == problem(chunked)
    assert (whole.status_code, whole.headers["connection"]) == (413, "close")


def test_other_methods_are_a_405_that_says_which_are_allowed(client: TestClient) -> None:
    answer = client.get("/v1/compose")
    assert (problem(answer)["status"], answer.headers["allow"]) == (405, "POST")


def test_other_paths_are_a_404(client: TestClient) -> None:
    assert problem(client.get("/v1/nothing"))["title"] == "Not Found"


@pytest.mark.parametrize("path", ["/v1/compose", "/v1/plan"])
def test_without_a_token_other_machines_are_refused(edition: Edition, path: str) -> None:
    remote = TestClient(create_app(edition, Shelf(), None), client=("192.0.2.1", 1))
    answer = remote.post(path, content="<p>x", headers=HTML)
    assert (problem(answer)["status"], answer.headers["www-authenticate"]) == (401, 'Bearer realm="adlayout"')


def test_the_token_lets_other_machines_in() -> None:
    edition = assemble(CONFIG, {"ADLAYOUT_CMS_TOKEN": "secret"})
    remote = TestClient(create_app(edition, Shelf(), None), client=("192.0.2.1", 1))
    assert compose(remote, "<p>x").status_code == 401
    assert compose(remote, "<p>x", authorization="Bearer secret").status_code == 200


# Plans.


def test_a_plan_says_where_the_ads_would_stand(client: TestClient) -> None:
    answer = client.post("/v1/plan", content=ARTICLE, headers=HTML)
    plan = answer.json()
    assert (answer.status_code, set(plan)) == (
        200,
        {"layout", "device", "totals", "blocks", "gaps", "slots", "dropped", "warnings", "html"},
    )
    assert len(plan["gaps"]) == len(plan["blocks"]) + 1


def test_a_plan_names_everything_that_is_wrong_with_the_question(client: TestClient) -> None:
    request = {"article": {"html": ""}, "colour": "red", "timeout_ms": "soon"}
    answer = client.post("/v1/plan", json=request)
    assert answer.status_code == 422
    assert problem(answer)["errors"] == [
        {"at": "colour", "message": "there is no such field"},
        {"at": "timeout_ms", "message": "expected a whole number above 0"},
    ]


def test_a_plan_with_an_unknown_layout_is_a_404(client: TestClient) -> None:
    assert problem(client.post("/v1/plan?layout=nowhere", content=ARTICLE, headers=HTML))["status"] == 404


def test_a_plan_may_bring_its_own_layout(client: TestClient) -> None:
    request = {"article": {"html": ARTICLE}, "layout": {"inline": {"every": "2 paragraphs"}}}
    answer = client.post("/v1/plan", json=request)
    assert (answer.status_code, bool(answer.json()["slots"])) == (200, True)


def test_a_plan_with_a_bad_layout_of_its_own_is_a_422(client: TestClient) -> None:
    request = {"article": {"html": ARTICLE}, "layout": {"inlin": {}}}
    assert problem(client.post("/v1/plan", json=request))["status"] == 422


# For those who run it.


def test_healthz_tells_the_version(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "version": __version__}


def test_readyz_is_ready_once_started(client: TestClient) -> None:
    assert client.get("/readyz").json() == {
        "status": "ready",
        "version": __version__,
        "worker": os.getpid(),
        "store": "none",
        "revision": None,
        "bad_rows": 0,
        "counting": None,
        "problem": None,
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_ask_without_a_body(client: TestClient, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_readyz_is_503_before_the_start_and_after_the_end(edition: Edition) -> None:
    app = create_app(edition, Shelf(), None)
    assert TestClient(app).get("/readyz").status_code == 503
    with TestClient(app) as running:
        assert running.get("/readyz").status_code == 200
    assert TestClient(app).get("/readyz").json()["status"] == "draining"


NATIVE = {"id": "card", "kind": "native", "fields": {"title": "t"}, "formats": ["fluid"], "house": True}


def test_an_upkeep_that_fails_by_our_own_fault_is_told_and_begun_again(edition: Edition, clean_store: str) -> None:
    """Without templates the upkeep ends at the first native creative; without that creative it holds."""
    broken = replace(edition, templates=None)  # type: ignore[arg-type] # the fault
    with redis.Redis.from_url(clean_store) as raw:
        raw.hset(keys.CREATIVES, "card", json.dumps(NATIVE))
        with TestClient(create_app(broken, Shelf(), Store(clean_store)), client=LOCAL) as client:
            assert client.get("/readyz").json()["store"] == "degraded"
            assert compose(client, ARTICLE, "?output=fragment").headers["adlayout-degraded"] == "stale_inventory"
            raw.delete(keys.CREATIVES)
            wait_until(lambda: client.get("/readyz").json()["store"] == "ok")


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.01)


def test_an_upkeep_that_misses_its_end_is_told_again() -> None:
    """A call that gives up at that very moment takes the cancellation for its own timeout."""
    heard: list[str] = []

    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        heard.append("once")
        await asyncio.sleep(60)

    async def stopped() -> bool:
        stocking = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await stop([stocking])
        return stocking.cancelled()

    assert (asyncio.run(stopped()), heard) == (True, ["once"])


def test_the_first_page_links_a_preview_that_works(client: TestClient) -> None:
    page = client.get("/").text
    link = page.split('<a href="')[1].split('"')[0].replace("&amp;", "&")
    assert client.get(link).status_code == 200


@pytest.mark.parametrize(
    ("agent", "query", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36", "", "desktop"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148", "", "mobile"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36", "&device=tablet", "tablet"),
    ],
)
def test_a_preview_is_for_the_browser_that_looks(client: TestClient, agent: str, query: str, device: str) -> None:
    answer = client.get(f"/preview?sample=news{query}", headers={"user-agent": agent})
    assert answer.headers["adlayout-cache-key"].endswith(f"device={device}")


def test_the_first_page_says_what_each_route_is_for(client: TestClient) -> None:
    first = client.get("/").text
    assert "<dt><code>POST /v1/compose</code><dd>The composed page." in first
    assert "<dt><code>DELETE, GET, PUT /v1/flights/{id}</code><dd>One row: read, written whole, or removed." in first
    assert first.count("<dt>") == len(set(re.findall("<dt>.*", first))) == 25


def test_a_preview_of_nothing_says_what_there_is(client: TestClient) -> None:
    assert "there are:" in str(problem(client.get("/preview?sample=../adlayout"))["detail"])


def test_previews_are_for_this_machine(edition: Edition) -> None:
    remote = TestClient(create_app(edition, Shelf(), None), client=("192.0.2.1", 1))
    assert remote.get("/preview").status_code == 401
    assert "/preview?" not in remote.get("/").text


def test_a_failure_where_there_is_no_article_is_a_500_without_a_word_about_our_insides(
    edition: Edition, tmp_path: Path
) -> None:
    (tmp_path / "gone.html").symlink_to(tmp_path / "nowhere")
    app = create_app(edition, Shelf(), None, samples=tmp_path)
    answer = TestClient(app, client=LOCAL, raise_server_exceptions=False).get(
        "/preview?sample=gone", headers={"x-request-id": "r-1"}
    )
    assert (problem(answer), answer.headers["x-request-id"]) == (
        {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "the request failed; the reason is in the log of the service",
        },
        "r-1",
    )
