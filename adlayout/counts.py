"""What is limited and counted, as it travels between decisions, tokens, the spool and the store; knows none of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias


class Event(StrEnum):
    """What happens to an ad: the server returned it, it was seen (50 % for 1 s), it was followed."""

    SERVED = "served"
    VIEW = "view"
    CLICK = "click"

    @property
    def letter(self) -> str:
        """How fields of the store call it."""
        return self.value[0]


class Ledger(StrEnum):
    """Where a limit is counted: over a flight's life, on one day of the reporting time zone, or for one reader."""

    TOTAL = "f"
    DAY = "d"
    READER = "u"


class Limit(NamedTuple):
    """A budget in which a pick must find room: what `field` counts in its ledger, holds included, up to `most`.

    `reason` is that of the closed list of flights. `window_ms` is how long a reader's count lasts from its first
    event; None in the other ledgers. `held`: a pick holds its place until its event comes or the hold expires.
    """

    ledger: Ledger
    field: str
    most: int
    reason: str
    window_ms: int | None = None
    held: bool = True


class Attempt(NamedTuple):
    """A try to fill a slot, or all slots of a roadblock together: (slot id, creative id) each.

    It is admitted where its slots are free, none of its creatives stands on the page (`once`; a house creative may
    again), no other flight has one of its `labels`, no page cap (key, most) is passed and every limit has room for as
    many as it fills.
    """

    fills: tuple[tuple[str, str], ...]
    flight: str | None
    once: bool = True
    labels: tuple[str, ...] = ()
    page_caps: tuple[tuple[str, int], ...] = ()
    limits: tuple[Limit, ...] = ()


class Reader(NamedTuple):
    """A reader's keys in the store, hashed with the salt of this period and of the one before; neither is the unit."""

    now: str
    before: str


@dataclass(frozen=True, slots=True)
class Asking:
    """What a page asks of the store, in one call: attempts in the order in which they are to be tried.

    `shard_key` says in which shard (see `shard_of`); `memo` is the caller's request id, under which the answer is
    kept for a retry, or None; `day` is today in the reporting time zone as `20261124`; `why` asks for the figures of
    what was refused.
    """

    attempts: tuple[Attempt, ...]
    shard_key: str
    day: str
    memo: str | None = None
    reader: Reader | None = None
    why: bool = False


class Refused(NamedTuple):
    """The limit that stood against an attempt (both by index), what was counted and, for readers, until when (ms)."""

    attempt: int
    limit: int
    counted: int
    until_ms: int | None = None


# Who may stand in which slot: slot id, creative id, flight id.
Pick: TypeAlias = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Reserved:
    """Who may stand where; what they hold expires with `bucket`."""

    picks: tuple[Pick, ...]
    bucket: int
    revision: int
    refused: tuple[Refused, ...] = ()


class Record(NamedTuple):
    """One event as it is written down: `text` is its line of JSON, the stream's entry.

    `serve` and `once` name the event where it must count once, whoever sends it again: both or neither. `reader` are
    the keys of its reader where it counts for one. `at_ms` is when it happened by the store's clock.
    """

    text: str
    at_ms: int
    serve: str | None = None
    once: str | None = None
    reader: Reader | None = None


# Fowler, Noll, Vo: 32 bit FNV-1a.
_FNV_BASIS: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193


def fnv1a32(text: str) -> int:
    """The 32 bit FNV-1a hash of the text's UTF-8 bytes."""
    found = _FNV_BASIS
    for byte in text.encode("utf-8", "surrogatepass"):
        found = ((found ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return found


def shard_of(key: str, shards: int) -> int:
    """Which shard holds what belongs to this key: a reader's, or a request's."""
    return fnv1a32(key) % shards if shards > 1 else 0


# What counts for no flight counts under this name.
NO_FLIGHT: Final = "-"
