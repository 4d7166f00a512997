"""A store that fails costs no page and no count: pages go out at once without what it must be asked for, and wait."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server, server

from .callers import Caller, traffic
from .ledger import Audit, Ledger, comes_to_agree, config, is_settled, kill_all, publish, workers
from .newsroom import PATIENCE_S, Service, wait_until

Serve = Callable[..., Service]

FLIGHTS: list[dict[str, Any]] = [
    {"id": "open", "campaign": "c", "creatives": [{"id": "a"}]},
    {"id": "goal", "campaign": "c", "goal": {"type": "view", "units": 10_000}, "creatives": [{"id": "g"}]},
]
PAGES = 10


@pytest.fixture
def valkey() -> Iterator[Server]:
    with server("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0") as found, found.client() as client:
        publish(client, FLIGHTS, [{"id": "c"}])
        yield found


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAYOUT_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def begin(serve: Serve, valkey: Server, tmp_path: Path) -> Callable[[], Service]:
    """Starts a service of two workers over the store."""
    directory = config(tmp_path)
    return lambda: serve(valkey.url, "--workers", "2", config=directory)


@pytest.fixture
def service(begin: Callable[[], Service]) -> Service:
    """A service that has all it needs."""
    found = begin()
    wait_until(lambda: is_settled(found))
    return found


async def pages(service: Service, ledger: Ledger, name: str) -> list[set[str]]:
    """Some pages one after the other, all ads of which are seen; returns what each went without."""
    found = []
    async with Caller(service.base, ledger, deadline_s=PATIENCE_S) as caller:
        for number in range(PAGES):
            sight = await caller.page(f"{name}-{number}")
            await caller.see(sight)
            found.append(set(sight.degraded))
    return found


def agreed(valkey: Server, ledger: Ledger) -> Audit:
    with valkey.client() as client:
        return comes_to_agree(client, ledger)


def waiting(service: Service) -> int:
    return sum(said["counting"]["waiting"] for said in workers(service).values())


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a store is made to fail, and how it is cured."""

    begin: Callable[[Server], object]
    end: Callable[[Server], object]


TROUBLES = {
    "stopped": Trouble(lambda one: one.send(signal.SIGSTOP), lambda one: one.send(signal.SIGCONT)),
    "paused": Trouble(
        lambda one: one.ask("CLIENT", "PAUSE", 60_000, "WRITE"), lambda one: one.ask("CLIENT", "UNPAUSE")
    ),
    "killed": Trouble(Server.kill, Server.start),
    "full": Trouble(
        lambda one: one.ask("CONFIG", "SET", "maxmemory", 1), lambda one: one.ask("CONFIG", "SET", "maxmemory", 0)
    ),
    "refusing": Trouble(
        lambda one: one.ask("CONFIG", "SET", "min-replicas-to-write", 1),
        lambda one: one.ask("CONFIG", "SET", "min-replicas-to-write", 0),
    ),
    "read-only": Trouble(
        lambda one: one.ask("REPLICAOF", "127.0.0.1", 1), lambda one: one.ask("REPLICAOF", "NO", "ONE")
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_store_that_fails_costs_no_page_and_no_count(trouble: Trouble, service: Service, valkey: Server) -> None:
    ledger = Ledger()
    trouble.begin(valkey)
    without = asyncio.run(pages(service, ledger, "page"))
    assert [bool(one & {"store_timeout", "store_error"}) for one in without] == [True] * PAGES
    assert waiting(service) == PAGES + ledger.count("view")
    assert (ledger.late, ledger.refused, ledger.altered) == (0, 0, 0)
    trouble.end(valkey)
    assert agreed(valkey, ledger) == Audit()
    wait_until(lambda: is_settled(service))


def told_to_end(service: Service) -> None:
    service.process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("end", [told_to_end, kill_all])
def test_what_one_service_cannot_send_the_next_one_does(
    end: Callable[[Service], None], service: Service, begin: Callable[[], Service], valkey: Server
) -> None:
    ledger = Ledger()
    valkey.kill()
    asyncio.run(pages(service, ledger, "page"))
    end(service)
    service.process.wait(20)
    valkey.start()
    begin()
    assert agreed(valkey, ledger) == Audit()


def test_a_store_that_lost_its_last_second_is_sent_it_again(service: Service, valkey: Server) -> None:
    """What an append-only file that is synced once a second may lack when the machine loses its power."""
    ledger = Ledger()
    asyncio.run(pages(service, ledger, "before"))
    assert agreed(valkey, ledger) == Audit()
    log = next((valkey.home / "appendonlydir").glob("*.incr.aof"))
    size = log.stat().st_size
    asyncio.run(pages(service, ledger, "lost"))
    assert agreed(valkey, ledger) == Audit()
    valkey.kill()
    os.truncate(log, size)
    valkey.start()
    assert agreed(valkey, ledger) == Audit()


def test_a_store_that_comes_and_goes_counts_what_was_told(service: Service, valkey: Server) -> None:
    ledger = Ledger()

    def restart() -> None:
        valkey.kill()
        valkey.start()

    for number in range(3):
        asyncio.run(traffic(service.base, ledger, str(number), random.Random(), restart))  # noqa: S311 (chance)
    found = agreed(valkey, ledger)
    assert found == Audit(open=found.open)
    assert (ledger.refused, ledger.altered) == (0, 0)


def test_a_service_that_starts_without_its_store_serves_the_last_inventory(
    service: Service, begin: Callable[[], Service], valkey: Server
) -> None:
    """Ads without a budget stand where they stood, and count once the store is back."""
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(15)
    valkey.kill()
    ledger, again = Ledger(), begin()
    asyncio.run(pages(again, ledger, "cold"))
    assert {ad.flight for told in ledger.pages.values() for ad in told.ads or ()} == {"open", "-"}
    assert set(ledger.degraded) == {"store_error", "stale_inventory"}
    valkey.start()
    assert agreed(valkey, ledger) == Audit()
