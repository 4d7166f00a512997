"""How many units a test needs, held against tests that are run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adlayout.experiments.power import Need, Wish, level, need, power, variance_of_share
from adlayout.experiments.stats import Sums, fixed, mean, sequential, share
from tests.trials import Test, lifted

CLICKED = Wish(0.4, variance_of_share(0.4), 0.1, once=True)
RUNS = 2000


def test_what_is_needed_for_one_look_is_what_a_table_says() -> None:
    """Two means, alpha 5 %, power 80 %: in each 2 (1.96 + 0.8416)² units over the squared lift in deviations."""
    wish = Wish(1.0, 0.25, 0.001, always_valid=False)
    found = need(wish)
    assert found
    assert found.units[0] == pytest.approx(7.8489 * 2 * 0.25 / 0.001**2, rel=2e-3)


@pytest.mark.parametrize("wish", [CLICKED, replace(CLICKED, always_valid=False), replace(CLICKED, weights=(0.7, 0.3))])
def test_one_unit_fewer_is_too_few(wish: Wish) -> None:
    found = need(wish)
    assert found
    assert power(wish, found.total) >= wish.power > power(wish, found.total - 2)


@pytest.mark.parametrize(("wish", "test"), [(CLICKED, sequential), (replace(CLICKED, always_valid=False), fixed)])
def test_a_lift_is_found_as_often_as_promised(wish: Wish, test: Test) -> None:
    """2,000 tests with a lift that is there: the promise holds within three standard errors."""
    found = need(wish)
    assert found
    assert share_found(wish, found.units[0], test) == pytest.approx(power(wish, found.total), abs=0.027)


def share_found(wish: Wish, units: int, test: Test) -> float:
    """In what share of tests, of so many units in each of two variations, the lift is found."""
    rng = np.random.default_rng(11)
    pairs = zip(
        rng.binomial(units, wish.baseline, RUNS).tolist(),
        rng.binomial(units, wish.baseline * (1 + wish.lift), RUNS).tolist(),
        strict=True,
    )
    return sum(lifted(Sums(units, a), Sums(units, b), share, test) for a, b in pairs) / RUNS


def test_a_lift_of_what_is_summed_is_found_as_often_as_promised() -> None:
    """1,000 tests in which every unit of the variation spends a tenth more, so that it also spreads a tenth more."""
    wish = Wish(1000.0, 1000.0**2, 0.1)
    found = need(wish)
    assert found
    rng, units = np.random.default_rng(12), found.units[0]
    pairs = [(spent(rng, units, 1000.0), spent(rng, units, 1100.0)) for _ in range(1000)]
    assert sum(lifted(a, b, mean, sequential) for a, b in pairs) / 1000 == pytest.approx(0.8, abs=0.038)


def spent(rng: np.random.Generator, units: int, each: float) -> Sums:
    """The sums of units of whom most spend little and a few much."""
    amounts = np.rint(rng.exponential(each, units)).astype(np.int64)
    return Sums(units, int(amounts.sum()), int((amounts * amounts).sum()))


def test_who_may_look_at_any_time_needs_more() -> None:
    found = [need(replace(CLICKED, always_valid=valid)) for valid in (True, False)]
    assert found == [Need((5116, 5116)), Need((2634, 2634))]


def test_each_comparison_takes_its_part_of_alpha() -> None:
    assert [level(weights) for weights in ((1.0,), (0.5, 0.5), (0.4, 0.3, 0.3), (0.5, 0.5, 0.0))] == [
        0.05,
        0.05,
        0.025,
        0.05,
    ]


def test_the_variation_that_fills_most_slowly_says_how_many() -> None:
    wish = replace(CLICKED, weights=(0.6, 0.3, 0.1))
    found = need(wish)
    assert found
    assert found.units[0] / found.units[2] == pytest.approx(6, rel=1e-3)
    assert power(replace(CLICKED, weights=(6, 1), alpha=0.025), found.units[0] + found.units[2]) >= 0.8


@pytest.mark.parametrize(
    "wish",
    [
        replace(CLICKED, lift=0.0),
        replace(CLICKED, baseline=0.0),
        replace(CLICKED, weights=(1.0, 0.0)),
        replace(CLICKED, weights=(0.0, 1.0)),
        replace(CLICKED, lift=1e-9),
    ],
)
def test_some_wishes_no_number_fulfils(wish: Wish) -> None:
    assert need(wish) is None


def test_where_nothing_varies_few_are_enough() -> None:
    assert need(replace(CLICKED, variance=0.0, once=False)) == Need((2, 2))


def test_a_lift_down_needs_fewer_than_one_up() -> None:
    up, down = need(CLICKED), need(replace(CLICKED, lift=-0.1))
    assert up
    assert down
    assert down.total < up.total


def test_days_are_whole_and_count_what_is_there() -> None:
    wanted = Need((500, 500))
    assert [
        wanted.days(100),
        wanted.days(99.5),
        wanted.days(100, already=950),
        wanted.days(100, already=2000),
        wanted.days(0),
        wanted.days(0, already=1000),
    ] == [10, 11, 1, 0, None, 0]
