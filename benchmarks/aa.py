"""Runs tests of equal variations, and of a lift that is there, and counts how often each way of testing finds one.

    python -m benchmarks.aa [--tests 1000] [--seed N]

Readers are uneven: most see few ads, some see many; most hardly ever click. `daily` is how often in a hundred tests the
confidence sequence finds a difference on any of the days (`lift`: has 0 outside of a lift's interval that is shown),
`end` how often Welch's test does on the last one; all where nothing is there. `views` is what tests get wrong that take
each view for a unit. `found` is how often a lift of 5 % is found at the end with as many readers as are said to be
needed for 80 %, and `any day` on any of 14 days.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from adlayout.experiments.power import Wish, need
from adlayout.experiments.stats import ALPHA, Estimator, Sums, fixed, mean, ratio, relative, sequential, share
from tests.trials import Crowd, Draw, Looks, Test, clicks_and_views, conversions, lifted

LOOKS = (Looks(30, 20), Looks(20, 200), Looks(10, 2000))
LIFT, POWER, DAYS = 0.05, 0.8, 14
# Enough readers for a variance that is as good as known.
MANY = 400_000


def revenue(rng: Generator, readers: int) -> Crowd:
    """In micro units: a little for each view, much for each click."""
    crowd = clicks_and_views(rng, readers)
    return Crowd(crowd.m * 1_000_000 + crowd.d * 4000, np.zeros(readers, np.int64))


def views(rng: Generator, readers: int) -> Crowd:
    """How many ads each of them sees."""
    return Crowd(clicks_and_views(rng, readers).d, np.zeros(readers, np.int64))


def rare_clicks(rng: Generator, readers: int) -> Crowd:
    """Three of a thousand views are clicked."""
    seen = clicks_and_views(rng, readers).d
    return Crowd(rng.binomial(seen, 0.003), seen)


class Subject(NamedTuple):
    """What is tested."""

    name: str
    draw: Draw
    estimator: Estimator


SUBJECTS = (
    Subject("ctr", clicks_and_views, ratio),
    Subject("rare ctr", rare_clicks, ratio),
    Subject("views", views, mean),
    Subject("revenue", revenue, mean),
    Subject("conversions", conversions, share),
)


def alarms(subject: Subject, looks: Looks, rng: Generator) -> tuple[int, int, int, int]:
    """How many tests of nothing find something: on any day, in a lift on any day, at the end, at the end by views."""
    daily = lift = end = by_views = 0
    for _ in range(looks.tests):
        a, b = (subject.draw(rng, looks.days * looks.a_day).days(looks.days) for _ in range(2))
        daily += any(lifted(*pair, subject.estimator, sequential) for pair in zip(a, b, strict=True))
        lift += any(_shown(*pair, subject.estimator) for pair in zip(a, b, strict=True))
        end += lifted(a[-1], b[-1], subject.estimator, fixed)
        by_views += subject.estimator is ratio and lifted(_by_views(a[-1]), _by_views(b[-1]), share, fixed)
    return daily, lift, end, by_views


def _shown(a: Sums, b: Sums, estimator: Estimator) -> bool:
    of_a, of_b = estimator(a), estimator(b)
    if not (of_a and of_b and of_a.is_steady and of_b.is_steady):
        return False
    effect = relative(of_a, of_b)
    return effect is not None and sequential(effect).p < ALPHA


def _by_views(sums: Sums) -> Sums:
    return Sums(int(sums.d), sums.m, sums.m)


def found(test: Test, tests: int, rng: Generator) -> tuple[int, int, int]:
    """Readers of each variation, and in how many tests a lift of clicks per view is found: at the end, on any day."""
    known = ratio(clicks_and_views(rng, MANY).days(1)[0])
    wanted = known and need(Wish(known.value, known.variance, LIFT, POWER, always_valid=test is sequential))
    if not wanted:
        raise SystemExit("nobody clicks")
    a_day, end, any_day = -(-wanted.units[0] // DAYS), 0, 0
    more = partial(clicks_and_views, lift=LIFT)
    for _ in range(tests):
        a, b = (draw(rng, a_day * DAYS).days(DAYS) for draw in (clicks_and_views, more))
        hits = [lifted(*pair, ratio, test) for pair in zip(a, b, strict=True)]
        end, any_day = end + hits[-1], any_day + any(hits)
    return wanted.units[0], end, any_day


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=1000, help="tests in each line (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of all randomness (1)")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    show(f"{'metric':<12}{'days':>6}{'a day':>7}{'daily %':>9}{'lift %':>8}{'end %':>7}{'views %':>9}")
    for subject in SUBJECTS:
        for looks in LOOKS:
            rates = (count * 100 / args.tests for count in alarms(subject, _of(looks, args.tests), rng))
            line = "{:>9.1f}{:>8.1f}{:>7.1f}{:>9.1f}".format(*rates)
            show(f"{subject.name:<12}{looks.days:>6}{looks.a_day:>7}{line}")
    show(f"\n{'test':<12}{'readers':>9}{'found %':>9}{'any day %':>11}")
    for test in (sequential, fixed):
        units, *hits = found(test, max(args.tests // 5, 1), rng)
        line = "{:>9.1f}{:>11.1f}".format(*(count * 100 / max(args.tests // 5, 1) for count in hits))
        show(f"{test.__name__:<12}{units:>9}{line}")


def show(line: str) -> None:
    """Writes a line at once: the next may take a minute."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _of(looks: Looks, tests: int) -> Looks:
    return Looks(looks.days, looks.a_day, tests)


if __name__ == "__main__":
    main()
