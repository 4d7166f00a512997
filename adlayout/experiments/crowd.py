"""Generated readers: a few read, see and click much, most do little. What rehearsals of a test are run on.

The only room that knows numpy, which comes with scipy. Knows nothing of pages, tokens or stores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Final, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from adlayout.experiments.metrics import Variable
from adlayout.model import Device

Whole: TypeAlias = NDArray[np.int64]
Real: TypeAlias = NDArray[np.float64]

# Every page has so many ads, and who sees one earns the site what his flight pays.
ADS: Final = 3
PRICES_MICRO: Final = (1_000, 4_000, 12_000)
# The metrics that a lift can be planted in, each with the largest that its readers' habits leave room for.
PLANTABLE: Final[Mapping[str, float]] = {
    "views_per_user": 0.25,
    "viewability": 0.25,
    "revenue_per_user": 0.25,
    "ctr": 1.0,
    "page_views_per_user": 1.0,
}
_OF_VIEWS: Final = ("views_per_user", "viewability", "revenue_per_user")
# As an event of the page script may be; also so that squares stay whole numbers of 63 bits.
_MOST_PAGES: Final = 40
_MOST_MS: Final = 3_600_000
_PAIRS: Final = (("C", "V"), ("V", "S"), ("E", "P"), ("L", "P"), ("T", "P"))


@dataclass(frozen=True, slots=True)
class Plant:
    """The truth of a run: what every variation but the first does to a metric, and whom the last one loses.

    `lift` is 0.05 for 5 % more. `lost` is the share of readers from whose browsers no beacon ever comes.
    """

    metric: str = "ctr"
    lift: float = 0.0
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Today:
    """What the readers who came on one day did on it, each in one place of every array; `who` are their numbers.

    `price_micro` is what each view earns, `ms` how long each of their pages took to compose.
    """

    who: Whole
    pages: Whole
    views: Whole
    clicks: Whole
    engaged_ms: Whole
    shift: Whole
    ms: Whole
    price: Whole

    def of(self) -> Mapping[str, Whole]:
        """How much the day adds to each variable that a unit sums."""
        return {
            Variable.PAGES: self.pages,
            Variable.ADS: self.pages * ADS,
            Variable.VIEWS: self.views,
            Variable.CLICKS: self.clicks,
            Variable.REVENUE_MICRO: self.views * np.array(PRICES_MICRO)[self.price],
            Variable.ENGAGED_MS: self.engaged_ms,
            Variable.SHIFT_TEN_THOUSANDTHS: self.shift,
            Variable.COMPOSE_MS: self.pages * self.ms,
        }


def crowd(rng: Generator, arms: Sequence[int], days: int, plant: Plant) -> Iterator[Today]:
    """The days of readers of whom each is in the variation at his place in `arms`.

    As many new ones come on each day; some come back, most never do. A lift multiplies what each reader does on
    average, so that it is the lift of the metric whatever their habits are.
    """
    variation = np.asarray(arms, dtype=np.int64)
    habits = _Habits.drawn(rng, variation, plant)
    first = rng.integers(0, days, len(variation))
    heard = rng.random(len(variation)) >= np.where(variation == variation.max(initial=0), plant.lost, 0.0)
    for day in range(days):
        comes = (first == day) | ((first < day) & (rng.random(len(variation)) < habits.returns))
        yield habits.day(rng, np.flatnonzero(comes & heard))


@dataclass(frozen=True, slots=True)
class _Habits:
    """What each reader does on average."""

    appetite: Real
    returns: Real
    sees: Real
    clicks: Real
    again: Real
    price: Whole

    @classmethod
    def drawn(cls, rng: Generator, variation: Whole, plant: Plant) -> _Habits:
        count, lift = len(variation), np.where(variation > 0, plant.lift, 0.0)
        sees, clicks = 0.3 + 0.5 * rng.beta(2.0, 2.0, count), 0.5 * rng.beta(0.4, 5.0, count)
        return cls(
            appetite=rng.lognormal(-0.3, 1.0, count),
            returns=rng.beta(0.4, 4.0, count),
            sees=sees * (1 + lift) if plant.metric in _OF_VIEWS else sees,
            clicks=clicks * (1 + lift) if plant.metric == "ctr" else clicks,
            again=lift if plant.metric == "page_views_per_user" else np.zeros(count),
            price=rng.integers(0, len(PRICES_MICRO), count),
        )

    def day(self, rng: Generator, who: Whole) -> Today:
        pages = np.minimum(1 + rng.poisson(self.appetite[who]), _MOST_PAGES)
        pages = pages + rng.binomial(pages, self.again[who])
        views = rng.binomial(pages * ADS, self.sees[who])
        a_page_ms = rng.lognormal(9.5, 1.0, len(who))
        return Today(
            who=who,
            pages=pages,
            views=views,
            clicks=rng.binomial(views, self.clicks[who]),
            engaged_ms=np.minimum(1 + pages * a_page_ms, _MOST_MS).astype(np.int64),
            shift=rng.geometric(0.002, len(who)).astype(np.int64),
            ms=1 + rng.poisson(6.0, len(who)),
            price=self.price[who],
        )


@dataclass(slots=True)
class Tally:
    """An experiment's sums as the store keeps them: from where each reader stood, never from the start again.

    `counted` is what the store says of an experiment.
    """

    arms: Sequence[int]
    counted: dict[str, int] = field(default_factory=dict)
    _variation: Whole = field(init=False)
    _stands: dict[str, Whole] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._variation = np.asarray(self.arms, dtype=np.int64)
        self._stands = {letter: np.zeros(len(self.arms), dtype=np.int64) for letter in Variable}

    def add(self, today: Today, day: date) -> None:
        """A day more: when a reader's a goes from y to y+d, its squares grow by 2yd+d², products with b alike."""
        who, amounts = today.who, dict(today.of())
        was = {letter: stand[who] for letter, stand in self._stands.items()}
        is_new = was[Variable.PAGES] == 0
        amounts[Variable.BOUNCE] = (is_new & (today.pages == 1)) - was[Variable.BOUNCE]
        for variation in np.unique(self._variation[who]).tolist():
            own = self._variation[who] == variation
            for name, number in chain(_new(own & is_new, day), _grown(own, was, amounts)):
                field = f"{variation}:{name}"
                self.counted[field] = self.counted.get(field, 0) + number
        for letter, amount in amounts.items():
            self._stands[letter][who] += amount


def _new(readers: NDArray[np.bool_], day: date) -> Iterator[tuple[str, int]]:
    count = int(readers.sum())
    yield "n", count
    if count:
        yield f"n:{day:%Y%m%d}", count
        yield f"n:{Device.MOBILE}", count  # what every reader of a crowd holds


def _grown(own: NDArray[np.bool_], was: Mapping[str, Whole], amounts: Mapping[str, Whole]) -> Iterator[tuple[str, int]]:
    of = {letter: (was[letter][own], amount[own]) for letter, amount in amounts.items()}
    for letter, (y, d) in of.items():
        yield str(letter), int(d.sum())
        yield letter * 2, int((2 * y * d + d * d).sum())
    for a, b in _PAIRS:
        (y, d), (z, e) = of[a], of[b]
        yield a + b, int((y * e + z * d + d * e).sum())
