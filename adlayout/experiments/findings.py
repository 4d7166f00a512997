"""What is known of a running or ended test, as values that are ready to be shown; knows no formula."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adlayout.experiments.metrics import Metric
from adlayout.experiments.srm import Multiple, Ratio
from adlayout.experiments.stats import Believed, Verified


class Direction(StrEnum):
    """What a variation does to a metric, as far as can be said at any time without being fooled by chance."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"


class Status(StrEnum):
    """Where a test stands."""

    DRAFT = "draft"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    NO_DATA = "no data"
    DAYS_LEFT = "days left"
    SHIP = "ship"
    ROLL_BACK = "roll back"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Arm:
    """The units of one variation, of how many and what share was due; `bad` were left out of all that is counted."""

    variation: str
    users: int
    share: float
    due: float
    due_share: float
    bad: int


@dataclass(frozen=True, slots=True)
class Day:
    """The units that each variation saw for the first time on a day, and the p value of their shares."""

    day: str
    users: tuple[int, ...]
    p: float


@dataclass(frozen=True, slots=True)
class Part:
    """The units that each variation saw for the first time on one kind of device, and the p value of their shares."""

    device: str
    users: tuple[int, ...]
    p: float


@dataclass(frozen=True, slots=True)
class Told:
    """An effect, and what each way of testing says of it: `sequential` always holds, the others for one look."""

    value: float
    sequential: Verified
    fixed: Verified
    bayesian: Believed


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variation beside the baseline.

    `value` None where there are too few units. `difference` is in the metric's unit, `lift` a share of the baseline's
    value, 0.1 for 10 % more, and None where either value is too uncertain to be divided by. `chance_to_win` is that of
    being the better one, whichever way is good.
    """

    variation: str
    value: float | None
    difference: Told | None
    lift: Told | None
    chance_to_win: float | None
    direction: Direction


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric in all variations: the baseline's value, and each other variation beside it."""

    metric: Metric
    baseline: float | None
    comparisons: tuple[Comparison, ...]

    def of(self, variation: str) -> Comparison:
        """The comparison of this variation."""
        return next(each for each in self.comparisons if each.variation == variation)


@dataclass(frozen=True, slots=True)
class Progress:
    """How long a test ran in whole days, how many units it needs in all, and in how many days it has them.

    `wanted` None where it cannot be told yet, `days_left` also where no units come.
    """

    days: int
    users: int
    wanted: int | None
    days_left: int | None


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is known of a test. `level` is how often each interval may miss: 5 %, shared out among comparisons."""

    level: float
    arms: tuple[Arm, ...]
    ratio: Ratio
    multiple: Multiple
    metrics: tuple[Reading, ...]
    guardrails: tuple[Reading, ...]
    progress: Progress
    daily: tuple[Day, ...]
    devices: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, in one word, in a sentence, and with which variation: that to ship, or None."""

    status: Status
    words: str
    winner: str | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """A test's findings and what to make of them."""

    experiment: str
    verdict: Verdict
    findings: Findings
