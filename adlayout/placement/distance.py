"""Distances as ops write them (`2 paragraphs`, `{all: [3 paragraphs, 200 chars]}`). Knows no article and no rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from pydantic import PlainValidator

from adlayout.placement.measures import Measure

_FORM: Final = re.compile(r"([0-9]{1,9})\s+(\S+)|([0-9]{1,9})(%|px)")
_EXPECTED: Final = 'expected a distance such as "2 paragraphs"'
_DEEPEST: Final = 8  # more `all` and `any` inside each other than a person can follow, and safe to walk


class Unit(StrEnum):
    """What a distance is counted in; the value is the plural that stands in texts."""

    PARAGRAPHS = "paragraphs"
    BLOCKS = "blocks"
    WORDS = "words"
    CHARS = "chars"
    PX = "px"
    PERCENT = "%"

    @property
    def at(self) -> int:
        """Which of the amounts of a `Measure` is counted in this unit; a share is counted in characters."""
        return Measure._fields.index("chars" if self is Unit.PERCENT else self.value)


_UNITS: Final = {name: unit for unit in Unit for name in (unit.value, unit.value.removesuffix("s"))}
_NAMES: Final = "paragraphs, blocks, words, chars, px or %"


@dataclass(frozen=True, slots=True)
class Plain:
    """So many of one unit.

    Whoever has to reckon with distances does so in whole numbers: `place` is where a gap is, `size` how large the
    distance is, both in the unit, or, for a share of the article, in hundredths of a character times the whole.
    """

    amount: int
    unit: Unit
    _at: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_at", self.unit.at)

    @property
    def is_zero(self) -> bool:
        """Whether the distance is reached where it starts."""
        return self.amount == 0

    def reached(self, earlier: Measure, later: Measure) -> bool:
        """Whether at least this distance lies between two gaps, each measured from the start."""
        measured = later[self._at] - earlier[self._at]
        if self.unit is Unit.PERCENT:
            # Without a character there is nothing to have a share of.
            return measured * 100 >= self.amount * later.whole if later.whole else self.amount == 0
        return measured >= self.amount

    def place(self, measured: Measure) -> int:
        """Where the gap is that was measured from the start."""
        return measured[self._at] * 100 if self.unit is Unit.PERCENT else measured[self._at]

    def size(self, whole: int) -> int:
        """How large the distance is in an article of so many characters."""
        return self.amount * whole if self.unit is Unit.PERCENT else self.amount

    def sized(self, size: int, whole: int) -> str:
        """The text of a distance of this unit that is so large."""
        return _said(size // max(1, whole) if self.unit is Unit.PERCENT else size, self.unit)

    def text(self) -> str:
        """The distance as ops write it."""
        return _said(self.amount, self.unit)

    def actual(self, measured: Measure) -> str:
        """What was measured, in the distance's own unit; of a share the whole percent that are reached."""
        return self.sized(self.place(measured), measured.whole)


@dataclass(frozen=True, slots=True)
class All:
    """Every one of several distances."""

    parts: tuple[Distance, ...]

    @property
    def is_zero(self) -> bool:
        """Whether the distance is reached where it starts."""
        return all(part.is_zero for part in self.parts)

    def reached(self, earlier: Measure, later: Measure) -> bool:
        """Whether at least all of the distances lie between two gaps, each measured from the start."""
        return all(part.reached(earlier, later) for part in self.parts)

    def text(self) -> str:
        """The distance in words, joined by `and`."""
        return _joined(" and ", self.parts, (part.text() for part in self.parts))

    def actual(self, measured: Measure) -> str:
        """What was measured, in the shape of the distance."""
        return _joined(" and ", self.parts, (part.actual(measured) for part in self.parts))


@dataclass(frozen=True, slots=True)
class Any_:
    """One of several distances, whichever is reached first."""

    parts: tuple[Distance, ...]

    @property
    def is_zero(self) -> bool:
        """Whether the distance is reached where it starts."""
        return any(part.is_zero for part in self.parts)

    def reached(self, earlier: Measure, later: Measure) -> bool:
        """Whether at least one of the distances lies between two gaps, each measured from the start."""
        return any(part.reached(earlier, later) for part in self.parts)

    def text(self) -> str:
        """The distance in words, joined by `or`."""
        return _joined(" or ", self.parts, (part.text() for part in self.parts))

    def actual(self, measured: Measure) -> str:
        """What was measured, in the shape of the distance."""
        return _joined(" or ", self.parts, (part.actual(measured) for part in self.parts))


Distance: TypeAlias = Plain | All | Any_


def parse_distance(value: object) -> Distance:
    """The distance that a YAML value means; ValueError with the right form where it means none."""
    return value if isinstance(value, Plain | All | Any_) else _parsed(value, 0)


DistanceKey = Annotated[Distance, PlainValidator(parse_distance)]


def units_of(distance: Distance) -> Iterator[Unit]:
    """Every unit that the distance measures in."""
    if isinstance(distance, Plain):
        yield distance.unit
        return
    for part in distance.parts:
        yield from units_of(part)


def _said(amount: int, unit: Unit) -> str:
    return f"{amount} {unit.removesuffix('s') if amount == 1 else unit}"


def _joined(joint: str, parts: tuple[Distance, ...], texts: Iterable[str]) -> str:
    return joint.join(
        text if isinstance(part, Plain) or len(part.parts) == 1 else f"({text})"
        for part, text in zip(parts, texts, strict=True)
    )


def _parsed(value: object, depth: int) -> Distance:
    if isinstance(value, str):
        return _plain(value)
    if not isinstance(value, Mapping):
        inside = f" (got {value!r})" if depth else ""
        raise ValueError(_EXPECTED + inside)
    if depth == _DEEPEST:
        raise ValueError(f"expected at most {_DEEPEST} of `all` and `any` inside each other")
    if len(value) != 1 or not value.keys() <= {"all", "any"}:
        raise ValueError(f"{_EXPECTED}, {{all: [A, B]}} or {{any: [A, B]}}")
    ((name, parts),) = value.items()
    if not isinstance(parts, list | tuple) or not parts:
        raise ValueError(f"expected a list of distances under `{name}`")
    kind = All if name == "all" else Any_
    return kind(tuple(_parsed(part, depth + 1) for part in parts))


def _plain(text: str) -> Plain:
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ValueError(f'{_EXPECTED} (got "{text}")')
    name = form[2] or form[4]
    if name not in _UNITS:
        raise ValueError(f'expected a distance in {_NAMES} (got "{text}")')
    return Plain(int(form[1] or form[3]), _UNITS[name])
