"""What is counted is what was told: once, whoever asks twice, whatever ends, and never more than was sold."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis

from adlayout.store import keys
from tests.servers import Cluster, Server, cluster, server

from .callers import Caller, Sight, traffic
from .ledger import (
    Ad,
    Audit,
    Kept,
    Ledger,
    Told,
    audit,
    comes_to_agree,
    config,
    held,
    is_settled,
    kept,
    publish,
    workers,
)
from .newsroom import Service, wait_until

Serve = Callable[..., Service]

OPEN: dict[str, Any] = {"id": "open", "campaign": "c", "creatives": [{"id": "a"}, {"id": "b"}]}
GOAL: dict[str, Any] = {
    "id": "goal",
    "campaign": "c",
    "line_item_type": "sponsorship",
    "delivery_rate": "asap",
    "goal": {"type": "served", "units": 100},
    "creatives": [{"id": "g"}],
}
CAPPED: dict[str, Any] = {
    "id": "capped",
    "campaign": "capped",
    "line_item_type": "sponsorship",
    "creatives": [{"id": "k"}],
}
CAMPAIGNS: list[dict[str, Any]] = [
    {"id": "c"},
    {"id": "capped", "frequency_caps": [{"max": 3, "per": "day", "event": "served"}]},
]
# So many at once take longer than a reader would wait; here everybody does, and nobody goes without an answer.
PATIENT = {"page_timeout_ms": 9_000}
PATIENTLY = "?socket_timeout=9&socket_connect_timeout=9"
PATIENT_MS = 60_000


@pytest.fixture
def valkey() -> Iterator[Server]:
    with server("--appendonly", "yes") as found:
        yield found


@pytest.fixture
def client(valkey: Server) -> Iterator[redis.Redis]:
    with valkey.client() as found:
        publish(found, [OPEN, GOAL, CAPPED], CAMPAIGNS)
        yield found


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the services of a test write down what happened."""
    monkeypatch.setenv("ADLAYOUT_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def two(serve: Serve, valkey: Server, client: redis.Redis, tmp_path: Path) -> Service:
    """A service of two workers that wait for their store as long as it takes."""
    service = serve(valkey.url + PATIENTLY, "--workers", "2", config=config(tmp_path, **PATIENT))
    wait_until(lambda: is_settled(service))
    return service


def names(number: int, name: str) -> list[str]:
    return [f"{name}-{at}" for at in range(number)]


def pages(service: Service, ledger: Ledger, articles: list[str], unit: str | None = None) -> list[Sight]:
    """Pages of these names, all asked for at once."""

    async def ask() -> list[Sight]:
        async with Caller(service.base, ledger, timeout_ms=PATIENT_MS) as caller:
            return await asyncio.gather(*(caller.page(article, unit=unit) for article in articles))

    return asyncio.run(ask())


# Whatever ends.


def kill_a_worker(service: Service) -> None:
    os.kill(random.choice(sorted(workers(service))), signal.SIGKILL)  # noqa: S311 (chance, no secrets)


def five_kills(service: Service, ledger: Ledger) -> None:
    for number in range(5):
        asyncio.run(traffic(service.base, ledger, str(number), random.Random(), lambda: kill_a_worker(service)))  # noqa: S311


def test_workers_that_are_killed_at_any_moment_lose_nothing(two: Service, client: redis.Redis) -> None:
    ledger = Ledger()
    five_kills(two, ledger)
    found = comes_to_agree(client, ledger)
    assert found == Audit(open=found.open)
    assert (ledger.refused, ledger.altered) == (0, 0)


def test_a_service_that_is_told_to_end_has_everything_counted_first(two: Service, client: redis.Redis) -> None:
    """The store takes nothing for a while, so that there is something left to be counted at the end."""
    ledger = Ledger()
    asyncio.run(traffic(two.base, ledger, "page", random.Random(), lambda: None))  # noqa: S311 (chance, no secrets)
    client.client_pause(1500, all=False)
    asyncio.run(seen_by_one(two, ledger))
    two.process.send_signal(signal.SIGTERM)
    assert two.process.wait(15) == 0
    assert audit(ledger, kept(client)) == Audit()


async def seen_by_one(service: Service, ledger: Ledger) -> None:
    async with Caller(service.base, ledger, timeout_ms=1) as caller:
        await caller.see(await caller.page("last"))


# Once.


def lines_of(state: Path, what: bytes) -> list[int]:
    """How many lines of this kind each worker wrote down that wrote any."""
    found = (path.read_bytes().count(b'"e":"%s"' % what) for path in state.rglob("*.ndjson"))
    return sorted(filter(None, found))


def test_fifty_equal_beacons_at_once_count_once(two: Service, client: redis.Redis, state: Path) -> None:
    """Both workers write them down: that one has told of it already is known to the store alone."""
    ledger = Ledger()
    (sight,) = pages(two, ledger, ["page"])

    def both_told() -> bool:
        asyncio.run(tell(two, ledger, sight, times=50))
        return len(lines_of(state, b"view")) == 2

    wait_until(both_told)
    assert comes_to_agree(client, ledger) == Audit()
    assert counted(client, "v") == {f"{sight.ads[0].flight}:v": 1}
    assert [entry["e"] for entry in kept(client).entries] == ["page", "view"]


async def tell(service: Service, ledger: Ledger, sight: Sight, *, times: int) -> None:
    async with Caller(service.base, ledger) as caller:
        await asyncio.gather(*(caller.see(sight, sight.ads[:1]) for _ in range(times)))


def test_a_page_that_is_asked_for_twenty_times_is_counted_once(two: Service, client: redis.Redis) -> None:
    ledger = Ledger()
    answers = pages(two, ledger, ["page"] * 20)
    assert {sight.ads for sight in answers} == {answers[0].ads}
    assert comes_to_agree(client, ledger) == Audit()


def counted(client: redis.Redis, letter: str) -> dict[str, int]:
    return {name: number for name, number in kept(client).totals.items() if name.endswith(f":{letter}")}


# Never more than was sold.


@contextmanager
def watched(client: redis.Redis, field: str) -> Iterator[list[int]]:
    """How much of a total was done and held, each time that it was more than before, the last time at the end."""
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.002):
            most.append(max(most[-1], held(client, field)))

    looks = threading.Thread(target=look)
    looks.start()
    try:
        yield most
    finally:
        over.set()
        looks.join()
        most.append(max(most[-1], held(client, field)))


def test_four_hundred_pages_at_once_never_pass_a_goal_of_a_hundred(two: Service, client: redis.Redis) -> None:
    ledger = Ledger()
    with watched(client, "goal:s") as most:
        answers = pages(two, ledger, names(400, "page"))
        assert comes_to_agree(client, ledger) == Audit()
    shown = sum(ad.flight == "goal" for sight in answers for ad in sight.ads)
    assert (most[-1], shown, kept(client).totals["goal:s"], held(client, "goal:s")) == (100, 100, 100, 100)


def test_twenty_tabs_of_one_reader_see_what_is_capped_three_times(two: Service, client: redis.Redis) -> None:
    ledger = Ledger()
    answers = pages(two, ledger, names(20, "tab"), unit="reader")
    assert comes_to_agree(client, ledger) == Audit()
    shown = sum(ad.flight == "capped" for sight in answers for ad in sight.ads)
    assert (shown, kept(client).totals["capped:s"]) == (3, 3)


@pytest.fixture(scope="module")
def six() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


def fail_over(six: Cluster) -> None:
    """Kills whoever takes the counts, and returns when another does."""
    six.primary_of(keys.totals(0)).kill()
    wait_until(lambda: takes_over(six))


def takes_over(six: Cluster) -> bool:
    try:
        return six.primary_of(keys.totals(0)).ask("CLUSTER", "INFO") is not None and six.whole()
    except redis.RedisError:
        return False


def test_a_cluster_that_fails_over_loses_no_count_and_passes_no_goal(
    six: Cluster, serve: Serve, tmp_path: Path
) -> None:
    """Most of the goal is sold afterwards, to more readers at once than there is room for."""
    with six.primary_of(keys.totals(0)).client() as client:
        publish(client, [OPEN, GOAL | {"goal": {"type": "served", "units": 200}}], CAMPAIGNS)
    service, ledger = serve(six.url + PATIENTLY, "--workers", "2", config=config(tmp_path, **PATIENT)), Ledger()
    wait_until(lambda: is_settled(service))
    asyncio.run(traffic(service.base, ledger, "page", random.Random(), lambda: fail_over(six)))  # noqa: S311
    batches = count()
    with six.primary_of(keys.totals(0)).client() as client:
        wait_until(lambda: sold(client, pages(service, ledger, names(60, f"late-{next(batches)}"))) >= 200)
        found = comes_to_agree(client, ledger)
        assert (found, held(client, "goal:s")) == (Audit(open=found.open), 200)


def sold(client: redis.Redis, answers: list[Sight]) -> int:
    """How much of the goal is sold once these pages are out."""
    return held(client, "goal:s") if answers else 0


# By the clock of the store.


SHIFTED = """
import datetime, os, time

_SHIFT_S = float(os.environ["SHIFT_S"])
_time, _datetime = time.time, datetime.datetime


class Shifted(_datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=_SHIFT_S)


time.time = lambda: _time() + _SHIFT_S
datetime.datetime = Shifted
"""


@pytest.fixture(params=[-300, 300])
def wrong_clock(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes between the clock of every process that is started and that of the store."""
    (tmp_path / "sitecustomize.py").write_text(SHIFTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SHIFT_S", str(request.param))


@pytest.mark.usefixtures("wrong_clock")
def test_workers_whose_clock_is_wrong_count_by_that_of_the_store(
    serve: Serve, valkey: Server, client: redis.Redis, tmp_path: Path
) -> None:
    service, ledger = serve(valkey.url + PATIENTLY, "--workers", "2", config=config(tmp_path, **PATIENT)), Ledger()
    wait_until(lambda: is_settled(service))
    pages(service, ledger, names(20, "page"), unit="reader")
    assert comes_to_agree(client, ledger) == Audit()
    now_ms = int(client.time()[0]) * 1000
    assert {round((entry["at"] - now_ms) / 60_000) for entry in kept(client).entries} == {0}
    assert [round((end - now_ms) / 60_000) for end in windows(client)] == [24 * 60]


def windows(client: redis.Redis) -> list[int]:
    """When the windows of the readers' caps end."""
    readers = client.scan_iter(f"{keys.reader(0, '')}*")
    texts: Any = [text for key in readers for text in client.hvals(key)]  # the client's replies are untyped
    return [int(text.split(b"|")[1]) for text in texts if text.count(b"|") == 1]


# What the tests above go by.


def entry(article: str, creative: str = "a", **more: Any) -> dict[str, Any]:
    said = {"e": "page", "at": 0, "i": "", "s": "daily", "l": "news", "v": "", "d": "mobile", "a": article, "n": 1}
    return said | {"p": [["one", "open", creative, "c", None, ""]]} | more


def about(texts: tuple[str, ...]) -> list[str]:
    """What the differences are about, without what differs."""
    return sorted(text.partition(":")[0].strip() for text in texts)


def test_an_audit_finds_what_is_missing_too_much_or_something_else() -> None:
    """That nothing differs means nothing where nothing could."""
    ad = Ad("one", "open", "a")
    ledger = Ledger({name: Told((ad,), again=name == "again") for name in ("right", "lost", "twice", "other", "again")})
    ledger.events["right", "view", "one"] = Told((ad,))
    stream = [entry("right"), entry("twice"), entry("twice"), entry("other", "b"), entry("again", "b"), entry("new")]
    found = audit(ledger, Kept({"open:s": 7}, {}, {}, tuple(stream)))
    assert [about(kind) for kind in (found.lost, found.doubled, found.other, found.open)] == [
        ["lost page", "right view one"],
        ["twice page"],
        ["other page"],
        ["again page", "new page"],
    ]
    assert "totals open:s: 7 where the stream has 6" in found.miscounted
