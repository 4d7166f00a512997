"""Rehearses tests of layouts and holds what they find against what is promised of them.

    python -m benchmarks.experiments_bench [--runs 1000] [--jobs 1] [--only ctr]

Each line is one promise: what was measured, its standard error, what was due, and whether it is kept. Runs with a lift
need as many readers as the plan asks for, so there are fewer of them: a fifth, and of clicks a twentieth. Ends with 1
where a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

from adlayout.experiments.assign import Experiment, experiments_of
from adlayout.experiments.schema import ExperimentsFile
from adlayout.rehearsal.runs import Lifted, Rate, Robbed, Runs, Same, rehearse
from adlayout.rehearsal.setup import Setup

# A promise is broken where it is missed by more than chance explains in one measurement of a thousand.
ERRORS = 3.0
FILE = {"version": 1, "experiments": [{"key": "bench", "variations": ["a", "b"]}]}


class Case(NamedTuple):
    """One rehearsal; `part` is the share of the runs that it gets."""

    metric: str
    readers: int
    part: float = 1.0
    lift: float = 0.0
    lost: float = 0.0

    @property
    def name(self) -> str:
        """What the case is about."""
        return f"{self.metric}, {self.readers:,} readers"


CASES = (
    Case("ctr", 5_000),
    Case("views_per_user", 5_000),
    Case("revenue_per_user", 5_000),
    Case("ctr", 5_000, lost=0.1),
    Case("ctr", 5_000, lost=0.2),
    Case("viewability", 5_600, lift=0.05),
    Case("views_per_user", 48_000, part=0.2, lift=0.05),
    Case("ctr", 300_000, part=0.05, lift=0.05),
)


class Line(NamedTuple):
    """One promise, what is due, what came, and whether that keeps it."""

    promise: str
    due: str
    found: Rate
    kept: bool


def main() -> int:
    """Rehearses every case; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    args = parser.parse_args()
    experiment = experiments_of(ExperimentsFile.model_validate(FILE))[0]
    kept = True
    for case in CASES:
        if args.only in case.name:
            runs = Runs(max(int(args.runs * case.part), 10), case.lift, case.lost, args.jobs)
            say(f"{case.name}, {runs.number:,} runs of each kind")
            for line in lines(experiment, case, runs, args.seed):
                say(f"  {shown(line)}")
                kept &= line.kept
    return 0 if kept else 1


def lines(experiment: Experiment, case: Case, runs: Runs, seed: int) -> Iterator[Line]:
    """The promises of a case."""
    found = rehearse(Setup(experiment, case.metric, case.readers, seed=seed), runs)
    yield from of_same(found.same)
    if found.lifted is not None:
        yield from of_lifted(found.lifted)
    if found.robbed is not None:
        yield from of_robbed(found.robbed)


def of_same(found: Same) -> Iterator[Line]:
    """Of variations that are the same."""
    yield most("false alarms, looked at daily", found.alarms, 0.05)
    yield most("winner or loser named, looked at daily", found.decisions, 0.05)
    yield near("false alarms, fixed interval, one look", found.fixed_once, 0.05)
    yield near("shares called wrong, one look", found.mismatched, 0.001)


def of_lifted(found: Lifted) -> Iterator[Line]:
    """Of a lift that is there."""
    yield near("lift found, one look", found.found, found.promise.power)
    yield near("lift found, fixed interval, one look", found.fixed_found, found.promise.fixed_power)
    yield least("lift within its interval at every look", found.holds, 0.95)
    yield near("lift within its fixed interval", found.fixed_holds, 0.95)


def of_robbed(found: Robbed) -> Iterator[Line]:
    """Of beacons that one variation loses."""
    if found.due is not None:
        yield near("lost beacons seen, one look", found.caught, found.due)
    yield most("winner or loser named where they are seen", found.decisions, 0.0)


def near(promise: str, found: Rate, due: float) -> Line:
    """Kept where chance explains the rest."""
    spread = max(found.error, (due * (1 - due) / found.runs) ** 0.5)
    return Line(promise, f"{due:.1%}", found, abs(found.share - due) <= ERRORS * spread)


def most(promise: str, found: Rate, due: float) -> Line:
    """Kept where it is not more often."""
    return Line(promise, f"<= {due:.1%}", found, found.share <= due)


def least(promise: str, found: Rate, due: float) -> Line:
    """Kept where it is not more seldom."""
    return Line(promise, f">= {due:.1%}", found, found.share >= due)


def say(text: str) -> None:
    """A line at once: runs are long."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def shown(line: Line) -> str:
    """The promise as a line of text."""
    verdict = "kept" if line.kept else "BROKEN"
    measured = f"{line.found.share:.1%} ± {line.found.error:.1%}"
    return f"{line.promise:<44}{measured:>16}{line.due:>10}  {verdict}"


if __name__ == "__main__":
    sys.exit(main())
