"""`adlayout serve` counts: what it told readers is counted exactly once, though the whole of it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from adlayout.assemble import assemble
from adlayout.cli.serve import _tell_workers
from adlayout.web.accounts import closet
from adlayout.web.app import CONFIG_DIR

ROOT = Path(__file__).parent.parent
PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())", "serve")
ARTICLE = "".join(f"<p>Paragraph {number} says a little more than it must.</p>\n" for number in range(12))
HEADERS = {"content-type": "text/html", "accept": "application/json"}


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.02)


@dataclass
class Served:
    """A running `adlayout serve` on a port that it took itself."""

    process: subprocess.Popen[bytes]
    out: Path

    @property
    def base(self) -> str:
        return self.out.read_text().partition("\n")[0].removeprefix("adlayout listens on ")

    def answers(self) -> bool:
        with suppress(httpx2.TransportError):
            return bool(self.base) and httpx2.get(f"{self.base}/readyz").status_code == 200
        return False

    def kill(self) -> None:
        """Ends all of it without a word."""
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.answers())

    def compose(self) -> dict[str, object]:
        value: dict[str, object] = httpx2.post(f"{self.base}/v1/compose", content=ARTICLE, headers=HEADERS).json()
        return value

    def served(self) -> int:
        """How many ads were counted as served, by what it reports itself."""
        answer = httpx2.get(f"{self.base}/v1/reports?by=device&per=total")
        return int(answer.json()["total"]["served"]) if answer.status_code == 200 else -1


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*options: str) -> Served:
        out = tmp_path / f"out-{len(started)}"
        home = tmp_path / "run"
        home.mkdir(exist_ok=True)
        variables = os.environ | {"XDG_RUNTIME_DIR": str(home)}
        command = [*PROGRAM, "--config", str(ROOT / "config"), "--port", "0", *options]
        with out.open("wb") as stdout:
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=stdout)
        started.append(Served(process, out))
        wait_until(started[-1].answers)
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.process.wait()


def filled(page: dict[str, object]) -> int:
    slots = page["slots"]
    assert isinstance(slots, list)
    return sum(slot["filled"] for slot in slots)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_served_before_a_kill_is_counted_once_after_it(
    serve: Callable[..., Served], tmp_path: Path, workers: str
) -> None:
    options = ("--data-dir", str(tmp_path / "data"), "--workers", workers)
    before = serve(*options)
    pages = [before.compose() for _ in range(20)]
    before.kill()
    after = serve(*options)
    expected = sum(map(filled, pages))
    assert expected > 0
    wait_until(lambda: after.served() == expected)
    assert filled(after.compose()) > 0


def test_the_addresses_in_a_page_lead_back_to_the_service(serve: Callable[..., Served]) -> None:
    served = serve()
    page = served.compose()
    script = str(page["script"])
    assert script.startswith(f'<script async src="{served.base}/adlayout.js" data-token="')
    assert httpx2.get(f"{served.base}/adlayout.js").status_code == 200
    address = str(page["html"]).partition(f'"{served.base}/v1/click/')[2].partition('"')[0]
    answer = httpx2.get(f"{served.base}/v1/click/{address}", headers={"user-agent": "Mozilla/5.0 Firefox/140.0"})
    assert (answer.status_code, answer.headers["location"][:8]) == (302, "https://")


def test_a_state_directory_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    variables = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "ADLAYOUT_STATE_DIR": str(tmp_path / "file" / "state")}
    command = [*PROGRAM, "--config", str(ROOT / "config"), "--port", "0", "--workers", "2"]
    ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, timeout=50, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.decode().startswith(f"error counting.state_dir: {tmp_path}/file/state/")


def test_the_state_of_a_store_is_kept_under_its_address_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, where = "redis://:secret@127.0.0.1:6399/0", "redis://127.0.0.1:6399/0"
    for name in (CONFIG_DIR, "ADLAYOUT_REDIS_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("ADLAYOUT_STATE_DIR", str(tmp_path / "state"))
    edition = assemble(ROOT / "config", {"ADLAYOUT_REDIS_URL": url, "ADLAYOUT_STATE_DIR": str(tmp_path / "state")})
    _tell_workers(edition, url, ROOT / "config")
    before = sorted((tmp_path / "state").iterdir())
    closet(tmp_path / "state", where)
    assert sorted((tmp_path / "state").iterdir()) == before
