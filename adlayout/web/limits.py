"""What the service takes: how large a body, for how long, from whom. Knows ASGI; never what is in a body."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from starlette.types import Receive, Scope

from adlayout.errors import NotAllowed, NotAnArticle, TooLarge

# What is read and thrown away so that a caller that is still sending gets to read the answer.
_DRAIN_BYTES = 8 * 1024 * 1024
_DRAIN_S = 1.0
_LONGEST_MS = 60_000


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, *, limit: int, within_s: float) -> bytes:
    """The whole body, at most `limit` bytes, however it is framed; a slow sender holds a connection, not a worker."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced[:20]) > limit:
        if headers.get(b"expect", b"").lower() != b"100-continue":
            await _drain(receive, _DRAIN_BYTES)
        raise _too_large(limit)
    try:
        async with asyncio.timeout(within_s):
            return await _collect(receive, limit)
    except TimeoutError as exc:
        raise NotAnArticle(f"the body did not arrive within {within_s:g} s") from exc


async def _collect(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise NotAnArticle("the caller went away before the body was complete")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            await _drain(receive, _DRAIN_BYTES if message.get("more_body") else 0)
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


async def _drain(receive: Receive, budget: int) -> None:
    """Throws away what still comes, within bounds: a connection closed too early would swallow the answer."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            while budget > 0:
                message = await receive()
                budget -= len(message.get("body", b"")) + 1
                if not message.get("more_body"):
                    return
    except TimeoutError:
        return


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than the {limit} bytes that are taken: ops may raise server.max_body_bytes")


# Who may ask.


def admit(
    scope: Scope, headers: Mapping[bytes, bytes], token: str | None, *, variable: str = "ADLAYOUT_CMS_TOKEN"
) -> None:
    """Lets a caller with the token in, or, where none is configured, one on this machine; refuses everyone else.

    `variable` is what sets the token, for those who are told that it is not set.
    """
    if may_ask(scope, headers, token):
        return
    if token is None:
        raise NotAllowed(f"without {variable} this route answers callers on the same machine only")
    raise NotAllowed("send the header Authorization: Bearer with the token of this service")


def may_ask(scope: Scope, headers: Mapping[bytes, bytes], token: str | None) -> bool:
    """Whether the caller has the token, or, where none is configured, is on this machine."""
    return is_local(scope) if token is None else hmac.compare_digest(_bearer(headers), token.encode())


def _bearer(headers: Mapping[bytes, bytes]) -> bytes:
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    return given.strip() if scheme.lower() == b"bearer" else b""


def is_local(scope: Scope) -> bool:
    """Whether the caller is on this machine: a peer on a unix socket has no address and is."""
    client = scope.get("client")
    return client is None or _is_loopback(client[0])


@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


# How long an answer may take.


class Deadline:
    """When the time for an answer is over: after what the request asks for, else what is usual here."""

    __slots__ = ("_ends", "_now")

    def __init__(self, asked_ms: int | None, usual_ms: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends = now() + min(asked_ms or usual_ms, _LONGEST_MS) / 1000

    @property
    def left_s(self) -> float:
        """What is left of it, in seconds; 0 where nothing is."""
        return max(0.0, self._ends - self._now())

    def passed(self) -> bool:
        """Whether it is over."""
        return self._now() >= self._ends
