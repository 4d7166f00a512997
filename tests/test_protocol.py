"""A request whose head does not end costs a connection for a while, never the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from adlayout.web.protocol import HEAD_BYTES, GuardedProtocol

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), http=GuardedProtocol, lifespan="off")
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: GuardedProtocol(config, ServerState(), {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()


async def told(*parts: bytes) -> bytes:
    """All that a server answers to these parts until it closes the connection."""
    async with connection() as (reader, writer):
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.01)
        return await asyncio.wait_for(reader.read(), 5)


@pytest.mark.parametrize("parts", [(), (GET,), (GET + b"\r\n", GET)])
def test_a_head_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]) -> None:
    monkeypatch.setattr("adlayout.web.protocol.HEAD_S", 0.1)
    assert asyncio.run(told(*parts)).count(b"HTTP/1.1 200") == parts.count(GET + b"\r\n")


def test_a_head_that_is_too_large_is_a_400() -> None:
    assert asyncio.run(told(GET, b"X: " + b"y" * HEAD_BYTES)).startswith(b"HTTP/1.1 400")


def test_requests_on_one_connection_are_answered_one_by_one() -> None:
    last = GET + b"Connection: close\r\n\r\n"
    assert asyncio.run(told(GET + b"\r\n", GET + b"\r\n", last)).count(b"HTTP/1.1 200") == 3
