"""Writing inventory: whole or not at all, never beside what it names, and told as what it changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import pytest
import redis

from adlayout.errors import Fault, StoreError
from adlayout.model import Creative
from adlayout.publishing import (
    BadInventory,
    Delta,
    Outdated,
    Published,
    Publisher,
    StillNamed,
    inventory_of,
)
from adlayout.rows import Rows
from adlayout.store import keys
from adlayout.store.client import Store

T = TypeVar("T")

CAMPAIGN = {"id": "c"}
CREATIVE = {"id": "a", "kind": "html", "markup": "<b>Ad</b>"}
FLIGHT = {"id": "f", "campaign": "c", "creatives": [{"id": "a"}]}
WHOLE = {"campaigns": [CAMPAIGN], "flights": [FLIGHT], "creatives": [CREATIVE]}
ROWS = Rows(
    {"c": '{"id":"c"}'},
    {"f": '{"id":"f","campaign":"c","creatives":[{"id":"a"}]}'},
    {"a": '{"id":"a","kind":"html","markup":"<b>Ad</b>"}'},
)


def prepare(creative: Creative) -> None:
    """Takes all but the one named `bad`."""
    if creative.id == "bad":
        raise ValueError("markup: reaches out of its slot")


def ask(url: str, call: Callable[[Publisher], Awaitable[T]], prepare: Callable[[Creative], None] = prepare) -> T:
    """Makes one call with a publisher of its own."""

    async def main() -> T:
        store = Store(url)
        try:
            return await call(Publisher(store, prepare))
        finally:
            await store.close()

    return asyncio.run(main())


def publish(url: str, *contents: Mapping[str, object], replaces: bool = False) -> Published:
    files = [inventory_of(each) for each in contents]
    return ask(url, lambda publisher: publisher.publish(files, replaces=replaces))


def stored(url: str) -> tuple[int, Rows]:
    return ask(url, lambda publisher: publisher.store.load())


def test_rows_are_written_at_once_as_they_were_said(clean_store: str) -> None:
    done = publish(clean_store, WHOLE)
    assert done == Published(
        1,
        ROWS,
        {
            "campaigns": Delta(1, added=("c",)),
            "flights": Delta(1, added=("f",)),
            "creatives": Delta(1, added=("a",)),
        },
    )
    assert stored(clean_store) == (1, ROWS)


def test_what_changes_nothing_makes_no_revision(clean_store: str) -> None:
    publish(clean_store, WHOLE)
    done = publish(clean_store, {"campaigns": [CAMPAIGN]})
    assert (done.revision, done.deltas["campaigns"], stored(clean_store)) == (1, Delta(1), (1, ROWS))


def test_an_empty_inventory_is_written_where_there_never_was_one(clean_store: str) -> None:
    assert publish(clean_store, {}).revision == 1


def test_replacing_removes_what_is_not_said(clean_store: str) -> None:
    publish(clean_store, WHOLE)
    done = publish(clean_store, {"campaigns": [CAMPAIGN | {"name": "New"}]}, replaces=True)
    assert done.deltas == {
        "campaigns": Delta(1, changed=("c",)),
        "flights": Delta(0, removed=("f",)),
        "creatives": Delta(0, removed=("a",)),
    }
    assert stored(clean_store) == (2, Rows({"c": '{"id":"c","name":"New"}'}))


def test_every_fault_of_every_file_is_told_and_nothing_is_written(clean_store: str) -> None:
    bad = CREATIVE | {"id": "bad"}
    with pytest.raises(BadInventory) as caught:
        publish(
            clean_store,
            WHOLE,
            {"campaigns": [CAMPAIGN], "flights": [FLIGHT | {"id": "g", "campaign": "d"}]},
            {"creatives": [bad]},
        )
    assert caught.value.by_file == (
        (),
        (Fault("campaigns.0.id", '"c" was there before'), Fault("flights.0.campaign", 'no campaign "d"')),
        (Fault("creatives.0.markup", "reaches out of its slot"),),
    )
    assert stored(clean_store) == (0, Rows())


def test_a_creative_that_cannot_be_prepared_for_another_reason_is_told_as_a_whole(clean_store: str) -> None:
    def never(creative: Creative) -> None:
        raise ValueError("its markup leaves a div open")

    with pytest.raises(BadInventory) as caught:
        ask(clean_store, lambda publisher: publisher.put("creatives", "a", CREATIVE), never)
    assert caught.value.faults == (Fault("", "its markup leaves a div open"),)


def test_a_row_may_leave_its_id_to_the_address(clean_store: str) -> None:
    done = ask(clean_store, lambda publisher: publisher.put("campaigns", "c", {"name": "New"}))
    assert (done.deltas["campaigns"], done.rows.campaigns) == (
        Delta(1, added=("c",)),
        {"c": '{"id":"c","name":"New"}'},
    )


@pytest.mark.parametrize(
    ("id", "data", "faults"),
    [
        ("f", FLIGHT, (Fault("campaign", 'no campaign "c"'), Fault("creatives.0.id", 'no creative "a"'))),
        ("f", [], (Fault("", "expected an object with the fields of the row"),)),
        ("g", FLIGHT, (Fault("id", "expected \"g\", as the address says (got 'f')"),)),
        ("f", {"campaign": "c"}, (Fault("creatives", "is missing"),)),
        (
            "f",
            FLIGHT | {"prize": 2},
            (Fault("prize", 'unknown key, did you mean "price"?'),),
        ),
    ],
)
def test_the_faults_of_a_row_are_at_paths_in_the_row(
    clean_store: str, id: str, data: object, faults: tuple[Fault, ...]
) -> None:
    with pytest.raises(BadInventory) as caught:
        ask(clean_store, lambda publisher: publisher.put("flights", id, data))
    assert caught.value.faults == faults


def test_a_row_goes_once(clean_store: str) -> None:
    publish(clean_store, WHOLE)
    gone = [ask(clean_store, lambda publisher: publisher.remove("flights", "f")) for _ in range(2)]
    assert [(done.revision, done.deltas["flights"]) for done in gone] == [(2, Delta(0, removed=("f",))), (2, Delta(0))]


@pytest.mark.parametrize(("kind", "id"), [("campaigns", "c"), ("creatives", "a")])
def test_what_flights_name_cannot_go(clean_store: str, kind: str, id: str) -> None:
    publish(clean_store, WHOLE, {"flights": [FLIGHT | {"id": "g"}]})
    with redis.Redis.from_url(clean_store) as raw:
        raw.hset(keys.FLIGHTS, "broken", "{")
    with pytest.raises(StillNamed) as caught:
        ask(clean_store, lambda publisher: publisher.remove(kind, id))  # type: ignore[arg-type] # of the two
    assert (str(caught.value), caught.value.faults) == (
        f'the {kind[:-1]} "{id}" is named by flights: f, g',
        (Fault("flights.f", f'names "{id}"'), Fault("flights.g", f'names "{id}"')),
    )


def test_who_saw_another_revision_changes_nothing(clean_store: str) -> None:
    publish(clean_store, WHOLE)
    with pytest.raises(Outdated, match="it is at revision 1, not 7: read it again"):
        ask(clean_store, lambda publisher: publisher.put("campaigns", "c", {"name": "New"}, expect=7))
    assert stored(clean_store) == (1, ROWS)


def meddling(url: str, times: int) -> Callable[[Creative], None]:
    """Prepares creatives while somebody else publishes, so many times."""
    left = iter(range(times))

    def prepare(creative: Creative) -> None:
        if (turn := next(left, None)) is not None:
            with redis.Redis.from_url(url) as raw:
                raw.hset(keys.CAMPAIGNS, f"other-{turn}", json.dumps({"id": f"other-{turn}"}))
                raw.incr(keys.REVISION)

    return prepare


def test_what_others_write_meanwhile_is_checked_again_and_kept(clean_store: str) -> None:
    done = ask(clean_store, lambda publisher: publisher.put("creatives", "a", CREATIVE), meddling(clean_store, 2))
    assert (done.revision, sorted(stored(clean_store)[1].campaigns)) == (3, ["other-0", "other-1"])


def test_who_saw_what_others_changed_meanwhile_changes_nothing(clean_store: str) -> None:
    publish(clean_store, WHOLE)
    new = CREATIVE | {"id": "b"}
    with pytest.raises(Outdated):
        ask(clean_store, lambda publisher: publisher.put("creatives", "b", new, expect=1), meddling(clean_store, 1))
    assert sorted(stored(clean_store)[1].creatives) == ["a"]


def test_where_others_never_stop_it_is_given_up(clean_store: str) -> None:
    with pytest.raises(StoreError, match="others keep changing the inventory"):
        ask(clean_store, lambda publisher: publisher.put("creatives", "a", CREATIVE), meddling(clean_store, 99))
    assert stored(clean_store)[1].creatives == {}
