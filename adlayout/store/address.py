"""What an address of a store means: one server, a primary that sentinels know, or a cluster; opens clients of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.cluster import LoadBalancingStrategy

from adlayout import __version__

Client: TypeAlias = Redis | RedisCluster

_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
# A cluster's client tries once more where a node is gone or was demoted, with what it then knows of the cluster.
_CLUSTER_RETRIES: Final = 1


@dataclass(frozen=True, slots=True)
class Address:
    """`where` may be logged: it has no user, no password and no options. `options` are those of redis-py."""

    where: str
    kind: str
    url: str
    nodes: tuple[tuple[str, int], ...]
    primary: str
    options: dict[str, Any]  # the client's options are untyped

    def open(self, *, answer_s: float, connections: int, replicas: bool = False) -> Client:
        """A client that connects when it is first used. `replicas` may answer plain reads where it is a cluster's."""
        own = {
            "max_connections": connections,
            "socket_timeout": answer_s,
            "socket_connect_timeout": answer_s,
            "retry": Retry(NoBackoff(), 0),
            "client_name": f"adlayout/{__version__}/{os.getpid()}",
            "protocol": 2,
            # Two questions less when many pages connect at once.
            "driver_info": None,
        }
        match self.kind:
            case "cluster":
                return self._open_cluster(own, replicas=replicas)
            case "sentinel":
                return self._open_sentinel(own)
            case _:
                return _checked(Redis.from_pool(ConnectionPool.from_url(self.url, **own)))

    def _open_cluster(self, own: dict[str, Any], *, replicas: bool) -> RedisCluster:
        strategy = LoadBalancingStrategy.ROUND_ROBIN_REPLICAS if replicas else None
        return RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in self.nodes],
            require_full_coverage=False,
            # A slot that moved is found by its answer; to ask for all anew would close every connection in use.
            reinitialize_steps=0,
            load_balancing_strategy=strategy,
            **{**own, "retry": Retry(NoBackoff(), _CLUSTER_RETRIES), **self.options},
        )

    def _open_sentinel(self, own: dict[str, Any]) -> Redis:
        options = {**own, **self.options}
        asked = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout", "retry", "protocol")}
        for name in ("username", "password"):
            if f"sentinel_{name}" in options:
                asked[name] = options.pop(f"sentinel_{name}")
        tls = {name: value for name, value in options.items() if name.startswith("ssl")}
        sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
            list(self.nodes), sentinel_kwargs={**asked, **tls}, **options
        )
        return _checked(sentinel.master_for(self.primary))


def _checked(client: Redis) -> Redis:
    """The client, if it can make a connection of its options; it would find that out when it connects."""
    client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    return client


def read_address(url: str) -> Address:
    """Raises ValueError where the address is none.

    `redis://`, `rediss://` and `unix://` name one server, `redis+cluster://host:port,host:port` some nodes of a
    cluster, `redis+sentinel://host:port,host:port/primary/db` sentinels and what they call the primary; both have a
    `rediss+` form. Options after the `?` are those of redis-py.
    """
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    where = f"{scheme}://{place.rpartition('@')[2]}"
    tls, plus, kind = scheme.partition("+")
    if not plus:
        parse_url(url)
        return Address(where, "server", url, (), "", {})
    if tls not in {"redis", "rediss"} or kind not in {"cluster", "sentinel"}:
        raise ValueError(f"{scheme}:// is no scheme of a store")
    authority, _, path = place.partition("/")
    login, at, hosts = authority.rpartition("@")
    nodes = tuple(_node(host, _PORT if kind == "cluster" else _SENTINEL_PORT) for host in hosts.split(","))
    primary, _, database = path.partition("/") if kind == "sentinel" else ("", "", path)
    options: dict[str, Any] = dict(parse_url(f"{tls}://{login}{at}host/{database}?{query}"))
    del options["host"]
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    if kind == "sentinel" and not primary:
        raise ValueError("the name of the primary is missing: redis+sentinel://host:port/name")
    return Address(where, kind, url, nodes, unquote(primary), options)


def _node(text: str, port: int) -> tuple[str, int]:
    host, colon, said = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, said = text, str(port)
    if not host or not said.isdigit() or int(said) > 0xFFFF:
        raise ValueError(f"{text!r} is no host:port")
    return host.strip("[]"), int(said)
