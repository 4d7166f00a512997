"""What callers were told of pages, views and clicks, held against what the store has of them: each once, all there."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL
from typing import Any, NamedTuple

import httpx2
import redis

from adlayout.decision.files import parse_inventory
from adlayout.store import keys

from .newsroom import Service, copy_config, wait_until

_LETTERS = {"page": "s", "view": "v", "click": "c"}
# What a store may keep for ever: totals, the stream, and how often the inventory was published, with it.
_LASTING = {"f", "ev", "l", "rev", "inv:campaigns", "inv:flights", "inv:creatives"}


class Ad(NamedTuple):
    """What stands in a slot; the flight is `-` where there is none."""

    slot: str
    flight: str
    creative: str


@dataclass(slots=True)
class Told:
    """What counts once for each acknowledgement; `again` says that an answer may have left before and never arrived."""

    ads: tuple[Ad, ...] | None
    again: bool = False


@dataclass(slots=True)
class Ledger:
    """What callers were told: pages by their article, events by article, kind and slot."""

    pages: dict[str, Told] = field(default_factory=dict)
    events: dict[tuple[str, str, str], Told] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    slowest_s: float = 0.0
    late: int = 0
    refused: int = 0
    altered: int = 0
    degraded: Counter[str] = field(default_factory=Counter)

    def count(self, what: str) -> int:
        """How many events of this kind were acknowledged."""
        return sum(kind == what for _, kind, _ in self.events)


# What the store has.


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store counted: totals, days and hours by field, and the entries of its stream."""

    totals: Mapping[str, int]
    days: Mapping[str, Mapping[str, int]]
    hours: Mapping[str, Mapping[str, int]]
    entries: tuple[Mapping[str, Any], ...]
    last: tuple[str, ...] = ()


def kept(client: redis.Redis, *, shards: int = 1, known: Kept | None = None) -> Kept:
    """Everything that counts, over all shards; of the streams only what came after what is `known`."""
    totals: Counter[str] = Counter()
    under: dict[str, dict[str, Counter[str]]] = {"d:": {}, "h:": {}}
    entries, last = list(known.entries if known else ()), list(known.last if known else [""] * shards)
    for shard in range(shards):
        totals.update(_counts(client, keys.totals(shard)))
        for kind, found in under.items():
            prefix = keys.key(shard, kind)
            for key in client.scan_iter(f"{prefix}*", count=1000):
                found.setdefault(key.decode().removeprefix(prefix), Counter()).update(_counts(client, key.decode()))
        first = f"({last[shard]}" if last[shard] else "-"
        stream: Any = client.xrange(keys.stream(shard), first)  # the client's replies are untyped
        entries += [json.loads(fields[b"e"]) for _, fields in stream]
        last[shard] = stream[-1][0].decode() if stream else last[shard]
    return Kept(totals, under["d:"], under["h:"], tuple(entries), tuple(last))


def held(client: redis.Redis, field: str, shard: int = 0) -> int:
    """How much of a total is done and held, as of one moment."""
    found: Any = client.hmget(keys.totals(shard), [field, f"{field}:h"])  # the client's replies are untyped
    done, out = (text or b"0" for text in found)
    return int(done) + sum(int(number) for number in out.split(b"|")[1:])


def lasting(client: redis.Redis) -> set[str]:
    """The keys that never end and should."""
    names = [key.decode() for key in client.scan_iter("adl:*", count=1000)]
    return {name for name in names if client.ttl(name) == -1 and name.split(":", 2)[2] not in _LASTING}


def _counts(client: redis.Redis, key: str) -> dict[str, int]:
    found: Any = client.hgetall(key)  # the client's replies are untyped
    return {name.decode(): int(text) for name, text in found.items() if not name.endswith(b":h")}


# One against the other.


@dataclass(frozen=True, slots=True)
class Audit:
    """What does not agree: acknowledged and missing, counted more than once, counted as something else than was told,
    and counters that are not the sum of the stream.

    `open` is what an answer that left and never arrived may have said: nobody can know which of the two was right.
    """

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    miscounted: tuple[str, ...] = ()
    open: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether nothing differs that could have been known."""
        return not (self.lost or self.doubled or self.other or self.miscounted)


def audit(ledger: Ledger, kept: Kept) -> Audit:
    """Holds what callers were told against the stream, and the stream against the counters."""
    found: dict[tuple[str, str, str], list[tuple[Ad, ...]]] = {}
    for entry in kept.entries:
        ads = tuple(Ad(*ad[:3]) for ad in entry["p"])
        slot = "" if entry["e"] == "page" else ads[0].slot
        found.setdefault((entry["a"], entry["e"], slot), []).append(ads)
    told = {(article, "page", ""): one for article, one in ledger.pages.items()} | ledger.events
    lost: list[str] = []
    doubled: list[str] = []
    other: list[str] = []
    open: list[str] = []
    for name in told.keys() | found.keys():
        one, has = told.get(name, Told(None, True)), found.get(name, [])
        wanted = [] if one.ads is None else [one.ads]
        text = f"{' '.join(name)}: {has} where {one}"
        if has == wanted:
            continue
        if len(has) < len(wanted):
            lost.append(text)
        elif len(has) > max(1, len(wanted)):
            doubled.append(text)
        else:
            (open if one.again else other).append(text)
    return Audit(tuple(lost), tuple(doubled), tuple(other), tuple(_miscounted(kept)), tuple(open))


def _miscounted(kept: Kept) -> Iterator[str]:
    totals: Counter[str] = Counter()
    days: dict[str, Counter[str]] = {}
    hours: dict[str, Counter[str]] = {}
    seen = {(entry["i"], entry["p"][0][0]) for entry in kept.entries if entry["e"] == "view"}
    for entry in kept.entries:
        at = datetime.fromtimestamp(entry["at"] / 1000, UTC)
        letters = _letters(entry, seen)
        counts = Counter(_totals(entry, letters))
        totals += counts
        days.setdefault(f"{at:%Y%m%d}", Counter()).update(counts)
        hours.setdefault(f"{at:%Y%m%d%H}", Counter()).update(dict(_hours(entry, letters)))
    yield from _differing("totals", totals, kept.totals)
    for what, found, has in (("day", days, kept.days), ("hour", hours, kept.hours)):
        for name in found.keys() | has.keys():
            yield from _differing(f"{what} {name}", found.get(name, {}), has.get(name, {}))


def _letters(entry: Mapping[str, Any], seen: Container[tuple[str, str]]) -> list[str]:
    """What the entry counts as: a click on an ad that nobody saw on a page with a name counts apart as well."""
    unseen = entry["e"] == "click" and entry["i"] > "" and (entry["i"], entry["p"][0][0]) not in seen
    return [_LETTERS[entry["e"]], *["uc"] * (unseen and entry["i"][0] != "~")]


def _totals(entry: Mapping[str, Any], letters: Sequence[str]) -> list[str]:
    return [f"{ad[1]}:{letter}" for ad in entry["p"] for letter in letters]


def _hours(entry: Mapping[str, Any], letters: Sequence[str]) -> Iterator[tuple[str, int]]:
    place = [entry[key] or "-" for key in ("l", "v", "d", "s")]
    for slot, flight, creative, _, gap, _ in entry["p"]:
        words = [flight, creative, slot, place[0], place[1], "-" if gap is None else str(gap), *place[2:]]
        yield from ((f"{'|'.join(words)}:{letter}", 1) for letter in letters)
    if entry["e"] == "page":
        for letter, number in (("p", 1), ("n", entry["n"]), ("m", len(entry["p"]))):
            yield f"@{'|'.join(place)}:{letter}", number


def _differing(where: str, wanted: Mapping[str, int], has: Mapping[str, int]) -> Iterator[str]:
    for name in wanted.keys() | has.keys():
        if wanted.get(name, 0) != has.get(name, 0):
            yield f"{where} {name}: {has.get(name, 0)} where the stream has {wanted.get(name, 0)}"


def passed(kept: Kept, ledger: Ledger, goals: Mapping[str, int], caps: Mapping[str, int]) -> list[str]:
    """The goals (by field of the totals) and the caps of readers (by flight, as served) that were passed."""
    counts = Counter(name for entry in kept.entries for name in _totals(entry, [_LETTERS[entry["e"]]]))
    units = Counter(
        (ledger.units.get(entry["a"], ""), ad[1])
        for entry in kept.entries
        if entry["e"] == "page"
        for ad in entry["p"]
        if ad[1] in caps
    )
    over = [f"{name}: {counts[name]} of {most}" for name, most in goals.items() if counts[name] > most]
    return over + [f"{unit} {flight}: {n} of {caps[flight]}" for (unit, flight), n in units.items() if n > caps[flight]]


# The place.


def config(to: Path, **settings: object) -> Path:
    """The shipped config with these settings, under which one address may send whatever a test sends."""
    directory = copy_config(to)
    path = directory / "adlayout.yaml"
    text = path.read_text("utf-8")
    for name, value in ({"events_per_minute": 1_000_000} | settings).items():
        text, times = re.subn(rf"^( +{name}: ).*$", rf"\g<1>{value}", text, flags=re.MULTILINE)
        assert times == 1, name
    path.write_text(text, "utf-8")
    return directory


def publish(client: redis.Redis, flights: Iterable[Mapping[str, Any]], campaigns: Iterable[Mapping[str, Any]]) -> None:
    """Replaces the inventory, as any program may: flights name their creatives, which are pictures with a link."""
    flights = list(flights)
    ids = sorted({one["id"] for flight in flights for one in flight["creatives"]} | {"house"})
    creatives = [
        {
            "id": id,
            "kind": "image",
            "image": {"src": "/a.png"},
            "formats": ["300x250"],
            "link": f"https://{id}.example/",
            "house": id == "house",
        }
        for id in ids
    ]
    rows = parse_inventory({"campaigns": list(campaigns), "flights": flights, "creatives": creatives})
    with client.pipeline(transaction=True) as pipe:
        for key, texts in zip(keys.INVENTORY, (rows.campaigns, rows.flights, rows.creatives), strict=True):
            pipe.delete(key)
            for id, text in texts.items():
                pipe.hset(key, id, text)
        pipe.incr(keys.REVISION)
        pipe.execute()


def workers(service: Service, number: int = 2) -> dict[int, dict[str, Any]]:
    """What each worker says of itself, by its process; fewer where not all are there."""
    found: dict[int, dict[str, Any]] = {}
    for _ in range(40 * number):
        try:
            said = service.readyz()
        except httpx2.TransportError:
            break
        found[said["worker"]] = said
        if len(found) == number:
            break
    return found


def is_settled(service: Service, number: int = 2, revision: int | None = None) -> bool:
    """Whether every worker is ready and has nothing left to be counted."""
    said = list(workers(service, number).values())
    return len(said) == number and all(
        one["status"] == "ready"
        and one["store"] == "ok"
        and one["counting"]["waiting"] == 0
        and revision in (None, one["revision"])
        for one in said
    )


def kill_all(service: Service) -> None:
    """Ends every process of a service without a word, as a machine does that loses its power."""
    for member in service.members():
        with suppress(ProcessLookupError):
            os.kill(member, SIGKILL)


def comes_to_agree(client: redis.Redis, ledger: Ledger, *, within_s: float = 30) -> Audit:
    """Waits until the store has what callers were told, and returns how it stands then."""
    found = Audit()

    def agrees() -> bool:
        nonlocal found
        found = audit(ledger, kept(client))
        return found.exact

    try:
        wait_until(agrees, within_s=within_s)
    except (AssertionError, redis.RedisError):
        found = audit(ledger, kept(client))
    return found
