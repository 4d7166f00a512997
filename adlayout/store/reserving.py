"""What a page asks and is answered, as `reserve.lua` takes and says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from adlayout.counts import Asking, Refused, Reserved
from adlayout.store import keys
from adlayout.store.effects import DAY_LIFE_MS
from adlayout.store.reading import as_revision, as_text
from adlayout.store.words import as_json


@dataclass(frozen=True, slots=True)
class Sharing:
    """How many shards share each budget, and how long a pick holds its place."""

    shards: int
    hold_ms: int

    def ask(self, asking: Asking, shard: int) -> bytes:
        """The asking as the program takes it."""
        return as_json(
            {
                "attempts": asking.attempts,
                "reader": asking.reader is not None,
                "memo": asking.memo is not None,
                "why": asking.why,
                "day": asking.day,
                "hold_ms": self.hold_ms,
                "day_ms": DAY_LIFE_MS,
                "shards": self.shards,
                "shard": shard,
            }
        )


def keys_of(asking: Asking, shard: int) -> list[str]:
    """The keys that an asking touches, in the program's order."""
    reader = [keys.reader(shard, one) for one in asking.reader] if asking.reader else []
    memo = [keys.memo(shard, asking.memo)] if asking.memo is not None else []
    fixed = [keys.totals(shard), keys.day(shard, asking.day), keys.leases(shard), keys.revision(shard)]
    return [*fixed, *reader, *memo]


def reserved(answer: bytes, revision: Any) -> Reserved:  # the client's replies are untyped
    """The program's answer as a value."""
    picks, bucket, refused = json.loads(as_text(answer))
    return Reserved(
        tuple((slot, creative, flight) for slot, creative, flight in picks),
        bucket,
        as_revision(revision),
        tuple(Refused(*one) for one in refused),
    )
