"""Tells the log of each request that was answered. Knows ASGI and the clock; never what a line looks like."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adlayout.telemetry.logs import Log

# Asked for every few seconds by machines that keep the answer themselves.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class Logged:
    """The app, with a line for each request that asks for one.

    A route that made a page leaves it in the scope as `page`, and the id of its request as `request_id`.
    """

    def __init__(self, app: ASGIApp, log: Log) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, and tells of it whatever came of it."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._tell((perf_counter() - started) * 1000, status, scope)

    def _tell(self, ms: float, status: int, scope: Scope) -> None:
        route = getattr(scope.get("route"), "path", None)
        named = {"request_id": scope.get("request_id"), "route": route, "method": scope["method"]}
        self._log.answered(ms, status, scope.get("page"), named)
