"""An experiment on a running service: what is counted in each variation is what browsers told, whatever fails."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adlayout.store.client import Store
from tests.servers import Server, server

from .callers import Caller, Sight
from .ledger import Ledger, config, is_settled, publish, workers
from .newsroom import Service, wait_until

Serve = Callable[..., Service]

KEY = "density"
VARIATIONS = ("control", "wider")
EXPERIMENTS = f"""
version: 1
experiments:
  - key: {KEY}
    status: running
    variations: [every-2, article]
    meta: [{{key: control}}, {{key: wider}}]
"""
FLIGHT: dict[str, Any] = {
    "id": "open",
    "campaign": "c",
    "price": 4.0,
    "creatives": [{"id": "a"}],
}
VIEW_MICRO = 4_000
READERS, VISITS = 16, 4
# What is read after each trouble, before the next one comes.
BETWEEN = 40
PAIRS = (("C", "V"), ("V", "S"), ("E", "P"), ("T", "P"))
_AGAIN_S = 0.05


@pytest.fixture
def valkey() -> Iterator[Server]:
    with server("--appendonly", "yes") as found:
        yield found


@pytest.fixture(params=[1, 2], ids=["one shard", "two shards"])
def shards(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def service(serve: Serve, valkey: Server, shards: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("ADLAYOUT_STATE_DIR", str(tmp_path / "state"))
    with valkey.client() as client:
        publish(client, [FLIGHT], [{"id": "c"}])
    directory = config(tmp_path, shards=shards)
    (directory / "experiments.yaml").write_text(EXPERIMENTS)
    service = serve(valkey.url, "--workers", "2", config=directory)
    wait_until(lambda: is_settled(service))
    return service


@dataclass(slots=True)
class Unit:
    """What one reader's browser was told to have counted, by the letters of the store, and in which variation."""

    variation: str = ""
    did: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Audience:
    """Readers of one service; each page that counts in the experiment is noted when everything it told was taken."""

    caller: Caller
    rng: random.Random
    units: dict[str, Unit] = field(default_factory=dict)
    pages: int = 0
    apart: int = 0
    over: bool = False

    async def reads(self, name: str) -> None:
        """One reader: pages until it is over, and on each what he sees, follows and how long he stays."""
        visits = count()
        while (visit := next(visits)) < VISITS or not self.over:
            await asyncio.sleep(self.rng.uniform(0, 0.3))
            self.pages += 1
            sight = await self.caller.page(f"{name}-{visit}", unit=name)
            said = payload(sight.token)
            seen = [ad for ad in sight.ads if self.rng.random() < 0.7]
            followed = [ad for ad in seen if ad.slot in sight.clicks and self.rng.random() < 0.3]
            stayed_ms = self.rng.randrange(60_000)
            await self._report(sight, [ad.slot for ad in seen], stayed_ms)
            for ad in followed:
                await self._told("GET", sight.clicks[ad.slot], 302)
            if not said.get("h"):
                self.apart += 1
                continue
            unit = self.units.setdefault(name, Unit(said["v"]))
            assert unit.variation == said["v"]
            unit.did.update(P=1, S=len(sight.ads), T=said["m"], E=stayed_ms)
            unit.did.update(V=len(seen), C=len(followed), R=VIEW_MICRO * sum(ad.flight == FLIGHT["id"] for ad in seen))

    async def _report(self, sight: Sight, slots: Sequence[str], stayed_ms: int) -> None:
        """Says it until it is taken, sometimes twice at once; not more than the browser itself would."""
        events = [{"type": "exposure"}, *({"type": "view", "slot": slot} for slot in slots)]
        body = json.dumps({"token": sight.token, "events": [*events, {"type": "engaged", "ms": stayed_ms}]})
        told = (self._told("POST", "/v1/events", 204, content=body) for _ in range(self.rng.choice((1, 2))))
        await asyncio.gather(*told)

    async def _told(self, method: str, path: str, status: int, **what: Any) -> None:  # the client's own arguments
        while True:
            try:
                answer = await self.caller.line.request(method, path, **what)
            except httpx2.TransportError:
                pass
            else:
                if answer.status_code == status:
                    return
                assert answer.status_code >= 500, (answer.status_code, answer.text)
            await asyncio.sleep(_AGAIN_S)


def payload(token: str) -> Mapping[str, Any]:
    """What was signed; nothing where the page has no token."""
    head = token.partition(".")[0]
    said: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) if head else {}
    return said


async def meanwhile(service: Service, troubles: Sequence[Callable[[], object]]) -> Audience:
    """Readers read, and one trouble after the other comes over the service."""
    async with Caller(service.base, Ledger()) as caller:
        audience = Audience(caller, random.Random(7))  # noqa: S311 (chance, no secrets)
        reading = [asyncio.create_task(audience.reads(f"reader-{number}")) for number in range(READERS)]
        for trouble in troubles:
            await some_more(audience)
            await asyncio.to_thread(trouble)
        await some_more(audience)
        audience.over = True
        await asyncio.gather(*reading)
        assert caller.ledger.altered == 0
        return audience


async def some_more(audience: Audience) -> None:
    """Waits until readers asked for some more pages."""
    enough = audience.pages + BETWEEN
    while audience.pages < enough:  # noqa: ASYNC110 (a number is waited for)
        await asyncio.sleep(0.01)


def due(units: Mapping[str, Unit]) -> dict[str, int]:
    """The sums of an experiment whose readers did this."""
    sums: Counter[str] = Counter()
    for unit in units.values():
        of = f"{VARIATIONS.index(unit.variation.removeprefix(f'{KEY}='))}:"
        did = unit.did | Counter(B=int(unit.did["P"] == 1))
        sums[f"{of}n"] += 1
        for letter, number in did.items():
            sums[of + letter] += number
            sums[of + letter * 2] += number**2
        for a, b in PAIRS:
            sums[of + a + b] += did[a] * did[b]
    return {name: number for name, number in sums.items() if number}


def counted(valkey: Server, shards: int) -> dict[str, int]:
    """What the store says of the experiment, whatever the day is."""

    async def ask() -> dict[str, int]:
        store = Store(valkey.url, timeout_ms=10_000, shards=shards)
        try:
            return await store.experiment(KEY, VARIATIONS)
        finally:
            await store.close()

    return {name: number for name, number in asyncio.run(ask()).items() if number and ":n:" not in name}


def agrees(valkey: Server, shards: int, audience: Audience) -> None:
    """Waits until the store has what the readers' browsers were told, and holds each sum against it."""
    expected = due(audience.units)
    try:
        wait_until(lambda: counted(valkey, shards) == expected)
    except AssertionError:
        assert counted(valkey, shards) == expected
    both = Counter(unit.variation for unit in audience.units.values())
    assert set(both) == {f"{KEY}={name}" for name in VARIATIONS}


def kill_a_worker(service: Service) -> None:
    os.kill(sorted(workers(service))[0], signal.SIGKILL)
    wait_until(lambda: len(workers(service)) == 2)


def stop_the_store(valkey: Server, service: Service) -> None:
    """Until both workers have something waiting for it."""
    valkey.send(signal.SIGSTOP)
    try:
        wait_until(lambda: sum(one["counting"]["waiting"] for one in workers(service).values()) > 5)
    finally:
        valkey.send(signal.SIGCONT)


def kill_the_store(valkey: Server) -> None:
    """It comes back with what it wrote down, which may lack the last second."""
    valkey.kill()
    valkey.start()


def test_each_variation_counts_what_its_readers_told(service: Service, valkey: Server, shards: int) -> None:
    agrees(valkey, shards, asyncio.run(meanwhile(service, [])))


@pytest.mark.timeout(120)
def test_neither_variation_gains_or_loses_by_what_fails(service: Service, valkey: Server, shards: int) -> None:
    troubles = (
        lambda: kill_a_worker(service),
        lambda: stop_the_store(valkey, service),
        lambda: kill_a_worker(service),
        lambda: kill_the_store(valkey),
    )
    agrees(valkey, shards, asyncio.run(meanwhile(service, troubles)))
