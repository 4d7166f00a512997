"""What many tests share: a real store, started once and empty for each test, and the suite's own options."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings

from adlayout.store import embedded

# The same examples in every run, so that no change fails for what another one did; `make fuzz` draws new ones.
settings.register_profile("suite", max_examples=40, derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=int(os.environ.get("EXAMPLES", "2000")), deadline=None)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that rewrites the golden pages."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/*/out.html; review the diff")


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
