"""What is rehearsed, and who takes part in a run of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from typing import Final

from adlayout.errors import InputError
from adlayout.experiments.assign import Experiment, assign
from adlayout.experiments.crowd import PLANTABLE, Plant
from adlayout.experiments.metrics import metric

_FIRST_DAY: Final = date(2026, 1, 5)
_LEAST_LIFT: Final = -0.9
# A test that takes one reader in ten thousand is none.
_MOST_MISSES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Setup:
    """A test, what it is judged by, and each run of it: readers who take part, days, and how often somebody looks.

    The same `seed` makes the same runs. Raises InputError where there is no such metric.
    """

    experiment: Experiment
    metric: str = "ctr"
    readers: int = 5_000
    days: int = 14
    look_every: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if metric(self.metric) is None:
            raise InputError(f"{self.metric}: no such metric")

    @property
    def tried(self) -> Experiment:
        """The experiment as generated readers meet it: it runs, is for all of them, and is judged by the one metric."""
        return replace(
            self.experiment,
            status="running",
            hash_attribute="id",
            fallback_attribute=None,
            when=None,
            condition=None,
            namespace=None,
            filters=(),
            forced_units={},
            force=None,
            metrics=(self.metric,),
            guardrails=(),
        )

    def run(self, number: int) -> Experiment:
        """The experiment of one run: each deals the readers anew."""
        return replace(self.tried, seed=f"{self.experiment.seed}-{self.seed}-{number}")

    def plant(self, lift: float, lost: float = 0.0) -> Plant:
        """The truth of runs; raises InputError for a lift that readers' habits leave no room for."""
        most = PLANTABLE.get(self.metric, 0.0)
        if lift and not _LEAST_LIFT <= lift <= most:
            room = f"at most {most:g}" if most else f"only in {', '.join(PLANTABLE)}"
            raise InputError(f"{self.metric}: a lift of {lift:g} cannot be planted, {room}")
        return Plant(self.metric, lift, lost)

    def looks_after(self, days: int) -> bool:
        """Whether somebody looks when so many days are over; after the last one somebody always does."""
        return days % self.look_every == 0 or days == self.days


def day(at: int) -> date:
    """The day of this number, from 0."""
    return _FIRST_DAY + timedelta(days=at)


def readers(experiment: Experiment, number: int) -> Iterator[tuple[str, int]]:
    """So many readers who take part, each with his variation; raises InputError where hardly anybody does."""
    found = missed = 0
    for at in count():
        if found == number:
            return
        assignment = assign(experiment, {"id": f"reader-{at}"})
        if assignment.hash_used:
            found, missed = found + 1, 0
            yield f"reader-{at}", assignment.variation_id
        elif (missed := missed + 1) > _MOST_MISSES:
            raise InputError(f"{experiment.key}: took none of {_MOST_MISSES:,} readers, look at its coverage")
