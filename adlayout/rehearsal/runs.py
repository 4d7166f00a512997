"""Many runs of each kind, and what they come to: how often what a test says is so, each with its standard error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from numpy.random import default_rng

from adlayout.crew import Lost, each
from adlayout.errors import InputError, StoreError
from adlayout.experiments.crowd import Plant, Tally, crowd
from adlayout.experiments.curves import normal_at, normal_below
from adlayout.experiments.findings import Status
from adlayout.experiments.metrics import METRICS, sums_of
from adlayout.experiments.power import Wish, need, power
from adlayout.experiments.srm import P_THRESHOLD
from adlayout.experiments.stats import Estimate, Interval
from adlayout.rehearsal.pages import Counted, by_store
from adlayout.rehearsal.play import Played, has, play
from adlayout.rehearsal.setup import Setup, day

# Whom the planner knows beforehand: more readers than most tests have, so that its promise is hardly what varies.
_PILOT: Final = 200_000
_PATIENCE_S: Final = 3_600.0


class Rate(NamedTuple):
    """How often something was so, and in how many runs."""

    share: float
    runs: int

    @property
    def error(self) -> float:
        """The standard error; never 0, as what was always so in some runs is not certain."""
        surely = (self.share * self.runs + 1) / (self.runs + 2)
        share = self.share if 0 < self.share < 1 else surely
        return math.sqrt(share * (1 - share) / max(self.runs, 1))


def rate(cases: Iterable[bool]) -> Rate:
    """The share of cases that are so."""
    known = list(cases)
    return Rate(sum(known) / len(known) if known else 0.0, len(known))


@dataclass(frozen=True, slots=True)
class Same:
    """Runs whose variations are the same, so that whatever is found is false.

    By the default interval and the verdict at any look; by the interval for one look at the end only, and at any look;
    and shares that were called wrong, at the end and at any look.
    """

    alarms: Rate
    decisions: Rate
    fixed_once: Rate
    fixed_any: Rate
    holds: Rate
    mismatched: Rate
    mismatched_any: Rate


@dataclass(frozen=True, slots=True)
class Promise:
    """What the planner says beforehand: the power of the last look, and the readers that the test's own power needs."""

    baseline: float
    power: float
    fixed_power: float
    readers: int | None
    fixed_readers: int | None


@dataclass(frozen=True, slots=True)
class Lifted:
    """Runs with a lift: how often it is found, and how often the intervals hold it, the default one at every look."""

    promise: Promise
    found: Rate
    found_any: Rate
    fixed_found: Rate
    holds: Rate
    fixed_holds: Rate


@dataclass(frozen=True, slots=True)
class Robbed:
    """Runs in which the last variation loses beacons: how often that is seen at the end, and should be where there are
    two variations; at any look; and how often something is decided in spite of it."""

    caught: Rate
    due: float | None
    caught_any: Rate
    decisions: Rate


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Everything that a rehearsal found."""

    counted: Counted
    same: Same
    lifted: Lifted | None
    robbed: Robbed | None


class Runs(NamedTuple):
    """How many runs of each kind, what is planted in them, on how many processes; how many readers go by the store."""

    number: int
    lift: float = 0.05
    lost: float = 0.1
    jobs: int = 1
    by_store: int = 300


def rehearse(setup: Setup, runs: Runs, told: Callable[[int, int], None] = lambda done, all: None) -> Rehearsal:
    """Rehearses; `told` hears how many runs are done. Raises StoreError where the store comes to other sums."""
    same, lifted = setup.plant(0), setup.plant(runs.lift) if runs.lift else None
    robbed = setup.plant(runs.lift, runs.lost) if runs.lost else None
    counted = by_store(replace(setup, readers=min(setup.readers, runs.by_store)), lifted or same, 0)
    if counted.differing:
        raise StoreError(f"the store came to other sums: {', '.join(counted.differing)}")
    played = _played(setup, [plant for plant in (same, lifted, robbed) if plant], runs, told)
    return Rehearsal(
        counted,
        _same(played[same]),
        _lifted(played[lifted], promise(setup, runs.lift), runs.lift) if lifted else None,
        _robbed(played[robbed], _due(setup, runs.lost)) if robbed else None,
    )


def promise(setup: Setup, lift: float) -> Promise:
    """What the planner says of a lift, from readers it saw before the test."""
    baseline = _pilot(setup)
    wish = Wish(baseline.value, baseline.variance, lift, setup.experiment.power, setup.experiment.weights)
    fixed = replace(wish, always_valid=False)
    wanted, fixed_wanted = need(wish), need(fixed)
    return Promise(
        baseline.value,
        power(wish, setup.readers),
        power(fixed, setup.readers),
        wanted.total if wanted else None,
        fixed_wanted.total if fixed_wanted else None,
    )


def _pilot(setup: Setup) -> Estimate:
    tally, rng = Tally([0] * _PILOT), default_rng([setup.seed])
    for at, today in enumerate(crowd(rng, tally.arms, setup.days, Plant())):
        tally.add(today, day(at))
    metric = METRICS[setup.metric]
    found = metric.estimate(sums_of(metric, tally.counted, 0))
    if found is None:
        raise InputError(f"{setup.metric}: generated readers do nothing that it measures")
    return found


def _played(
    setup: Setup, kinds: Sequence[Plant], runs: Runs, told: Callable[[int, int], None]
) -> Mapping[Plant, Sequence[Played]]:
    played: dict[Plant, list[Played]] = {plant: [] for plant in kinds}
    names = [f"{number} {kind}" for number in range(runs.number) for kind in range(len(kinds))]
    duty, done = partial(_duty, setup, tuple(kinds)), 0
    with closing(each(names, duty, jobs=runs.jobs, patience_s=_PATIENCE_S)) as answers:
        for answer in answers:
            if isinstance(answer, Lost):
                raise InputError(f"run {answer.name}: {answer.cause}")
            played[answer[0]].append(answer[1])
            told(done := done + 1, len(names))
    return played


def _duty(setup: Setup, kinds: Sequence[Plant], name: str) -> tuple[Plant, Played]:
    number, kind = map(int, name.split())
    # Other readers in each kind of run, so that chance in one says nothing of another.
    return kinds[kind], play(setup, kinds[kind], 1 + number * len(kinds) + kind)


def _same(played: Sequence[Played]) -> Same:
    return Same(
        alarms=rate(one.alarms for one in played),
        decisions=rate(one.decides for one in played),
        fixed_once=rate(not has(one.looks[-1].fixed, 0) for one in played if one.looks),
        fixed_any=rate(one.fixed_alarms for one in played),
        holds=rate(one.holds(0) for one in played),
        mismatched=rate(one.mismatched[-1] for one in played),
        mismatched_any=rate(any(one.mismatched) for one in played),
    )


def _lifted(played: Sequence[Played], promise: Promise, lift: float) -> Lifted:
    last = [one.looks[-1] for one in played if one.looks]
    return Lifted(
        promise=promise,
        found=rate(_shows(look.sequential, lift) for look in last),
        found_any=rate(any(_shows(look.sequential, lift) for look in one.looks) for one in played),
        fixed_found=rate(_shows(look.fixed, lift) for look in last),
        holds=rate(one.holds(lift) for one in played),
        fixed_holds=rate(has(look.fixed, lift) for look in last if look.of_lift),
    )


def _shows(interval: Interval, lift: float) -> bool:
    """Whether the interval leaves out nothing, on the side of the truth."""
    return interval.low > 0 if lift > 0 else interval.high < 0


def _robbed(played: Sequence[Played], due: float | None) -> Robbed:
    return Robbed(
        caught=rate(one.mismatched[-1] for one in played),
        due=due,
        caught_any=rate(any(one.mismatched) for one in played),
        decisions=rate(one.verdicts[-1] in (Status.SHIP, Status.ROLL_BACK) for one in played if one.mismatched[-1]),
    )


def _due(setup: Setup, lost: float) -> float | None:
    """How often the loss should be seen at the end, by the normal distribution of the last variation's share."""
    weights = setup.experiment.weights
    if len(weights) != 2:
        return None
    planned = weights[1] / sum(weights)
    left = 1 - planned * lost
    share = planned * (1 - lost) / left
    unit = math.sqrt(planned * (1 - planned) / (setup.readers * left))
    spread, away = math.sqrt(share * (1 - share) / (planned * (1 - planned))), (share - planned) / unit
    edge = normal_at(1 - P_THRESHOLD / 2)
    return normal_below((-edge - away) / spread) + normal_below((away - edge) / spread)
