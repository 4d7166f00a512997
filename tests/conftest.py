"""What many tests share: a real store, started once and empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from adlayout.store import embedded


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    """The address of a real Valkey on a unix socket, one for the whole run; what stands in it is anybody's."""
    with embedded.start() as server:
        yield server.url


@pytest.fixture
def clean_store(store_url: str) -> str:
    """The same address, with nothing in it."""
    with redis.Redis.from_url(store_url) as client:
        client.flushall()
    return store_url
