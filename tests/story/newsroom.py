"""A newsroom of one's own: the service as it is run, its config directory and its Redis, all there to be maltreated."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import redis

from adlayout.store import embedded, keys

CONFIG = Path(__file__).parents[2] / "config"
PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())", "serve")
# With a byte that is no UTF-8 in it: what comes back is what was sent, not what was understood.
ARTICLE = b"<h1>On the hill \xff</h1>\r\n" + b"".join(
    b"<p>Paragraph %d says a little more than it must.\n" % n for n in range(8)
)
ADS = 4
HTML = {"content-type": "text/html"}
_SLOT = re.compile(rb'<aside class="adl-slot".*?</aside>', re.DOTALL)
# Less than the two seconds that a load of the inventory may take: no page waits for one.
PATIENCE_S = 1.9


def wait_until(holds: Callable[[], bool], *, within_s: float = 90) -> None:
    """Returns when it holds, and fails when it does not in time."""
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.01)


class Redis:
    """A real Valkey under one address, whichever server stands there; another program's client to it is `client`."""

    def __init__(self, home: Path) -> None:
        self._address = home / "s"
        self._server: embedded.Embedded | None = None
        self.url = f"unix://{self._address}"
        self.client = redis.Redis.from_url(self.url)

    def start(self) -> None:
        self._server = embedded.start()
        self._address.unlink(missing_ok=True)
        self._address.symlink_to(self._server.url.removeprefix("unix://"))

    def send(self, number: signal.Signals) -> None:
        assert self._server
        os.kill(self._server.pid, number)

    def kill(self) -> None:
        """Ends the server without a word, and all it held."""
        if self._server is not None:
            self.send(signal.SIGKILL)
            self._server.stop()
            self.client.close()
            self._server = None

    def connect(self) -> socket.socket:
        """A bare connection to it."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._address))
        return connection

    def write(self, **texts: str) -> None:
        """Publishes creatives as any program may: the rows, then the revision."""
        with self.client.pipeline(transaction=True) as pipe:
            for id, text in texts.items():
                pipe.hset(keys.CREATIVES, id, text)
            pipe.incr(keys.REVISION)
            pipe.execute()


def creative(id: str, markup: str) -> str:
    """The row of a creative that may stand in every slot within an article."""
    row = {"id": id, "kind": "html", "markup": markup, "sandbox": "first-party", "formats": ["300x250"], "house": True}
    return json.dumps(row)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the reasons why ads are missing, whether the article is whole, and how many ads."""

    status: int = 200
    degraded: Set[str] = frozenset()
    whole: bool = True
    ads: int = ADS


@dataclass
class Service:
    """A running `adlayout serve`; `home` is its runtime directory and its mark on every process it starts."""

    process: subprocess.Popen[bytes]
    home: Path
    base: str

    def line(self) -> httpx2.Client:
        """A connection of its own, kept open, so that one worker answers all that is asked on it."""
        # There is no TLS; to read the certificates of the machine would cost more than a page.
        return httpx2.Client(base_url=self.base, timeout=PATIENCE_S, verify=False)

    def get(self, path: str) -> httpx2.Response:
        with self.line() as line:
            return line.get(path)

    def readyz(self) -> dict[str, Any]:
        value: dict[str, Any] = self.get("/readyz").json()
        return value

    def post(self, query: str = "", article: bytes = ARTICLE) -> httpx2.Response:
        with self.line() as line:
            return line.post(f"/v1/compose{query}", content=article, headers=HTML)

    def compose(self, query: str = "", article: bytes = ARTICLE) -> Answer:
        response = self.post(query, article)
        rest, ads = _SLOT.subn(b"", response.content)
        degraded = {each for each in response.headers.get("adlayout-degraded", "").split(", ") if each}
        return Answer(response.status_code, degraded, article in rest, ads)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, (self.home / "errors").read_text()
        with suppress(httpx2.TransportError):
            return self.get("/readyz").status_code == 200
        return False

    def is_closed(self) -> bool:
        """Whether nobody takes calls any more."""
        with suppress(httpx2.ReadError, httpx2.RemoteProtocolError):
            try:
                self.get("/readyz")
            except httpx2.ConnectError:
                return True
        return False

    def left_behind(self) -> list[Path]:
        """The files in its runtime directory, and sockets."""
        return [path for path in self.home.rglob("*") if not path.is_dir() and path.name != "errors"]

    def members(self) -> set[int]:
        """Every process with this service's home in its environment or, as the store, in its title."""
        found = set()
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if str(self.home).encode() in (path / "environ").read_bytes() + (path / "cmdline").read_bytes():
                    found.add(int(path.name))
        return found

    def end(self) -> None:
        """Kills all of it: a member that lived on would hold the pipe that `communicate` reads to its end."""
        self.process.kill()
        for member in self.members() - {self.process.pid}:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        self.process.communicate()
        wait_until(lambda: not self.members())


def start(home: Path, config: Path, *options: str, redis_url: str | None) -> Service:
    """Starts the service on a free port and returns when it says where it listens."""
    home.chmod(0o700)
    env = os.environ | {"XDG_RUNTIME_DIR": str(home)} | ({"ADLAYOUT_REDIS_URL": redis_url} if redis_url else {})
    with (home / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [*PROGRAM, "--config", str(config), "--port", "0", *options],
            cwd=CONFIG.parent,
            env=env,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout
    said = process.stdout.readline().decode()
    assert said, (home / "errors").read_text()
    return Service(process, home, said.split()[-1])


def copy_config(to: Path) -> Path:
    """The shipped config directory, to be spoilt."""
    return Path(shutil.copytree(CONFIG, to / "config"))
