"""uvicorn's HTTP protocol with an end to its patience: how long and how large the head of a request may be."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Also the time a fresh connection may stay silent; kept ones have uvicorn's keep-alive timeout.
HEAD_S = 10.0
# nginx takes 32 KiB in all (large_client_header_buffers 4 8k).
HEAD_BYTES = 32 * 1024


class GuardedProtocol(HttpToolsProtocol):
    """Closes a connection whose request head does not come to an end.

    A head that arrives in one piece, as nearly all do, costs one look; only an unfinished one starts a clock.
    """

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_S, transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # uvicorn makes the scope with the first byte of a head, and gives it a path with the last one.
        scope: object = self.scope  # None before the first head, whatever its annotation says
        if not isinstance(scope, dict) or "path" not in scope:
            self._wait_on(len(data))
        elif self._timer is not None:
            self._had_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._had_head()
        super().connection_lost(exc)

    def _wait_on(self, received: int) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self.transport.close)
        self._head_bytes += received
        if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def _had_head(self) -> None:
        self._head_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
