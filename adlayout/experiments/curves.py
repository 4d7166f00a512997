"""The distributions that tests rest on; the only room that knows scipy.

It is imported where it is needed: settings know metrics by name, and a service that starts must not wait for it. The
special functions are those that scipy.stats computes with; alone they take a third of its time and half of its memory.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()


def normal_below(z: float) -> float:
    """The share of a standard normal distribution below z, exact in its lower tail too."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_at(share: float) -> float:
    """The z below which this share of a standard normal distribution lies; 0 < share < 1."""
    return _NORMAL.inv_cdf(share)


def t_two_sided(t: float, df: float) -> float:
    """The probability of a |t| as large as this or larger."""
    from scipy.special import stdtr  # type: ignore[import-untyped]

    return 2 * float(stdtr(df, -abs(t)))


def t_at(share: float, df: float) -> float:
    """The t below which this share of a t distribution lies."""
    from scipy.special import stdtrit

    return float(stdtrit(df, share))


def chi_squared_above(x: float, df: int) -> float:
    """The probability of a chi squared as large as this or larger."""
    from scipy.special import chdtrc

    return float(chdtrc(df, x))
