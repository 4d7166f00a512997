"""The breaker: who does not answer is left alone for a while, and then asked by one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from adlayout.errors import StoreError, StoreTimeout
from adlayout.store.breaker import Breaker

GONE, WRONG = StoreTimeout("gone"), StoreError("wrong")


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Asked:
    """A breaker under a clock of the test's, and what became of each call."""

    clock: Clock
    breaker: Breaker

    def call(self, failure: StoreError | None = None) -> str:
        reached = False
        try:
            with self.breaker.guard():
                reached = True
                if failure:
                    raise failure
        except StoreError as exc:
            return f"{type(exc).__name__} {'asked' if reached else 'not asked'}"
        return "ok"


@pytest.fixture
def asked() -> Asked:
    clock = Clock()
    return Asked(clock, Breaker(lambda exc: exc is GONE, clock))


def fail(asked: Asked, times: int) -> None:
    assert [asked.call(GONE) for _ in range(times)] == ["StoreTimeout asked"] * times


def test_five_failures_in_ten_seconds_open_it(asked: Asked) -> None:
    fail(asked, 5)
    assert asked.call() == "StoreTimeout not asked"


def test_four_failures_do_not(asked: Asked) -> None:
    fail(asked, 4)
    assert asked.call() == "ok"


def test_failures_that_lie_apart_do_not(asked: Asked) -> None:
    for _ in range(9):
        fail(asked, 1)
        asked.clock.now += 2.6
    assert asked.call() == "ok"


def test_an_answer_that_something_is_wrong_is_an_answer(asked: Asked) -> None:
    assert {asked.call(WRONG) for _ in range(9)} == {"StoreError asked"}


def test_two_seconds_later_one_may_try_and_closes_it(asked: Asked) -> None:
    fail(asked, 5)
    asked.clock.now += 2
    with asked.breaker.guard():
        assert asked.call() == "StoreTimeout not asked"
    assert asked.call() == "ok"
    fail(asked, 4)
    assert asked.call() == "ok"


def test_one_that_tries_in_vain_leaves_it_open_for_two_more(asked: Asked) -> None:
    fail(asked, 5)
    asked.clock.now += 2
    fail(asked, 1)
    asked.clock.now += 1.9
    assert asked.call() == "StoreTimeout not asked"
    asked.clock.now += 0.2
    assert asked.call() == "ok"


def test_one_that_is_told_that_something_is_wrong_closes_it(asked: Asked) -> None:
    fail(asked, 5)
    asked.clock.now += 2
    assert asked.call(WRONG) == "StoreError asked"
    assert asked.call() == "ok"


def test_a_try_that_never_ends_is_followed_by_another(asked: Asked) -> None:
    """Its caller may have been cancelled."""
    fail(asked, 5)
    asked.clock.now += 2
    with pytest.raises(KeyboardInterrupt), asked.breaker.guard():
        raise KeyboardInterrupt
    assert asked.call() == "StoreTimeout not asked"
    asked.clock.now += 2
    assert asked.call() == "ok"


def test_who_is_not_let_through_is_told_why(asked: Asked) -> None:
    fail(asked, 5)
    with pytest.raises(StoreTimeout, match=r"^gone \(not asked again for 2\.0 s\)$"):
        asked.breaker.guard().__enter__()
