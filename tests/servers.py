"""Real servers to be maltreated: one on a port, a cluster, a primary with a sentinel, and a line to break."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from adlayout.store import embedded

HOST = "127.0.0.1"
_SLOTS = 16384
_NODE_TIMEOUT_MS = 1000
_SLOW_S = 0.2
_DRIP_S = 0.1


def wait_until(holds: Callable[[], bool], *, within_s: float = 40) -> None:
    """Returns when it holds, and fails when it does not in time. What the server refuses meanwhile holds not yet."""
    ends = time.monotonic() + within_s
    while True:
        with suppress(redis.RedisError, OSError):
            if holds():
                return
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections take."""
    while True:
        port = random.SystemRandom().randint(12_000, 30_000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind((HOST, port))
            return port


@dataclass(slots=True)
class Server:
    """A valkey-server on a port of its own; `command` starts it again with the same data."""

    port: int
    home: Path
    command: list[str]
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def client(self) -> redis.Redis:
        """Another program's client; close it."""
        return redis.Redis(host=HOST, port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0))

    def ask(self, *words: str | int) -> object:
        """What the server says to one command, as it says it."""
        with self.client() as client:
            client.response_callbacks.clear()
            answer: object = client.execute_command(*words)
            return answer

    def start(self, *, ready: bool = True) -> None:
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if ready:
            wait_until(lambda: self.ask("PING") == b"PONG")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """Ends it without a word."""
        self.process.kill()
        self.process.wait()

    def option(self, name: str) -> str:
        """What it was started with."""
        return self.command[self.command.index(name) + 1]


@contextmanager
def server(*options: str, port: int | None = None) -> Iterator[Server]:
    """A server with these options (`--name value` words) besides our own."""
    home = Path(tempfile.mkdtemp(prefix="adl-test-"))
    port = port or free_port()
    own = ["--port", str(port), "--bind", HOST, "--dir", str(home), "--save", "", "--repl-diskless-sync-delay", "0"]
    found = Server(port, home, [str(embedded.find_binary()), *own, *options])
    with _running(found):
        yield found


@contextmanager
def _running(one: Server) -> Iterator[None]:
    try:
        one.start()
        yield
    finally:
        one.kill()
        shutil.rmtree(one.home, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three primaries, each with a replica; the first three servers began as the primaries."""

    servers: tuple[Server, ...]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{HOST}:{one.port}" for one in self.servers)

    @property
    def living(self) -> list[Server]:
        return [one for one in self.servers if one.process.poll() is None]

    def primary_of(self, key: str) -> Server:
        """Which server takes writes to this key now; raises while nobody does."""
        for one in self.living:
            with suppress(redis.RedisError), one.client() as client:
                client.execute_command("TYPE", key)
                return one
        raise redis.ConnectionError(f"nobody has {key} now")

    def primary_or_none(self, key: str) -> Server | None:
        """The same, or None while nobody does."""
        with suppress(redis.ConnectionError):
            return self.primary_of(key)
        return None

    def whole(self) -> bool:
        """Whether every living server knows who has each slot and has copied what it must."""
        return all(_is_settled(one) for one in self.living)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster that is ready for everything."""
    with ExitStack() as stack:
        servers = tuple(stack.enter_context(_node()) for _ in range(6))
        _introduce(servers)
        for at, one in enumerate(servers[3:]):
            one.ask("CLUSTER", "REPLICATE", _text(servers[at].ask("CLUSTER", "MYID")))
        found = Cluster(servers)
        wait_until(found.whole)
        yield found


def _node() -> AbstractContextManager[Server]:
    bus = str(free_port())
    options = ("--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", str(_NODE_TIMEOUT_MS))
    return server(*options, "--cluster-allow-replica-migration", "no")


def _introduce(servers: Sequence[Server]) -> None:
    for at, one in enumerate(servers[:3]):
        one.ask("CLUSTER", "ADDSLOTSRANGE", at * _SLOTS // 3, (at + 1) * _SLOTS // 3 - 1)
        one.ask("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
    for one in servers[1:]:
        servers[0].ask("CLUSTER", "MEET", HOST, one.port, one.option("--cluster-port"))
    known = f"cluster_known_nodes:{len(servers)}"
    wait_until(lambda: all(known in _text(one.ask("CLUSTER", "INFO")) for one in servers))


def _is_settled(one: Server) -> bool:
    replication = _text(one.ask("INFO", "replication"))
    copied = "role:master" in replication or "master_link_status:up" in replication
    return copied and "cluster_state:ok" in _text(one.ask("CLUSTER", "INFO"))


@dataclass(frozen=True, slots=True)
class Watched:
    """A primary that a sentinel knows as `main`, and its replica."""

    primary: Server
    replica: Server
    sentinel: Server

    @property
    def url(self) -> str:
        """With a sentinel that does not exist before the one that does."""
        return f"redis+sentinel://{HOST}:1,{HOST}:{self.sentinel.port}/main"

    def leads(self, one: Server) -> bool:
        """Whether this server takes writes and the sentinel says so."""
        with one.client() as client:
            told = self.sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
            return client.role()[0] == b"master" and told == [HOST.encode(), str(one.port).encode()]


@contextmanager
def watched() -> Iterator[Watched]:
    """A primary, a replica that has copied it, and a sentinel that knows both."""
    with ExitStack() as stack:
        primary = stack.enter_context(server())
        replica = stack.enter_context(server("--replicaof", HOST, str(primary.port)))
        wait_until(lambda: "master_link_status:up" in _text(replica.ask("INFO", "replication")))
        sentinel = stack.enter_context(_sentinel(primary))
        wait_until(lambda: "slaves=1" in _text(sentinel.ask("INFO", "sentinel")))
        yield Watched(primary, replica, sentinel)


@contextmanager
def _sentinel(primary: Server) -> Iterator[Server]:
    home, port = Path(tempfile.mkdtemp(prefix="adl-test-")), free_port()
    rules = home / "sentinel.conf"
    rules.write_text(
        f"port {port}\nbind {HOST}\ndir {home}\n"
        f"sentinel monitor main {HOST} {primary.port} 1\n"
        "sentinel down-after-milliseconds main 500\n"
        "sentinel failover-timeout main 3000\n"
    )
    found = Server(port, home, [str(embedded.find_binary()), str(rules), "--sentinel"])
    with _running(found):
        yield found


class Fault(StrEnum):
    """What a line does to the answers that come over it."""

    NONE = "none"
    HOLE = "hole"  # they never come
    RESET = "reset"  # the connection breaks instead
    HALF_CLOSE = "half_close"  # nothing more comes, but it may still be written to
    DRIP = "drip"  # one byte at a time
    SLOW = "slow"  # a little too late
    LOSS = "loss"  # the first bytes are missing


@dataclass(slots=True)
class Line:
    """A line to a server that another breaks; `fault` may change at any time, `every` says how many answers it hits."""

    url: str
    target: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
    fault: Fault = Fault.NONE
    every: int = 1
    answers: int = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end closes it."""
        back, forth = await self.target()
        ways = [asyncio.create_task(way) for way in (_copy(reader, forth), self._answer(back, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, _closed(forth), _closed(writer), return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.answers += 1
            await self._harm(data, writer, self.fault if self.answers % self.every == 0 else Fault.NONE)

    async def _harm(self, data: bytes, writer: asyncio.StreamWriter, fault: Fault) -> None:
        match fault:
            case Fault.NONE | Fault.LOSS:
                writer.write(data if fault is Fault.NONE else data[3:])
            case Fault.RESET:
                writer.transport.abort()
            case Fault.HALF_CLOSE:
                writer.write_eof()
            case Fault.SLOW:
                await asyncio.sleep(_SLOW_S)
                writer.write(data)
            case Fault.DRIP:
                for byte in data:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(_DRIP_S)
            case _:
                pass


@contextmanager
def line(url: str, tls: ssl.SSLContext | None = None) -> Iterator[Line]:
    """A line to the server of this address (`redis://` or `unix://`); runs in a thread of its own.

    With `tls` it is spoken to by TLS, for a server that has none.
    """
    scheme, _, place = url.partition("://")
    host, _, port = place.partition(":")
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()

    async def target() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if scheme == "unix":
            return await asyncio.open_unix_connection(place)
        return await asyncio.open_connection(host, int(port))

    found = Line("", target)
    listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(found.carry, HOST, 0, ssl=tls), made).result()
    found.url = f"{'rediss' if tls else 'redis'}://{HOST}:{listening.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening), made).result()
        made.call_soon_threadsafe(made.stop)
        thread.join()
        made.close()


async def _end(listening: asyncio.Server) -> None:
    listening.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


def _text(raw: object) -> str:
    assert isinstance(raw, (bytes, str, dict))
    return raw.decode() if isinstance(raw, bytes) else str(raw)
