"""Who may stand on a page, as the program in the store decides it: page rules, budgets, readers' caps, retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adlayout.counts import Attempt, Ledger, Limit, Reader, Refused, Reserved
from adlayout.errors import StoreError
from adlayout.rows import Rows
from adlayout.store import keys
from adlayout.store.client import Store

from .pages import CAP, DAY_MS, READER, TODAY, ask, asking, attempt, cap, daily, endless, goal, page
from .servers import wait_until

HOLD_MS = 60_000
PICK = ("s1", "ad", "spring")


@pytest.fixture(autouse=True)
def raw(clean_store: str) -> Iterator[redis.Redis]:
    """Another program's client. Whatever a test did, every key has an end but those that must not."""
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        yield client
    assert endless(clean_store) == []


def reserve(url: str, *attempts: Attempt, **changes: object) -> Reserved:
    return ask(url, lambda store: store.reserve(asking(*attempts, **changes)))


def picks(url: str, *attempts: Attempt, **changes: object) -> list[str]:
    """The slots that were filled, each with its creative."""
    return [f"{slot}={creative}" for slot, creative, _ in reserve(url, *attempts, **changes).picks]


def bucket_now() -> int:
    return int(time.time() * 1000) // HOLD_MS


def test_what_has_no_limit_is_admitted_by_name(clean_store: str) -> None:
    answer = reserve(clean_store, attempt(), attempt(slot="s2", creative="house", flight=None))
    assert answer == Reserved((PICK, ("s2", "house", None)), answer.bucket, 0)
    assert answer.bucket in {bucket_now(), bucket_now() - 1}


def test_no_attempt_is_an_answer_too(clean_store: str) -> None:
    answer = reserve(clean_store)
    assert answer == Reserved((), answer.bucket, 0)


def test_the_answer_bears_the_revision(clean_store: str) -> None:
    ask(clean_store, lambda store: store.publish(Rows({"c": "{}"}), replace=True))
    assert reserve(clean_store).revision == 1


def test_the_first_that_fits_takes_the_slot(clean_store: str) -> None:
    tries = (attempt(goal(0)), attempt(creative="second"), attempt(creative="third"))
    assert picks(clean_store, *tries) == ["s1=second"]


def test_no_creative_stands_twice_but_those_that_may(clean_store: str) -> None:
    house = attempt(slot="s3", creative="house", flight=None)._replace(once=False)
    again = house._replace(fills=(("s4", "house"),))
    assert picks(clean_store, attempt(), attempt(slot="s2"), house, again) == ["s1=ad", "s3=house", "s4=house"]


def test_a_label_is_its_first_flights(clean_store: str) -> None:
    tries = [
        attempt()._replace(labels=("cars",)),
        attempt(slot="s2", creative="rival", flight="other")._replace(labels=("food", "cars")),
        attempt(slot="s2", creative="own")._replace(labels=("cars",)),
        attempt(slot="s3", creative="lunch", flight="other")._replace(labels=("food",)),
    ]
    assert picks(clean_store, *tries) == ["s1=ad", "s2=own", "s3=lunch"]
    assert picks(clean_store, *reversed(tries)) == ["s3=lunch", "s2=own", "s1=ad"]


def test_a_page_cap_counts_each_slot_that_is_filled(clean_store: str) -> None:
    both = Attempt((("s1", "a"), ("s2", "b")), "spring", page_caps=(("flight/spring", 3),))
    more = attempt(slot="s3", creative="c")._replace(page_caps=(("flight/spring", 3),))
    assert picks(clean_store, both, more, more._replace(fills=(("s4", "d"),))) == ["s1=a", "s2=b", "s3=c"]


@pytest.mark.parametrize(("most", "expected"), [(2, ["s1=a", "s2=b"]), (1, [])])
def test_a_roadblock_takes_all_its_slots_or_none(clean_store: str, most: int, expected: list[str]) -> None:
    assert picks(clean_store, Attempt((("s1", "a"), ("s2", "b")), "spring", limits=(goal(most),))) == expected


def test_a_roadblock_stands_back_where_one_of_its_slots_is_filled(clean_store: str) -> None:
    roadblock = Attempt((("s1", "a"), ("s2", "b")), "block", limits=(goal(9, "block:v"),))
    assert picks(clean_store, attempt(slot="s2"), roadblock) == ["s2=ad"]
    assert ask(clean_store, Store.held) == {}


def test_done_and_held_both_spend_a_budget(clean_store: str) -> None:
    ask(clean_store, lambda store: store.raise_to(0, {"f": {"spring:v": 8}}))
    assert picks(clean_store, attempt(goal(10)), attempt(goal(10), slot="s2", creative="b")) == ["s1=ad", "s2=b"]
    assert picks(clean_store, attempt(goal(10))) == []
    assert ask(clean_store, Store.held) == {"spring:v": 2}


def test_what_is_not_held_is_only_looked_at(clean_store: str) -> None:
    limit = goal(1, "spring:c", held=False)
    assert picks(clean_store, attempt(limit)) == picks(clean_store, attempt(limit)) == ["s1=ad"]
    ask(clean_store, lambda store: store.raise_to(0, {"f": {"spring:c": 1}}))
    assert picks(clean_store, attempt(limit)) == []


def test_what_is_not_held_still_counts_on_its_own_page(clean_store: str) -> None:
    limit = goal(1, "spring:c", held=False)
    assert picks(clean_store, attempt(limit), attempt(limit, slot="s2", creative="b")) == ["s1=ad"]


def test_every_day_has_a_budget_of_its_own(clean_store: str) -> None:
    assert picks(clean_store, attempt(daily(1))) == ["s1=ad"]
    assert picks(clean_store, attempt(daily(1))) == []
    assert picks(clean_store, attempt(daily(1)), day="20261125") == ["s1=ad"]


def test_nothing_is_held_of_any_budget_where_one_has_no_room(clean_store: str, raw: redis.Redis) -> None:
    assert picks(clean_store, attempt(goal(5), daily(0), cap(5)), reader=READER) == []
    assert raw.keys() == []


def test_the_refused_are_told_with_their_figures_where_asked(clean_store: str, raw: redis.Redis) -> None:
    ends = int(time.time() * 1000) + 5000
    raw.hset(keys.reader(0, READER.now), CAP, f"2|{ends}")
    raw.pexpire(keys.reader(0, READER.now), 5000)
    ask(clean_store, lambda store: store.raise_to(0, {"f": {"spring:v": 7}}))
    tries = (attempt(goal(7), daily(1), cap(2)), attempt(goal(7), creative="b"))
    answer = reserve(clean_store, *tries, reader=READER, why=True)
    assert answer.refused == (Refused(0, 0, 7), Refused(0, 2, 2, ends), Refused(1, 0, 7))
    assert reserve(clean_store, *tries, reader=READER).refused == ()


def test_a_readers_cap_counts_what_is_held_and_done_under_both_his_keys(clean_store: str, raw: redis.Redis) -> None:
    open_until = int(time.time() * 1000) + 5000
    raw.hset(keys.reader(0, READER.now), CAP, f"1|{open_until}")
    raw.hset(keys.reader(0, READER.before), mapping={CAP: f"1|{open_until}", f"{CAP}:h": f"{bucket_now()}|1|0"})
    raw.pexpire(keys.reader(0, READER.before), 5000)
    answer = reserve(clean_store, attempt(cap(4)), attempt(cap(4), slot="s2", creative="b"), reader=READER, why=True)
    assert (answer.picks, answer.refused) == ((PICK,), (Refused(1, 0, 4, open_until),))


def test_a_reader_with_one_key_counts_once(clean_store: str) -> None:
    same = Reader("r", "r")
    assert picks(clean_store, attempt(cap(3)), reader=same) == ["s1=ad"]
    tries = (attempt(cap(3)), attempt(cap(3), slot="s2", creative="b"))
    assert picks(clean_store, *tries, reader=same) == ["s1=ad", "s2=b"]


def test_a_window_that_is_over_counts_nothing(clean_store: str, raw: redis.Redis) -> None:
    raw.hset(keys.reader(0, READER.now), CAP, f"9|{int(time.time() * 1000) - 1}")
    assert picks(clean_store, attempt(cap(1)), reader=READER) == ["s1=ad"]


def test_who_has_no_key_has_no_room_in_a_readers_cap(clean_store: str) -> None:
    answer = reserve(clean_store, attempt(cap(9)), attempt(creative="b"), why=True)
    assert (answer.picks, answer.refused) == ((("s1", "b", "spring"),), (Refused(0, 0, 0),))


@pytest.mark.parametrize(
    ("held", "room"), [("{b}|1|1", 0), ("{b}|1|0", 1), ("{p}|1|5", 1), ("{o}|2|2", 2), ("{n}|1|1", 0), ("{z}|9|9", 2)]
)
def test_holds_of_this_bucket_and_the_one_before_count(
    clean_store: str, raw: redis.Redis, held: str, room: int
) -> None:
    """And those of the next, where the clock of a new primary is a little behind."""
    now = bucket_now()
    raw.hset(keys.totals(0), "spring:v:h", held.format(b=now, p=now - 1, o=now - 2, n=now + 1, z=now + 5))
    tries = [attempt(goal(2), slot=f"s{n}", creative=f"c{n}") for n in range(3)]
    assert len(picks(clean_store, *tries)) == room


def test_a_retry_is_answered_as_before_and_holds_nothing_more(clean_store: str) -> None:
    first = reserve(clean_store, attempt(goal(5)), memo="request 1")
    retry = reserve(clean_store, attempt(goal(5), creative="other"), memo="request 1")
    assert retry == first == Reserved((PICK,), first.bucket, 0)
    assert ask(clean_store, Store.held) == {"spring:v": 1}


def test_a_retry_bears_the_revision_of_now(clean_store: str) -> None:
    reserve(clean_store, attempt(), memo="m")
    ask(clean_store, lambda store: store.publish(Rows({"c": "{}"}), replace=True))
    assert reserve(clean_store, attempt(), memo="m").revision == 1


def test_names_come_back_whatever_is_in_them(clean_store: str) -> None:
    answer = reserve(clean_store, attempt(slot='"ü|\\', creative="\udcff", flight="日本"), memo="é\udcff")
    assert answer.picks == (('"ü|\\', "\udcff", "日本"),)


@pytest.mark.parametrize("junk", ["", "many", "-", "1|2", "|||"])
def test_what_is_no_number_counts_nothing(clean_store: str, raw: redis.Redis, junk: str) -> None:
    raw.hset(keys.totals(0), mapping={"spring:v": junk, "spring:v:h": junk})
    assert picks(clean_store, attempt(goal(1))) == ["s1=ad"]


@pytest.mark.parametrize("key", [keys.totals(0), keys.day(0, TODAY), keys.reader(0, READER.now), keys.memo(0, "m")])
def test_a_wrong_type_under_a_key_leaves_nothing_half_done(clean_store: str, raw: redis.Redis, key: str) -> None:
    raw.rpush(key, "no hash")
    raw.expire(key, 60)
    raw.persist(keys.totals(0))
    with pytest.raises(StoreError, match="WRONGTYPE"):
        reserve(clean_store, attempt(goal(1), daily(1), cap(1)), reader=READER, memo="m")
    assert raw.keys() == [key]


async def _at_once(store: Store, number: int, *limits: Limit, **changes: object) -> int:
    """How many of so many pages at once got an ad."""
    answers = await asyncio.gather(*(store.reserve(asking(attempt(*limits), **changes)) for _ in range(number)))
    return sum(len(answer.picks) for answer in answers)


def test_400_pages_at_once_never_pass_a_goal_of_100(clean_store: str) -> None:
    assert ask(clean_store, lambda store: _at_once(store, 400, goal(100))) == 100
    assert ask(clean_store, Store.held) == {"spring:v": 100}


def test_20_tabs_at_once_never_pass_a_cap_of_3(clean_store: str) -> None:
    tabs = ask(clean_store, lambda store: _at_once(store, 20, cap(3), reader=READER))
    assert tabs == 3


def test_what_was_held_and_never_seen_is_served_later(clean_store: str) -> None:
    """Of 10 places, 6 are seen; when the holds of the others are over, exactly 4 are left."""
    short = {"hold_ms": 300}
    assert ask(clean_store, lambda store: _at_once(store, 15, goal(10)), **short) == 10
    ask(clean_store, lambda store: store.raise_to(0, {"f": {"spring:v": 6}}))
    wait_until(lambda: ask(clean_store, Store.held, **short) == {})
    assert ask(clean_store, lambda store: _at_once(store, 15, goal(10)), **short) == 4


def test_a_cap_that_was_held_and_counted_lasts_as_long_as_its_window(clean_store: str, raw: redis.Redis) -> None:
    answer = reserve(clean_store, attempt(cap(1)), reader=READER)
    line = page(reader=READER, b=answer.bucket, caps=[[CAP, DAY_MS]])
    ask(clean_store, lambda store: store.record(0, "spool", 1, [line]))
    assert picks(clean_store, attempt(cap(1)), reader=READER) == []
    assert list(raw.hgetall(keys.reader(0, READER.now))) == [CAP]
    assert DAY_MS - 60_000 < raw.pttl(keys.reader(0, READER.now)) <= DAY_MS


NAMES = st.sampled_from(["a", "b", "c"])
LIMITS = st.lists(
    st.builds(
        lambda make, most, field: make(most, field),
        st.sampled_from([goal, daily, cap]),
        st.integers(0, 4),
        st.sampled_from(["x:v", "y:v"]),
    ),
    max_size=2,
    unique_by=lambda limit: (limit.ledger, limit.field),
)
ATTEMPTS = st.builds(
    Attempt,
    st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=2, unique_by=(lambda f: f[0], lambda f: f[1])).map(tuple),
    st.sampled_from(["x", "y", None]),
    st.booleans(),
    st.lists(st.sampled_from(["cars", "food"]), max_size=2, unique=True).map(tuple),
    st.lists(st.tuples(st.sampled_from(["p", "q"]), st.integers(0, 3)), max_size=1).map(tuple),
    LIMITS.map(tuple),
)


class Page:
    """The rules of `counts.Attempt`, said once more: what a page of such attempts holds."""

    def __init__(self, done: int) -> None:
        self.done = done
        self.picks: list[tuple[str, str, str | None]] = []
        self.taken: list[Attempt] = []

    def attempt(self, one: Attempt) -> None:
        if self._fits(one) and all(self._room(limit, len(one.fills)) for limit in one.limits):
            self.taken.append(one)
            self.picks += [(slot, creative, one.flight) for slot, creative in one.fills]

    def _fits(self, one: Attempt) -> bool:
        slots, creatives = {pick[0] for pick in self.picks}, {pick[1] for pick in self.picks}
        rivals = {label for other in self.taken if other.flight != one.flight for label in other.labels}
        free = not any(slot in slots or (one.once and creative in creatives) for slot, creative in one.fills)
        return free and not rivals & set(one.labels) and all(self._below(*cap, len(one.fills)) for cap in one.page_caps)

    def _below(self, key: str, most: int, wanted: int) -> bool:
        return (
            wanted + sum(len(other.fills) for other in self.taken for cap in other.page_caps if cap[0] == key) <= most
        )

    def _room(self, limit: Limit, wanted: int) -> bool:
        done = self.done if limit.ledger is Ledger.TOTAL else 0
        same = [other for other in self.taken for held in other.limits if held[:2] == limit[:2]]
        return done + wanted + sum(len(other.fills) for other in same) <= limit.most


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attempts=st.lists(ATTEMPTS, max_size=6), done=st.integers(0, 2))
def test_what_is_admitted_is_what_the_rules_say(clean_store: str, attempts: list[Attempt], done: int) -> None:
    async def afresh(store: Store) -> Reserved:
        with redis.Redis.from_url(clean_store) as client:
            client.flushall()
        await store.raise_to(0, {"f": {"x:v": done, "y:v": done}})
        return await store.reserve(asking(*attempts, reader=READER))

    expected = Page(done)
    for one in attempts:
        expected.attempt(one)
    assert ask(clean_store, afresh).picks == tuple(expected.picks)
