"""What the stories about processes share: a Redis of their own, and services that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .newsroom import CONFIG, Redis, Service, creative, start, wait_until


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis with one creative in it."""
    store = Redis(tmp_path_factory.mktemp("s"))
    store.start()
    store.write(spring=creative("spring", "<b>spring</b>"))
    yield store
    store.kill()


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Starts services and returns each when it is ready."""
    with ExitStack() as ends:

        def serve(redis_url: str | None, *options: str, config: Path = CONFIG, home: Path | None = None) -> Service:
            service = start(home or tmp_path_factory.mktemp("r"), config, *options, redis_url=redis_url)
            ends.callback(service.end)
            wait_until(service.is_ready)
            return service

        yield serve
