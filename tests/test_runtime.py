"""Where a running server says how its store is reached."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adlayout.errors import StoreError
from adlayout.store.runtime import announce, find, withdraw


@pytest.fixture(autouse=True)
def runtime_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"adlayout-{os.getuid()}"


def test_what_is_announced_is_found_until_it_is_withdrawn() -> None:
    path = announce(8080, "unix:///s")
    assert find() == find(8080) == "unix:///s"
    assert path.stat().st_mode & 0o777 == 0o600
    withdraw(8080)
    assert find() is None
    assert not path.exists()


def test_another_port_is_another_server() -> None:
    announce(8080, "unix:///s")
    assert find(8081) is None


def test_several_servers_are_told_apart_by_their_port() -> None:
    announce(8080, "unix:///a")
    announce(8081, "unix:///b")
    with pytest.raises(StoreError, match="8080, 8081"):
        find()
    assert find(8081) == "unix:///b"


@pytest.fixture
def dead() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_server_that_died_is_not_found(dead: int) -> None:
    announce(8080, "unix:///s").write_text(f'{{"url": "unix:///s", "pid": {dead}}}')
    assert find() is None


def test_what_the_dead_announced_is_removed_at_the_next_announcement(runtime_dir: Path, dead: int) -> None:
    announce(8080, "unix:///s").write_text(f'{{"url": "unix:///s", "pid": {dead}}}')
    announce(8081, "unix:///t").write_text(f'{{"url": "unix:///t", "pid": {os.getppid()}}}')
    announce(8082, "unix:///u")
    assert sorted(path.name for path in runtime_dir.iterdir()) == ["8081.json", "8082.json"]


def test_nobody_withdraws_what_another_announced() -> None:
    path = announce(8080, "unix:///s")
    path.write_text(f'{{"url": "unix:///s", "pid": {os.getppid()}}}')
    withdraw(8080)
    assert find() == "unix:///s"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"url": "unix:///s", "pid": "x"}',
        f'{{"url": "unix:///s", "pid": {10**30}}}',
        "\udcff",
    ],
)
def test_a_file_that_says_something_else_is_passed_over(text: str) -> None:
    announce(8080, "unix:///s").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert find() is None


def test_a_directory_that_others_can_write_to_is_not_believed(runtime_dir: Path) -> None:
    announce(8080, "unix:///s")
    runtime_dir.chmod(0o777)
    with pytest.raises(StoreError, match="mode 700"):
        find()


def test_a_link_is_not_believed(runtime_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    runtime_dir.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="must be a directory of yours"):
        announce(8080, "unix:///s")


def test_a_directory_that_cannot_be_made_is_told(runtime_dir: Path) -> None:
    runtime_dir.touch()
    with pytest.raises(StoreError, match="cannot be made"):
        announce(8080, "unix:///s")


def test_a_place_that_cannot_be_written_is_told(runtime_dir: Path) -> None:
    announce(8080, "unix:///s")
    (runtime_dir / "8081.json").mkdir()
    with pytest.raises(StoreError, match="cannot say where"):
        announce(8081, "unix:///s")
