"""Positions as ops write them (`3`, `-1`, `3n+1`, `!2`, `50 %`), and the gaps of an article that they mean."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

from pydantic import PlainValidator

from adlayout.model import Block
from adlayout.placement.measures import Measure

_EXPECTED: Final = 'expected a position such as 3, -1, "3n+1", "!2" or "50 %"'
_SERIES: Final = re.compile(r"([+-]?)([0-9]{0,6})n(?:\s*([+-])\s*([0-9]{1,6}))?")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,6}")
_SHARE: Final = re.compile(r"([0-9]{1,3})\s*%")
_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Nth:
    """After the n-th counted block; 0 is before everything, -1 after the last."""

    number: int
    text: str
    never: bool = False

    def numbers(self, count: int) -> Iterator[int]:
        """Which of so many counted blocks are meant; 0 for the gap above everything."""
        number = self.number if self.number >= 0 else count + 1 + self.number
        if self.number == 0 or 1 <= number <= count:
            yield number


@dataclass(frozen=True, slots=True)
class Series:
    """After every block whose number is `step * n + start` for n = 0, 1, 2 …; numbers under 1 are skipped."""

    step: int
    start: int
    text: str
    never: bool = False

    def numbers(self, count: int) -> Iterator[int]:
        """Which of so many counted blocks are meant."""
        if self.step == 0:
            yield from range(self.start, self.start + 1) if 1 <= self.start <= count else ()
        elif self.step > 0:
            least = self.start if self.start > 0 else (self.start - 1) % self.step + 1
            yield from range(least, count + 1, self.step)
        else:
            yield from (number for number in range(self.start, 0, self.step) if number <= count)


@dataclass(frozen=True, slots=True)
class Share:
    """At the last gap above which there is no more than so much of the article's characters."""

    percent: int
    text: str
    never: bool = False


Position: TypeAlias = Nth | Series | Share


@dataclass(frozen=True, slots=True)
class Meant:
    """What positions mean in one article: the gaps in which ads are due, with the entry that says so.

    `never` are the gaps that no ad may take, `missing` the entries that the article has no gap for.
    """

    due: tuple[tuple[int, str], ...] = ()
    never: frozenset[int] = frozenset()
    missing: tuple[str, ...] = ()
    # Whether an entry names the gap above everything; a share that falls on it does not.
    top: bool = False


@dataclass(frozen=True, slots=True)
class Positions:
    """All entries of one layout."""

    entries: tuple[Position, ...]
    text: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", ", ".join(entry.text for entry in self.entries))

    @property
    def shares(self) -> bool:
        """Whether an entry asks for a share of the characters."""
        return any(isinstance(entry, Share) for entry in self.entries)

    def meant(self, blocks: Sequence[Block], to_gap: Sequence[Measure]) -> Meant:
        """The gaps that the entries mean; of entries that mean the same one the first is told."""
        counted = [0, *(number for number, block in enumerate(blocks, start=1) if block.counted)]
        due: dict[int, str] = {}
        never: set[int] = set()
        missing: list[str] = []
        for entry in self.entries:
            gaps = _gaps(entry, counted, to_gap)
            if entry.never:
                never.update(gaps)
            elif not gaps:
                missing.append(entry.text)
            for gap in () if entry.never else gaps:
                due.setdefault(gap, entry.text)
        top = any(isinstance(entry, Nth) and entry.number == 0 and not entry.never for entry in self.entries)
        due = {gap: text for gap, text in due.items() if gap not in never}
        return Meant(tuple(sorted(due.items())), frozenset(never), tuple(missing), top)


def _gaps(entry: Position, counted: Sequence[int], to_gap: Sequence[Measure]) -> list[int]:
    if not isinstance(entry, Share):
        return [counted[number] for number in entry.numbers(len(counted) - 1)]
    if not to_gap[-1].whole:
        return []
    last = bisect_right(to_gap, entry.percent * to_gap[-1].whole, key=lambda measure: measure.chars * _WHOLE)
    return [last - 1]


def parse_position(value: object) -> Position:
    """The position that a YAML value means; ValueError with the right form where it means none."""
    if isinstance(value, Nth | Series | Share):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{_EXPECTED} (got {value!r})")
    text = str(value).strip()
    never = text.startswith("!")
    bare = text.removeprefix("!").strip()
    if _NUMBER.fullmatch(bare):
        return Nth(int(bare), text, never)
    if form := _SERIES.fullmatch(bare):
        sign, step, joint, start = form.groups()
        return Series(int(f"{sign}{step or 1}"), int(f"{joint or ''}{start or 0}"), text, never)
    share = _SHARE.fullmatch(bare)
    if share is None or never or int(share[1]) > _WHOLE:
        raise ValueError(f"{_EXPECTED} (got {value!r})")
    return Share(int(share[1]), text)


def parse_positions(value: object) -> Positions:
    """The positions that a YAML list means."""
    if isinstance(value, Positions):
        return value
    if isinstance(value, str | int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f'expected a list of positions such as [3, -1, "3n+1", "!2", "50 %"] (got {value!r})')
    entries = tuple(parse_position(entry) for entry in value)
    if all(entry.never for entry in entries):
        raise ValueError('expected a position where an ad may stand, not only such as "!2" where none may')
    return Positions(entries)


PositionsKey = Annotated[Positions, PlainValidator(parse_positions)]
