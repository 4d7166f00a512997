"""What an experiment can be judged by: each metric over which variables, in which unit, and which way is good.

The variables are what the store sums per unit, whole numbers all. Knows how their sums are spelt; never the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adlayout.experiments.stats import Estimate, Estimator, Sums, mean, ratio, share

CONVERSIONS: Final = "conversions:"


class Variable(StrEnum):
    """What is summed for a unit, besides its conversions: `K:<name>` how many, `KV:<name>` their value."""

    PAGES = "P"
    ADS = "S"
    VIEWS = "V"
    CLICKS = "C"
    REVENUE_MICRO = "R"
    ENGAGED_MS = "E"
    SHIFT_TEN_THOUSANDTHS = "L"
    COMPOSE_MS = "T"
    BOUNCE = "B"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number for each variation: `numerator` over `denominator`, or over its units where there is none.

    `scale` turns the sums' unit into `unit`. `once` where a unit's numerator is 0 or 1.
    """

    name: str
    numerator: str
    denominator: str | None
    unit: str
    higher_is_better: bool = True
    scale: float = 1.0
    once: bool = False

    def estimate(self, sums: Sums) -> Estimate | None:
        """The metric's value in its unit; None where there is too little to have one."""
        found = self._estimator(sums)
        return found and Estimate(found.value * self.scale, found.variance * self.scale**2, found.n)

    @property
    def _estimator(self) -> Estimator:
        if self.denominator is not None:
            return ratio
        return share if self.once else mean


_NAMED: Final = (
    Metric("views_per_user", Variable.VIEWS, None, "views"),
    Metric("ctr", Variable.CLICKS, Variable.VIEWS, "clicks per view"),
    Metric("viewability", Variable.VIEWS, Variable.ADS, "views per ad served"),
    Metric("revenue_per_user", Variable.REVENUE_MICRO, None, "currency", scale=1e-6),
    Metric("page_views_per_user", Variable.PAGES, None, "pages"),
    Metric("engaged_seconds", Variable.ENGAGED_MS, Variable.PAGES, "seconds per page", scale=1e-3),
    Metric("layout_shift", Variable.SHIFT_TEN_THOUSANDTHS, Variable.PAGES, "shift per page", False, scale=1e-4),
    Metric("compose_ms", Variable.COMPOSE_MS, Variable.PAGES, "ms per page", higher_is_better=False),
    Metric("bounce", Variable.BOUNCE, None, "share of one page", higher_is_better=False, once=True),
)
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _NAMED}


def metric(name: str) -> Metric | None:
    """The metric of this name, or `conversions:<name>`, conversions per unit; None where there is none."""
    if name.startswith(CONVERSIONS) and name != CONVERSIONS:
        return Metric(name, f"K:{name.removeprefix(CONVERSIONS)}", None, "conversions")
    return METRICS.get(name)


def sums_of(metric: Metric, counted: Mapping[str, int], variation: int) -> Sums:
    """The metric's sums in the variation, out of what was counted of its experiment."""

    def of(*variables: str) -> int:
        return counted.get(f"{variation}:{''.join(variables)}", 0)

    m, d = metric.numerator, metric.denominator
    if d is None:
        return Sums(of("n"), of(m), of(m, m))
    return Sums(of("n"), of(m), of(m, m), of(d), of(d, d), of(m, d))
