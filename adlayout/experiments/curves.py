"""The distributions that tests rest on; the only room that knows scipy, so only who asks for results waits for it."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

# The special functions are what scipy.stats computes these distributions with, and come in a third of the time.
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

_NORMAL: Final = NormalDist()


def normal_below(z: float) -> float:
    """The share of a standard normal distribution below z, exact in its lower tail too."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_at(share: float) -> float:
    """The z below which this share of a standard normal distribution lies; 0 < share < 1."""
    return _NORMAL.inv_cdf(share)


def t_two_sided(t: float, df: float) -> float:
    """The probability of a |t| as large as this or larger."""
    return 2 * float(special.stdtr(df, -abs(t)))


def t_at(share: float, df: float) -> float:
    """The t below which this share of a t distribution lies."""
    return float(special.stdtrit(df, share))


def chi_squared_above(x: float, df: int) -> float:
    """The probability of a chi squared as large as this or larger."""
    return float(special.chdtrc(df, x))
