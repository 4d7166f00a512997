"""Ties a child process to the life of its parent, however the parent dies; knows nothing of what the child does."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def tied_to_parent() -> Callable[[], None] | None:
    """A `preexec_fn` by which Linux ends the child with its parent, or None where that cannot be relied on.

    The kernel signals at the death of the *thread* that started the child, so only the main thread may use it.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def tie() -> None:  # pragma: no cover (runs between fork and exec, where nothing is traced)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return tie


def watch(pid: int) -> subprocess.Popen[bytes]:
    """A watcher that ends `pid` when this process is gone: its standard input is a pipe that only we hold open.

    End the watcher before the watched process ends, or it may signal a stranger that inherited the number.
    """
    return subprocess.Popen(  # noqa: S603 (a fixed command; the number is ours)
        ["/bin/sh", "-c", 'read -r _; kill "$0"', str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
