"""Several workers behind one port: what is written reaches each of them, and nothing that ends loses a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGKILL, SIGTERM

import httpx2
import pytest

from adlayout.cli.main import main

from .newsroom import ADS, ARTICLE, HTML, Answer, Redis, Service, creative, wait_until

Serve = Callable[..., Service]


@contextmanager
def a_line_to_each(service: Service) -> Iterator[dict[int, httpx2.Client]]:
    """A connection to each of two workers, which stays with it, by the number of the worker's process."""
    with ExitStack() as lines:
        found: dict[int, httpx2.Client] = {}

        def call() -> bool:
            line = lines.enter_context(service.line())
            found.setdefault(line.get("/readyz").json()["worker"], line)
            return len(found) == 2

        wait_until(call)
        yield found


def shown(line: httpx2.Client, markup: bytes) -> int:
    """How often a page of this worker shows the markup."""
    page = line.post("/v1/compose", content=ARTICLE, headers=HTML)
    assert page.status_code == 200
    return page.content.count(markup)


def everybody_shows(markup: bytes, lines: dict[int, httpx2.Client]) -> None:
    """Every worker fills its pages with nothing but the markup within a second from now."""
    wait_until(lambda: all(shown(line, markup) == ADS for line in lines.values()), within_s=1)


def test_what_is_loaded_reaches_every_worker_within_a_second(store: Redis, serve: Serve, tmp_path: Path) -> None:
    ads = tmp_path / "ads.yaml"
    ads.write_text(f"creatives: [{creative('autumn', '<b>autumn</b>')}]")
    with a_line_to_each(serve(store.url, "--workers", "2")) as lines:
        assert main(["inventory", "load", "--replace", str(ads), "--redis-url", store.url]) == 0
        everybody_shows(b"<b>autumn</b>", lines)


def test_what_another_program_writes_reaches_every_worker_within_a_second(store: Redis, serve: Serve) -> None:
    """Twice, since the second change need not find the workers where the first one did."""
    with a_line_to_each(serve(store.url, "--workers", "2")) as lines:
        store.write(spring=creative("spring", "<b>summer</b>"))
        everybody_shows(b"<b>summer</b>", lines)
        store.write(spring=creative("spring", "<b>autumn</b>"))
        everybody_shows(b"<b>autumn</b>", lines)


def test_a_killed_worker_is_replaced_by_one_that_shows_ads(store: Redis, serve: Serve) -> None:
    service = serve(store.url, "--workers", "2")
    with a_line_to_each(service) as lines:
        killed, other = lines
        os.kill(killed, SIGKILL)
        assert shown(lines[other], b"<b>spring</b>") == ADS
    with a_line_to_each(service) as lines:
        assert killed not in lines
        assert [shown(line, b"<b>spring</b>") for line in lines.values()] == [ADS, ADS]


@contextmanager
def half_a_request(service: Service) -> Iterator[HTTPConnection]:
    """A caller that has sent the head of its request and one byte of the article."""
    with closing(HTTPConnection(service.base.removeprefix("http://"), timeout=10)) as caller:
        caller.putrequest("POST", "/v1/compose")
        caller.putheader("Content-Type", "text/html")
        caller.putheader("Content-Length", str(len(ARTICLE)))
        caller.endheaders(ARTICLE[:1])
        yield caller


def is_draining(service: Service) -> bool:
    answer = service.get("/readyz")
    return (answer.status_code, answer.json()["status"]) == (503, "draining")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_that_is_told_to_end_says_so_and_answers_whom_it_listens_to(serve: Serve, workers: str) -> None:
    """First it drains, then it refuses new callers, and it ends when the last one has its page."""
    service = serve(None, "--workers", workers)
    with half_a_request(service) as caller:
        service.process.send_signal(SIGTERM)
        wait_until(lambda: is_draining(service))
        assert service.compose().whole
        wait_until(service.is_closed)
        caller.send(ARTICLE[1:])
        answer = caller.getresponse()
        assert (answer.status, ARTICLE[:20] in answer.read()) == (200, True)
    assert service.process.wait(10) == 0
    wait_until(lambda: not service.members())
    assert service.left_behind() == []


def test_after_a_kill_nothing_runs_and_the_next_start_cleans_up(serve: Serve) -> None:
    killed = serve(None, "--workers", "2")
    killed.process.kill()
    killed.process.wait()
    wait_until(lambda: not killed.members())
    assert len(killed.left_behind()) > 1
    again = serve(None, home=killed.home)
    assert again.compose() == Answer(ads=again.compose().ads)
    again.process.send_signal(SIGTERM)
    assert again.process.wait(10) == 0
    assert again.left_behind() == []
