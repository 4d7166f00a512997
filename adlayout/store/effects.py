"""What a recorded event changes in the store, as `record.lua` takes it; knows the record's text and the keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NamedTuple

from adlayout.counts import NO_FLIGHT, Event, Record
from adlayout.store import keys
from adlayout.store.sums import amounts, experiment_of
from adlayout.store.words import as_json, flat

_LETTERS: Final = {"page": Event.SERVED.letter, "view": Event.VIEW.letter, "click": Event.CLICK.letter}
_LATEST_MS: Final = 4_102_444_800_000  # the year 2100: what is said to be later is a broken clock
HOUR_MS: Final = 3_600_000
DAY_LIFE_MS: Final = 40 * 24 * HOUR_MS
_POSITION_LIFE_MS: Final = 7 * 24 * HOUR_MS
_COUNTS: Final = 7  # the place in a line of what it counts
# What browsers name pages by: their clicks and views come under several names, so that none tells of the other.
_OF_BROWSERS: Final = "~"
# What a unit did is known until it was not seen for so long; then it is another one.
_UNIT_LIFE_MS: Final = 100 * 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Terms:
    """What all records of a store share. `zone` is the reporting time zone; the others are lives in
    milliseconds, and how many entries the stream keeps."""

    zone: tzinfo
    hold_ms: int
    token_ms: int
    hour_ms: int
    stream_length: int


class _Effects(NamedTuple):
    bucket: int
    caps: list[list[object]]
    counts: list[list[object]]
    frees: list[list[object]]
    slot: str = ""
    trial: list[object] | None = None


_NOTHING: Final = _Effects(0, [], [], [])


class _Ad(NamedTuple):
    slot: str
    flight: str
    creative: str
    campaign: str
    gap: int | None
    kind: str


@dataclass(slots=True)
class Batch:
    """The keys and lines of one call, collected record by record."""

    shard: int
    terms: Terms
    keys: list[str]
    lives: dict[int, int] = field(default_factory=dict)
    hashes: set[int] = field(default_factory=set)
    lines: list[list[Any]] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)
    _days: dict[int, str] = field(default_factory=dict)
    _hours: dict[int, int] = field(default_factory=dict)

    def ask(self, first: int, *, start: bool) -> bytes:
        """The batch as record.lua takes it: every key and field once, and the lines name them by their index."""
        targets: dict[tuple[Any, Any], int] = {}
        lines = []
        for *others, counts, frees, trial in self.lines:
            pairs = [(targets.setdefault((key, name), len(targets) + 1), number) for key, name, number in counts]
            freed = [targets.setdefault((key, name), len(targets) + 1) for key, name in frees]
            lines.append((*others, flat(pairs), freed, trial))
        return as_json(
            {
                "first": first,
                "start": start,
                "hold_ms": self.terms.hold_ms,
                "token_ms": self.terms.token_ms,
                "position_ms": _POSITION_LIFE_MS,
                "unit_ms": _UNIT_LIFE_MS,
                "stream_length": self.terms.stream_length,
                "lives": list(self.lives.items()),
                "hashes": sorted(self.hashes),
                "targets": list(targets),
                "lines": lines,
            }
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """What the lines come to if all of them are new, by the end of each key's name and by field."""
        found: dict[str, dict[str, int]] = {}
        for line in self.lines:
            for index, name, number in line[_COUNTS]:
                fields = found.setdefault(keys.suffix(self.keys[index - 1]), {})
                fields[name] = fields.get(name, 0) + number
        return found

    def line(self, record: Record) -> list[Any]:
        """One line as record.lua takes it. A text that is no event counts nothing, but stays in the stream."""
        happened = self._key(keys.happened(self.shard, record.serve)) if record.serve and record.once else 0
        reader, before = self._reader(record)
        try:
            said = json.loads(record.text)
            effects = self._effects(said, record.at_ms)
        except (ValueError, OverflowError, TypeError, LookupError, AttributeError):
            effects = _NOTHING
        return [
            happened,
            record.once or "",
            effects.bucket,
            reader,
            before,
            effects.caps,
            effects.slot if record.serve and not record.serve.startswith(_OF_BROWSERS) else "",
            effects.counts,
            effects.frees,
            effects.trial or 0,
        ]

    def _effects(self, said: Any, at_ms: int) -> _Effects:  # the text is anybody's JSON
        letter = _LETTERS.get(said["e"])
        found = self._of_ads(said, letter, at_ms) if letter else _NOTHING
        return self._on_trial(found, said, at_ms) if said.get("h") else found

    def _on_trial(self, found: _Effects, said: Any, at_ms: int) -> _Effects:
        """The effects with those on the experiment that the page is part of."""
        experiment, variation = experiment_of(said["v"])
        exposes, own = said["e"] == "exposure", amounts(said)
        if not own or (said.get("bad") and not exposes):
            return found
        sums = self._key(keys.sums(self.shard, experiment))
        self.hashes.add(sums)
        if said.get("bad"):
            return found._replace(counts=[[sums, f"{variation}:bad", 1]])
        unit = self._key(keys.unit(self.shard, str(said["h"])))
        # By what first exposures are told apart, where their shares turn out to be wrong.
        marks = [self._name_of_day(at_ms), str(said["d"])] if exposes else []
        return found._replace(trial=[unit, sums, variation, marks, flat(own)])

    def _of_ads(self, said: Any, letter: str, at_ms: int) -> _Effects:
        ads = [_Ad(*ad) for ad in said["p"]]
        day, hour = self._day(at_ms), self._hour(at_ms)
        if said.get("bad"):
            return _Effects(0, [], self._ads(said, ads, f"x{letter}", day, hour), [])
        counts = self._ads(said, ads, letter, day, hour)
        if said["e"] == "page":
            counts += [[hour, name, number] for name, number in _page_counts(said, len(ads)) if number]
        caps = [[str(name), int(window_ms)] for name, window_ms in said.get("caps") or ()]
        bucket = int(said.get("b") or 0)
        frees = self._frees(ads, letter, bucket) if bucket else []
        return _Effects(bucket, caps, counts, frees, str(ads[0].slot) if ads and said["e"] != "page" else "")

    def _ads(self, said: Any, ads: Sequence[_Ad], letter: str, day: int, hour: int) -> list[list[object]]:
        counts: list[list[object]] = []
        page, reader = f"{_word(said['l'])}|{_word(said['v'])}", f"{_word(said['d'])}|{_word(said['s'])}"
        for ad in ads:
            name = f"{ad.flight}:{letter}"
            gap = NO_FLIGHT if ad.gap is None else ad.gap
            where = f"{_word(ad.flight)}|{_word(ad.creative)}|{_word(ad.slot)}|{page}|{gap}|{reader}:{letter}"
            counts += [[2, name, 1], [day, name, 1], [hour, where, 1]]
        return counts

    def _frees(self, ads: Sequence[_Ad], letter: str, bucket: int) -> list[list[object]]:
        """What was held is held on the day of its bucket, which need not be that of the event."""
        day = self._day(bucket * self.terms.hold_ms)
        return [[key, f"{ad.flight}:{letter}"] for ad in ads for key in (2, day)]

    def _reader(self, record: Record) -> tuple[int, int]:
        if record.reader is None:
            return 0, 0
        return (
            self._key(keys.reader(self.shard, record.reader.now)),
            self._key(keys.reader(self.shard, record.reader.before)),
        )

    def _day(self, at_ms: int) -> int:
        return self._ending(keys.day(self.shard, self._name_of_day(at_ms)), DAY_LIFE_MS)

    def _name_of_day(self, at_ms: int) -> str:
        minute = _minute(at_ms)
        found = self._days.get(minute)
        if found is None:
            found = datetime.fromtimestamp(minute * 60, self.terms.zone).strftime("%Y%m%d")
            self._days[minute] = found
        return found

    def _hour(self, at_ms: int) -> int:
        minute = _minute(at_ms)
        found = self._hours.get(minute)
        if found is None:
            hour = datetime.fromtimestamp(minute * 60, UTC).strftime("%Y%m%d%H")
            found = self._hours[minute] = self._ending(keys.hour(self.shard, hour), self.terms.hour_ms)
        return found

    def _ending(self, key: str, life_ms: int) -> int:
        index = self._key(key)
        self.lives[index] = life_ms
        self.hashes.add(index)
        return index

    def _key(self, key: str) -> int:
        """The key's index as Lua counts."""
        index = self._known.get(key)
        if index is None:
            self.keys.append(key)
            index = self._known[key] = len(self.keys)
        return index


def collect(shard: int, spool: str, terms: Terms, records: Sequence[Record]) -> Batch:
    """The keys that a batch of records touches and its lines."""
    batch = Batch(shard, terms, [keys.position(shard, spool), keys.totals(shard), keys.stream(shard)])
    batch.hashes.add(2)
    batch.lines = [batch.line(record) for record in records]
    return batch


def _page_counts(said: Any, filled: int) -> Iterator[tuple[str, int]]:
    """How many pages there were, with how many slots, and how many of those were filled."""
    page = "@" + "|".join(map(_word, (said["l"], said["v"], said["d"], said["s"])))
    yield f"{page}:p", 1
    yield f"{page}:n", int(said["n"])
    yield f"{page}:m", filled


def _word(said: object) -> str:
    return str(said or NO_FLIGHT).replace("|", "/")


def _minute(at_ms: int) -> int:
    """Days and hours begin with minutes, in every time zone."""
    return min(max(at_ms, 0), _LATEST_MS) // 60_000
