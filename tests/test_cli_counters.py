"""`adlayout counters rebuild`: what the stream of events comes to, and counts raised to it, never lowered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from adlayout.cli.main import main
from adlayout.counts import Record
from adlayout.store import keys
from adlayout.store.client import Store

AT_MS = 1_795_516_200_000  # 2026-11-24T10:30Z
DAY, HOUR = keys.day(0, "20261124"), keys.hour(0, "2026112410")
FIELD = "acme|a|top|news|-|3|mobile|daily"


def event(what: str, **more: object) -> Record:
    said = {
        "e": what,
        "at": AT_MS,
        "i": "",
        "s": "daily",
        "l": "news",
        "v": "",
        "d": "mobile",
        "c": "",
        "a": "",
        "b": 0,
    }
    said |= {"n": 2, "p": [["top", "acme", "a", "spring", 3, "leaderboard"]]} | more
    return Record(json.dumps(said), AT_MS)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No config, no variables and no running server of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADLAYOUT_REDIS_URL", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


@pytest.fixture
def raw(clean_store: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(clean_store, decode_responses=True) as client:
        yield client


@pytest.fixture
def counted(clean_store: str) -> str:
    """A store in which two pages were served, one to a robot, and one ad was seen."""

    async def main() -> None:
        store = Store(clean_store)
        records = [event("page"), event("page", bad="crawler"), event("view")]
        await store.record(0, "spool", 1, records, start=True)
        await store.close()

    asyncio.run(main())
    return clean_store


def test_counts_that_were_lost_are_raised_again(
    counted: str, raw: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [raw.hgetall(key) for key in (keys.totals(0), DAY, HOUR)]
    raw.delete(keys.totals(0), DAY, HOUR)
    assert main(["counters", "rebuild", "--redis-url", counted]) == 0
    assert [raw.hgetall(key) for key in (keys.totals(0), DAY, HOUR)] == before
    assert before[0] == {"acme:s": "1", "acme:xs": "1", "acme:v": "1"}
    assert capsys.readouterr().out.splitlines()[1] == "  12 of them were lower and are raised"
    assert [raw.ttl(key) > 0 for key in (DAY, HOUR)] == [True, True]


def test_counts_that_are_higher_stay(counted: str, raw: redis.Redis, capsys: pytest.CaptureFixture[str]) -> None:
    raw.hset(keys.totals(0), "acme:s", "1000")
    assert main(["counters", "rebuild", "--redis-url", counted]) == 0
    assert raw.hgetall(keys.totals(0)) == {"acme:s": "1000", "acme:xs": "1", "acme:v": "1"}
    assert capsys.readouterr().out.splitlines()[1] == "  none of them was lower"


def test_a_rehearsal_says_what_the_events_come_to_and_changes_nothing(
    counted: str, raw: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    raw.delete(keys.totals(0))
    assert main(["counters", "rebuild", "--dry-run", "--redis-url", counted]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert (first.startswith("shard 0: 3 events since "), first.endswith(" come to 12 counts")) == (True, True)
    assert rest == [
        "  d:20261124 acme:s: 1",
        "  d:20261124 acme:v: 1",
        "  d:20261124 acme:xs: 1",
        "  f acme:s: 1",
        "  f acme:v: 1",
        "  f acme:xs: 1",
    ]
    assert raw.exists(keys.totals(0)) == 0


def test_programs_read_all_of_it(counted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["counters", "rebuild", "--json", "--redis-url", counted]) == 0
    told = json.loads(capsys.readouterr().out)
    shard = told["shards"][0]
    assert (told["raised"], shard["shard"], shard["events"], shard["raised"]) == (0, 0, 3, 0)
    assert shard["counts"]["h:2026112410"] == {
        f"{FIELD}:s": 1,
        f"{FIELD}:xs": 1,
        f"{FIELD}:v": 1,
        "@news|-|mobile|daily:p": 1,
        "@news|-|mobile|daily:n": 2,
        "@news|-|mobile|daily:m": 1,
    }


def test_events_that_say_nothing_count_nothing(counted: str, raw: redis.Redis) -> None:
    raw.xadd(keys.stream(0), {"e": "{}"})
    raw.xadd(keys.stream(0), {"e": "nonsense"})
    raw.xadd(keys.stream(0), {"e": '{"e": "page", "at": "soon", "p": 1}'})
    assert main(["counters", "rebuild", "--redis-url", counted]) == 0
    assert raw.hgetall(keys.totals(0)) == {"acme:s": "1", "acme:xs": "1", "acme:v": "1"}


def test_more_events_than_are_read_at_once_are_all_counted(clean_store: str, raw: redis.Redis) -> None:
    with raw.pipeline() as pipe:
        for _ in range(1001):
            pipe.xadd(keys.stream(0), {"e": event("click").text})
        pipe.execute()
    assert main(["counters", "rebuild", "--redis-url", clean_store]) == 0
    assert raw.hget(keys.totals(0), "acme:c") == "1001"


def test_a_store_without_events_is_told(clean_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["counters", "rebuild", "--redis-url", clean_store]) == 0
    assert capsys.readouterr().out == "shard 0: no events\n"


def test_days_and_shards_are_those_of_the_config(
    counted: str, raw: redis.Redis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "adlayout.yaml").write_text(
        f'version: 1\nsites: {{default: {{name: News}}}}\nstore: {{url: "{counted}", shards: 2}}\n'
        "counting: {time_zone: Pacific/Kiritimati}\n"
    )
    assert main(["counters", "rebuild"]) == 0
    assert raw.hgetall(keys.day(0, "20261125")) == {"acme:s": "1", "acme:xs": "1", "acme:v": "1"}
    assert capsys.readouterr().out.splitlines()[-1] == "shard 1: no events"


def test_a_store_that_is_away_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["counters", "rebuild", "--redis-url", "unix:///nowhere/at/all"]) == 1
    assert capsys.readouterr().err.startswith("error unix:///nowhere/at/all: events cannot be read")
