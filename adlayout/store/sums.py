"""What an event adds to the sums of its experiment, and how those stand in the store; `record.lua` adds them up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

# What is more than any event can come to is a mistake or a lie; sums of this size are still exact in the store.
_MOST: Final = 10**13
_MICRO: Final = 1_000_000
_SHIFT: Final = 10_000
# The digits of squares and products stand apart, each to the base of ten millions: record.lua says why.
_BASE: Final = 10_000_000
_SQUARE: Final = re.compile(r"(KV|K)\1([123])?(:.*)", re.DOTALL)  # of a conversion
_PRODUCT: Final = re.compile(r"([A-Z]{2})([123])")
_NUMBER: Final = re.compile(r"-?\d+")


def experiment_of(variation: str) -> tuple[str, str]:
    """The experiment of `experiment=variation`, and the variation as its sums are called."""
    experiment, _, key = variation.partition("=")
    return experiment, _spelt(key)


def amounts(said: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What one valid event adds to its unit's variables, by their letters; nothing for an event of another kind."""
    match said["e"]:
        case "exposure":
            return [("P", 1), ("S", _least(said["f"])), ("T", _least(said["m"]))]
        case "view" | "click":
            return [(said["e"][0].upper(), 1), ("R", _least(said.get("w", 0)))]
        case "engaged":
            return [("E", _least(said["value"]))]
        case "shift":
            return [("L", _least(said["value"] * _SHIFT))]
        case "conversion":
            return [(f"K:{said['name']}", 1), (f"KV:{said['name']}", _within(said["value"] * _MICRO))]
    return []


def read_sums(texts: Mapping[str, str], variations: Sequence[str]) -> dict[str, int]:
    """An experiment's sums, by the index of their variation; squares and products whole again."""
    places = {_spelt(key): index for index, key in enumerate(variations)}
    found: dict[str, int] = {}
    for field, text in texts.items():
        variation, _, name = field.partition(":")
        if _NUMBER.fullmatch(text) and (variation in places or not name):
            of, digit = _read(name)
            called = f"{places[variation]}:{of}" if name else variation
            found[called] = found.get(called, 0) + int(text) * _BASE**digit
    return found


def _read(name: str) -> tuple[str, int]:
    """Which sum of its variation a field is part of, and which of its digits."""
    if square := _SQUARE.fullmatch(name):
        return (square[1] + square[3]) * 2, int(square[2] or 0)
    product = _PRODUCT.fullmatch(name)
    return (product[1], int(product[2])) if product else (name, 0)


def _spelt(variation: str) -> str:
    """A variation's key without what ends it in the name of a field."""
    return variation.replace(":", "/")


def _least(number: float) -> int:
    return max(0, _within(number))


def _within(number: float) -> int:
    return max(-_MOST, min(_MOST, round(number)))
