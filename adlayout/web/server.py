"""Runs the app under uvicorn, in one process or several on one socket. Knows processes; never what is served."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from uvicorn.supervisors import Multiprocess

from adlayout.errors import ConfigError, Fault
from adlayout.web.protocol import GuardedProtocol

_APP = "adlayout.web.app:worker_app"
# A CMS pools its connections; closing them sooner than it does only costs it a reconnect.
_KEEP_ALIVE_S = 75
_GRACEFUL_S = 10
# Time for whoever asks /readyz every second, or hears of the end in another way, to send no more.
_DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, and the base of the addresses under which it is reached from this machine."""

    socket: socket.socket
    port: int
    base: str


def listen(host: str, port: int) -> Listener:
    """Takes the port before anything is started, so that a taken one is said at once; 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except (OSError, OverflowError) as exc:
        sock.close()
        raise ConfigError((Fault("--port", f"cannot listen on {host} port {port}: {exc}"),)) from exc
    sock.set_inheritable(True)
    taken = sock.getsockname()[1]
    return Listener(sock, taken, f"http://{_reachable(host)}:{taken}")


def serve_until_stopped(listener: Listener, *, workers: int) -> bool:
    """Serves until SIGTERM or Ctrl-C, and lets running requests end; False where the app did not start."""
    config = uvicorn.Config(
        _APP,
        factory=True,
        workers=workers,
        http=GuardedProtocol,
        loop="auto",
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACEFUL_S,
    )
    if workers > 1:
        _Workers(config, sockets=[listener.socket]).run()
        return True
    server = uvicorn.Server(config)
    try:
        server.run(sockets=[listener.socket])
    except KeyboardInterrupt:  # uvicorn raises the signal that ended it again, once all is done
        return True
    return server.started  # pragma: no cover (an app whose config holds fails to start by a fault of ours alone)


class _Workers(Multiprocess):
    """uvicorn's supervisor of several workers."""

    def terminate_all(self) -> None:
        """Ends the workers, and with them the listening socket: who still calls is refused, not kept waiting."""
        super().terminate_all()
        for sock in self.sockets:
            sock.close()


@contextmanager
def told_to_end(tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` at SIGTERM, on the event loop; a second later uvicorn hears of it and takes no more requests.

    Does nothing outside a main thread in which somebody handles the signal.
    """
    end = signal.getsignal(signal.SIGTERM)
    if not callable(end) or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def drain() -> None:
        tell()
        loop.call_later(_DRAIN_S, end, signal.SIGTERM, None)

    loop.add_signal_handler(signal.SIGTERM, drain)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, end)


def end_with_parent() -> None:
    """Stops this worker when the process that started it is gone, however it went. Call it on the event loop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop = asyncio.get_running_loop()
        loop.add_reader(parent.sentinel, _stop, loop, parent.sentinel)


def _stop(loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
    """Ends at once, as at Ctrl-C: the port is to be free when the parent is started again."""
    loop.remove_reader(sentinel)
    os.kill(os.getpid(), signal.SIGINT)


def _reachable(host: str) -> str:
    """The host to name in an address: one that means every interface is reached as localhost."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
