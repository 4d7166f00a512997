"""What the operations page says of Redis, the disk and the log is what the service does."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from adlayout.model import Degraded
from adlayout.rows import Rows
from adlayout.store.client import Store

from .pages import CAP, DAY_MS, READER, TODAY, ask, asking, attempt, cap, click, daily, goal, page, view
from .servers import HOST, Server, cluster, server, watched

ROOT = Path(__file__).parents[1]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
CODE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "adlayout").rglob("*.py")))

# What a test's own client asks of a server before it says anything.
GREETINGS = {"hello", "client|setinfo", "config|resetstat", "ping", "auth"}


# Redis.


def rights(user: str) -> list[str]:
    """The words behind the name of a user in the command that makes one."""
    command = re.search(rf"ACL SETUSER {user} ((?:.*\\\n)*.*)", OPERATIONS)
    assert command, f"docs/operations.md makes no user {user}"
    return shlex.split(command[1].replace("\\\n", " "))


def more_rights(what: str) -> list[str]:
    """What a row of the table adds to them."""
    return re.findall(r"\+[a-z|]+", next(line for line in OPERATIONS.splitlines() if line.startswith(f"| {what} ")))


def password(words: list[str]) -> str:
    return next(word[1:] for word in words if word.startswith(">"))


def url_of(words: list[str], url: str) -> str:
    return url.replace("://", f"://ads:{password(words)}@")


async def everything(store: Store) -> None:
    """Each thing that the service asks of a store, once."""
    now = int(time.time() * 1000)
    asked = asking(attempt(goal(10), daily(10), cap(3)), reader=READER, memo="r-1")
    await store.seed(Rows({"c": "{}"}))
    await store.publish(Rows({"c": "{}"}, {"f": "{}"}), replace=True)
    await store.change(Rows(), {"flights": ["f"]})
    assert (await store.load())[0] == await store.revision() == 3
    for shard in range(store.shards):
        await store.reserve(asked)
        bucket = (await store.reserve(asked)).bucket
        seen = view(now, serve="s", b=bucket, caps=[[CAP, DAY_MS]])._replace(reader=READER)
        await store.record(shard, "spool", 1, [page(now, reader=READER), seen, click(now)], start=True)
        assert [entry["e"] async for _, entry in store.entries(shard)] == ["page", "view", "click"]
    await store.rebalance([goal(10), daily(10)], day=TODAY)
    await store.raise_to(0, {"f": {"spring:v": 90}, f"d:{TODAY}": {"spring:v": 90}})
    assert (await store.totals())["spring:v"] > 89
    await store.held()
    await store.day(TODAY)
    await store.hours([f"{TODAY}13"])
    await store.forget(READER)
    assert (await store.health()).policy == "noeviction"


def asked_of(one: Server) -> set[str]:
    with one.client() as client:
        found: dict[str, Any] = client.info("commandstats")
    return {name.removeprefix("cmdstat_") for name in found} - GREETINGS


def in_programs() -> set[str]:
    """Every command that a program in the store may come to."""
    texts = [path.read_text("utf-8") for path in (ROOT / "adlayout" / "store").glob("*.lua")]
    assert sum(len(re.findall(r"\bp?call\(", text)) for text in texts) == sum(map(len, map(_commands, texts)))
    return {command.lower() for text in texts for command in _commands(text)}


def _commands(text: str) -> list[str]:
    return re.findall(r"\bredis\.p?call\('([A-Z]+)'", text)


def test_the_user_of_a_redis_may_do_what_is_done_and_nothing_else() -> None:
    words = rights("ads")
    with server() as one:
        one.ask("ACL", "SETUSER", "ads", *words)
        one.ask("CONFIG", "RESETSTAT")
        ask(url_of(words, one.url), everything, shards=2)
        done = asked_of(one) | in_programs()
        assert {f"+{command}" for command in done} == {word for word in words if word.startswith("+")}


def test_a_database_of_its_own_needs_one_right_more() -> None:
    words = rights("ads")
    with server() as one:
        one.ask("ACL", "SETUSER", "ads", *words, *more_rights("another database"))
        ask(f"{url_of(words, one.url)}/1", everything)


def test_the_user_of_a_cluster_may_do_what_is_done() -> None:
    words = rights("ads")
    with cluster() as several:
        for one in several.servers:
            one.ask("ACL", "SETUSER", "ads", *words, *more_rights("a cluster"))
        ask(url_of(words, several.url), everything, shards=2)


def test_the_user_of_a_sentinel_may_do_what_is_done() -> None:
    words, asking_words = rights("ads"), rights("watcher")
    with watched() as pair:
        for one in (pair.primary, pair.replica):
            one.ask("ACL", "SETUSER", "ads", *words)
        pair.sentinel.ask("ACL", "SETUSER", "watcher", *asking_words)
        login = f"?sentinel_username=watcher&sentinel_password={password(asking_words)}"
        ask(url_of(words, f"redis+sentinel://{HOST}:{pair.sentinel.port}/main") + login, everything)


# The log and the answers.


def told() -> set[str]:
    """Everything that has a row of its own."""
    return {
        name for row in re.findall(r"^\| (`.*?) \|", OPERATIONS, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }


def test_every_event_of_the_log_has_its_row() -> None:
    written = set(re.findall(r"(?:\blog|\b_log|alarm|self|_again)\(\s*\"([a-z]+_[a-z_]+)\"", CODE))
    assert {"spool_back", "store_back", "upkeep_failed", "lines_lost"} <= written
    assert written - told() == set()


@pytest.mark.parametrize("event", ["spool_full", "spool_unwritable", "store_timeout", "store_error", "library"])
def test_events_whose_names_are_worked_out_have_theirs(event: str) -> None:
    assert (event in told(), f'"{event}"' in CODE) == (True, True)


def test_every_degradation_has_its_row() -> None:
    assert set(Degraded) - told() == set()


# Containers.


def test_a_container_has_a_directory_for_what_is_not_counted_yet() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["adlayout"]
    image = (ROOT / "Dockerfile").read_text("utf-8")
    state = re.search(r"ADLAYOUT_STATE_DIR=(\S+)", image)
    assert state is not None
    assert [volume for volume in service["volumes"] if volume.endswith(f":{state[1]}")] == [f"state:{state[1]}"]
    assert re.search(rf"install -d .*-o 10001 -g 10001 {state[1]}\n", image)
