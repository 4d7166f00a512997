"""What sums over units say of an effect: known figures, streams against batches, and how often chance is believed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adlayout.experiments.metrics import METRICS, Metric, metric, sums_of
from adlayout.experiments.stats import (
    Believed,
    Effect,
    Estimate,
    Prior,
    Sums,
    Verified,
    absolute,
    bayesian,
    fixed,
    mean,
    ratio,
    relative,
    sequential,
    share,
)
from tests.trials import Crowd, Looks, clicks_and_views, conversions, false_alarms, lifted, streamed

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "stats.yaml").read_text())
DIGITS = 5e-6


def why(case: dict[str, Any]) -> str:
    return str(case["why"])


def effect(case: dict[str, Any]) -> Effect:
    """The effect that a case speaks of."""
    estimator, of = (mean, case["mean"]) if "mean" in case else (share, case["share"])
    a, b = estimator(Sums(*of["a"])), estimator(Sums(*of["b"]))
    assert a
    assert b
    found = (relative if case["of"] == "lift" else absolute)(a, b)
    assert found
    return found


def told(case: dict[str, Any], found: Effect) -> Verified | Believed:
    """What the case's way of testing says of it."""
    match case["test"]:
        case "fixed":
            return fixed(found)
        case "bayesian":
            return bayesian(found)
        case _:
            return sequential(found, tuning=case["tuning"])


@pytest.mark.parametrize("case", CASES["effects"], ids=why)
def test_known_figures(case: dict[str, Any]) -> None:
    found, expect = effect(case), case["expect"]
    said = told(case, found)
    last = said.chance if isinstance(said, Believed) else said.p
    assert (found.value, *astuple(said.interval), last) == pytest.approx(tuple(expect.values()), abs=DIGITS)


def test_the_sequence_is_narrowest_near_its_tuning() -> None:
    def half(n: int, tuning: int) -> float:
        interval = sequential(Effect(0.0, 1.0, n, n - 2.0), tuning=tuning).interval
        return interval.high

    assert half(1000, 1000) < half(1000, 5000) < half(1000, 50_000)
    assert half(5000, 5000) < half(5000, 1000)


def test_what_is_believed_beforehand_draws_a_lift_towards_it() -> None:
    found = bayesian(Effect(0.4, 0.09, 100, 98.0), prior=Prior())
    figures = (found.interval.low, found.interval.high, found.chance)
    assert figures == pytest.approx((-0.21577, 0.61577, 0.82711), abs=DIGITS)


def test_a_ratio_is_of_units() -> None:
    """Three readers of 1, 2 and 3 views, and a click of the last: by hand."""
    found = ratio(Sums.of([(0, 1), (0, 2), (1, 3)]))
    assert found
    assert astuple(found) == pytest.approx((1 / 6, (1 / 3 + 1 / 36 - 2 * (1 / 6) * (1 / 2)) / 4, 3))


@pytest.mark.parametrize(
    ("estimator", "sums"),
    [(mean, Sums(1, 5, 25)), (share, Sums(1, 1, 1)), (ratio, Sums(1, 1, 1, 1, 1, 1)), (ratio, Sums(9, 0, 0, 0, 0, 0))],
)
def test_too_little_has_no_value(estimator: Any, sums: Sums) -> None:
    assert estimator(sums) is None


def test_where_nothing_varies_nothing_is_said() -> None:
    same = Estimate(3.0, 0.0, 10)
    assert (absolute(same, same), relative(same, same)) == (None, None)


def test_there_is_no_lift_over_nothing() -> None:
    assert relative(Estimate(0.0, 1.0, 10), Estimate(1.0, 1.0, 10)) is None


def test_a_lift_over_less_than_nothing_goes_up() -> None:
    found = relative(Estimate(-2.0, 1.0, 10), Estimate(-1.0, 1.0, 10))
    assert found
    assert astuple(found) == pytest.approx((0.5, 0.1 / 4 + 0.1 / 16, 20, 18.0))


steps = st.lists(st.tuples(st.integers(0, 4), st.integers(-(10**6), 10**9), st.integers(0, 50)), max_size=40)


@given(steps)
def test_sums_that_are_kept_are_those_of_all_together(events: list[tuple[int, int, int]]) -> None:
    ends = [
        (sum(m for who, m, _ in events if who == unit), sum(d for who, _, d in events if who == unit))
        for unit in range(5)
    ]
    assert streamed(events, 5) == Sums.of(ends)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)), min_size=2, max_size=30))
def test_no_variance_is_less_than_nothing(units: list[tuple[int, int]]) -> None:
    sums = Sums.of(units)
    found = [estimate.variance for estimate in (mean(sums), ratio(sums)) if estimate]
    assert min(found) >= 0


def test_equal_variations_differ_as_often_as_they_should_by_units_and_far_more_by_views() -> None:
    """300 tests of nothing, each reader's clicks and views counted one by one as they come."""
    rng = np.random.default_rng(20261124)
    pairs = [(counted_as_they_come(rng, 400), counted_as_they_come(rng, 400)) for _ in range(300)]
    by_units = sum(lifted(a, b, ratio, fixed) for a, b in pairs)
    by_views = sum(lifted(as_views(a), as_views(b), share, fixed) for a, b in pairs)
    assert (5 <= by_units <= 27, by_views > 75) == (True, True)


def counted_as_they_come(rng: np.random.Generator, readers: int) -> Sums:
    """The sums of a crowd, which are the same counted one by one and all together."""
    crowd = clicks_and_views(rng, readers)
    found = streamed(crowd.events(rng), readers)
    assert found == crowd.batch()
    return found


def as_views(sums: Sums) -> Sums:
    """The mistake: each view a unit of its own, that is clicked or not."""
    return Sums(int(sums.d), sums.m, sums.m)


@pytest.mark.parametrize(
    ("draw", "estimator"), [(clicks_and_views, ratio), (conversions, share)], ids=["clicks per view", "conversions"]
)
def test_who_looks_every_day_is_seldom_fooled(draw: Any, estimator: Any) -> None:
    """1,000 tests of nothing over 20 days of 100 readers in each variation."""
    assert false_alarms(draw, estimator, Looks(20, 100), seed=5) <= 50


def test_a_test_made_for_one_look_fools_who_looks_every_day() -> None:
    found = false_alarms(clicks_and_views, ratio, Looks(20, 100, tests=300, test=fixed), seed=6)
    assert found > 45


def test_days_of_a_crowd_end_with_all_of_it() -> None:
    crowd = Crowd(np.array([1, 0, 2, 5]), np.array([1, 1, 2, 6]))
    assert [astuple(day) for day in crowd.days(2)] == [(2, 1, 1, 2, 2, 1), astuple(crowd.batch())]


def test_metrics_by_name() -> None:
    assert [metric(name) for name in ("ctr", "conversions:signup", "conversions:", "clicks", "")] == [
        METRICS["ctr"],
        Metric("conversions:signup", "K:signup", None, "conversions"),
        None,
        None,
        None,
    ]


COUNTED = {
    "0:n": 4, "1:n": 2, "0:V": 9, "0:VV": 31, "1:V": 5, "1:VV": 13, "1:C": 2, "1:CC": 4, "1:CV": 6,
    "1:K:buy": 1, "1:K:buyK:buy": 1, "1:R": 3_000_000, "1:RR": 5_000_000_000_000, "1:B": 1, "1:BB": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        ("views_per_user", Sums(2, 5, 13)),
        ("ctr", Sums(2, 2, 4, 5, 13, 6)),
        ("viewability", Sums(2, 5, 13, 0, 0, 0)),
        ("conversions:buy", Sums(2, 1, 1)),
        ("conversions:sell", Sums(2, 0, 0)),
    ],
)
def test_sums_of_a_metric(name: str, expect: Sums) -> None:
    named = metric(name)
    assert named
    assert sums_of(named, COUNTED, 1) == expect


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        ("revenue_per_user", (1.5, 0.5, 2)),
        ("bounce", (0.5, 0.25, 2)),
        ("ctr", (0.4, (2 + 0.16 * 0.5 - 2 * 0.4) / 2.5**2, 2)),
    ],
)
def test_a_metric_is_in_its_unit(name: str, expect: tuple[float, ...]) -> None:
    found = METRICS[name].estimate(sums_of(METRICS[name], COUNTED, 1))
    assert found
    assert astuple(found) == pytest.approx(expect)


def test_a_metric_of_which_nothing_was_counted_has_no_value() -> None:
    assert METRICS["compose_ms"].estimate(sums_of(METRICS["compose_ms"], COUNTED, 1)) is None


def test_who_only_reads_settings_does_not_wait_for_scipy() -> None:
    code = "import sys, adlayout.experiments.results; print([name for name in sys.modules if 'scipy' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
