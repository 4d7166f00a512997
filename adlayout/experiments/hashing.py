"""From a unit to a variation, as GrowthBook does it to the last digit. Knows no experiment, only numbers and text.

Source: GrowthBook, "Build Your Own SDK" (specification 0.7.1), and its Python SDK 4.0.0 where the two differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from struct import unpack
from typing import Final, TypeAlias

Span: TypeAlias = tuple[float, float]  # from the first on, up to and without the second

# FNV-1a for 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/
_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF
# GrowthBook takes weights with a sum in between for rounded ones, and all others for none.
_LEAST_SUM: Final = 0.99
_MOST_SUM: Final = 1.01


def fnv1a(text: str) -> int:
    """The 32 bit FNV-1a hash of the text's UTF-16 code units, as JavaScript sees them."""
    units: Sequence[int] = text.encode() if text.isascii() else _code_units(text)
    value = _OFFSET
    for unit in units:
        value = ((value ^ unit) * _PRIME) & _MASK
    return value


def _code_units(text: str) -> tuple[int, ...]:
    said = text.encode("utf-16-le", "surrogatepass")
    return unpack(f"<{len(said) // 2}H", said)


def bucket_of(seed: str, value: str, version: int) -> float | None:
    """Where between 0 and 1 a value falls under a seed; None where there is no such version of the hash."""
    match version:
        case 1:
            return fnv1a(value + seed) % 1_000 / 1_000
        case 2:
            return fnv1a(str(fnv1a(seed + value))) % 10_000 / 10_000
        case _:
            return None


def in_namespace(value: str, name: str, span: Span) -> bool:
    """Whether a value falls into a stretch of a namespace, which is hashed in version 1 always."""
    return span[0] <= fnv1a(f"{value}__{name}") % 1_000 / 1_000 < span[1]


def equal_weights(count: int) -> tuple[float, ...]:
    """The same share for each of so many variations."""
    return (1 / count,) * count if count > 0 else ()


def bucket_ranges(count: int, coverage: float = 1.0, weights: Sequence[float] | None = None) -> tuple[Span, ...]:
    """The stretch of each variation: it begins where coverage 1 would begin it, so that more of it moves nobody."""
    coverage = min(max(coverage, 0.0), 1.0)
    shares = equal_weights(count) if weights is None or not _sound(weights, count) else weights
    ranges, start = [], 0.0
    for share in shares:
        ranges.append((start, start + coverage * share))
        start += share
    return tuple(ranges)


def _sound(weights: Sequence[float], count: int) -> bool:
    return len(weights) == count and all(one >= 0 for one in weights) and _LEAST_SUM <= sum(weights) <= _MOST_SUM


def choose(bucket: float, ranges: Sequence[Span]) -> int:
    """The first variation whose stretch holds the bucket, else -1."""
    return next((at for at, (start, end) in enumerate(ranges) if start <= bucket < end), -1)


def unit_text(value: object) -> str:
    """The value as text that can be hashed: text, or a number as JavaScript writes it; "" for all that is no unit."""
    match value:
        case str():
            return value
        case bool():
            return ""
        case int() | float():
            text = number_text(value)
            return "" if text in ("0", "NaN", "Infinity", "-Infinity") else text
        case _:
            return ""


def number_text(value: float) -> str:
    """A number as JavaScript's `String()` writes it: 1.0 is "1", 1e21 is "1e+21" (ECMA-262, Number::toString)."""
    try:
        number = float(value)
    except OverflowError:
        return "Infinity" if value > 0 else "-Infinity"
    if number == 0:
        return "0"
    if not isfinite(number):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(number)]
    return f"-{_positive(-number)}" if number < 0 else _positive(number)


def _positive(number: float) -> str:
    """The shortest digits that read back as the number, laid out by ECMA-262, where `point` is its n and k digits."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = (whole + fraction).lstrip("0")
    digits = padded.rstrip("0")
    point = int(exponent or "0") - len(fraction) + len(padded)
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
