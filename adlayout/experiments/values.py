"""How GrowthBook's conditions see JSON values: kinds, equality, order, versions. Knows no operator.

Source: GrowthBook, "Build Your Own SDK", "Conditions", and its Python SDK 4.0.0, which both follow JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from adlayout.experiments.hashing import number_text

KINDS: Final = ("string", "number", "boolean", "array", "object", "null")

_BUILD: Final = re.compile(r"^v|\+.*$")
_PARTS: Final = re.compile(r"[-.]")
_LARGEST_INDEX: Final = 2**32 - 1
_INDEX_DIGITS: Final = 10


def kind_of(value: object) -> str:
    """What JSON calls the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list() | tuple():
            return "array"
        case _:
            return "object"


def inside(attributes: object, path: str) -> object:
    """What stands at a dotted path; a list has its numbers and `length`."""
    found = attributes
    for step in path.split("."):
        match found:
            case Mapping() if step in found:
                found = found[step]
            case list() | tuple() if step == "length":
                found = len(found)
            case list() | tuple() if _is_index(step, len(found)):
                found = found[int(step)]
            case _:
                return None
    return found


def _is_index(step: str, length: int) -> bool:
    plain = len(step) <= _INDEX_DIGITS and step.isascii() and step.isdigit()
    return plain and (step == "0" or step[0] != "0") and int(step) < length


def same_plain(left: object, right: object) -> bool:
    """JavaScript's `===` on values that were read apart: two lists, or two objects, are never the same."""
    kind = kind_of(left)
    return kind == kind_of(right) and kind not in ("array", "object") and left == right


def same(left: object, right: object) -> bool:
    """Whether both are written alike as JSON: kinds never mix, and an object's keys stand in one order."""
    if kind_of(left) != kind_of(right):
        return False
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(
            same(_written(one), _written(other)) for one, other in zip(left, right, strict=True)
        )
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return _order(left) == _order(right) and all(same(_written(left[key]), _written(right[key])) for key in left)
    return left == right


def _written(value: object) -> object:
    """JSON has no NaN and no infinity: null is written for them."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _order(keys: Mapping[str, object]) -> list[str]:
    """JavaScript keeps keys that are numbers first, by size."""
    numbers = [key for key in keys if _is_index(key, _LARGEST_INDEX)]
    return sorted(numbers, key=int) + [key for key in keys if key not in numbers]


def order_of(left: object, right: object) -> int | None:
    """-1, 0 or 1 for two numbers, or for two texts by their UTF-16 code units; None for what has no order."""
    if isinstance(left, str) and isinstance(right, str):
        return _rank(left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass"))
    if not (_is_number(left) and _is_number(right)):
        return None
    # NaN is no more, no less and no equal of anything.
    return None if left != left or right != right else _rank(left, right)  # noqa: PLR0124


def version_order(left: object, right: object) -> int | None:
    """-1, 0 or 1 for two versions, both text or both numbers; None for what are none."""
    both = (isinstance(left, str) and isinstance(right, str)) or (_is_number(left) and _is_number(right))
    return _rank(version_text(left), version_text(right)) if both else None


def _rank(left: Any, right: Any) -> int:  # both of one kind that has an order, which no type says
    return int(left > right) - int(left < right)


def _is_number(value: object) -> bool:
    return kind_of(value) == "number"


def version_text(value: object) -> str:
    """A version as text that sorts as versions do: its numbers padded, a release after what came before it."""
    text = value if isinstance(value, str) else number_text(value) if isinstance(value, int | float) else ""
    parts = _PARTS.split(_BUILD.sub("", text or "0"))
    if len(parts) == 3:
        # The last of the printable characters: 1.0.0 comes after 1.0.0-beta.
        parts.append("~")
    return "-".join(part.rjust(5) if part.isdigit() else part for part in parts)


def folded(value: object) -> object:
    """Text without capitals; anything else as it is."""
    return value.lower() if isinstance(value, str) else value
