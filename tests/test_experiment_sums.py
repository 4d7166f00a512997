"""An experiment's sums, added up event by event, are what all events together come to, exactly and whatever fails."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from adlayout.counting import Counter, Pace
from adlayout.counts import Record
from adlayout.errors import StoreError
from adlayout.events.beacon import Batch
from adlayout.events.record import Happening, What, event_record, page_record
from adlayout.events.token import Ad, Signer, Ticket
from adlayout.store import keys
from adlayout.store.client import Store

from .pages import ask, endless
from .servers import Fault, line, server

NOON = int(datetime(2026, 11, 24, 12, 30, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
KEYS = ("control", "dense")
ADS = (Ad("s1", "spring", "ad", "acme", 2, "in-article"), Ad("s2", "-", "house", "-", 4, "in-article"))
TICKET = Ticket(
    4_000_000_000, "daily", "news", "phone", serve="page1", variation="density=control", ads=ADS, unit="a1" * 16, ms=7
)
EXPOSURE = Happening(What.EXPOSURE)
VIEW = Happening(What.VIEW, "s1", worth=5_000)
CLICK = Happening(What.CLICK, "s1", worth=250_000)
PAIRS = (("C", "V"), ("V", "S"), ("E", "P"), ("L", "P"), ("T", "P"))


@pytest.fixture(autouse=True)
def raw(clean_store: str) -> Iterator[redis.Redis]:
    """Another program's client. Whatever a test did, every key has an end but those that must not."""
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        yield client
    assert endless(clean_store) == []


def page(serve: str = "page1", variation: str = "control", unit: str = "a", **changes: Any) -> Ticket:
    return TICKET._replace(serve=serve, variation=f"density={variation}", unit=unit * 32, **changes)


def told(ticket: Ticket, *happenings: Happening, at_ms: int = NOON, bad: str | None = None) -> list[Record]:
    """What is written down of a page, as the service does it."""
    tickets = [(ticket.only(each.slot) if each.slot else ticket) or ticket for each in happenings]
    return [event_record(one, each, at_ms, bad=bad) for one, each in zip(tickets, happenings, strict=True)]


def record(url: str, lines: Sequence[Record], *, first: int = 1, spool: str = "spool") -> None:
    ask(url, lambda store: store.record(0, spool, first, lines, start=True))


async def counted(store: Store) -> dict[str, int]:
    """The sums, without those that are 0."""
    return {name: number for name, number in (await store.experiment("density", KEYS)).items() if number}


def test_a_unit_that_reads_a_page_sees_an_ad_and_follows_it(clean_store: str) -> None:
    record(clean_store, told(page(), EXPOSURE, VIEW, CLICK))
    once = {"n": 1, "n:20261124": 1, "n:phone": 1, "P": 1, "S": 2, "T": 7, "B": 1, "V": 1, "C": 1, "R": 255_000}
    squares = {"PP": 1, "SS": 4, "TT": 49, "BB": 1, "VV": 1, "CC": 1, "RR": 255_000**2}
    products = {"CV": 1, "VS": 2, "TP": 7}
    expected = {f"0:{name}": number for name, number in (once | squares | products).items()}
    assert ask(clean_store, counted) == expected


def test_what_a_page_measures_is_summed_in_whole_numbers(clean_store: str) -> None:
    engaged = [Happening(What.ENGAGED, value=ms, number=number) for number, ms in enumerate((12_000, 3_500))]
    shift = Happening(What.SHIFT, value=0.1234)
    bought = [Happening(What.CONVERSION, name="buy:now", value=value) for value in (9.99, 5)]
    back = Happening(What.CONVERSION, name="back", value=-2.5)
    record(clean_store, told(page(), *engaged, shift, bought[0], back) + told(page("page2"), bought[1]))
    worth = 14_990_000
    assert ask(clean_store, counted) == {
        "0:E": 15_500, "0:EE": 15_500**2, "0:L": 1234, "0:LL": 1234**2,
        "0:K:buy:now": 2, "0:K:buy:nowK:buy:now": 4, "0:KV:buy:now": worth, "0:KV:buy:nowKV:buy:now": worth**2,
        "0:K:back": 1, "0:K:backK:back": 1, "0:KV:back": -2_500_000, "0:KV:backKV:back": 2_500_000**2,
    }  # fmt: skip


def test_who_reads_a_second_page_did_not_bounce(clean_store: str) -> None:
    record(clean_store, [*told(page("1"), EXPOSURE), *told(page("2"), EXPOSURE), *told(page("3", unit="b"), EXPOSURE)])
    record(clean_store, told(page("4"), EXPOSURE), first=4)
    found = ask(clean_store, counted)
    assert {name: found[f"0:{name}"] for name in ("n", "P", "PP", "B", "BB")} == {
        "n": 2,
        "P": 4,
        "PP": 10,
        "B": 1,
        "BB": 1,
    }


def test_a_unit_is_new_on_one_day_and_one_device(clean_store: str) -> None:
    units = ((0, "a"), (1, "a"), (1, "b"))
    lines = [told(page(f"{day}{unit}", unit=unit), EXPOSURE, at_ms=NOON + day * DAY_MS) for day, unit in units]
    record(clean_store, [*chain(*lines)])
    found = ask(clean_store, counted)
    assert {name: number for name, number in found.items() if "n" in name} == {
        "0:n": 2, "0:n:phone": 2, "0:n:20261124": 1, "0:n:20261125": 1,
    }  # fmt: skip


def test_a_unit_that_was_seen_in_two_variations_stays_in_its_first(clean_store: str) -> None:
    lines = [*told(page("1"), EXPOSURE), *told(page("2", "dense"), EXPOSURE, VIEW), *told(page("3"), EXPOSURE)]
    for at, one in enumerate([*lines, *told(page("4", "dense"), EXPOSURE)], 1):
        record(clean_store, [one], first=at)
    found = ask(clean_store, counted)
    assert (found["multi"], found["0:n"], found["0:P"], found["0:V"]) == (1, 1, 4, 1)
    assert not [name for name in found if name.startswith("1:")]


def test_of_machines_only_exposures_count_and_apart(clean_store: str) -> None:
    record(clean_store, told(page(), EXPOSURE, VIEW, CLICK, Happening(What.SHIFT, value=1), bad="crawler"))
    assert ask(clean_store, counted) == {"0:bad": 1}


@pytest.mark.parametrize("ticket", [TICKET._replace(unit=""), TICKET._replace(unit="", variation="", ms=0)])
def test_a_page_that_no_experiment_counts_is_in_no_sum(clean_store: str, raw: redis.Redis, ticket: Ticket) -> None:
    record(clean_store, told(ticket, EXPOSURE, VIEW, CLICK, Happening(What.ENGAGED, value=5)))
    assert [key for key in raw.scan_iter() if ":x:" in key or ":u:" in key] == []


def test_a_page_that_nobody_was_seen_to_read_is_in_no_sum(clean_store: str, raw: redis.Redis) -> None:
    record(clean_store, [page_record(Signer(["secret"]).sign(page()), NOON, once=True)])
    assert ask(clean_store, Store.totals) == {"spring:s": 1, "-:s": 1}
    assert list(raw.scan_iter("*:[ux]:*")) == []


def test_what_is_told_again_counts_once(clean_store: str) -> None:
    lines = told(page(), EXPOSURE, VIEW, CLICK, Happening(What.ENGAGED, value=500))
    record(clean_store, lines)
    once = ask(clean_store, counted)
    record(clean_store, lines)
    record(clean_store, [*lines, *lines], spool="another")
    assert ask(clean_store, counted) == once


def test_variations_are_found_by_their_keys_in_whatever_order(clean_store: str) -> None:
    record(clean_store, [*told(page("1"), EXPOSURE), *told(page("2", "a:b", unit="b"), EXPOSURE)])
    record(clean_store, told(page("3", "a:b", unit="c"), EXPOSURE), first=3)
    found = ask(clean_store, lambda store: store.experiment("density", ["a:b", "control"]))
    assert (found["0:n"], found["1:n"]) == (2, 1)
    assert ask(clean_store, lambda store: store.experiment("density", [])) == {}
    assert ask(clean_store, lambda store: store.experiment("another", KEYS)) == {}


def test_sums_are_exact_however_large(clean_store: str) -> None:
    """Squares of what a unit spends, in millionths, are larger than any number of the store or of its programs."""
    spent = [99_999_999.999999, 99_999_999.999999, 12_345_678.9, 0.000001]
    lines = [
        told(page(f"{unit}{at}", unit=unit), Happening(What.CONVERSION, name="buy", value=value))
        for unit in "abc"
        for at, value in enumerate(spent)
    ]
    record(clean_store, [*chain(*lines)])
    a_unit = sum(min(round(value * 1e6), 10**13) for value in spent)
    found = ask(clean_store, counted)
    assert (found["0:KV:buy"], found["0:KV:buyKV:buy"]) == (3 * a_unit, 3 * a_unit**2)


def test_a_unit_comes_to_no_more_than_is_exact(clean_store: str) -> None:
    lines = [
        line
        for at in range(30)
        for line in told(page(str(at)), Happening(What.CONVERSION, name="buy", value=1e12 * (-1) ** (at >= 15)))
    ]
    record(clean_store, lines[:15])
    most = 10**14 - 1
    found = ask(clean_store, counted)
    assert (found["0:KV:buy"], found["0:KV:buyKV:buy"]) == (most, most**2)
    record(clean_store, lines[15:], first=16)
    low = most - 15 * 10**13
    found = ask(clean_store, counted)
    assert (found["0:KV:buy"], found["0:KV:buyKV:buy"]) == (low, low**2)


def test_names_that_browsers_make_up_fill_no_store(clean_store: str, raw: redis.Redis) -> None:
    names = [Happening(What.CONVERSION, name=f"name{number}", value=1) for number in range(100)]
    record(clean_store, told(page(), EXPOSURE, *names))
    assert raw.hlen(keys.unit(0, "a" * 32)) == 5 + 2 * 20
    raw.hset(keys.sums(0, "density"), mapping={f"filler{number}": 1 for number in range(5000)})
    many = raw.hlen(keys.sums(0, "density"))
    record(clean_store, told(page(unit="b", serve="2"), EXPOSURE, *names), first=102)
    assert raw.hlen(keys.sums(0, "density")) == many
    found = ask(clean_store, counted)
    assert (found["0:K:name0"], found.get("0:K:name99")) == (2, None)


def test_a_units_hash_ends_a_hundred_days_after_it_was_seen(clean_store: str, raw: redis.Redis) -> None:
    key = keys.unit(0, "a" * 32)
    record(clean_store, told(page(), VIEW))
    assert raw.ttl(key) == pytest.approx(100 * 86400, abs=5)
    raw.expire(key, 60)
    record(clean_store, told(page(), CLICK), first=2)
    assert raw.ttl(key) <= 60
    record(clean_store, told(page(), EXPOSURE), first=3)
    assert raw.ttl(key) == pytest.approx(100 * 86400, abs=5)
    assert raw.ttl(keys.sums(0, "density")) == -1


def test_a_unit_that_is_forgotten_leaves_the_sums_as_they_are(clean_store: str) -> None:
    record(clean_store, told(page(), EXPOSURE))
    sums = ask(clean_store, counted)
    assert ask(clean_store, lambda store: store.forget(["a" * 32, "b" * 32])) == 1
    assert ask(clean_store, counted) == sums


def test_sums_are_added_up_over_shards(clean_store: str) -> None:
    async def everywhere(store: Store) -> dict[str, int]:
        for shard in range(3):
            one = told(page(str(shard), unit=str(shard)), EXPOSURE, VIEW)
            await store.record(shard, "spool", 1, one)
        return await counted(store)

    found = ask(clean_store, everywhere, shards=3)
    assert {name: found[f"0:{name}"] for name in ("n", "P", "S", "SS", "RR")} == {
        "n": 3, "P": 3, "S": 6, "SS": 12, "RR": 3 * 5_000**2,
    }  # fmt: skip


def test_a_wrong_type_under_an_experiments_key_leaves_nothing_half_done(clean_store: str, raw: redis.Redis) -> None:
    key = keys.sums(0, "density")
    raw.set(key, "no hash")
    with pytest.raises(StoreError, match=f"WRONGTYPE {key} holds a string"):
        record(clean_store, told(page(), EXPOSURE))
    assert raw.keys() == [key]
    raw.delete(key)


def test_a_wrong_type_under_a_units_key_harms_no_other(clean_store: str, raw: redis.Redis) -> None:
    raw.set(keys.unit(0, "a" * 32), "no hash", ex=60)
    record(clean_store, [*told(page("1"), EXPOSURE, VIEW), *told(page("2", unit="b"), EXPOSURE)])
    found = ask(clean_store, counted)
    assert (found["0:n"], found["0:P"], found.get("0:V")) == (1, 1, None)
    assert ask(clean_store, Store.totals) == {"spring:v": 1}


def test_what_is_no_number_in_a_sum_is_named_and_harms_no_other(clean_store: str, raw: redis.Redis) -> None:
    raw.hset(keys.sums(0, "density"), "control:P", "many")
    answer = ask(clean_store, lambda store: store.record(0, "spool", 1, told(page(), EXPOSURE)))
    assert answer.spoiled == (f"{keys.sums(0, 'density')} control:P",)
    found = ask(clean_store, counted)
    assert (found.get("0:P"), found["0:PP"], found["0:n"]) == (None, 1, 1)


def test_what_is_no_number_of_a_unit_begins_anew(clean_store: str, raw: redis.Redis) -> None:
    raw.hset(keys.unit(0, "a" * 32), mapping={"x": "control", "P": "many", "V": "1.5"})
    raw.expire(keys.unit(0, "a" * 32), 60)
    record(clean_store, told(page(), EXPOSURE, VIEW))
    found = ask(clean_store, counted)
    assert (found["0:n"], found["0:P"], found["0:V"]) == (1, 1, 1)


SPOILT = (
    '{"e":"exposure","h":"u","v":"density=control","p":[]}',
    '{"e":"exposure","h":"u","v":7,"f":1,"m":1}',
    '{"e":"engaged","h":"u","v":"density=control","value":"long"}',
    '{"e":"engaged","h":"u","v":"density=control","value":NaN}',
    '{"e":"engaged","h":"u","v":"density=control","value":1e999}',
    '{"e":"conversion","h":"u","v":"density=control","value":1}',
    '{"e":["view"],"h":"u","v":"density=control"}',
)


@pytest.mark.parametrize("text", SPOILT)
def test_a_line_that_tells_an_experiment_nothing_stops_no_other(clean_store: str, text: str) -> None:
    record(clean_store, [Record(text, NOON), *told(page(), VIEW)])
    found = ask(clean_store, counted)
    assert found == {"0:V": 1, "0:VV": 1, "0:R": 5_000, "0:RR": 5_000**2}


# The same by another way: all events of a unit first, then its squares.


class Event(NamedTuple):
    unit: int
    variation: int
    serve: int
    bad: bool
    happening: Happening
    day: int = 0


WORTHS = st.sampled_from([0, 1, 5_000, 250_000, 10**13])
NUMBERS = st.integers(0, 3)
HAPPENINGS = st.one_of(
    st.just(EXPOSURE),
    st.builds(lambda slot, worth: Happening(What.VIEW, slot, worth=worth), st.sampled_from(["s1", "s2"]), WORTHS),
    st.builds(lambda worth: Happening(What.CLICK, "s1", worth=worth), WORTHS),
    st.builds(lambda ms, n: Happening(What.ENGAGED, value=ms, number=n), st.integers(0, 86_400_000), st.integers(0, 3)),
    st.builds(
        lambda ten, n: Happening(What.SHIFT, value=ten / 10_000, number=n), st.integers(0, 10**7), st.integers(0, 3)
    ),
    st.builds(
        lambda name, cents: Happening(What.CONVERSION, name=name, value=cents / 100),
        st.sampled_from(["buy", "K:1"]),
        st.integers(-(10**9), 10**9),
    ),
)
EVENTS = st.builds(
    Event, st.integers(0, 3), st.integers(0, 1), st.integers(0, 9), st.sampled_from([False] * 9 + [True]), HAPPENINGS,
    st.integers(0, 1),
)  # fmt: skip


def lines_of(events: Iterable[Event]) -> list[Record]:
    return [
        line
        for unit, variation, serve, bad, happening, day in events
        for line in told(
            page(f"page{unit}-{serve}", KEYS[variation], str(unit), ms=unit + serve),
            happening,
            at_ms=NOON + day * DAY_MS,
            bad="crawler" if bad else None,
        )
    ]


def added(event: Event) -> dict[str, int]:
    happening = event.happening
    match happening.what:
        case What.EXPOSURE:
            return {"P": 1, "S": 2, "T": event.unit + event.serve}
        case What.VIEW | What.CLICK:
            return {happening.what[0].upper(): 1, "R": happening.worth}
        case What.CONVERSION:
            return {f"K:{happening.name}": 1, f"KV:{happening.name}": round((happening.value or 0) * 1e6)}
        case _:
            letter, scale = ("E", 1) if happening.what is What.ENGAGED else ("L", 10_000)
            return {letter: round((happening.value or 0) * scale)}


def in_one_go(events: Iterable[Event]) -> dict[str, int]:
    """What the sums come to, by all that each unit did."""
    fresh: dict[tuple[int, int, str], Event] = {}
    for one in events:
        fresh.setdefault((one.unit, one.serve, one.happening.once), one)
    ordered = fresh.values()
    sums: dict[str, int] = defaultdict(int)
    for unit in range(4):
        valid = [one for one in ordered if one.unit == unit and not one.bad]
        exposures = [one for one in valid if one.happening == EXPOSURE]
        own: dict[str, int] = defaultdict(int)
        for one in valid:
            for name, number in added(one).items():
                own[name] += number
        own["B"] = int(len(exposures) == 1)
        of = f"{valid[0].variation}:" if valid else ""
        sums["multi"] += len({one.variation for one in valid}) > 1
        for one in exposures[:1]:
            sums[f"{of}n"] += 1
            sums[f"{of}n:{20261124 + one.day}"] += 1
            sums[f"{of}n:phone"] += 1
        for name, number in own.items():
            sums[of + name] += number
            sums[of + name * 2] += number**2
        for a, b in PAIRS:
            sums[of + a + b] += own[a] * own[b]
    for one in ordered:
        sums[f"{one.variation}:bad"] += one.bad and one.happening == EXPOSURE
    return {name: number for name, number in sums.items() if number}


async def sent(store: Store, lines: Sequence[Record], sizes: Iterable[int]) -> None:
    """Sends in batches of these sizes, and goes on where the store says."""
    position, sizes = 0, iter(sizes)
    size = next(sizes)
    while position < len(lines):
        with suppress(StoreError):
            position = (await store.record(0, "spool", position + 1, lines[position : position + size])).position
            size = next(sizes, size)


@given(st.lists(EVENTS, max_size=60), st.lists(st.integers(1, 20), min_size=1))
def test_what_is_added_up_is_what_all_comes_to(store_url: str, events: list[Event], sizes: list[int]) -> None:
    async def streamed(store: Store) -> dict[str, int]:
        await sent(store, lines_of(events), sizes)
        return await counted(store)

    with redis.Redis.from_url(store_url) as client:
        client.flushall()
    assert ask(store_url, streamed) == in_one_go(events)
    assert endless(store_url) == []


def some_events(number: int, variation: int | None = None) -> list[Event]:
    """What many readers do, the same in each run."""
    rng = random.Random(7)  # noqa: S311 (what readers do is no secret)
    happenings = (EXPOSURE, VIEW, CLICK, Happening(What.ENGAGED, value=1_500), Happening(What.SHIFT, value=0.02))
    return [
        Event(unit, rng.choice((0, 1)) if variation is None else variation, rng.randrange(9), False, happening)
        for unit, happening in ((rng.randrange(4), rng.choice(happenings)) for _ in range(number))
    ]


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_CLOSE, Fault.LOSS])
def test_an_answer_that_is_lost_changes_no_sum_of_any_variation(clean_store: str, fault: Fault) -> None:
    arms = [some_events(60, variation) for variation in (0, 1)]
    arms[1] = [one._replace(unit=one.unit + 4) for one in arms[1]]
    lines = [line for pair in zip(*map(lines_of, arms), strict=True) for line in pair]
    with line(clean_store) as broken:
        broken.fault, broken.every = fault, 3
        ask(broken.url, lambda store: sent(store, lines, [7]))
    found = ask(clean_store, counted)
    sums = [{name[2:]: number for name, number in found.items() if name.startswith(of)} for of in ("0:", "1:")]
    assert {f"0:{name}": number for name, number in sums[0].items()} == in_one_go(arms[0])
    alike = [{name: number for name, number in each.items() if "T" not in name} for each in sums]
    assert alike[0] == alike[1]


def test_a_store_that_forgot_the_last_lines_comes_to_the_same_sums(clean_store: str) -> None:
    events = some_events(40)
    lines = lines_of(events)
    with server("--appendonly", "yes", "--appendfsync", "always") as kept:
        record(kept.url, lines[:20])
        kept.ask("CONFIG", "SET", "appendonly", "no")
        record(kept.url, lines[20:30], first=21)
        kept.kill()
        kept.start()
        record(kept.url, lines[20:], first=21)
        assert ask(kept.url, counted) == in_one_go(events)


# From the page's report to the sums.


def spooled(directory: Path, tell: Callable[[Counter], object], url: str) -> dict[str, int]:
    async def main() -> dict[str, int]:
        counter, store = Counter(directory, pace=Pace(batch_lines=3)), Store(url, timeout_ms=10_000)
        tell(counter)
        assert await counter.drain(store, within_s=30) == 0
        counter.close()
        try:
            return await counted(store)
        finally:
            await store.close()

    return asyncio.run(main())


def test_a_page_reports_and_its_experiment_counts_what_it_is_worth(clean_store: str, tmp_path: Path) -> None:
    happenings = (EXPOSURE, *(Happening(What.VIEW, ad.slot) for ad in ADS), Happening(What.ENGAGED, value=900))

    def worth_of(what: What, ad: Ad) -> int:
        return 4_000 if (what, ad.flight) == (What.VIEW, "spring") else 0

    def tell(counter: Counter) -> None:
        read = Signer(["secret"]).sign(page()).ticket
        assert counter.batch(read, Batch("t", "", happenings), worth_of=worth_of) == ()
        counter.batch(read, Batch("t", "", happenings))

    found = spooled(tmp_path, tell, clean_store)
    assert {name: found[f"0:{name}"] for name in "PSVRE"} == {"P": 1, "S": 2, "V": 2, "R": 4_000, "E": 900}


def test_nobody_is_asked_what_an_event_is_worth_that_no_experiment_counts(clean_store: str, tmp_path: Path) -> None:
    asked: list[str] = []

    def worth_of(what: What, ad: Ad) -> int:
        asked.append(what)
        return 1

    def tell(counter: Counter) -> None:
        counter.happened(page(unit=""), VIEW, worth_of=worth_of)
        counter.happened(page(), EXPOSURE, worth_of=worth_of)
        counter.happened(page(), CLICK, worth_of=worth_of)

    spooled(tmp_path, tell, clean_store)
    assert asked == [What.CLICK]


_WORKER = """
import asyncio, sys
from pathlib import Path
from adlayout.counting import Counter, Pace
from adlayout.store.client import Store
from tests.test_experiment_sums import page, some_events, KEYS

async def main(url, directory):
    counter = Counter(Path(directory), pace=Pace(batch_lines=3, gather_s=0))
    sending = asyncio.create_task(counter.run(Store(url)))
    for unit, variation, serve, _, happening, _ in some_events(200):
        ticket = page(f"page{unit}-{serve}", KEYS[variation], str(unit), ms=unit + serve)
        counter.happened(ticket, happening, worth_of=lambda what, ad: happening.worth)
        print("told", flush=True)
        await asyncio.sleep(0)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("after", [1, 40, 150])
def test_a_worker_that_is_killed_leaves_its_lines_to_the_next(clean_store: str, tmp_path: Path, after: int) -> None:
    """What it told is counted; it may have ended between writing one more down and telling."""
    command = [sys.executable, "-c", _WORKER, clean_store, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        told = [worker.stdout.readline() for _ in range(after)]
        os.kill(worker.pid, signal.SIGKILL)
        told += worker.stdout.readlines()
    expected = [timeless(in_one_go(some_events(200)[: len(told) + more])) for more in (0, 1)]
    asyncio.run(inherited(clean_store, tmp_path, expected))


async def inherited(url: str, directory: Path, expected: Sequence[dict[str, int]]) -> None:
    """Sends what another left, until it comes to what is expected."""
    counter, store = Counter(directory, pace=Pace(adopt_s=0.05)), Store(url, timeout_ms=10_000)
    sending = asyncio.create_task(counter.run(store))
    ends = time.monotonic() + 30
    while timeless(found := await counted(store)) not in expected:
        assert time.monotonic() < ends, found
        await asyncio.sleep(0.01)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    counter.close()
    await store.close()


def timeless(sums: dict[str, int]) -> dict[str, int]:
    """Without what depends on the day of the test."""
    return {name: number for name, number in sums.items() if ":n:" not in name}
