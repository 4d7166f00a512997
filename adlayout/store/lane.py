"""A bounded way to the store with a deadline for each call; knows commands and programs, not what they mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from redis.asyncio import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import BusyLoadingError, MaxConnectionsError, NoScriptError
from redis.exceptions import ConnectionError as RedisConnectionError

from adlayout.store.address import Address
from adlayout.store.faults import store_faults
from adlayout.store.scripts import Script
from adlayout.store.words import as_bytes

Word: TypeAlias = str | bytes | int


class Lane:
    """Some connections and a client of its own. A call waits for a free one within its deadline.

    Pools of the client refuse the caller at once where all connections are taken, so nobody asks for more than there
    are.
    """

    def __init__(self, address: Address, *, answer_s: float, connections: int, replicas: bool = False) -> None:
        self.where = address.where
        self._answer_s = answer_s
        self._gate = asyncio.Semaphore(connections)
        with store_faults(self.where, "its address does not hold"):
            # The commands that a cluster's client takes are untyped.
            self._client: Any = address.open(answer_s=answer_s, connections=connections, replicas=replicas)

    async def run(
        self, script: Script, keys: Sequence[str], words: Sequence[Word], *, what: str, within_s: float | None = None
    ) -> Any:  # the client's replies are untyped
        """Runs a program on the primary that has these keys; a server that does not know it is given its text."""
        given = (len(keys), *map(as_bytes, keys), *words)
        async with self._call(what, within_s):
            try:
                return await self._send("EVALSHA", script.sha, *given, twice=script.twice)
            except NoScriptError:
                return await self._send("EVAL", script.text, *given, twice=script.twice)

    async def ask(self, *words: Word, what: str) -> Any:  # the client's replies are untyped
        """Runs one command."""
        async with self._call(what, None):
            return await self._send(*words, twice=True)

    async def ask_primaries(self, *words: Word, what: str) -> dict[str, Any]:  # the client's replies are untyped
        """Runs one command on each server that takes writes, and says what each answered."""
        async with self._call(what, None):
            if not isinstance(self._client, RedisCluster):
                return {self.where: await self._client.execute_command(*words)}
            await self._know_cluster()
            nodes = self._client.get_primaries()
            answers = [await self._client.execute_command(*words, target_nodes=node) for node in nodes]
            return {node.name: answer for node, answer in zip(nodes, answers, strict=True)}

    async def close(self) -> None:
        """Closes every connection."""
        await self._client.aclose()
        pool = None if isinstance(self._client, RedisCluster) else self._client.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            await pool.sentinel_manager.aclose()

    async def _send(self, *words: Word, twice: bool) -> Any:  # the client's replies are untyped
        """Sends a command, and again where its connection turns out to be closed.

        A server that was started anew has closed all that wait here. A cluster's client closes all connections to a
        server when one of them fails, also those that were just taken: that is the AttributeError.
        """
        await self._know_cluster()
        try:
            return await self._client.execute_command(*words)
        except (BusyLoadingError, MaxConnectionsError):
            raise
        except (RedisConnectionError, AttributeError):
            if not twice:
                raise
            return await self._client.execute_command(*words)

    async def _know_cluster(self) -> None:
        """A call that comes before a cluster's client knows its nodes would be sent to any of them."""
        if isinstance(self._client, RedisCluster):
            await self._client.initialize()

    @asynccontextmanager
    async def _call(self, what: str, within_s: float | None) -> AsyncIterator[None]:
        with store_faults(self.where, what):
            async with asyncio.timeout(within_s or self._answer_s), self._gate:
                yield
