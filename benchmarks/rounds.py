"""Breaks the running service again and again, and holds what its callers were told against what the store counted.

    python -m benchmarks.rounds [--rounds 200] [--seed N] [--fault NAME] [--shards N] [--log FILE]

`adlayout serve --workers 2` with a Valkey of its own (append-only), both behind lines that can be broken. In each round
six callers ask for pages and report views and clicks, each under one name until it is acknowledged, and at a random
moment something fails. When that is over and nothing waits to be counted any more, every acknowledged page, view and
click must be in the stream once, with the ads that its caller was told, and totals, days and hours must be its sums.

`again` counts what was sent once more because no answer arrived, and `open` what nobody can know of these: pages of
which the first answer, which had left, was counted with other ads than the second has. `overrun` counts goals and caps
that were passed by a store that lost its last second, until that was sent to it again. Ends with 1 where anything else
differs, was passed, refused or altered.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import TextIO

import redis

from adlayout.store import keys
from tests.servers import HOST, Fault, Line, Server, free_port, line, server
from tests.story.callers import traffic
from tests.story.ledger import (
    Audit,
    Kept,
    Ledger,
    audit,
    config,
    is_settled,
    kept,
    kill_all,
    lasting,
    passed,
    publish,
    workers,
)
from tests.story.newsroom import Service, start, wait_until

GOAL, VIEWS, CAP = 30, 40, 3
FAULT_S = 1.0
SETTLE_S = 40.0
# A ring is looked through after ten seconds: only then does a worker hear of what the store forgot while nobody asks.
AGREE_S = 20.0


@dataclass(slots=True)
class House:
    """The service, its store, and the line between them, all to be broken."""

    home: Path
    store: Server
    line: Line
    door: Line
    port: int
    rng: random.Random
    shards: int
    service: Service = field(init=False)
    starts: Iterator[int] = field(default_factory=count)

    def open(self) -> None:
        """Starts the service; it may be away for as long as the one before holds the port."""
        home = self.home / f"run-{next(self.starts)}"
        home.mkdir()
        options = ("--workers", "2", "--port", str(self.port))
        self.service = start(home, self.home / "config", *options, redis_url=self.line.url)
        wait_until(self.service.is_ready)

    def close(self, number: int) -> None:
        self.service.process.send_signal(number)
        self.service.process.wait(20)
        wait_until(lambda: not self.service.members())
        if self.service.process.stdout:
            self.service.process.stdout.close()

    def client(self) -> redis.Redis:
        return self.store.client()

    def pause(self, least: float = 0.1, most: float = FAULT_S) -> None:
        time.sleep(self.rng.uniform(least, most))


# What fails. Each returns when it is over.


def nothing(house: House) -> None:
    house.pause()


def worker_killed(house: House) -> None:
    os.kill(house.rng.choice(sorted(workers(house.service))), SIGKILL)


def store_killed(house: House) -> None:
    house.store.kill()
    house.pause(0)
    house.store.start()


def store_forgets(house: House, meanwhile: Callable[[House], None] = lambda house: None) -> None:
    """As a machine that loses its power: what was appended within the last second was never on the disk."""
    log = next((house.store.home / "appendonlydir").glob("*.incr.aof"))
    size = log.stat().st_size
    house.pause(0.2, 0.9)
    house.store.kill()
    meanwhile(house)
    os.truncate(log, size)
    house.store.start()


def store_stopped(house: House) -> None:
    house.store.send(SIGSTOP)
    time.sleep(FAULT_S)
    house.store.send(SIGCONT)


def store_paused(house: House) -> None:
    house.store.ask("CLIENT", "PAUSE", int(FAULT_S * 1000), "ALL")
    time.sleep(FAULT_S)


def store_full(house: House) -> None:
    house.store.ask("CONFIG", "SET", "maxmemory", 1)
    house.pause(0.5)
    house.store.ask("CONFIG", "SET", "maxmemory", 0)


def service_restarted(house: House) -> None:
    house.close(SIGTERM)
    house.open()


def service_killed(house: House) -> None:
    house.close(SIGKILL)
    house.open()


def both_killed(house: House) -> None:
    """A worker and the store within a moment, in either order."""
    faults = [worker_killed, store_killed]
    house.rng.shuffle(faults)
    for fault in faults:
        fault(house)


def all_killed(house: House) -> None:
    """The whole machine: what comes up again has the spools of every worker, and a store that forgot."""

    def kill(house: House) -> None:
        kill_all(house.service)
        house.close(SIGKILL)

    store_forgets(house, kill)
    house.open()


def broken(kind: Fault, every: int, *, door: bool = False) -> Callable[[House], None]:
    """What becomes of the store's answers, or of those to our callers."""

    def fault(house: House) -> None:
        way = house.door if door else house.line
        way.every = every
        way.fault = kind
        house.pause(0.5)
        way.fault = Fault.NONE

    return fault


def cut_off_without_store(house: House) -> None:
    """Pages that are asked for again may have other ads than the first time: the store is there for one of them."""
    house.door.every, house.door.fault = 3, Fault.RESET
    store_killed(house)
    house.door.fault = Fault.NONE


FAULTS: dict[str, Callable[[House], None]] = {
    "nothing": nothing,
    "worker killed": worker_killed,
    "store killed": store_killed,
    "store forgets": store_forgets,
    "store stopped 1 s": store_stopped,
    "store paused 1 s": store_paused,
    "store full": store_full,
    "service SIGTERM": service_restarted,
    "service SIGKILL": service_killed,
    "worker and store": both_killed,
    "forgets, worker": partial(store_forgets, meanwhile=worker_killed),
    "forgets, service": all_killed,
    "callers cut off": broken(Fault.RESET, 4, door=True),
    "cut off, no store": cut_off_without_store,
    "answers dropped": broken(Fault.HOLE, 2),
    "answers reset": broken(Fault.RESET, 3),
    "answers stall": broken(Fault.SLOW, 1),
}


# What callers do.


@dataclass(slots=True)
class Goals:
    """What may run in a round, and what must not be passed until the end."""

    totals: dict[str, int] = field(default_factory=dict)

    def publish(self, client: redis.Redis, number: int) -> int:
        """New flights with goals, one with a cap, and two with neither; returns the revision."""
        sport = {"include": {"section": ["sport"]}}
        goal, seen = f"goal-{number}", f"seen-{number}"
        self.totals |= {f"{goal}:s": GOAL, f"{seen}:v": VIEWS}
        asap = {"delivery_rate": "asap", "line_item_type": "sponsorship", "targeting": sport}
        flights = [
            {
                "id": goal,
                "campaign": "goals",
                "goal": {"type": "served", "units": GOAL},
                "creatives": [{"id": "g"}],
                **asap,
            },
            {
                "id": seen,
                "campaign": "goals",
                "goal": {"type": "view", "units": VIEWS},
                "creatives": [{"id": "v"}],
                **asap,
            },
            {"id": "capped", "campaign": "capped", "creatives": [{"id": "k"}], **asap},
            {"id": "open", "campaign": "goals", "creatives": [{"id": "a"}, {"id": "b"}]},
        ]
        capped = {"id": "capped", "frequency_caps": [{"max": CAP, "per": "day", "event": "served"}]}
        publish(client, flights, [{"id": "goals"}, capped])
        return int(client.get(keys.REVISION) or 0)


@dataclass(slots=True)
class Row:
    """What came of one kind of fault."""

    rounds: int = 0
    pages: int = 0
    views: int = 0
    clicks: int = 0
    again: int = 0
    lost: int = 0
    doubled: int = 0
    other: int = 0
    miscounted: int = 0
    passed: int = 0
    open: int = 0
    overrun: int = 0
    degraded: int = 0
    slowest_ms: int = 0
    late: int = 0
    refused: int = 0
    altered: int = 0

    @property
    def bad(self) -> int:
        return self.lost + self.doubled + self.other + self.miscounted + self.passed + self.refused + self.altered


@dataclass(slots=True)
class Rounds:
    """All rounds over one store, whose counters are never reset."""

    house: House
    rng: random.Random
    log: Callable[[str], None]
    whole: Ledger = field(default_factory=Ledger)
    goals: Goals = field(default_factory=Goals)
    rows: dict[str, Row] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    before: Kept | None = None

    async def run(self, number: int, name: str) -> None:
        ledger = Ledger()
        with self.house.client() as client:
            revision = self.goals.publish(client, number)
        await asyncio.to_thread(self._ready, revision)
        own = random.Random(self.rng.random())  # noqa: S311 (chance, no secrets)
        await traffic(
            self.house.door.url.replace("redis", "http"), ledger, str(number), own, partial(FAULTS[name], self.house)
        )
        self.whole.pages |= ledger.pages
        self.whole.events |= ledger.events
        self.whole.units |= ledger.units
        await asyncio.to_thread(self._settled, f"round {number} {name}")
        found, over = await asyncio.to_thread(self._agreed)
        self._note(name, ledger, found, over)

    def _ready(self, revision: int) -> None:
        wait_until(lambda: is_settled(self.house.service, revision=revision), within_s=SETTLE_S)

    def _settled(self, title: str) -> None:
        """Waits until nothing waits any more, and writes down how long that took."""
        started = time.monotonic()
        wait_until(lambda: is_settled(self.house.service), within_s=SETTLE_S)
        self.log(f"{title}: settled in {time.monotonic() - started:.1f} s")

    def _agreed(self) -> tuple[Audit, list[str]]:
        ends = time.monotonic() + AGREE_S
        with self.house.client() as client:
            while True:
                store = kept(client, shards=self.house.shards, known=self.before)
                found = audit(self.whole, store)
                differences = {*found.lost, *found.doubled, *found.other, *found.miscounted} - self.known
                if not differences or time.monotonic() > ends:
                    # No fault reaches further back than the beginning of its round.
                    self.before = store
                    return found, passed(store, self.whole, self.goals.totals, {"capped": CAP})
                time.sleep(0.2)

    def end(self) -> bool:
        """Whether all of it, read once more, is still as it was told."""
        with self.house.client() as client:
            found = audit(self.whole, kept(client, shards=self.house.shards))
        left = {*found.lost, *found.doubled, *found.other, *found.miscounted} - self.known
        for text in sorted(left):
            self.log(f"AT THE END {text}")
        return not left

    def _note(self, name: str, ledger: Ledger, found: Audit, over: list[str]) -> None:
        row = self.rows.setdefault(name, Row())
        row.rounds += 1
        row.pages += len(ledger.pages)
        row.views += ledger.count("view")
        row.clicks += ledger.count("click")
        row.again += sum(told.again for told in (*ledger.pages.values(), *ledger.events.values()))
        for kind in ("lost", "doubled", "other", "miscounted", "open"):
            self._differ(row, kind, getattr(found, kind))
        self._differ(row, "overrun" if "forgets" in name else "passed", tuple(over))
        row.degraded += len(ledger.pages) - ledger.degraded["nothing"]
        row.slowest_ms = max(row.slowest_ms, round(ledger.slowest_s * 1000))
        row.late += ledger.late
        row.refused += ledger.refused
        row.altered += ledger.altered
        self.log(
            f"  {len(ledger.pages)} pages, {len(ledger.events)} events, {dict(ledger.degraded)},"
            f" slowest {ledger.slowest_s * 1000:.0f} ms"
        )

    def _differ(self, row: Row, kind: str, texts: tuple[str, ...]) -> None:
        for text in texts:
            if text not in self.known:
                self.known.add(text)
                setattr(row, kind, getattr(row, kind) + 1)
                self.log(f"  {kind.upper()} {text}")


def table(rows: dict[str, Row]) -> str:
    """The figures, a line for each fault."""
    names = list(Row.__dataclass_fields__)
    total = Row(**{name: sum(getattr(row, name) for row in rows.values()) for name in names})
    total.slowest_ms = max((row.slowest_ms for row in rows.values()), default=0)
    lines = [f"{'':20}" + "".join(f"{name.replace('_', ' '):>11}" for name in names)]
    for title, row in [*rows.items(), ("all", total)]:
        lines.append(f"{title:20}" + "".join(f"{getattr(row, name):>11}" for name in names))
    return "\n".join(lines)


@contextmanager
def house(rng: random.Random, shards: int) -> Iterator[House]:
    home = Path(tempfile.mkdtemp(prefix="adl-rounds-"))
    os.environ["ADLAYOUT_STATE_DIR"] = str(home / "state")
    config(home, shards=shards)
    options = ("--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        store = stack.enter_context(server(*options))
        port = free_port()
        lines = [stack.enter_context(line(url)) for url in (store.url, f"redis://{HOST}:{port}")]
        found = House(home, store, *lines, port, rng, shards)
        found.open()
        stack.callback(lambda: found.service.end())
        yield found


def write(file: TextIO, text: str) -> None:
    """A line that is there at once, whatever becomes of this process."""
    file.write(f"{text}\n")
    file.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--fault", choices=FAULTS, help="only this one")
    parser.add_argument("--shards", type=int, default=1, help="into how many parts counters are split")
    parser.add_argument("--log", type=Path, help="where each round and each difference is written (default: stderr)")
    args = parser.parse_args()
    # Started beside something else, nobody but SIGTERM tells it to stop and clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the line says so each time that nobody is behind it
    rng = random.Random(args.seed)  # noqa: S311 (chance, no secrets)
    with ExitStack() as stack:
        file = stack.enter_context(args.log.open("a")) if args.log else sys.stderr
        place = stack.enter_context(house(rng, args.shards))
        rounds = Rounds(place, rng, partial(write, file))
        rounds.log(f"seed {args.seed}, {place.home}")
        names = [args.fault] if args.fault else list(FAULTS)
        # Each fault equally often, in an order of its own each time.
        plan = [name for _ in range(-(-args.rounds // len(names))) for name in rng.sample(names, len(names))]
        with suppress(KeyboardInterrupt):
            for number, name in enumerate(plan[: args.rounds]):
                asyncio.run(rounds.run(number, name))
        sys.stdout.write(f"seed {args.seed}\n{table(rounds.rows)}\n")
        whole = rounds.end()
        with place.client() as client:
            forever = lasting(client)
        sys.stdout.write(f"all read again: {'the same' if whole else 'see the log'}\n")
        sys.stdout.write(f"keys that never end: {sorted(forever) or 'none'}\n")
        return 1 if forever or not whole or any(row.bad for row in rounds.rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
