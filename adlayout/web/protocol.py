"""uvicorn's HTTP protocol with an end to its patience: how long and how large the head of a request may be."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Also the time a fresh connection may stay silent; kept ones have uvicorn's keep-alive timeout.
HEAD_S = 10.0
# nginx takes 32 KiB in all (large_client_header_buffers 4 8k).
HEAD_BYTES = 32 * 1024


class GuardedProtocol(HttpToolsProtocol):
    """Closes a connection whose request head does not come to an end."""

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._timer is not None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._had_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._had_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _had_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
