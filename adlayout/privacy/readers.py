"""Under which names the store knows a reader: a hash whose salt changes, so that no key can be led back to a unit.

A salt stands for `reader_days`, and what was counted under the one before is still found: nothing that is counted for
longer than that may rely on these keys. Experiments know what they count by names of their own, which stay.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from adlayout.counts import Reader

_DAY_S: Final = 86_400
_KEY_BYTES: Final = 16
_UNIT_LABEL: Final = "adlayout experiment"
# What is counted under a salt that is read no more may still be kept: as long as the longest window, a lifetime's.
_LONGEST_KEPT_DAYS: Final = 400


def reader(unit: str, secrets: Sequence[str], now: datetime, reader_days: int) -> Reader:
    """The reader's keys under the salt of this period and of the one before.

    Salts come from the last of the secrets, so that one can be put before it and no reader is forgotten.
    """
    period = _period(now, reader_days)
    return Reader(_key(unit, secrets[-1], period), _key(unit, secrets[-1], period - 1))


def all_keys(unit: str, secrets: Sequence[str], now: datetime, reader_days: int) -> tuple[str, ...]:
    """Every key under which something may be kept of the reader, newest first, whichever secret was the last one."""
    newest = _period(now, reader_days)
    periods = range(newest, newest - 2 - -(-_LONGEST_KEPT_DAYS // reader_days), -1)
    return tuple(_key(unit, secret, period) for secret in secrets for period in periods)


def unit_key(experiment: str, value: str, secrets: Sequence[str]) -> str:
    """The key under which an experiment counts what has this value of its hash attribute, for as long as it runs.

    Comes from the last of the secrets, as readers' keys do; there is nothing to be found under those of the others.
    """
    said = f"{_UNIT_LABEL} {experiment}\n{value}".encode("utf-8", "surrogatepass")
    return hmac.digest(secrets[-1].encode(), said, "sha256")[:_KEY_BYTES].hex()


def _period(now: datetime, reader_days: int) -> int:
    return int(now.timestamp() // (reader_days * _DAY_S))


def _key(unit: str, secret: str, period: int) -> str:
    return hmac.digest(_salt(secret, period), unit.encode("utf-8", "surrogatepass"), "sha256")[:_KEY_BYTES].hex()


@lru_cache(maxsize=64)
def _salt(secret: str, period: int) -> bytes:
    return hmac.digest(secret.encode(), f"adlayout reader salt {period}".encode(), "sha256")
