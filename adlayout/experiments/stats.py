"""From sums over units to an effect and what can be said of it: three ways to test, all on units, never on views.

The formulas and their sources are those of gbstats; where sums are whole numbers the variances are free of rounding
but for one division. Knows no metric, no experiment and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from adlayout.experiments.curves import normal_at, normal_below, t_at, t_two_sided

# The confidence sequence is narrowest at about this many units of two variations together: gbstats' default.
TUNING: Final = 5000
ALPHA: Final = 0.05
# A lift is a quotient of two uncertain values. In tests of equal variations that were looked at daily, lifts of values
# that stood nearer than this to 0, in standard errors, were found in up to 11 % (rare clicks), of others in under 5 %.
STEADY: Final = 5.0


@dataclass(frozen=True, slots=True)
class Sums:
    """What is kept of one variation for a metric: how many units, and over them m, m², d, d² and m·d.

    m is a unit's numerator; d its denominator where the metric is a ratio, else 0. Whole numbers, where they can be.
    """

    n: int
    m: float = 0
    mm: float = 0
    d: float = 0
    dd: float = 0
    md: float = 0

    @classmethod
    def of(cls, units: Iterable[tuple[int, int]]) -> Sums:
        """The sums over units that are known whole, each as (m, d)."""
        rows = list(units)
        return cls(
            len(rows),
            sum(m for m, _ in rows),
            sum(m * m for m, _ in rows),
            sum(d for _, d in rows),
            sum(d * d for _, d in rows),
            sum(m * d for m, d in rows),
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A variation's value of a metric, and the variance that one unit brings to it."""

    value: float
    variance: float
    n: int

    @property
    def of_mean(self) -> float:
        """The variance of the value itself."""
        return self.variance / self.n

    @property
    def is_steady(self) -> bool:
        """Whether it is certain enough to be divided, or divided by."""
        return abs(self.value) >= STEADY * math.sqrt(self.of_mean)


Estimator: TypeAlias = Callable[[Sums], Estimate | None]


def mean(sums: Sums) -> Estimate | None:
    """Σm/n, with the sample variance; None of fewer than two units."""
    return Estimate(sums.m / sums.n, _covariance(sums.n, sums.mm, sums.m, sums.m), sums.n) if sums.n > 1 else None


def share(sums: Sums) -> Estimate | None:
    """The share of units whose m is 1, where it is 0 or 1 in all; None of fewer than two units."""
    if sums.n < 2:
        return None
    value = sums.m / sums.n
    return Estimate(value, value * (1 - value), sums.n)


def ratio(sums: Sums) -> Estimate | None:
    """Σm/Σd with units as the sample, by the delta method; None of fewer than two units or where Σd is 0."""
    if sums.n < 2 or not sums.d:
        return None
    n, value, per_unit = sums.n, sums.m / sums.d, sums.d / sums.n
    of_m = _covariance(n, sums.mm, sums.m, sums.m)
    of_d = _covariance(n, sums.dd, sums.d, sums.d)
    of_both = _covariance(n, sums.md, sums.m, sums.d)
    # Equal to vm/D² + vd·M²/D⁴ - 2·cov·M/D³, with M/D taken out; rounding may leave less than nothing.
    return Estimate(value, max(of_m + value * (value * of_d - 2 * of_both), 0.0) / per_unit**2, n)


def _covariance(n: int, products: float, a: float, b: float) -> float:
    return (n * products - a * b) / (n * (n - 1))


@dataclass(frozen=True, slots=True)
class Effect:
    """What a variation does beside the baseline: its size, that size's variance, the units of both, Welch's df."""

    value: float
    variance: float
    n: int
    df: float

    @property
    def z(self) -> float:
        """How many standard errors it is away from nothing."""
        return self.value / math.sqrt(self.variance)


def absolute(a: Estimate, b: Estimate) -> Effect | None:
    """By how much b is more than the baseline a; None where nothing varies, so nothing can be said."""
    return _effect(b.value - a.value, a.of_mean, b.of_mean, a, b)


def relative(a: Estimate, b: Estimate) -> Effect | None:
    """b's lift over the baseline a, 0.1 for 10 % more, by the delta method; None where a is 0 or nothing varies."""
    if not a.value:
        return None
    of_a = a.of_mean * b.value**2 / a.value**4
    return _effect((b.value - a.value) / abs(a.value), of_a, b.of_mean / a.value**2, a, b)


def _effect(value: float, of_a: float, of_b: float, a: Estimate, b: Estimate) -> Effect | None:
    return Effect(value, of_a + of_b, a.n + b.n, _welch(a, b)) if of_a + of_b > 0 else None


def _welch(a: Estimate, b: Estimate) -> float:
    # Scaled by their sum: squares of small variances vanish, and with them the quotient.
    both = a.of_mean + b.of_mean
    return 1 / ((a.of_mean / both) ** 2 / (a.n - 1) + (b.of_mean / both) ** 2 / (b.n - 1))


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the effect may lie."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verified:
    """An interval, and the probability of an effect as large as this where there is none."""

    interval: Interval
    p: float


@dataclass(frozen=True, slots=True)
class Believed:
    """A credible interval, and the chance that the effect is above 0."""

    interval: Interval
    chance: float


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of a lift before there are data."""

    mean: float = 0.0
    sd: float = 0.3


def fixed(effect: Effect, alpha: float = ALPHA) -> Verified:
    """Welch's t test: holds for one look, at a time chosen before the start."""
    half = t_at(1 - alpha / 2, effect.df) * math.sqrt(effect.variance)
    return Verified(_around(effect.value, half), t_two_sided(effect.z, effect.df))


def sequential(effect: Effect, alpha: float = ALPHA, *, tuning: int = TUNING) -> Verified:
    """The asymptotic confidence sequence of Waudby-Smith et al. (2023): holds however often one looks."""
    half = boundary(effect.n, alpha, tuning=tuning) * math.sqrt(effect.variance)
    scaled = effect.n * _rho_squared(alpha, tuning)
    evidence = scaled * effect.z**2 / (2 * (scaled + 1)) - math.log(scaled + 1) / 2
    return Verified(_around(effect.value, half), math.exp(min(-evidence, 0.0)))


def boundary(n: int, alpha: float = ALPHA, *, tuning: int = TUNING) -> float:
    """How many standard errors an effect of n units must be away from nothing for the confidence sequence."""
    scaled = n * _rho_squared(alpha, tuning)
    return math.sqrt(2 * (scaled + 1) / scaled * (math.log(scaled + 1) / 2 - math.log(alpha)))


def _rho_squared(alpha: float, tuning: int) -> float:
    return (math.log(1 - 2 * math.log(alpha)) - 2 * math.log(alpha)) / tuning


def bayesian(effect: Effect, alpha: float = ALPHA, *, prior: Prior | None = None) -> Believed:
    """The normal posterior, under a flat prior where none is given: like `fixed` it holds for one look."""
    value, variance = effect.value, effect.variance
    if prior is not None:
        data, before = 1 / effect.variance, prior.sd**-2
        value, variance = (value * data + prior.mean * before) / (data + before), 1 / (data + before)
    sd = math.sqrt(variance)
    return Believed(_around(value, normal_at(1 - alpha / 2) * sd), normal_below(value / sd))


def _around(value: float, half: float) -> Interval:
    return Interval(value - half, value + half)
