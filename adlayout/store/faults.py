"""Turns whatever the client of Redis raises into our own errors; knows nothing of what was asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.exceptions import ClusterError, RedisClusterException, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from adlayout.errors import StoreError, StoreTimeout

# Where no sentinel helps, each is told of by all that its client is made of.
_CLIENTS: Final = re.compile(r"<redis\.asyncio\.client\.Redis\(.*?\)>\)>\)> - ")
_ABSENCES: Final = (RedisConnectionError, RedisClusterException, ClusterError, OSError)
_FAULTS: Final = (RedisError, RedisClusterException, OSError, ValueError, TypeError, LookupError, AttributeError)


@contextmanager
def store_faults(where: str, what: str) -> Iterator[None]:
    """Raises `StoreTimeout` or `StoreError` for what fails inside; `what` says what could not be done.

    A server that answers in a shape nobody asked for surfaces in the client as any of the plain errors below.
    """
    try:
        yield
    except StoreError:
        raise
    except _FAULTS as exc:
        if _timed_out(exc):
            raise StoreTimeout(f"{where}: {what} in time") from exc
        raise StoreError(f"{where}: {what}: {_CLIENTS.sub('', str(exc))}") from exc


def is_absence(exc: StoreError) -> bool:
    """Whether nobody answered, or only that it cannot; not where a server answered that the question was wrong."""
    return isinstance(exc, StoreTimeout) or isinstance(exc.__cause__, _ABSENCES)


def _timed_out(exc: BaseException | None) -> bool:
    """While it greets a new connection, the client wraps a timeout into a connection error."""
    while exc is not None and not isinstance(exc, (RedisTimeout, TimeoutError)):
        exc = exc.__cause__ or exc.__context__
    return exc is not None
