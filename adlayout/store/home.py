"""Where an embedded server lives: a private directory with a lock that outlives nobody; knows nothing of servers.

A lock is held by whoever has its file open, so it is free once its owner and the server that inherited it are gone,
however they went. What lies under a free lock is swept at the next start.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adlayout.errors import StoreError

_PREFIX = "adl-"
_LOCK = "lock"
_MAX_SOCKET_PATH = 100  # the server exits at 108 bytes (104 on macOS)
# The server of an owner that was killed writes what it has before it ends.
_PATIENCE_S = 1.0
_POLL_S = 0.02


@dataclass(slots=True)
class Home:
    """A directory that is this process's own until `remove`; a child that inherits `lock` holds it too."""

    path: Path
    lock: int | None

    def remove(self) -> None:
        """Deletes it and all that is in it; twice does no harm."""
        if self.lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self.lock)
            self.lock = None


def make_home() -> Home:
    """A new directory whose path leaves room for a socket's name; those of owners that were killed are removed."""
    base = _short_base()
    _sweep(base)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    draft = path / "draft"
    lock = _open(draft)
    fcntl.flock(lock, fcntl.LOCK_EX)
    draft.rename(path / _LOCK)  # only now may a sweep look at it
    return Home(path, lock)


def own(data_dir: Path) -> int:
    """Locks the data directory: two servers on one append-only file would ruin it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = _open(data_dir / "adlayout.lock")
    except OSError as exc:
        raise StoreError(f"{data_dir}: cannot hold the store's data: {exc}") from exc
    ends = time.monotonic() + _PATIENCE_S
    while not _take(lock):
        if time.monotonic() > ends:
            os.close(lock)
            raise StoreError(f"{data_dir}: in use by another adlayout; give each its own --data-dir")
        time.sleep(_POLL_S)
    return lock


def _short_base() -> Path:
    bases = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")  # noqa: S108 (mkdtemp makes it private)
    for base in bases:
        if base and len(os.fsencode(base)) + len("/adl-xxxxxxxx/s") <= _MAX_SOCKET_PATH and os.access(base, os.W_OK):
            return Path(base)
    raise StoreError(  # pragma: no cover (/tmp can be written to wherever tests run)
        "no short writable directory for the store's socket: set XDG_RUNTIME_DIR to one"
    )


def _sweep(base: Path) -> None:
    """Removes what killed owners left; what cannot be removed is left to the next one."""
    for path in base.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):
            if _is_ours(path.parent):
                _remove_if_free(path)


def _is_ours(directory: Path) -> bool:
    """Others may put a link or a directory of theirs where everybody may write."""
    facts = directory.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()


def _remove_if_free(path: Path) -> None:
    lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if _take(lock):
            shutil.rmtree(path.parent, ignore_errors=True)
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
