"""The names of all keys in the store. Those of one shard share a hash tag, so that one call may touch them together."""

from __future__ import annotations

from typing import Final

# The inventory stands in one shard, whatever their number.
HOME: Final = 0
_TAG: Final = f"adl:{{adl.{HOME}}}"

CAMPAIGNS: Final = f"{_TAG}:inv:campaigns"
FLIGHTS: Final = f"{_TAG}:inv:flights"
CREATIVES: Final = f"{_TAG}:inv:creatives"
REVISION: Final = f"{_TAG}:rev"

INVENTORY: Final = (CAMPAIGNS, FLIGHTS, CREATIVES)


def revision(shard: int) -> str:
    """How often the inventory was published, as this shard's pages are told."""
    return key(shard, "rev")


def totals(shard: int) -> str:
    """Hash: events of each flight over its life, and what is held of them."""
    return key(shard, "f")


def day(shard: int, day: str) -> str:
    """Hash: the same on one day (`20261124`)."""
    return key(shard, f"d:{day}")


def hour(shard: int, hour: str) -> str:
    """Hash: events by everything that reports ask for, in one hour UTC (`2026112413`)."""
    return key(shard, f"h:{hour}")


def reader(shard: int, reader: str) -> str:
    """Hash: what counts for one reader."""
    return key(shard, f"u:{reader}")


def unit(shard: int, unit: str) -> str:
    """Hash: what an experiment counts of one of its units."""
    return reader(shard, unit)


def sums(shard: int, experiment: str) -> str:
    """Hash: what all units of an experiment come to, in each of its variations."""
    return key(shard, f"x:{experiment}")


def memo(shard: int, request_id: str) -> str:
    """String: what a page was answered, for its retry."""
    return key(shard, f"q:{request_id}")


def happened(shard: int, serve: str) -> str:
    """Hash: the events of one page that were counted already."""
    return key(shard, f"n:{serve}")


def position(shard: int, spool: str) -> str:
    """String: how many lines of a spool were applied."""
    return key(shard, f"p:{spool}")


def leases(shard: int) -> str:
    """Hash: how much of each budget this shard may spend."""
    return key(shard, "l")


def stream(shard: int) -> str:
    """Stream: every event that was applied."""
    return key(shard, "ev")


def key(shard: int, suffix: str) -> str:
    """A key of a shard by the end of its name, such as `f` or `d:20261124`."""
    return f"adl:{{adl.{shard}}}:{suffix}"


def suffix(key: str) -> str:
    """The end of a key's name, such as `f` or `d:20261124`."""
    return key.partition("}:")[2]
