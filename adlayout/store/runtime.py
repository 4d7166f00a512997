"""Where the servers of this user say how their store is reached: one small file per port; knows nothing of Redis."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from adlayout.errors import StoreError


def announce(port: int, url: str) -> Path:
    """Writes that the server on `port` has its store at `url`, readable by this user alone.

    What servers announced that were killed since is removed.
    """
    directory = _directory()
    _forget_the_dead(directory)
    path = directory / f"{port}.json"
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({"url": url, "pid": os.getpid()}, file)
        draft.replace(path)
    except OSError as exc:
        raise StoreError(f"{path}: cannot say where the embedded store is: {exc}") from exc
    return path


def withdraw(port: int) -> None:
    """Removes what this process announced for `port`, if it did."""
    path = _directory() / f"{port}.json"
    if _read(path)[1] == os.getpid():
        path.unlink(missing_ok=True)


def find(port: int | None = None) -> str | None:
    """The store of the running server on `port`, or of the only one that runs; None where none does.

    Raises `StoreError` where several run and no port was said.
    """
    paths = sorted(_directory().glob("*.json" if port is None else f"{port}.json"))
    found = {path.stem: url for path in paths for url, pid in [_read(path)] if url and _runs(pid)}
    if len(found) > 1:
        raise StoreError(f"several servers run here: say which by its port: {', '.join(found)}")
    return next(iter(found.values()), None)


def _forget_the_dead(directory: Path) -> None:
    for path in directory.glob("*.json"):
        pid = _read(path)[1]
        if pid and not _runs(pid):
            path.unlink(missing_ok=True)


def _directory() -> Path:
    """This user's directory; another's, or one that others may write to, is not believed."""
    path = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"adlayout-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = path.lstat()
    except OSError as exc:
        raise StoreError(f"{path}: cannot be made: {exc}; set XDG_RUNTIME_DIR to a directory of yours") from exc
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise StoreError(f"{path}: must be a directory of yours with mode 700; remove it or set XDG_RUNTIME_DIR")
    return path


def _read(path: Path) -> tuple[str | None, int]:
    """The address and the process; (None, 0) where the file is gone or says something else."""
    try:
        said = json.loads(path.read_text("utf-8"))
        return str(said["url"]), int(said["pid"])
    except (OSError, ValueError, TypeError, LookupError):
        return None, 0


def _runs(pid: int) -> bool:
    try:
        # One that another user started runs too.
        with suppress(PermissionError):
            os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    return True
