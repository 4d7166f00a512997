"""One run: readers are dealt, days go by, and somebody looks at the results as of a real test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from numpy.random import default_rng

from adlayout.experiments.assign import Experiment
from adlayout.experiments.crowd import Plant, Tally, crowd
from adlayout.experiments.findings import Comparison, Status
from adlayout.experiments.results import results
from adlayout.experiments.srm import Health
from adlayout.experiments.stats import Interval
from adlayout.rehearsal.setup import Setup, day, readers


class Look(NamedTuple):
    """What somebody sees: the intervals of the lift, or those of the difference while there is no lift."""

    of_lift: bool
    sequential: Interval
    fixed: Interval


@dataclass(frozen=True, slots=True)
class Played:
    """What looks showed of the variation that fills most slowly.

    For each look: whether shares were wrong, and the verdict; for the last one, `lift` where there is one.
    """

    looks: tuple[Look, ...]
    mismatched: tuple[bool, ...]
    verdicts: tuple[Status, ...]

    @property
    def alarms(self) -> bool:
        """Whether the default interval left out nothing at any look."""
        return any(not has(look.sequential, 0) for look in self.looks)

    @property
    def fixed_alarms(self) -> bool:
        """Whether the interval for one look left out nothing at any of them."""
        return any(not has(look.fixed, 0) for look in self.looks)

    def holds(self, truth: float) -> bool:
        """Whether the default interval held the true lift at every look; of differences only 0 is known."""
        return all(has(look.sequential, truth) for look in self.looks if look.of_lift or not truth)

    @property
    def decides(self) -> bool:
        """Whether any look named a winner or a loser."""
        return not {Status.SHIP, Status.ROLL_BACK}.isdisjoint(self.verdicts)


def has(interval: Interval, value: float) -> bool:
    """Whether the value lies in the interval."""
    return interval.low <= value <= interval.high


def play(setup: Setup, plant: Plant, number: int) -> Played:
    """The run of this number: the same each time."""
    experiment = setup.run(number)
    arms = [arm for _, arm in readers(experiment, setup.readers)]
    tally, rng = Tally(arms), default_rng([setup.seed, number])
    looks: list[Look] = []
    mismatched: list[bool] = []
    verdicts: list[Status] = []
    for over, today in enumerate(crowd(rng, arms, setup.days, plant), 1):
        tally.add(today, day(over - 1))
        if setup.looks_after(over):
            found = results(experiment, tally.counted, today=day(over))
            looks += _look(found.findings.metrics[0].of(slowest(experiment)))
            mismatched.append(found.findings.ratio.health is Health.UNHEALTHY)
            verdicts.append(found.verdict.status)
    return Played(tuple(looks), tuple(mismatched), tuple(verdicts))


def slowest(experiment: Experiment) -> str:
    """The variation that fills most slowly, which the planner reckons with."""
    others = zip(experiment.weights[1:], experiment.variation_keys[1:], strict=True)
    return min(((weight, key) for weight, key in others if weight > 0), key=lambda other: other[0])[1]


def _look(comparison: Comparison) -> Iterator[Look]:
    told = comparison.lift or comparison.difference
    if told is not None:
        yield Look(comparison.lift is not None, told.sequential.interval, told.fixed.interval)
