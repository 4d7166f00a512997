"""The string of IAB's Global Privacy Platform: its sections by number, and what the one of the United States says."""

from __future__ import annotations

from typing import Final

from adlayout.privacy.bits import bits

_TYPE: Final = 3  # of a header
_VERSION: Final = 1
_LONGEST_HEADER: Final = 200  # characters; there are some 30 sections
_US_VERSIONS: Final = (1, 2)
_US_LEAST: Final = 10  # characters of the first part of a United States section
_US_OPT_OUTS_AT: Final = (18, 20, 22)  # sale, sharing, targeted advertising: two bits each
_OPTED_OUT: Final = 1
_UNUSED: Final = 3
_GPC_PART: Final = "01"


def sections(text: str) -> dict[int, str]:
    """Each section's own text by its number. Raises ValueError where the string is none."""
    header, *texts = text.split("~")
    found = bits(header[: _LONGEST_HEADER + 1], least=4, most=_LONGEST_HEADER)
    if (int(found[:6], 2), int(found[6:12], 2)) != (_TYPE, _VERSION):
        raise ValueError("not the header of a GPP string")
    numbers = _numbers(found, most=len(texts))
    if len(numbers) != len(texts):
        raise ValueError("the header and the sections differ")
    return dict(zip(numbers, texts, strict=True))


def opts_out(section: str) -> bool:
    """Whether a section of the United States says no to sale, sharing or targeted ads. Raises ValueError."""
    core, *parts = section.split(".")
    found = bits(core, least=_US_LEAST, most=_US_LEAST)
    answers = [int(found[at : at + 2], 2) for at in _US_OPT_OUTS_AT]
    if int(found[:6], 2) not in _US_VERSIONS or _UNUSED in answers:
        raise ValueError("not a section of the United States")
    return _OPTED_OUT in answers or any(_says_gpc(bits(part, least=1, most=1)) for part in parts)


def _says_gpc(part: str) -> bool:
    return part[:2] == _GPC_PART and part[2] == "1"


def _numbers(header: str, *, most: int) -> list[int]:
    """The sections that a header names: singles and ranges, each as its Fibonacci coded distance from the last."""
    numbers: list[int] = []
    at, last = 24, 0
    for _ in range(int(header[12:24], 2)):
        ranged = header[at : at + 1] == "1"
        first, at = _fibonacci(header, at + 1)
        length, at = _fibonacci(header, at) if ranged else (0, at)
        first += last
        last = first + length
        if len(numbers) + length >= most:
            raise ValueError("the header and the sections differ")
        numbers += range(first, last + 1)
    return numbers


def _fibonacci(header: str, at: int) -> tuple[int, int]:
    """The number that begins here, and where it ends: a sum of Fibonacci numbers, closed by a second 1 in a row."""
    end = header.index("11", at)
    value, number, following = 0, 1, 2
    for digit in header[at : end + 1]:
        value += number if digit == "1" else 0
        number, following = following, number + following
    return value, end + 2
