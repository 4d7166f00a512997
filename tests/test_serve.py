"""`adlayout serve` as it is run: processes that start together, serve pages with ads, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from adlayout.web.server import listen

ROOT = Path(__file__).parent.parent
PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())")
ARTICLE = "<h1>On the hill</h1>\n" + "".join(
    f"<p>Paragraph {n} says a little more than it must.</p>\n" for n in range(12)
)


def wait_until(holds: Callable[[], bool], *, within_s: float = 20) -> None:
    """Returns when it holds, and fails when it does not in time."""
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.02)


@dataclass
class Served:
    """A running `adlayout serve` on a port that it took itself, and what it says."""

    process: subprocess.Popen[bytes]
    home: Path
    out: Path
    err: Path

    @property
    def base(self) -> str:
        """The address in its first line, which is nothing until it listens."""
        return self.out.read_text().partition("\n")[0].removeprefix("adlayout listens on ")

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Returns when it holds, and fails when it does not in time or the service ends before."""

        def holds_while_it_runs() -> bool:
            assert self.process.poll() is None, f"ended: {self.err.read_text()}"
            return holds()

        wait_until(holds_while_it_runs)

    def answers(self) -> bool:
        with contextlib.suppress(httpx2.TransportError):
            return bool(self.base) and httpx2.get(f"{self.base}/readyz").status_code == 200
        return False

    def members(self) -> set[int]:
        """Every process with this server's own runtime directory in its environment, or, as the store, in its title."""
        found = set()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.home).encode() in (path / "environ").read_bytes() + (path / "cmdline").read_bytes():
                    found.add(int(path.name))
        return found


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*options: str, **env: str) -> Served:
        home, said = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("said")
        home.chmod(0o700)
        out, err = said / "out", said / "err"
        command = [*PROGRAM, "serve", "--config", str(ROOT / "config"), "--port", "0", *options]
        variables = os.environ | {"XDG_RUNTIME_DIR": str(home)} | env
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=stdout, stderr=stderr)
        started.append(Served(process, home, out, err))
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.process.wait()
        wait_until(lambda served=served: not served.members())  # type: ignore[misc] # a default binds the loop variable


def compose(served: Served) -> dict[str, object]:
    headers = {"content-type": "text/html", "accept": "application/json"}
    answer = httpx2.post(f"{served.base}/v1/compose", content=ARTICLE, headers=headers)
    assert answer.status_code == 200
    value: dict[str, object] = answer.json()
    return value


def filled(served: Served) -> list[str]:
    slots = compose(served)["slots"]
    assert isinstance(slots, list)
    return [slot["creative"] for slot in slots if slot["filled"]]


def test_one_command_serves_pages_with_ads(serve: Callable[..., Served]) -> None:
    served = serve("--workers", "2")
    served.wait_until(served.answers)
    assert filled(served)
    assert httpx2.get(f"{served.base}/readyz").json()["store"] == "ok"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_every_process_and_leaves_no_file(serve: Callable[..., Served], workers: str) -> None:
    served = serve("--workers", workers)
    served.wait_until(served.answers)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(20) == 0
    wait_until(lambda: not served.members(), within_s=5)
    assert [path for path in served.home.rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_when_the_parent_is_killed_nothing_is_left_running(serve: Callable[..., Served], workers: str) -> None:
    served = serve("--workers", workers)
    served.wait_until(served.answers)
    assert len(served.members()) >= int(workers) + 1  # with the store
    served.process.kill()
    wait_until(lambda: not served.members())


def test_a_killed_worker_is_replaced(serve: Callable[..., Served]) -> None:
    served = serve("--workers", "2")
    served.wait_until(served.answers)
    before = served.members()
    worker = max(_workers(served))
    os.kill(worker, signal.SIGKILL)
    served.wait_until(lambda: bool(served.members() - before))
    served.wait_until(lambda: served.answers() and bool(filled(served)))


def _workers(served: Served) -> list[int]:
    """The spawned workers, by their command line."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in served.members()}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


def test_it_says_what_to_try_next(serve: Callable[..., Served]) -> None:
    served = serve()
    served.wait_until(served.answers)
    said = served.out.read_text()
    assert f"{served.base}/preview?sample=" in said
    assert f"{served.base}/v1/compose" in said


def test_without_a_sample_there_is_nothing_to_try(serve: Callable[..., Served], tmp_path: Path) -> None:
    config = shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("samples"))
    served = serve("--config", str(config))
    served.wait_until(served.answers)
    served.process.terminate()
    assert served.process.wait(20) == 0
    assert served.out.read_text().splitlines() == [
        f"adlayout listens on {served.base}",
        "no Redis is configured: an embedded Valkey holds the sample inventory, for one machine only",
        "Ctrl-C stops it",
    ]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_is_no_failure(serve: Callable[..., Served], workers: str) -> None:
    served = serve("--workers", workers)
    served.wait_until(served.answers)
    served.process.send_signal(signal.SIGINT)
    assert (served.process.wait(20), "Traceback" in served.err.read_text()) == (0, False)


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "localhost"),  # noqa: S104 - bound and let go
        ("::", "localhost"),
        ("::1", "[::1]"),
    ],
)
def test_a_service_on_every_network_is_reached_as_localhost(host: str, reached: str) -> None:
    listener = listen(host, 0)
    with listener.socket:
        assert listener.base == f"http://{reached}:{listener.port}"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_redis_that_is_away_costs_the_ads_and_not_the_page(
    serve: Callable[..., Served], tmp_path: Path, workers: str
) -> None:
    served = serve("--workers", workers, ADLAYOUT_REDIS_URL=f"unix://{tmp_path}/nobody")
    served.wait_until(served.answers)
    assert httpx2.get(f"{served.base}/readyz").json()["store"] == "degraded"
    assert ARTICLE.split("\n")[0] in str(compose(served)["html"])
    served.process.terminate()
    assert (served.process.wait(20), "embedded" in served.out.read_text()) == (0, False)


def test_a_port_that_is_taken_is_said_at_once(serve: Callable[..., Served]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        served = serve("--port", port)
        assert served.process.wait(20) == 1
    assert f"port {port}" in served.err.read_text()


def test_a_config_with_faults_does_not_serve(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "adlayout.yaml").write_text("servr: {}\n")
    served = serve("--config", str(tmp_path))
    assert served.process.wait(20) == 1
    assert "adlayout.yaml:1:1" in served.err.read_text()


def test_what_is_kept_in_a_data_directory_is_there_after_a_restart(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    revisions = []
    for _ in range(2):
        served = serve("--data-dir", str(tmp_path / "data"))
        served.wait_until(served.answers)
        revisions.append(json.loads(httpx2.get(f"{served.base}/readyz").content)["revision"])
        served.process.terminate()
        served.process.wait(20)
    assert revisions == [1, 1]
