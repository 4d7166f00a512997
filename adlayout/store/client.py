"""The door to the store: what pages, the flusher, reports and ops ask of Redis; every failure is a `StoreError`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple

from adlayout.counts import Asking, Limit, Record, Reserved, shard_of
from adlayout.errors import Changed, StoreError
from adlayout.rows import Kind, Rows
from adlayout.store import keys, reading, scripts
from adlayout.store.address import read_address
from adlayout.store.breaker import Breaker
from adlayout.store.effects import DAY_LIFE_MS, HOUR_MS, Terms, collect
from adlayout.store.faults import is_absence, store_faults
from adlayout.store.health import Health, read_health
from adlayout.store.lane import Lane
from adlayout.store.leases import Dealer
from adlayout.store.reserving import Sharing, keys_of, reserved
from adlayout.store.sums import read_sums
from adlayout.store.words import as_bytes, flat

__all__ = ["Changed", "Health", "Recorded", "Store"]

_MAX_CONNECTIONS: Final = 32
_MAX_BULK_CONNECTIONS: Final = 4
# A busy event loop may look at an answer late, so a poll waits longer than the 30 ms that a page may.
_TIMEOUT_MS: Final = 80
_PAGE_TIMEOUT_MS: Final = 30
_BULK_S: Final = 2.0
_ENTRIES_A_READ: Final = 500
_FIELDS_A_CALL: Final = 1000
_KINDS: Final[tuple[Kind, ...]] = ("campaigns", "flights", "creatives")


class Recorded(NamedTuple):
    """How far a spool is applied, the store's clock, and the keys and fields that hold no number to count in."""

    position: int
    now_ms: int
    spoiled: tuple[str, ...] = ()


class Store:
    """What is stored in Redis; see `read_address` for what `url` may be. Options after its `?` win over our own.

    `page_timeout_ms` is for `reserve`, `timeout_ms` for everything but loads, publications and reports, which are large
    and rare and have two seconds. `hold_ms` is how long a page's picks wait for their event at least (twice that at
    most), `token_ms` how long events of a page may come, `zone` the reporting time zone.
    Raises `StoreTimeout` where the store does not answer in time and `StoreError` for everything else it does wrong.
    """

    def __init__(  # noqa: PLR0913 (each is a setting of its own, with a default)
        self,
        url: str,
        *,
        timeout_ms: int = _TIMEOUT_MS,
        page_timeout_ms: int = _PAGE_TIMEOUT_MS,
        shards: int = 1,
        hold_ms: int = 60_000,
        token_ms: int = 7_200_000,
        stream_length: int = 1_000_000,
        hourly_days: int = 14,
        zone: tzinfo = UTC,
    ) -> None:
        with store_faults(_shown(url), "its address does not hold"):
            address = read_address(url)
        self.where = address.where
        self.shards = shards
        self._hold_ms = hold_ms
        self._sharing = Sharing(shards, hold_ms)
        self._terms = Terms(zone, hold_ms, token_ms, hourly_days * 24 * HOUR_MS, stream_length)
        self._page_s = page_timeout_ms / 1000
        # The socket must not give up before the page does.
        answer_s = max(timeout_ms, page_timeout_ms) / 1000
        self._quick = Lane(address, answer_s=answer_s, connections=_MAX_CONNECTIONS)
        self._bulk = Lane(address, answer_s=_BULK_S, connections=_MAX_BULK_CONNECTIONS, replicas=True)
        self._breakers = [Breaker(is_absence) for _ in range(shards)]

    async def close(self) -> None:
        """Closes every connection."""
        await self._quick.close()
        await self._bulk.close()

    # Inventory

    async def revision(self) -> int:
        """The number of publications so far; 0 before the first."""
        return reading.as_revision(await self._quick.ask("GET", keys.REVISION, what="the revision cannot be read"))

    async def load(self) -> tuple[int, Rows]:
        """The whole inventory and its revision, as of one moment."""
        what = "the inventory cannot be read"
        answer = await self._bulk.run(scripts.LOAD, (*keys.INVENTORY, keys.REVISION), (), what=what)
        with store_faults(self.where, what):
            campaigns, flights, creatives, revision = answer
            return reading.as_revision(revision), Rows(*map(reading.as_texts, (campaigns, flights, creatives)))

    async def publish(self, rows: Rows, *, replace: bool) -> int:
        """Writes all rows at once and returns the new revision; `replace` removes the rows that are not among them."""
        return await self._publish("replace" if replace else "merge", rows)

    async def change(self, puts: Rows, gone: Mapping[Kind, Collection[str]], *, expect: int | None = None) -> int:
        """Writes and removes rows in one step and returns the new revision; `gone` are ids by kind (`flights`, ...).

        Raises `Changed` where the inventory is not of the revision that the caller expects.
        """
        return await self._publish("merge", puts, gone, expect)

    async def seed(self, rows: Rows) -> bool:
        """Writes all rows into a store that never held an inventory, and says whether it was one."""
        return await self._publish("seed", rows) > 0

    # Pages

    async def reserve(self, asking: Asking) -> Reserved:
        """Admits what has room and holds its places, in one call; fails at once while nobody answers."""
        shard = shard_of(asking.shard_key, self.shards)
        what = "places cannot be reserved"
        with self._breakers[shard].guard():
            answer, revision = await self._quick.run(
                scripts.RESERVE,
                keys_of(asking, shard),
                [self._sharing.ask(asking, shard)],
                what=what,
                within_s=self._page_s,
            )
        with store_faults(self.where, what):
            return reserved(answer, revision)

    # Events

    async def record(
        self, shard: int, spool: str, first: int, records: Sequence[Record], *, start: bool = False
    ) -> Recorded:
        """Applies those lines of a spool that were not applied yet, each once; `first` is the position of the first.

        Applies nothing where lines are missing before it, and says where to go on: behind `position`. `start` says that
        nothing before it is left, so that a store which knows nothing of the spool begins here.
        """
        batch = collect(shard, spool, self._terms, records)
        words = [batch.ask(first, start=start), *(as_bytes(record.text) for record in records)]
        what = "events cannot be recorded"
        answer = await self._bulk.run(scripts.RECORD, batch.keys, words, what=what)
        with store_faults(self.where, what):
            position, now_ms, spoiled = answer
            return Recorded(int(position), int(now_ms), tuple(map(reading.as_text, spoiled)))

    async def entries(self, shard: int, after: str = "0-0") -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The events of a shard that came after this entry, each with its id; `late` is among its values where it was.

        What is no JSON object is passed over.
        """
        what = "events cannot be read"
        while True:
            found = await self._bulk.ask(
                "XRANGE", keys.stream(shard), f"({after}", "+", "COUNT", _ENTRIES_A_READ, what=what
            )
            for id, fields in found or ():
                after = id.decode()
                if (entry := _entry(fields)) is not None:
                    yield after, entry
            if not found:
                return

    # Counts

    async def totals(self) -> dict[str, int]:
        """Events of each flight over its life, over all shards."""
        return reading.summed([reading.counts(texts) for _, texts in await self._totals()])

    async def held(self) -> dict[str, int]:
        """What is held of each total by pages whose events have not come yet, over all shards."""
        return reading.summed([reading.holds(texts, now_ms // self._hold_ms) for now_ms, texts in await self._totals()])

    async def day(self, day: str) -> dict[str, int]:
        """Events of each flight on one day of the reporting time zone, over all shards; may be a moment old."""
        return await self._counts([keys.day(shard, day) for shard in range(self.shards)])

    async def hours(self, names: Iterable[str]) -> dict[str, dict[str, int]]:
        """What was counted in each of these hours UTC (`2026112413`), over all shards; may be a moment old."""
        wanted = list(names)
        found = await asyncio.gather(
            *(self._counts([keys.hour(shard, hour) for shard in range(self.shards)]) for hour in wanted)
        )
        return dict(zip(wanted, found, strict=True))

    async def experiment(self, key: str, variations: Sequence[str]) -> dict[str, int]:
        """What an experiment came to, over all shards: sums by `<index of the variation's key>:<variable>`.

        Variables are of a unit: pages (P), ads on them (S), views (V), clicks (C), what both earned (R, in millionths
        of the currency), milliseconds engaged (E), layout shift (L, in ten thousandths), milliseconds of composing (T),
        whether there was one page only (B), conversions (`K:<name>`) and their worth (`KV:<name>`, in millionths).
        A variable twice (`PP`, `K:<name>K:<name>`) is the sum of its squares, and `CV`, `VS`, `EP`, `LP` and `TP` are
        those of products. `n` are the units that were exposed, `n:<day>` those of them that were so first on this day,
        `bad` the exposures that no reader had; `multi`, of no variation, are the units that were seen in several.
        """
        what = "sums cannot be read"
        names = [as_bytes(keys.sums(shard, key)) for shard in range(self.shards)]
        answers = await asyncio.gather(*(self._bulk.ask("HGETALL", name, what=what) for name in names))
        with store_faults(self.where, what):
            return reading.summed([read_sums(reading.as_texts(answer), variations) for answer in answers])

    async def raise_to(self, shard: int, fields: Mapping[str, Mapping[str, int]]) -> int:
        """Raises counts of this shard to what they must be at least, by the end of the key's name and field.

        Returns how many were lower.
        """
        raised = 0
        for suffix, least in fields.items():
            life = DAY_LIFE_MS if suffix.startswith("d:") else self._terms.hour_ms if suffix.startswith("h:") else 0
            pairs = [(as_bytes(name), number) for name, number in least.items()]
            for at in range(0, len(pairs), _FIELDS_A_CALL):
                words = [word for pair in pairs[at : at + _FIELDS_A_CALL] for word in pair]
                raised += await self._bulk.run(
                    scripts.RAISE, [keys.key(shard, suffix)], [life, *words], what="counts cannot be raised"
                )
        return raised

    async def rebalance(self, limits: Iterable[Limit], *, day: str) -> int:
        """Deals what is left of each budget out among the shards, and returns how many leases were raised.

        Whatever happens on the way, what the shards may spend together never passes a budget. Also brings shards up to
        the revision that a publication could not reach.
        """
        if self.shards == 1:
            return 0
        await self._spread(await self.revision())
        return await Dealer(self._bulk, self.shards, self._hold_ms, day).deal(list(limits))

    async def forget(self, readers: Sequence[str]) -> int:
        """Removes what counts for these keys of readers and units, and returns how many hashes there were.

        What experiments summed up stays: it names nobody.
        """
        gone = 0
        for shard in range(self.shards):
            for reader in readers:
                gone += await self._quick.ask(
                    "UNLINK", as_bytes(keys.reader(shard, reader)), what="a reader cannot be forgotten"
                )
        return gone

    async def health(self) -> Health:
        """How the servers are; asks each of them."""
        what = "its health cannot be asked"
        answers = await self._quick.ask_primaries("INFO", what=what)
        with store_faults(self.where, what):
            return read_health(list(answers.values()))

    async def _publish(
        self, mode: str, rows: Rows, gone: Mapping[Kind, Collection[str]] | None = None, expect: int | None = None
    ) -> int:
        hashes = (rows.campaigns, rows.flights, rows.creatives)
        puts = [(at, as_bytes(id), as_bytes(text)) for at, hash in enumerate(hashes, 1) for id, text in hash.items()]
        ends = [(_KINDS.index(kind) + 1, as_bytes(id)) for kind, ids in (gone or {}).items() for id in ids]
        words = [mode, "" if expect is None else expect, len(puts), *flat(puts), *flat(ends)]
        what = "the inventory cannot be written"
        answer = await self._bulk.run(scripts.PUBLISH, (*keys.INVENTORY, keys.REVISION), words, what=what)
        if not isinstance(answer, int):
            raise StoreError(f"{self.where}: a publication was answered with {answer!r}")
        if answer == _ANOTHER_REVISION:
            raise Changed(f"{self.where}: the inventory is no longer of revision {expect}")
        await self._spread(answer)
        return answer

    async def _spread(self, revision: int) -> None:
        """Tells the other shards of a revision; none of them goes back."""
        for shard in range(1, self.shards):
            await self._bulk.run(
                scripts.REVISION, [keys.revision(shard)], [revision], what="a revision cannot be written"
            )

    async def _totals(self) -> list[tuple[int, Mapping[str, str]]]:
        what = "totals cannot be read"
        answers = await asyncio.gather(
            *(self._bulk.run(scripts.COUNTS, [keys.totals(shard)], (), what=what) for shard in range(self.shards))
        )
        with store_faults(self.where, what):
            return [(int(now_ms), reading.as_texts(texts)) for now_ms, texts in answers]

    async def _counts(self, names: Sequence[str]) -> dict[str, int]:
        what = "counts cannot be read"
        answers = await asyncio.gather(*(self._bulk.ask("HGETALL", name, what=what) for name in names))
        with store_faults(self.where, what):
            return reading.summed([reading.counts(reading.as_texts(answer)) for answer in answers])


_ANOTHER_REVISION: Final = -2


def _entry(fields: Mapping[bytes, bytes]) -> dict[str, Any] | None:
    try:
        entry = json.loads(fields[b"e"])
    except (ValueError, LookupError):
        return None
    if not isinstance(entry, dict):
        return None
    return {**entry, "late": True} if b"late" in fields else entry


def _shown(url: str) -> str:
    """The address as it may be logged: without user, password and options."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
