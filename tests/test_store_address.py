"""Addresses of stores: what they mean, what of them may be said aloud, and which are none."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from adlayout.errors import StoreError
from adlayout.store.address import read_address
from adlayout.store.client import Store

from .pages import ask, asking, attempt, daily, goal, page, view
from .servers import HOST, line, server


def test_a_cluster_is_named_by_some_of_its_nodes() -> None:
    address = read_address("rediss+cluster://me:s%40cret@a:7001,b,[::1]:7003/?ssl_ca_certs=/ca.pem&socket_timeout=1.5")
    assert (address.kind, address.where) == ("cluster", "rediss+cluster://a:7001,b,[::1]:7003/")
    assert address.nodes == (("a", 7001), ("b", 6379), ("::1", 7003))
    options = {"username": "me", "password": "s@cret", "ssl": True, "ssl_ca_certs": "/ca.pem", "socket_timeout": 1.5}
    assert address.options == options


def test_a_primary_is_named_by_its_sentinels() -> None:
    address = read_address("redis+sentinel://:secret@a,b:26380/main/2?sentinel_password=other")
    assert (address.kind, address.where, address.primary) == ("sentinel", "redis+sentinel://a,b:26380/main/2", "main")
    assert address.nodes == (("a", 26379), ("b", 26380))
    assert address.options == {"password": "secret", "db": 2, "sentinel_password": "other"}


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://",
        "redis+cluster://a:b",
        "redis+cluster://a:7000,",
        "redis+cluster://a:70000",
        "redis+cluster://a/1",
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/",
        "redis+ring://a:1",
        "unix+cluster:///s",
        "http://a",
        "redis+cluster://a?socket_timeout=long",
        "redis+cluster://a?no_such_option=1",
        "redis://a?no_such_option=1",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="its address does not hold"):
        Store(url)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that signs itself, and a server's side of TLS with it."""
    key, found = tmp_path / "key.pem", tmp_path / "ca.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{HOST}", "-days", "2"]
    subprocess.run([*made, *subject, "-keyout", key, "-out", found], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(found, key)
    return found, context


def test_a_store_is_spoken_to_by_tls(clean_store: str, certificate: tuple[Path, ssl.SSLContext]) -> None:
    found, context = certificate
    with line(clean_store, context) as covered:
        assert covered.url.startswith("rediss://")
        assert ask(f"{covered.url}?ssl_ca_certs={found}", Store.revision) == 0
        with pytest.raises(StoreError, match="certificate verify failed"):
            ask(covered.url, Store.revision)


COMMANDS = (
    "+eval +evalsha +get +set +incr +hget +hset +hsetnx +hdel +hgetall +hkeys +hincrby +xadd +xrange "
    "+type +del +unlink +pttl +pexpire +time +info +client|setname"
)


def test_a_user_of_few_commands_and_our_keys_is_enough() -> None:
    async def everything(store: Store) -> int:
        await store.seed((await store.load())[1])
        await store.reserve(asking(attempt(goal(3), daily(3))))
        await store.record(0, "spool", 1, [view(serve="p"), page()])
        await store.rebalance([goal(3)], day="20261124")
        await store.raise_to(0, {"f": {"spring:v": 9}, "d:20261124": {"spring:v": 9}})
        await store.forget(["r"])
        await asyncio.gather(store.totals(), store.held(), store.day("20261124"), store.hours(["2026112412"]))
        return (await store.health()).servers + len([entry async for _, entry in store.entries(0)])

    with server() as one:
        one.ask("ACL", "SETUSER", "adlayout", "on", ">secret", "~adl:*", *COMMANDS.split())
        one.ask("ACL", "SETUSER", "default", "off")
        assert ask(f"redis://adlayout:secret@{HOST}:{one.port}", everything, shards=2) == 3
        with pytest.raises(StoreError, match="Authentication required"):
            ask(one.url, Store.revision)
