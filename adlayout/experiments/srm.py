"""Whether an experiment's units came as they should: in the shares of its weights, each in one variation.

Where they did not, something loses or doubles units in one variation, and no metric of it can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adlayout.experiments.curves import chi_squared_above

# Looked at every day for weeks, 0.05 would cry wolf; real losses show far below this.
P_THRESHOLD: Final = 0.001
# Fewer expected make the chi squared distribution a poor likeness of the truth.
MIN_USERS_AN_ARM: Final = 8
MULTIPLE_SHARE: Final = 0.01
MIN_MULTIPLE: Final = 10


class Health(StrEnum):
    """What a check says."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    TOO_FEW = "too few"


@dataclass(frozen=True, slots=True)
class Ratio:
    """The check of the sample ratio: the probability of shares as far from the weights as these."""

    p: float
    health: Health


@dataclass(frozen=True, slots=True)
class Multiple:
    """How many units were exposed to two variations, as a number and as a share of all."""

    units: int
    share: float
    health: Health


def sample_ratio(users: Sequence[int], weights: Sequence[float]) -> Ratio:
    """Chi squared of exact unique units, variations of weight 0 left out."""
    arms = [(n, weight) for n, weight in zip(users, weights, strict=True) if weight > 0]
    total = sum(n for n, _ in arms)
    p = mismatch(arms, total)
    if total < MIN_USERS_AN_ARM * len(arms):
        return Ratio(p, Health.TOO_FEW)
    return Ratio(p, Health.UNHEALTHY if p < P_THRESHOLD else Health.HEALTHY)


def mismatch(arms: Sequence[tuple[int, float]], total: int) -> float:
    """The p value of (units, weight > 0) each; 1 where one variation or no unit leaves nothing to compare."""
    if len(arms) < 2 or not total:
        return 1.0
    whole = sum(weight for _, weight in arms)
    expected = [total * weight / whole for _, weight in arms]
    distance = sum((n - due) ** 2 / due for (n, _), due in zip(arms, expected, strict=True))
    return chi_squared_above(distance, len(arms) - 1)


def multiple_exposures(units: int, users: int) -> Multiple:
    """The check of units that saw two variations, where there are enough of them to speak of."""
    part = units / users if users else 0.0
    if units < MIN_MULTIPLE:
        return Multiple(units, part, Health.TOO_FEW)
    return Multiple(units, part, Health.UNHEALTHY if part >= MULTIPLE_SHARE else Health.HEALTHY)
