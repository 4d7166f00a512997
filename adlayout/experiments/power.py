"""How many units and days a test needs, and how likely it finds what is there; asked before it starts and later.

Knows no metric by name: the baseline and the variance of one unit are numbers, from reports or from a running test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adlayout.experiments.curves import normal_at, normal_below
from adlayout.experiments.stats import ALPHA, boundary

# Nobody waits for more units than this; a lift that needs them is as good as none.
_MOST: Final = 2**50


@dataclass(frozen=True, slots=True)
class Wish:
    """The lift that a test should find, 0.05 for 5 % more, and what it starts from.

    `variance` is what one unit brings to the baseline's variance, and `once` says that it does something or does not;
    otherwise a lift is taken to make the values of all units larger by it, and so their spread. `weights` are those of
    the variations, baseline first. `always_valid`: the test is looked at as one likes (the confidence sequence), else
    once, at the end (fixed).
    """

    baseline: float
    variance: float
    lift: float = 0.05
    power: float = 0.8
    weights: tuple[float, ...] = (0.5, 0.5)
    always_valid: bool = True
    once: bool = False
    alpha: float = ALPHA

    @property
    def level(self) -> float:
        """The alpha of each variation's own comparison."""
        return level(self.weights, self.alpha)


@dataclass(frozen=True, slots=True)
class Need:
    """The units that each variation needs."""

    units: tuple[int, ...]

    @property
    def total(self) -> int:
        """The units of all variations."""
        return sum(self.units)

    def days(self, units_a_day: float, *, already: int = 0) -> int | None:
        """The whole days until they are there, at so many new units a day; None where none come."""
        missing = max(self.total - already, 0)
        return math.ceil(missing / units_a_day) if units_a_day > 0 else None if missing else 0


def level(weights: Sequence[float], alpha: float = ALPHA) -> float:
    """Alpha, shared out among all variations that are compared with the baseline (Bonferroni)."""
    return alpha / max(sum(weight > 0 for weight in weights) - 1, 1)


def variance_of_share(share: float) -> float:
    """What one unit brings to the variance where each unit does something or does not."""
    return share * (1 - share)


def need(wish: Wish) -> Need | None:
    """The units with which the wish comes true; None where no number of them does.

    The power is that of the last look; who looks before, too, finds the lift sooner, and somewhat more often.
    """
    if not wish.lift or not wish.baseline or len(_compared(wish)) < 2:
        return None
    most = 8
    while power(wish, most) < wish.power:
        most *= 2
        if most > _MOST:
            return None
    least = most // 2
    while least < most:
        middle = (least + most) // 2
        least, most = (middle + 1, most) if power(wish, middle) < wish.power else (least, middle)
    whole = sum(wish.weights)
    return Need(tuple(math.ceil(most * weight / whole) for weight in wish.weights))


def power(wish: Wish, units: int) -> float:
    """How likely the lift is found with this many units in all variations together."""
    whole = sum(wish.weights)
    a, b = (units * weight / whole for weight in _compared(wish))
    variance = (_lifted_variance(wish) / b + wish.variance * (1 + wish.lift) ** 2 / a) / wish.baseline**2
    away = abs(wish.lift) / math.sqrt(variance) if variance > 0 else math.inf
    edge = boundary(math.ceil(a + b), wish.level) if wish.always_valid else normal_at(1 - wish.level / 2)
    return normal_below(away - edge) + normal_below(-away - edge)


def _lifted_variance(wish: Wish) -> float:
    if wish.once:
        return max(variance_of_share(wish.baseline * (1 + wish.lift)), 0.0)
    return wish.variance * (1 + wish.lift) ** 2


def _compared(wish: Wish) -> tuple[float, ...]:
    """The weights of the baseline and of the variation that fills most slowly."""
    others = [weight for weight in wish.weights[1:] if weight > 0]
    return (wish.weights[0], min(others)) if others and wish.weights[0] > 0 else ()
