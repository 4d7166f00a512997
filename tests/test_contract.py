"""The contract as a CMS meets it, in tables: what is sent, and the whole of what has to come back."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from adlayout.assemble import Edition, assemble
from adlayout.cli.main import main
from adlayout.decision.inventory import read_inventory
from adlayout.upkeep import Shelf, Stock
from adlayout.web.app import create_app

CONFIG = Path(__file__).parents[1] / "config"
HTML = {"content-type": "text/html"}
JSON = {"content-type": "application/json", "accept": "application/json"}
LOCAL = ("127.0.0.1", 50_000)
ARTICLE = "<h1>On the hill</h1>\n" + "\n".join(f"<p>Paragraph {n} says a little.</p>" for n in range(1, 7))
SHORT = "<p>One.</p><p>Two.</p>"
ASIDE = re.compile('<aside class="adl-slot".*?</aside>', re.DOTALL)

# Layouts and sites beside the shipped ones: slots that nobody fills, and rules that choose.
HOLD = """
version: 1
name: hold
inline:
  first: 1 paragraph
  every: 1 paragraph
  end_guard: 0 paragraphs
  reserve: none
  slots:
    - {type: nobody, formats: [1x1], on_empty: hold}
    - {type: nobody, formats: [1x1]}
page_slots:
  leaderboard: {formats: [1x1], on_empty: hold}
"""
SETTINGS = """
version: 1
sites:
  default: {name: Daily}
  ruled:
    name: Ruled
    layouts:
      - {when: {section: [World, sport], device: [desktop]}, layout: hold}
      - {when: {tags: [long-read]}, layout: article}
      - {when: {section: [world]}, layout: article}
  quiet: {name: Quiet, ads: false, cache_max_age_s: 0}
"""


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Edition:
    directory = Path(shutil.copytree(CONFIG, tmp_path_factory.mktemp("contract") / "config"))
    (directory / "layouts" / "hold.yaml").write_text(HOLD, "utf-8")
    (directory / "adlayout.yaml").write_text(SETTINGS, "utf-8")
    return assemble(directory, {})


def worker(edition: Edition) -> TestClient:
    """A worker of its own, with the ads of the sample inventory."""
    inventory, _ = read_inventory(edition.house_rows)
    prepared = {id: edition.prepare(creative) for id, creative in inventory.creatives.items()}
    return TestClient(create_app(edition, Shelf(Stock(inventory, prepared, 1)), None), client=LOCAL)


@pytest.fixture(scope="module")
def client(edition: Edition) -> Iterator[TestClient]:
    with worker(edition) as local:
        yield local


def ask(client: TestClient, fields: Mapping[str, object], path: str = "/v1/compose") -> Response:
    """The JSON form; the article is ARTICLE where the fields bring none."""
    beside = fields.get("article", {})
    assert isinstance(beside, dict)
    return client.post(path, content=json.dumps({**fields, "article": {"html": ARTICLE} | beside}), headers=JSON)


def send(client: TestClient, body: str | bytes, query: str = "", **headers: str) -> Response:
    """The HTML form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/v1/compose?{query}", content=body, headers=HTML | named)


def cut(answer: Response) -> str:
    """The stretch of the article with the inline spans cut out of it."""
    page = answer.json()
    html, end = page["html"], page["article_end"]
    spans = [(each["output_start"], each["output_end"]) for each in page["slots"] if each["gap"] is not None]
    for first, last in sorted((span for span in spans if span[0] is not None), reverse=True):
        assert page["article_start"] <= first < last <= end
        html, end = html[:first] + html[last:], end - (last - first)
    return str(html[page["article_start"] : end])


def warned(answer: Response) -> tuple[int, list[str]]:
    """The status, and the warnings of the header."""
    return answer.status_code, [each for each in answer.headers.get("adlayout-warnings", "").split(", ") if each]


# What is wrong with a field costs the field.


@pytest.mark.parametrize(
    ("header", "value", "warnings"),
    [
        ("adlayout-unit", "visitor-42", []),
        ("adlayout-unit", "", []),
        ("adlayout-consent-gdpr", "1", []),
        ("adlayout-consent-gdpr", "2", ["malformed_field:consent.gdpr"]),
        ("adlayout-consent-tcf", "CPc7TgA", []),
        ("adlayout-consent-gpp", "DBAA", []),
        ("adlayout-consent-gpp-sid", "2", []),
        ("adlayout-consent-gpp-sid", "2, 6", []),
        ("adlayout-consent-gpp-sid", "", []),
        ("adlayout-consent-gpp-sid", "two", ["malformed_field:consent.gpp_sid"]),
        ("adlayout-consent-gpc", "true", []),
        ("adlayout-consent-gpc", "yes", ["malformed_field:consent.gpc"]),
        ("adlayout-consent-coppa", "0", []),
    ],
)
def test_the_reader_may_be_told_in_headers(client: TestClient, header: str, value: str, warnings: list[str]) -> None:
    assert warned(send(client, SHORT, **{header: value})) == (200, warnings)


def test_malformed_headers_are_named_in_one_order(client: TestClient) -> None:
    headers = {f"adlayout-consent-{name}": "?" for name in ("coppa", "gpc", "gdpr", "gpp-sid")}
    assert warned(send(client, SHORT, **headers)) == (
        200,
        [f"malformed_field:consent.{name}" for name in ("gdpr", "gpp_sid", "gpc", "coppa")],
    )


@pytest.mark.parametrize(
    ("query", "warnings"),
    [
        ("tags=a&tags=b&context.keywords=c&context.attributes.plan=free", []),
        ("article.section=world&article.tags=a", []),
        ("consent.gpp_sid=2&consent.gpp_sid=6", []),
        ("consent.gpp_sid=2,6", []),
        ("consent.gpp_sid=2;6", ["malformed_field:consent.gpp_sid"]),
        ("consent.gdpr=true&consent.gpc=0&timeout_ms=250", []),
        ("site=&layout=&tags=&timeout_ms=&consent.gpp_sid=&context=", []),
        ("&&", []),
        ("timeout_ms=%2B250", ["malformed_field:timeout_ms"]),
        ("device=Mobile&device=mobile", []),
        ("context=x&article=y", ["malformed_field:context", "malformed_field:article"]),
        ("colour=", ["unknown_field:colour"]),
        ("colour", ["unknown_field:colour"]),
        ("%E2%98%83=1&a%2Cb=1", ["unknown_field:%E2%98%83", "unknown_field:a%2Cb"]),
        ("b%0d%0aX-Evil:1=2", ["unknown_field:b%0D%0AX-Evil:1"]),
        ("seed=%ff%ed%a0%80", []),
    ],
)
def test_what_the_query_says_is_read_or_named(client: TestClient, query: str, warnings: list[str]) -> None:
    assert warned(send(client, SHORT, query)) == (200, warnings)


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({"article": {"colour": None}}, ["unknown_field:article.colour"]),
        ({"colour": ""}, ["unknown_field:colour"]),
        ({"context": None, "consent": "", "site": None}, []),
        ({"context": "KZ", "consent": [1]}, ["malformed_field:context", "malformed_field:consent"]),
        ({"context": {"country": {"a": [1]}}}, ["malformed_field:context.country"]),
        ({"article": {"tags": ["a", None]}}, ["malformed_field:article.tags"]),
        ({"consent": {"gpp_sid": [2, "6"]}}, ["malformed_field:consent.gpp_sid"]),
        ({"consent": {"gpp_sid": [True]}}, ["malformed_field:consent.gpp_sid"]),
        ({"consent": {"gdpr": 1.0}}, ["malformed_field:consent.gdpr"]),
        ({"timeout_ms": 1e308, "seed": 10**30}, ["malformed_field:timeout_ms", "malformed_field:seed"]),
        ({"unit": "x" * 100_000, "context": {"attributes": {"a": [{"b": [1]}]}}}, []),
        ({"output": "book", "device": ["mobile"]}, ["malformed_field:output", "malformed_field:device"]),
    ],
)
def test_what_a_json_request_says_is_read_or_named(
    client: TestClient, fields: Mapping[str, object], warnings: list[str]
) -> None:
    answer = ask(client, fields)
    assert (warned(answer), answer.json()["warnings"], cut(answer)) == ((200, warnings), warnings, ARTICLE)


@pytest.mark.parametrize(
    ("field", "warning"),
    [
        ('"colour": %s', "unknown_field:colour"),
        ('"context": {"country": %s}', "malformed_field:context.country"),
        ('"unit": "]", "seed": %s', "malformed_field:seed"),
    ],
)
@pytest.mark.parametrize("brackets", ["[ ]", '{"a": }', '["]}",{"a\\"[":[ ]}]'])
@pytest.mark.parametrize("depth", [100, 100_000])
def test_a_field_however_deep_costs_the_field_only(
    client: TestClient, field: str, warning: str, brackets: str, depth: int
) -> None:
    opening, closing = brackets.split()
    value = opening * depth + "1" + closing * depth
    answer = client.post("/v1/compose", content=f'{{{field % value}, "article": {{"html": "<p>[x"}}}}', headers=JSON)
    assert (warned(answer), cut(answer)) == ((200, [warning]), "<p>[x")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", {"detail": "the body is not JSON: Expecting value: line 1 column 1 (char 0)"}),
        (b'{"article": ' + b'[{"a":' * 100_000, {"detail": "the body is not JSON: "}),
        (b'{"article": ' + b"[" * 100_000 + b'"\\', {"detail": "the body is not JSON: "}),
        (
            b'{"article": {"html": "\xe9"}}',
            {"detail": "the body is not JSON: it has to be UTF-8, and byte 22 of it is not (0xe9)"},
        ),
        (
            b'{"html": "<p>x"}',
            {
                "detail": "the request holds no article",
                "errors": [
                    {"at": "article.html", "message": 'expected a text, as in {"article": {"html": "<p>Hello</p>"}}'}
                ],
            },
        ),
    ],
)
def test_without_an_article_the_problem_says_why(client: TestClient, body: bytes, problem: dict[str, object]) -> None:
    answer = client.post("/v1/compose", content=body, headers=JSON)
    told = answer.json()
    head = {"type": "urn:adlayout:problem:not-an-article", "title": "No article in the request", "status": 400}
    told["detail"] = told["detail"][: len(str(problem["detail"]))]
    assert (answer.status_code, told) == (400, head | problem)


def test_a_plan_says_which_field_was_probably_meant(client: TestClient) -> None:
    fields = {"layuot": "x", "tags": ["a"], "userAgent": "x", "colour": 1, "contxt": {}, "x" * 100: 1, "layout": 5}
    answer = ask(client, {"article": {"lang": "en", "haedline": "x"}} | fields, "/v1/plan")
    assert answer.status_code == 422
    assert {each["at"]: each["message"] for each in answer.json()["errors"]} == {
        "article.lang": 'there is no such field, did you mean "article.language"?',
        "article.haedline": 'there is no such field, did you mean "article.headline"?',
        "layuot": 'there is no such field, did you mean "layout"?',
        "tags": 'there is no such field, did you mean "article.tags"?',
        "userAgent": 'there is no such field, did you mean "context.user_agent"?',
        "colour": "there is no such field",
        "contxt": 'there is no such field, did you mean "context"?',
        "x" * 100: "there is no such field",
        "layout": "expected the name of a layout, or for a plan a layout as an object",
    }


@pytest.mark.parametrize(
    ("asked", "status", "allow", "hint"),
    [
        ("GET /v1/compose", 405, "POST", "this address takes POST"),
        ("OPTIONS /v1/compose", 405, "POST", "this address takes POST"),
        ("PUT /v1/plan", 405, "POST", "this address takes POST"),
        ("POST /healthz", 405, "GET, HEAD", "this address takes GET, HEAD"),
        ("DELETE /readyz", 405, "GET, HEAD", "this address takes GET, HEAD"),
        ("POST /v1", 404, None, "there is no such address; GET / lists those there are"),
        ("GET /preview", 404, None, "there is no sample ''; there are: none"),
    ],
)
def test_other_methods_and_addresses_are_told_what_there_is(
    client: TestClient, asked: str, status: int, allow: str | None, hint: str
) -> None:
    answer = client.request(*asked.split())
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{asked}: {hint}",
    }


def test_a_head_has_no_body(client: TestClient) -> None:
    answer = client.head("/v1/compose")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize(
    ("fields", "device", "warnings"),
    [
        ({}, "mobile", []),
        ({"device": "desktop"}, "desktop", []),
        ({"device": "Desktop"}, "mobile", ["malformed_field:device"]),
        ({"context": {"user_agent": "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/125"}}, "desktop", []),
        ({"context": {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}, "device": "tablet"}, "tablet", []),
        (
            {"context": {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}, "device": "watch"},
            "desktop",
            ["malformed_field:device"],
        ),
        ({"context": {"user_agent": "Mozilla/5.0 (Android 14; Tablet; rv:126.0) Firefox/126.0"}}, "tablet", []),
        ({"context": {"user_agent": "Mozilla/5.0 (Linux; Android 9; KFTT) Silk/108 Mobile Safari"}}, "tablet", []),
        (
            {"context": {"user_agent": "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Tablet PC 2.0)"}},
            "desktop",
            [],
        ),
        ({"context": {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}}, "mobile", []),
    ],
)
def test_the_device_is_what_is_said_else_what_the_browser_says(
    client: TestClient, fields: Mapping[str, object], device: str, warnings: list[str]
) -> None:
    page = ask(client, fields).json()
    assert (page["device"], page["warnings"]) == (device, warnings)


# The command line.

PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())")
ADS = """
campaigns: [{id: c, advertiser: Acme}]
flights: [{id: f, campaign: c, creatives: [{id: a}]}]
creatives: [{id: a, kind: html, markup: <p>Tea</p>}]
"""
Said = pytest.CaptureFixture[str]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a config, an article and ads, and nothing that the machine says."""
    shutil.copytree(CONFIG, tmp_path / "config")
    (tmp_path / "article.html").write_text(ARTICLE, "utf-8")
    (tmp_path / "ads.yaml").write_text(ADS, "utf-8")
    for name in ("HOST", "PORT", "REDIS_URL", "CMS_TOKEN"):
        monkeypatch.delenv(f"ADLAYOUT_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command", ["inventory load", "inventory export", "inventory show", "config", "config print", "compose", "explain"]
)
def test_every_verb_has_help_with_an_example(command: str, capsys: Said) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    assert f"adlayout {command}" in capsys.readouterr().out.split("example", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ("compose article.html --device watch", "--device: invalid choice: 'watch' (choose from "),
        ("compose article.html --output esi", "--output: invalid choice: 'esi' (choose from "),
        ("explain article.html --device watch", "--device: invalid choice: 'watch' (choose from "),
    ],
)
def test_a_choice_that_is_none_is_told_what_there_is(arguments: str, wrong: str, capsys: Said) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments.split())
    told = capsys.readouterr()
    assert (told.out, f"error: argument {wrong}" in told.err, "Device" in told.err) == ("", True, False)


def test_the_whole_answer_goes_to_the_file_that_is_named(desk: Path, capsys: Said) -> None:
    assert main(["compose", "article.html", "--json"]) == 0
    printed = capsys.readouterr().out
    assert main(["compose", "article.html", "--json", "-o", "answer.json"]) == 0
    assert (capsys.readouterr().out, (desk / "answer.json").read_text("utf-8")) == ("", printed)


@pytest.mark.parametrize("command", ["compose", "explain"])
def test_standard_input_is_an_article_too(
    command: str, desk: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([command, "article.html", "--json"]) == 0
    of_file = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ARTICLE.encode())))
    assert main([command, "-", "--json"]) == 0
    assert capsys.readouterr().out == of_file


def test_what_a_load_changed_is_there_for_programs(desk: Path, clean_store: str, capsys: Said) -> None:
    assert main(["inventory", "load", "ads.yaml", "--redis-url", clean_store, "--json"]) == 0
    one = {"rows": 1, "added": 1, "changed": 0, "removed": 0}
    assert json.loads(capsys.readouterr().out) == {
        "revision": 1,
        "campaigns": one,
        "flights": one,
        "creatives": one,
    }


@pytest.mark.parametrize(
    ("option", "value", "wrong"),
    [
        ("--port", "abc", 'server.port: expected a whole number (got "abc")'),
        ("--workers", "0", "server.workers: expected at least 1 (got 0)"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_of_the_option(desk: Path, option: str, value: str, wrong: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "serve", option, value],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CONFIG.parent)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error {option}: {wrong}\n")


class Alive(BaseHTTPRequestHandler):
    """A service that lives."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_the_service_is_asked_where_it_listens(desk: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.2", 0), Alive) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("ADLAYOUT_HOST", "127.0.0.2")
        code = main(["healthcheck", "--port", str(server.server_port)])
        server.shutdown()
        thread.join()
    assert (code, capsys.readouterr().out) == (0, f"http://127.0.0.2:{server.server_port}/healthz: ok\n")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),  # noqa: S104 - what a container says
        ("::", "http://127.0.0.1:1"),
    ],
)
def test_a_service_that_is_away_is_told_by_its_address(
    host: str, url: str, desk: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAYOUT_HOST", host)
    monkeypatch.setenv("ADLAYOUT_PUBLIC_URL", "https://ads.example.com")
    assert main(["healthcheck", "--port", "1"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.partition("/healthz: ")[0]) == ("", f"error {url}")


def test_a_service_that_is_away_is_told_without_the_words_of_a_library(desk: Path, capsys: Said) -> None:
    assert main(["healthcheck", "--port", "1"]) == 1
    assert capsys.readouterr() == ("", "error http://127.0.0.1:1/healthz: connection refused\n")
