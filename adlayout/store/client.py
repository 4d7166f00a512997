"""The one client of Redis or Valkey: short timeouts, a bounded pool, no retries, and every failure a `StoreError`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from adlayout import __version__
from adlayout.errors import StoreError, StoreTimeout
from adlayout.rows import Rows
from adlayout.store import keys

_CONNECT_S: Final = 0.05
_POOL_WAIT_S: Final = 0.02
_MAX_CONNECTIONS: Final = 32
_MAX_BULK_CONNECTIONS: Final = 2
# A busy event loop may look at an answer late, so a poll waits longer than the 30 ms that a page may.
_TIMEOUT_MS: Final = 80
_BULK_S: Final = 2.0

# KEYS: campaigns, flights, creatives, revision. ARGV: mode, number of rows, then key index, id, text for each row.
# All is checked before the first write, because Redis rolls nothing back.
_PUBLISH: Final = """#!lua
local mode, count = ARGV[1], tonumber(ARGV[2])
for i = 1, 3 do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'hash' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' holds a ' .. kind) end
  if mode == 'seed' and kind == 'hash' then return -1 end
end
local kind = redis.call('TYPE', KEYS[4]).ok
local revision = kind == 'string' and redis.call('GET', KEYS[4]) or '0'
if kind ~= 'string' and kind ~= 'none' or not string.match(revision, '^%d+$') then
  return redis.error_reply('WRONGTYPE ' .. KEYS[4] .. ' holds no number')
end
if mode == 'seed' and kind == 'string' then return -1 end
if mode == 'replace' then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
for n = 0, count - 1 do
  local at = 3 + n * 3
  redis.call('HSET', KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2])
end
return redis.call('INCR', KEYS[4])
"""


class Store:
    """The inventory in Redis. `url` is redis://, rediss:// or unix://; options after its `?` win over our own.

    `timeout_ms` is for everything but loads and publications, which are large and rare and have two seconds.
    Raises `StoreTimeout` where the store does not answer in time and `StoreError` for everything else it does wrong.
    """

    def __init__(self, url: str, *, timeout_ms: int = _TIMEOUT_MS) -> None:
        self.where = _without_password(url)
        with _store_faults(self.where, "its address does not hold"):
            self._quick = _client(url, answer_s=timeout_ms / 1000, connect_s=_CONNECT_S, connections=_MAX_CONNECTIONS)
            self._bulk = _client(url, answer_s=_BULK_S, connect_s=_BULK_S, connections=_MAX_BULK_CONNECTIONS)

    async def revision(self) -> int:
        """The number of publications so far; 0 before the first."""
        with _store_faults(self.where, "the revision cannot be read"):
            return _revision(await self._quick.get(keys.REVISION))

    async def load(self) -> tuple[int, Rows]:
        """The whole inventory and its revision, as of one moment."""
        with _store_faults(self.where, "the inventory cannot be read"):
            async with asyncio.timeout(_BULK_S), self._bulk.pipeline(transaction=True) as pipe:
                for key in keys.INVENTORY:
                    pipe.hgetall(key)
                pipe.get(keys.REVISION)
                campaigns, flights, creatives, revision = await pipe.execute()
            return _revision(revision), Rows(_texts(campaigns), _texts(flights), _texts(creatives))

    async def publish(self, rows: Rows, *, replace: bool) -> int:
        """Writes all rows at once and returns the new revision; `replace` removes the rows that are not among them."""
        return await self._publish(rows, "replace" if replace else "merge")

    async def seed(self, rows: Rows) -> bool:
        """Writes all rows into a store that never held an inventory, and says whether it was one."""
        return await self._publish(rows, "seed") > 0

    async def close(self) -> None:
        """Closes every connection."""
        await self._quick.aclose()
        await self._bulk.aclose()

    async def _publish(self, rows: Rows, mode: str) -> int:
        hashes = (rows.campaigns, rows.flights, rows.creatives)
        triples = [(str(at), id, text) for at, hash in enumerate(hashes, 1) for id, text in hash.items()]
        words = [word.encode("utf-8", "surrogateescape") for triple in triples for word in triple]
        with _store_faults(self.where, "the inventory cannot be written"):
            async with asyncio.timeout(_BULK_S):
                answer = await self._bulk.eval(
                    _PUBLISH, 4, *keys.INVENTORY, keys.REVISION, mode, str(len(triples)), *words
                )
        if not isinstance(answer, int):
            raise StoreError(f"{self.where}: a publication was answered with {answer!r}")
        return answer


def _client(url: str, *, answer_s: float, connect_s: float, connections: int) -> Redis:
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=_POOL_WAIT_S,
        socket_timeout=answer_s,
        socket_connect_timeout=connect_s,
        retry=Retry(NoBackoff(), 0),
        client_name=f"adlayout/{__version__}/{os.getpid()}",
        protocol=2,
    )
    return Redis.from_pool(pool)


@contextmanager
def _store_faults(where: str, what: str) -> Iterator[None]:
    """Turns whatever the client raises into our own errors.

    A server that answers in a shape nobody asked for surfaces in the client as any of the plain errors below.
    """
    try:
        yield
    except StoreError:
        raise
    except (RedisError, OSError, ValueError, TypeError, LookupError, AttributeError) as exc:
        if _timed_out(exc):
            raise StoreTimeout(f"{where}: {what} in time") from exc
        raise StoreError(f"{where}: {what}: {exc}") from exc


def _timed_out(exc: BaseException | None) -> bool:
    """While it greets a new connection, the client wraps a timeout into a connection error."""
    while exc is not None and not isinstance(exc, (RedisTimeout, TimeoutError)):
        exc = exc.__cause__ or exc.__context__
    return exc is not None


def _revision(raw: Any) -> int:  # the client's replies are untyped
    if raw is None:
        return 0
    if not isinstance(raw, bytes) or not raw.isdigit():
        raise StoreError(f"{keys.REVISION} holds no number but {raw!r}: delete it, then publish again")
    return int(raw)


def _texts(raw: Any) -> Mapping[str, str]:  # the client's replies are untyped
    return {_text(key): _text(value) for key, value in raw.items()}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _without_password(url: str) -> str:
    """The address as it may be logged: without user, password and options."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
