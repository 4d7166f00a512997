"""Events as the store applies them: each once, in order, in every hash where it counts; and how they are read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis

from adlayout.counts import Reader, Record
from adlayout.errors import StoreError
from adlayout.store import keys
from adlayout.store.client import Recorded, Store

from .pages import CAP, DAY_MS, READER, ad, ask, asking, attempt, cap, click, daily, endless, goal, page, text, view
from .servers import Fault, line, server, wait_until

NOON = int(datetime(2026, 11, 24, 12, 30, tzinfo=UTC).timestamp() * 1000)
DAY, HOUR = "20261124", "2026112412"
HOLD_MS = 60_000


@pytest.fixture(autouse=True)
def raw(clean_store: str) -> Iterator[redis.Redis]:
    """Another program's client. Whatever a test did, every key has an end but those that must not."""
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        yield client
    assert endless(clean_store) == []


def record(url: str, first: int, *lines: Record, spool: str = "spool", start: bool = False, **options: Any) -> Recorded:
    return ask(url, lambda store: store.record(0, spool, first, lines, start=start), **options)


async def _entries(store: Store, after: str = "0-0") -> list[dict[str, Any]]:
    return [entry async for _, entry in store.entries(0, after)]


def test_a_page_counts_its_ads_in_total_by_day_and_by_hour(clean_store: str) -> None:
    answer = record(clean_store, 1, page(NOON, ad(), ad(flight="-", slot="s2", creative="house", gap=None)))
    assert (answer.position, answer.spoiled) == (1, ())
    assert abs(answer.now_ms - time.time() * 1000) < 10_000
    expected = {"spring:s": 1, "-:s": 1}
    assert ask(clean_store, Store.totals) == expected
    assert ask(clean_store, lambda store: store.day(DAY)) == expected
    assert ask(clean_store, lambda store: store.hours([HOUR, "2026112413"])) == {
        HOUR: {
            "spring|ad|s1|news|-|2|phone|daily:s": 1,
            "-|house|s2|news|-|-|phone|daily:s": 1,
            "@news|-|phone|daily:p": 1,
            "@news|-|phone|daily:n": 3,
            "@news|-|phone|daily:m": 2,
        },
        "2026112413": {},
    }


def test_views_and_clicks_count_apart(clean_store: str) -> None:
    record(clean_store, 1, view(NOON), view(NOON), click(NOON, v="size=2"))
    assert ask(clean_store, Store.totals) == {"spring:v": 2, "spring:c": 1}
    assert ask(clean_store, lambda store: store.hours([HOUR])) == {
        HOUR: {"spring|ad|s1|news|-|2|phone|daily:v": 2, "spring|ad|s1|news|size=2|2|phone|daily:c": 1}
    }


def of_page(what: str, at_ms: int = NOON, serve: str = "0123456789abcdef", **changes: Any) -> Record:
    """A view of the page's one ad, or a click on it, as records name them."""
    return Record(text(what, ad(), i=serve, **changes), at_ms, serve, f"{what}:s1")


WHERE = "spring|ad|s1|news|-|2|phone|daily"


def test_a_click_on_what_nobody_has_seen_is_counted_apart_as_well(clean_store: str) -> None:
    record(clean_store, 1, of_page("click"), of_page("click"))
    assert ask(clean_store, Store.totals) == {"spring:c": 1, "spring:uc": 1}
    assert ask(clean_store, lambda store: store.day(DAY)) == {"spring:c": 1, "spring:uc": 1}
    assert ask(clean_store, lambda store: store.hours([HOUR])) == {HOUR: {f"{WHERE}:c": 1, f"{WHERE}:uc": 1}}


@pytest.mark.parametrize("lines", [("view", "click"), ("click", "view")])
@pytest.mark.parametrize("batches", [1, 2])
def test_a_click_on_what_was_seen_is_not_whichever_is_told_first(
    clean_store: str, lines: tuple[str, ...], batches: int
) -> None:
    """A page that is left by a click tells of its last views when it is gone."""
    told = [of_page(what) for what in lines]
    for first, batch in ((1, told),) if batches == 1 else ((1, told[:1]), (2, told[1:])):
        record(clean_store, first, *batch)
    for found in (ask(clean_store, Store.totals), ask(clean_store, lambda store: store.day(DAY))):
        assert {name: count for name, count in found.items() if count} == {"spring:v": 1, "spring:c": 1}


def test_a_view_takes_back_only_where_it_counts(clean_store: str) -> None:
    record(clean_store, 1, of_page("click"), of_page("view", NOON + DAY_MS))
    assert ask(clean_store, Store.totals) == {"spring:c": 1, "spring:v": 1, "spring:uc": 0}
    assert ask(clean_store, lambda store: store.day(DAY)) == {"spring:c": 1, "spring:uc": 1}
    assert ask(clean_store, lambda store: store.day("20261125")) == {"spring:v": 1}


@pytest.mark.parametrize(
    ("line", "counted"),
    [
        (of_page("click", serve="~made-by-a-browser"), {"spring:c": 1}),
        (of_page("click", bad="crawler"), {"spring:xc": 1}),
        (click(NOON), {"spring:c": 1}),
    ],
)
def test_of_pages_without_a_name_and_of_robots_nobody_asks_what_was_seen(
    clean_store: str, line: Record, counted: dict[str, int]
) -> None:
    record(clean_store, 1, line)
    assert ask(clean_store, Store.totals) == counted


def test_a_page_whose_key_holds_something_else_is_counted_all_the_same(clean_store: str, raw: redis.Redis) -> None:
    raw.set(keys.happened(0, "0123456789abcdef"), "no hash", px=60_000)
    record(clean_store, 1, of_page("click"), of_page("view"))
    assert ask(clean_store, Store.totals) == {"spring:c": 1, "spring:v": 1}


def test_traffic_that_is_not_valid_counts_apart_and_frees_nothing(clean_store: str) -> None:
    held = ask(clean_store, lambda store: store.reserve(asking(attempt(goal(1)))))
    bad: dict[str, Any] = {"b": held.bucket, "bad": "crawler", "caps": [[CAP, DAY_MS]]}
    record(clean_store, 1, view(NOON, **bad), page(NOON, reader=READER, **bad))
    assert ask(clean_store, Store.totals) == {"spring:xv": 1, "spring:xs": 1}
    assert ask(clean_store, Store.held) == {"spring:v": 1}
    assert ask(clean_store, lambda store: store.day(DAY)) == {"spring:xv": 1, "spring:xs": 1}
    assert ask(clean_store, lambda store: store.forget(READER)) == 0


def test_other_events_only_stand_in_the_stream(clean_store: str, raw: redis.Redis) -> None:
    record(clean_store, 1, Record(text("exposure", ad(), v="size=1"), NOON))
    assert ask(clean_store, Store.totals) == {}
    assert [entry["e"] for entry in ask(clean_store, _entries)] == ["exposure"]
    assert sorted(raw.keys()) == [keys.stream(0), keys.position(0, "spool")]


def test_a_view_takes_the_place_that_was_held_for_it(clean_store: str) -> None:
    today = datetime.now(UTC).strftime("%Y%m%d")
    held = ask(clean_store, lambda store: store.reserve(asking(attempt(goal(1), daily(1)), day=today)))
    record(clean_store, 1, view(int(time.time() * 1000), b=held.bucket))
    assert ask(clean_store, Store.held) == {}
    assert ask(clean_store, Store.totals) == {"spring:v": 1}
    assert ask(clean_store, lambda store: store.reserve(asking(attempt(goal(2), daily(1)), day=today))).picks == ()
    assert len(ask(clean_store, lambda store: store.reserve(asking(attempt(goal(2))))).picks) == 1


def test_a_place_is_freed_on_the_day_on_which_it_was_held(clean_store: str, raw: redis.Redis) -> None:
    """The page was asked for at 23:59, its view comes after midnight: it counts today and frees yesterday's place."""
    midnight = int(time.time() * 1000) // DAY_MS * DAY_MS
    bucket = midnight // HOLD_MS - 1
    yesterday, today = (datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m%d") for at in (midnight - 1, midnight))
    for day in (yesterday, today):
        raw.hset(keys.day(0, day), "spring:v:h", f"{bucket}|2|0")
    record(clean_store, 1, view(midnight, b=bucket))
    assert raw.hgetall(keys.day(0, yesterday)) == {"spring:v:h": f"{bucket}|1|0"}
    assert raw.hgetall(keys.day(0, today)) == {"spring:v:h": f"{bucket}|2|0", "spring:v": "1"}


@pytest.mark.parametrize(("at", "left"), [(0, "1|2"), (-1, "2|1"), (-2, "2|2"), (1, "2|2")])
def test_only_the_bucket_of_an_event_is_freed(clean_store: str, raw: redis.Redis, at: int, left: str) -> None:
    now = int(time.time() * 1000) // HOLD_MS
    raw.hset(keys.totals(0), "spring:v:h", f"{now}|2|2")
    record(clean_store, 1, view(NOON, b=now + at))
    assert raw.hget(keys.totals(0), "spring:v:h") == f"{now}|{left}"


def test_no_more_is_freed_than_is_held(clean_store: str, raw: redis.Redis) -> None:
    now = int(time.time() * 1000) // HOLD_MS
    raw.hset(keys.totals(0), "spring:v:h", f"{now}|2|0")
    record(clean_store, 1, *[view(NOON, b=now)] * 3)
    assert raw.hgetall(keys.totals(0)) == {"spring:v": "3"}


def test_an_event_that_comes_after_its_hold_counts_and_is_marked(clean_store: str) -> None:
    bucket = int(time.time() * 1000) // HOLD_MS
    record(clean_store, 1, view(NOON, b=bucket - 2), view(NOON, b=bucket), view(NOON))
    assert ask(clean_store, Store.totals) == {"spring:v": 3}
    assert [entry.get("late") for entry in ask(clean_store, _entries)] == [True, None, None]


def test_lines_that_were_applied_are_passed_over(clean_store: str) -> None:
    assert record(clean_store, 1, view(NOON), view(NOON)).position == 2
    assert record(clean_store, 1, view(NOON), view(NOON)).position == 2
    assert record(clean_store, 2, view(NOON), click(NOON)).position == 3
    assert ask(clean_store, Store.totals) == {"spring:v": 2, "spring:c": 1}
    assert len(ask(clean_store, _entries)) == 3


def test_where_lines_are_missing_nothing_is_applied(clean_store: str) -> None:
    record(clean_store, 1, view(NOON))
    assert record(clean_store, 3, view(NOON)).position == 1
    assert record(clean_store, 3, view(NOON), start=True).position == 1
    assert record(clean_store, 2, view(NOON), spool="unknown").position == 0
    assert ask(clean_store, Store.totals) == {"spring:v": 1}


def test_a_spool_whose_beginning_is_gone_starts_where_it_can(clean_store: str) -> None:
    assert record(clean_store, 41, view(NOON), start=True).position == 41
    assert record(clean_store, 42, view(NOON)).position == 42


def test_no_lines_ask_for_the_position(clean_store: str) -> None:
    record(clean_store, 1, view(NOON))
    assert record(clean_store, 2).position == 1
    assert record(clean_store, 9, spool="unknown").position == 0


def test_an_event_counts_once_whoever_sends_it_again(clean_store: str) -> None:
    seen = view(NOON, serve="page1")
    record(clean_store, 1, seen, seen, view(NOON, serve="page1", once="v1"), view(NOON, serve="page2"))
    record(clean_store, 1, seen, spool="another")
    assert ask(clean_store, Store.totals) == {"spring:v": 3}
    assert len(ask(clean_store, _entries)) == 3


def test_one_event_from_50_workers_at_once_counts_once(clean_store: str) -> None:
    async def all_at_once(store: Store) -> None:
        sent = (store.record(0, f"spool{n}", 1, [view(NOON, serve="page1")]) for n in range(50))
        await asyncio.gather(*sent)

    ask(clean_store, all_at_once)
    assert ask(clean_store, Store.totals) == {"spring:v": 1}
    assert len(ask(clean_store, _entries)) == 1


def test_the_day_is_that_of_the_reporting_time_zone(clean_store: str) -> None:
    record(clean_store, 1, view(NOON), zone=ZoneInfo("Pacific/Auckland"))
    assert ask(clean_store, lambda store: store.day("20261125")) == {"spring:v": 1}
    assert ask(clean_store, lambda store: store.day(DAY)) == {}


def test_a_readers_window_starts_with_its_first_event_and_does_not_slide(clean_store: str, raw: redis.Redis) -> None:
    record(clean_store, 1, page(reader=READER, caps=[[CAP, DAY_MS]]))
    ends = str(raw.hget(keys.reader(0, READER.now), CAP)).removeprefix("1|")
    record(clean_store, 2, page(reader=READER, caps=[[CAP, DAY_MS], [CAP, DAY_MS]]))
    assert raw.hgetall(keys.reader(0, READER.now)) == {CAP: f"3|{ends}"}


def test_a_window_that_is_open_under_the_former_key_ends_when_it_would(clean_store: str, raw: redis.Redis) -> None:
    record(clean_store, 1, page(reader=Reader("monday", "sunday"), caps=[[CAP, DAY_MS]]))
    opened = raw.hget(keys.reader(0, "monday"), CAP)
    record(clean_store, 2, page(reader=Reader("tuesday", "monday"), caps=[[CAP, DAY_MS]]))
    assert raw.hget(keys.reader(0, "tuesday"), CAP) == opened
    both = asking(attempt(cap(2)), reader=Reader("tuesday", "monday"))
    assert ask(clean_store, lambda store: store.reserve(both)).picks == ()


def test_a_window_that_is_over_begins_anew(clean_store: str, raw: redis.Redis) -> None:
    raw.hset(keys.reader(0, READER.now), CAP, f"9|{int(time.time() * 1000) - 1}")
    record(clean_store, 1, page(reader=READER, caps=[[CAP, DAY_MS]]))
    assert str(raw.hget(keys.reader(0, READER.now), CAP)).startswith("1|")


def test_a_readers_hold_is_freed_under_the_key_where_it_is(clean_store: str, raw: redis.Redis) -> None:
    held = ask(clean_store, lambda store: store.reserve(asking(attempt(cap(1)), reader=Reader("monday", "sunday"))))
    record(clean_store, 1, page(reader=Reader("tuesday", "monday"), b=held.bucket, caps=[[CAP, DAY_MS]]))
    assert raw.hgetall(keys.reader(0, "monday")) == {}
    assert list(raw.hgetall(keys.reader(0, "tuesday"))) == [CAP]


def test_text_that_is_none_can_be_written(clean_store: str) -> None:
    lines = [Record(text("view", ad(flight="\ud800")), NOON, "\ud800", "\udcff"), Record(text("view", ad()), NOON)]
    assert record(clean_store, 1, *lines, spool="\ud800").position == 2
    assert ask(clean_store, Store.totals) == {"?:v": 1, "spring:v": 1}


NO_EVENTS = (
    "nonsense", "[]", "{}", '{"e": "view"}', '{"e": "view", "p": [[1]]}', '{"e": ["view"]}', "\udcff",
    text("view", ad(), b="x"), text("page", ad(), caps=[["x"]]), text("page", n=None),
)  # fmt: skip


@pytest.mark.parametrize("said", NO_EVENTS)
def test_a_line_that_is_no_event_stops_no_other(clean_store: str, said: str) -> None:
    assert record(clean_store, 1, Record(said, NOON), view(NOON)).position == 2
    assert ask(clean_store, Store.totals) == {"spring:v": 1}
    assert len(ask(clean_store, _entries)) in {1, 2}


@pytest.mark.parametrize("at_ms", [-1, 0, 10**18])
def test_a_time_that_cannot_be_stops_nothing(clean_store: str, at_ms: int) -> None:
    assert record(clean_store, 1, view(at_ms)).position == 1
    assert ask(clean_store, Store.totals) == {"spring:v": 1}


def test_a_field_that_holds_no_number_is_named_and_harms_no_other(clean_store: str, raw: redis.Redis) -> None:
    raw.hset(keys.totals(0), "spring:v", "many")
    answer = record(clean_store, 1, view(NOON), click(NOON))
    assert (answer.position, answer.spoiled) == (2, (f"{keys.totals(0)} spring:v",))
    assert ask(clean_store, Store.totals) == {"spring:c": 1}
    assert ask(clean_store, lambda store: store.day(DAY)) == {"spring:v": 1, "spring:c": 1}


@pytest.mark.parametrize(
    "key", [keys.totals(0), keys.stream(0), keys.position(0, "spool"), keys.day(0, DAY), keys.hour(0, HOUR)]
)
def test_a_wrong_type_under_a_shared_key_leaves_nothing_half_done(clean_store: str, raw: redis.Redis, key: str) -> None:
    raw.geoadd(key, (1, 1, "no hash"))
    with pytest.raises(StoreError, match=f"WRONGTYPE {key} holds a zset"):
        record(clean_store, 1, view(NOON, serve="page1"))
    assert raw.keys() == [key]
    raw.delete(key)
    assert record(clean_store, 1, view(NOON, serve="page1")).position == 1


@pytest.mark.parametrize("key", [keys.reader(0, READER.now), keys.reader(0, READER.before), keys.happened(0, "page1")])
def test_a_wrong_type_under_one_readers_key_harms_no_count(clean_store: str, raw: redis.Redis, key: str) -> None:
    raw.set(key, "no hash", ex=60)
    line = page(NOON, reader=READER, caps=[[CAP, DAY_MS]])._replace(serve="page1", once="page")
    assert record(clean_store, 1, line).spoiled == ()
    assert ask(clean_store, Store.totals) == {"spring:s": 1}


def test_a_position_that_is_no_number_is_named(clean_store: str, raw: redis.Redis) -> None:
    raw.set(keys.position(0, "spool"), "seven", ex=60)
    with pytest.raises(StoreError, match="holds no number"):
        record(clean_store, 1, view(NOON))
    assert raw.keys() == [keys.position(0, "spool")]


def test_the_stream_is_bounded(clean_store: str, raw: redis.Redis) -> None:
    record(clean_store, 1, *[view(NOON)] * 900, stream_length=100)
    assert 100 <= raw.xlen(keys.stream(0)) < 300


def test_entries_are_read_on_from_any_of_them(clean_store: str) -> None:
    record(clean_store, 1, *[view(NOON, a=str(n)) for n in range(1200)])

    async def read(store: Store) -> list[tuple[str, Any]]:
        return [(id, entry["a"]) async for id, entry in store.entries(0)]

    found = ask(clean_store, read)
    assert [article for _, article in found] == [str(n) for n in range(1200)]
    assert [entry["a"] for entry in ask(clean_store, lambda store: _entries(store, found[-3][0]))] == ["1198", "1199"]


def test_a_day_and_an_hour_end_as_they_must(clean_store: str, raw: redis.Redis) -> None:
    record(clean_store, 1, view(NOON, serve="page1"), hourly_days=3, token_ms=9000)
    lives = [raw.ttl(key) for key in (keys.day(0, DAY), keys.hour(0, HOUR), keys.position(0, "spool"))]
    assert lives == pytest.approx([40 * 86400, 3 * 86400, 7 * 86400], abs=5)
    assert 0 < raw.pttl(keys.happened(0, "page1")) <= 9000


def test_what_is_no_number_is_no_count(clean_store: str, raw: redis.Redis) -> None:
    now = int(time.time() * 1000) // HOLD_MS
    raw.hset(keys.totals(0), mapping={"a:v": "x", "b:v": "-1", "c:v": "3", "c:v:h": "1|2", "d:v:h": f"{now}|2|0"})
    assert ask(clean_store, Store.totals) == {"c:v": 3}
    assert ask(clean_store, Store.held) == {"d:v": 2}


def test_counts_are_only_raised(clean_store: str, raw: redis.Redis) -> None:
    record(clean_store, 1, *[view(NOON)] * 5)
    true = {"f": {"spring:v": 4, "spring:s": 9}, f"d:{DAY}": {"spring:v": 7}, "d:20261123": {"spring:v": 1}}
    assert ask(clean_store, lambda store: store.raise_to(0, true)) == 3
    assert ask(clean_store, lambda store: store.raise_to(0, true)) == 0
    assert ask(clean_store, Store.totals) == {"spring:v": 5, "spring:s": 9}
    assert ask(clean_store, lambda store: store.day("20261123")) == {"spring:v": 1}


def test_a_reader_is_forgotten_in_every_shard(clean_store: str, raw: redis.Redis) -> None:
    for shard in range(3):
        raw.hset(keys.reader(shard, READER.now), CAP, "1|1")
    assert ask(clean_store, lambda store: store.forget(READER), shards=3) == 3
    assert raw.keys() == []


def test_counts_are_summed_over_shards(clean_store: str) -> None:
    async def everywhere(store: Store) -> list[Any]:
        for shard in range(3):
            await store.record(shard, "spool", 1, [view(NOON)] * (shard + 1))
        return [await store.totals(), await store.day(DAY), await store.hours([HOUR])]

    hour = {HOUR: {"spring|ad|s1|news|-|2|phone|daily:v": 6}}
    assert ask(clean_store, everywhere, shards=3) == [{"spring:v": 6}, {"spring:v": 6}, hour]


async def _send_all(store: Store, lines: list[Record]) -> None:
    """A sender that knows nothing but the last answer, and goes on where the store says."""
    position = 0
    while position < len(lines):
        try:
            position = (await store.record(0, "spool", position + 1, lines[position : position + 7])).position
        except StoreError:
            continue


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_CLOSE, Fault.LOSS])
def test_an_answer_that_is_lost_is_no_event_twice(clean_store: str, fault: Fault) -> None:
    lines = [view(NOON, a=str(n)) for n in range(100)]
    with line(clean_store) as broken:
        broken.fault, broken.every = fault, 7
        ask(broken.url, lambda store: _send_all(store, lines))
    assert ask(clean_store, Store.totals) == {"spring:v": 100}
    assert [entry["a"] for entry in ask(clean_store, _entries)] == [str(n) for n in range(100)]


def test_a_store_that_forgot_the_last_lines_is_sent_them_again() -> None:
    """It is killed and comes back with what it had on disk: the position is as old as the counts."""
    with server("--appendonly", "yes", "--appendfsync", "always") as kept:
        assert record(kept.url, 1, view(NOON), view(NOON)).position == 2
        kept.ask("CONFIG", "SET", "appendonly", "no")
        assert record(kept.url, 3, view(NOON), view(NOON)).position == 4
        kept.kill()
        kept.start()
        assert record(kept.url, 5, view(NOON)).position == 2
        assert record(kept.url, 3, view(NOON), view(NOON), view(NOON)).position == 5
        assert ask(kept.url, Store.totals) == {"spring:v": 5}
        wait_until(lambda: kept.ask("PING") == b"PONG")
