"""Counts made again from the events that the store still has, for when some were lost. Only ever raises a count.

What was trimmed from the stream is not counted again, so that a lower number says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adlayout.counts import Record
from adlayout.store.client import Store
from adlayout.store.effects import Terms, collect

_AT_ONCE: Final = 500


@dataclass(slots=True)
class Recounted:
    """What the events of one shard come to, by the end of each key's name and field, and what that raised."""

    shard: int
    events: int = 0
    first: str | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    raised: int = 0


async def recount(store: Store, shard: int, terms: Terms, *, raises: bool) -> Recounted:
    """Counts every event of a shard's stream again and, where that is asked for, raises what is lower."""
    found = Recounted(shard)
    batch: list[Record] = []
    async for id, entry in store.entries(shard, "0-0"):
        found.first = found.first or id
        found.events += 1
        batch.append(Record(json.dumps(entry), _at(entry)))
        if len(batch) >= _AT_ONCE:
            _add(found, terms, batch)
            batch = []
    _add(found, terms, batch)
    if raises:
        found.raised = await store.raise_to(shard, found.counts)
    return found


def _at(entry: Mapping[str, Any]) -> int:
    at = entry.get("at")
    return at if isinstance(at, int) else 0


def _add(found: Recounted, terms: Terms, records: list[Record]) -> None:
    for key, counts in collect(found.shard, "-", terms, records).counts().items():
        fields = found.counts.setdefault(key, {})
        for name, number in counts.items():
            fields[name] = fields.get(name, 0) + number
