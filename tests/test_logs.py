"""The log: which events and requests get a line, what stands in it, and what never does."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from adlayout.assemble import assemble
from adlayout.model import Degraded, Device, Empty, Filled, Output, Page, Slot, SlotStyle, Unfilled
from adlayout.telemetry.lines import Lines
from adlayout.telemetry.logs import Bridge, Level, Log, Requests, failure, to_stream
from adlayout.upkeep import Shelf
from adlayout.web.app import create_app

ROOT = Path(__file__).parent.parent
LAYOUTS = sorted(path.stem for path in (ROOT / "config" / "layouts").glob("*.yaml"))
PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())")
QUOTE = "the-mayor-resigned"
HTML = {"content-type": "text/html"}
NOON = datetime(2026, 11, 24, 12, 0, 0, 123_000, tzinfo=UTC)
SLOT = Slot("top", SlotStyle("top", ("728x90",)))
PAGE = Page(
    pieces=(),
    article_from=0,
    article_to=0,
    decisions=(Filled(SLOT, "c", "f", "k", False, "728x90"), Empty(SLOT, Unfilled.NO_CANDIDATE)),
    output=Output.PAGE,
    site="default",
    layout="every-2",
    device=Device.MOBILE,
    warnings=("unknown_field:colour",),
    timings_ms=(("place", 3.0186), ("decide", 0.4),),
    cached=True,
)  # fmt: skip
BARE = Page((), 0, 0, (), Output.FRAGMENT, "default", "every-2", Device.MOBILE)
FEWER = Page((), 0, 0, (), Output.FRAGMENT, "default", "every-2", Device.MOBILE, degraded=(Degraded.STORE_TIMEOUT,))


class Written:
    """A log whose lines are kept."""

    def __init__(self, level: Level = "info", *, text: bool = False, requests: Requests = "slow") -> None:
        self._stream = io.StringIO()
        self.log = Log(Lines(self._stream), level=level, text=text, requests=requests, now=lambda: NOON)

    def lines(self) -> list[str]:
        """What was written so far."""
        self.log.flush()
        return self._stream.getvalue().splitlines()

    def told(self) -> list[dict[str, Any]]:
        """The same, as values."""
        return [json.loads(line) for line in self.lines()]


# Events.


def test_an_event_is_one_object_a_line() -> None:
    written = Written()
    written.log("bad_row", kind="flight", id="acme\n", message="é")
    assert written.lines() == [
        '{"ts":"2026-11-24T12:00:00.123Z","level":"warning","event":"bad_row",'
        '"kind":"flight","id":"acme\\n","message":"\\u00e9"}'
    ]


def test_for_people_an_event_is_a_line_of_text_that_no_terminal_obeys() -> None:
    written = Written(text=True)
    written.log("store_back", store="unix:///run/x", took=["a", "b c"], none=[], id="é\x9b2J", code="\x1b[31m")
    assert written.lines() == [
        '12:00:00 info    store_back store=unix:///run/x took=a,"b c" none=- id="\\u00e9\\u009b2J" code="\\u001b[31m"'
    ]


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_told(level: Level, told: list[str]) -> None:
    written = Written(level)
    written.log("one", level="debug")
    written.log("ready")
    written.log("store_timeout")
    written.log("compose_failed")
    assert [line["level"] for line in written.told()] == told


def test_a_text_of_any_length_is_cut() -> None:
    written = Written()
    written.log("bad_row", message="x" * 10_000)
    assert written.told()[0]["message"] == "x" * 500


@pytest.mark.parametrize(("form", "begins"), [("auto", "{"), ("json", "{"), ("text", "1")])
def test_the_form_is_that_of_the_settings(form: Any, begins: str) -> None:
    stream = io.StringIO()
    log = to_stream(stream, level="info", form=form, requests="off")
    log("ready")
    log.flush()
    assert stream.getvalue()[:1].replace("0", "1").replace("2", "1") == begins


class Terminal(io.StringIO):
    """A stream at which a person looks."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_form_is_text_unless_json_is_asked_for() -> None:
    terminals = [Terminal(), Terminal()]
    logs = [
        to_stream(terminals[0], level="info", form="auto", requests="off"),
        to_stream(terminals[1], level="info", form="json", requests="off"),
    ]
    for log in logs:
        log("ready")
        log.flush()
    assert [terminal.getvalue()[0] == "{" for terminal in terminals] == [False, True]


# Requests.


def test_a_request_is_told_with_its_counts() -> None:
    written = Written(requests="all")
    written.log.answered(4.3149, 200, PAGE, {"request_id": "r-1", "route": "/v1/compose", "method": "POST"})
    assert written.told() == [
        {
            "ts": "2026-11-24T12:00:00.123Z",
            "level": "info",
            "event": "request",
            "request_id": "r-1",
            "route": "/v1/compose",
            "method": "POST",
            "status": 200,
            "ms": 4.31,
            "site": "default",
            "layout": "every-2",
            "device": "mobile",
            "output": "page",
            "filled": 1,
            "slots": 2,
            "degraded": [],
            "warnings": 1,
            "cached": True,
            "place_ms": 3.02,
            "decide_ms": 0.4,
        }
    ]


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ("all", [1, 99.9, 100.1, 2, 3, 4]),
        ("slow", [1, 100.1, 2, 3, 4]),
        ("off", []),
    ],
)
def test_requests_get_a_line_as_the_settings_say(requests: Requests, told: list[float]) -> None:
    written = Written(requests=requests)
    written.log.answered(1, 200, BARE, {})  # the first of a hundred
    written.log.answered(99.9, 200, BARE, {})
    written.log.answered(100.1, 200, BARE, {})
    written.log.answered(2, 200, FEWER, {})
    written.log.answered(3, 413, None, {})
    written.log.answered(4, 500, None, {})
    assert [line["ms"] for line in written.told()] == told


def test_the_level_of_a_request_says_how_it_went() -> None:
    written = Written(requests="all")
    for status, page in ((200, BARE), (200, FEWER), (302, None), (413, None), (500, None)):
        written.log.answered(1, status, page, {})
    assert [line["level"] for line in written.told()] == ["info", "warning", "info", "warning", "error"]


def test_of_the_usual_requests_one_in_a_hundred_is_told_and_says_so() -> None:
    written = Written()
    for number in range(201):
        written.log.answered(1, 200, BARE, {"request_id": number})
    assert [(line["request_id"], line["one_in"]) for line in written.told()] == [(0, 100), (100, 100), (200, 100)]


# Nobody reads, or nobody is there.


def test_lines_that_nobody_reads_are_lost_and_counted() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    log = Log(Lines(stream), now=lambda: NOON)
    for number in range(5_000):
        log("ready", number=number, filler="x" * 100)
    read = _read_in_a_thread(reading)
    log.flush()
    log("draining")
    log.flush()
    stream.close()
    told = [json.loads(line) for line in read()]
    kept = [line["number"] for line in told if line["event"] == "ready"]
    lost = sum(line["count"] for line in told if line["event"] == "lines_lost")
    assert (kept[:1_000], kept == sorted(kept)) == (list(range(1_000)), True)
    assert (len(kept) + lost, len(kept) < 5_000, told[-1]["event"]) == (5_000, True, "draining")


def _read_in_a_thread(reading: int) -> Callable[[], list[str]]:
    """Starts to read; the call that is returned gives all lines once the other end is closed."""
    found: list[str] = []

    def read() -> None:
        with os.fdopen(reading) as reader:
            found.extend(reader)

    thread = threading.Thread(target=read)
    thread.start()

    def result() -> list[str]:
        thread.join()
        return found

    return result


def test_a_stream_that_is_gone_is_no_failure() -> None:
    stream = io.StringIO()
    log = Log(Lines(stream))
    stream.close()
    log("ready")
    log.flush()
    log("draining")
    log.flush()


# The service.


@pytest.fixture
def serving() -> Iterator[tuple[TestClient, Written]]:
    """An app without a store, and what it wrote; every request gets a line."""
    written = Written(requests="all")
    app = create_app(assemble(ROOT / "config", {}), Shelf(), None, samples=ROOT / "config" / "samples", log=written.log)
    with TestClient(app, client=("127.0.0.1", 1), raise_server_exceptions=False) as client:
        yield client, written


def requests_told(written: Written) -> list[tuple[object, ...]]:
    """Of each line about a request: method, route, status, id, layout, slots."""
    keys = ("method", "route", "status", "request_id", "layout", "slots")
    return [tuple(line.get(key) for key in keys) for line in written.told() if line["event"] == "request"]


def test_each_request_is_one_line_whatever_came_of_it(serving: tuple[TestClient, Written]) -> None:
    client, written = serving
    named = HTML | {"x-request-id": "r-1"}
    client.post("/v1/compose?output=fragment&layout=article", content="<p>x", headers=named)
    client.post("/v1/plan", content="<p>x", headers=named)
    client.post("/v1/compose", content="<p>x", headers={"content-type": "image/png", "x-request-id": "r-3"})
    client.get("/v1/compose", headers={"x-request-id": "r-4"})
    unnamed = client.get("/nowhere").headers["x-request-id"]
    client.get("/preview?sample=news&request_id=r-2&output=fragment&layout=every-2")
    assert requests_told(written) == [
        ("POST", "/v1/compose", 200, "r-1", "article", 0),
        ("POST", "/v1/plan", 200, "r-1", None, None),
        ("POST", "/v1/compose", 415, "r-3", None, None),
        ("GET", "/v1/compose", 405, "r-4", None, None),
        ("GET", None, 404, unnamed, None, None),
        ("GET", "/preview", 200, "r-2", "every-2", 7),
    ]


def test_what_the_config_is_warned_of_is_told_at_the_start() -> None:
    written = Written()
    edition = assemble(ROOT / "config", {"ADLAYOUT_WORKRES": "2"})
    with TestClient(create_app(edition, Shelf(), None, log=written.log)):
        told = [(line["event"], line.get("message")) for line in written.told()]
    warning = 'environment ADLAYOUT_WORKRES: not a variable of adlayout, did you mean "ADLAYOUT_WORKERS"?'
    assert told == [("config_warning", warning), ("ready", None)]


def test_probes_are_never_told(serving: tuple[TestClient, Written]) -> None:
    client, written = serving
    for path in ("/healthz", "/healthz?x=1", "/readyz", "/metrics"):
        client.get(path)
    assert requests_told(written) == []


def test_no_line_holds_what_stands_in_an_article(serving: tuple[TestClient, Written]) -> None:
    client, written = serving
    article = f"<p>{QUOTE}</p>" * 9
    told = {"article": {"html": article, "headline": QUOTE, "byline": QUOTE}, "colour": QUOTE, "unit": QUOTE}
    client.post("/v1/compose", json=told)
    client.post("/v1/plan", json=told)
    client.post("/v1/compose", content=f'{{"article": "{article}"', headers={"content-type": "application/json"})
    lines = written.lines()
    assert (len(lines), QUOTE in "".join(lines)) == (4, False)


def _fail() -> None:
    raise KeyError(QUOTE)


def test_an_exception_is_told_without_its_message() -> None:
    with pytest.raises(KeyError) as caught:
        _fail()
    told = failure(caught.value)
    assert (told["exception"], QUOTE in repr(told)) == ("KeyError", False)
    assert "_fail" in repr(told["frames"])


def test_of_the_system_the_message_is_told() -> None:
    with pytest.raises(OSError, match="nowhere") as caught:
        Path("/nowhere").stat()
    assert failure(caught.value)["error"] == "[Errno 2] No such file or directory: '/nowhere'"


def test_what_libraries_log_is_a_line_too() -> None:
    written = Written()
    logger = logging.Logger("uvicorn.error")
    logger.addHandler(Bridge(written.log))
    logger.warning("slow down %s", "please")
    try:
        _fail()
    except KeyError:
        logger.exception("failed")
    first, second = written.told()
    assert (first["event"], first["level"], first["logger"], first["message"]) == (
        "library",
        "warning",
        "uvicorn.error",
        "slow down please",
    )
    assert (second["level"], second["message"], second["exception"]) == ("error", "failed", "KeyError")
    assert QUOTE not in repr(second)


def _wait_until_it_listens(base: str) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with contextlib.suppress(httpx2.TransportError):
            httpx2.get(f"{base}/healthz")
            return
        time.sleep(0.02)
    raise AssertionError("does not listen")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_all_that_a_service_says_is_lines_from_ready_to_draining(workers: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    command = [*PROGRAM, "serve", "--config", str(ROOT / "config"), "--port", "0", "--workers", workers]
    env = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        base = run.stdout.readline().split()[-1]
        ready = [json.loads(run.stderr.readline()) for _ in range(int(workers))]
        _wait_until_it_listens(base)
        answer = httpx2.post(f"{base}/v1/compose?layout=nowhere", content=f"<p>{QUOTE}", headers=HTML)
        run.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in run.stderr.read().splitlines()]
    (request,) = [line for line in lines if line["event"] == "request"]
    assert {(line["event"], *line["layouts"]) for line in ready} == {("ready", *LAYOUTS)}
    assert (request["request_id"], request["degraded"]) == (answer.headers["x-request-id"], ["unknown_layout"])
    assert [line["event"] for line in lines].count("draining") == int(workers)
