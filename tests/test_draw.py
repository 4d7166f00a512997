"""The lottery: everyone once, by weight, and the same for the same seed everywhere."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlayout.decision.draw import numbers, order

DRAWS = 20_000

# Of the seed "seed": two blocks of eight, the second cut short.
PINNED = [0.017738, 0.033539, 0.113014, 0.765435, 0.252983, 0.861757, 0.696193, 0.27151, 0.027788, 0.253361]


def drawn(weights: list[float], seed: str) -> list[int]:
    return list(order(list(accumulate(weights)), numbers(seed)))


def test_the_numbers_of_a_seed_never_change() -> None:
    """Pages that were decided before an upgrade are decided alike after it."""
    assert [round(number, 6) for number in islice(numbers("seed"), 10)] == PINNED


def test_numbers_are_spread_evenly() -> None:
    tenths = Counter(int(number * 10) for number in islice(numbers("x"), DRAWS))
    assert [tenths[tenth] / DRAWS for tenth in range(10)] == pytest.approx([0.1] * 10, abs=0.01)


@given(st.lists(st.floats(0, 1e6, exclude_min=True), max_size=40), st.text())
def test_everyone_is_drawn_once(weights: list[float], seed: str) -> None:
    assert sorted(drawn(weights, seed)) == list(range(len(weights)))


def test_a_draw_takes_no_more_numbers_where_one_weight_is_most_of_all() -> None:
    """What was drawn already is passed over soon, however many are left."""
    weights = [1.0] * 500 + [1e6] + [1.0] * 500
    draws = numbers("seed")
    assert list(islice(order(list(accumulate(weights)), draws), 3)) == [500, 862, 697]
    assert next(draws) == list(islice(numbers("seed"), 8))[7]


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [1.0, 2.0, 7.0], [0.001, 1.0, 1000.0]])
def test_the_first_is_drawn_by_weight(weights: list[float]) -> None:
    counts = Counter(drawn(weights, str(n))[0] for n in range(DRAWS))
    shares = [counts[at] / DRAWS for at in range(3)]
    assert shares == pytest.approx([weight / sum(weights) for weight in weights], abs=0.015)


@pytest.mark.parametrize(("weights", "first"), [([7.0, 1.0, 2.0], 0), ([98.0, 1.5, 0.5], 0), ([1.0, 7.0, 3.0], 1)])
def test_the_second_is_drawn_by_weight_among_those_left(weights: list[float], first: int) -> None:
    seconds = Counter(places[1] for n in range(DRAWS) if (places := drawn(weights, str(n)))[0] == first)
    left = sum(weights) - weights[first]
    shares = {at: weight / left for at, weight in enumerate(weights) if at != first}
    assert {at: count / seconds.total() for at, count in seconds.items()} == pytest.approx(shares, abs=0.03)
