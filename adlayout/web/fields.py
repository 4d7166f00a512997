"""The optional fields of a request: which there are, what each may hold, and what is wrong with those that came.

Knows names and shapes; never bodies, headers or charsets.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from adlayout.errors import Fault
from adlayout.model import Device, Output
from adlayout.web.charsets import without_surrogates

Value: TypeAlias = str | int | tuple[str, ...] | Mapping[str, object] | None

# Looking for what was meant takes a while: not for all the fields of a request that is nothing but noise.
_HINTS = 20
_LONGEST_NAME = 60
# As difflib counts; its own 0.6 finds `context` in `colour`.
_ALIKE = 0.7
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class Wrong(StrEnum):
    """What can be wrong with an optional field."""

    UNKNOWN = "unknown_field"
    MALFORMED = "malformed_field"
    UNSUPPORTED = "unsupported_value"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One field that was left out, why, and what it should have been."""

    at: str
    wrong: Wrong
    message: str


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that hold, by dotted path, and the flaws of the others."""

    values: Mapping[str, Value]
    flaws: tuple[Flaw, ...] = ()

    def text(self, path: str) -> str | None:
        """The text at this path, or None."""
        value = self.values.get(path)
        return value if isinstance(value, str) else None

    def texts(self, path: str) -> tuple[str, ...]:
        """The list of texts at this path, empty where there is none."""
        value = self.values.get(path)
        return value if isinstance(value, tuple) else ()

    def number(self, path: str) -> int | None:
        """The number at this path, or None."""
        value = self.values.get(path)
        return value if isinstance(value, int) else None

    def mapping(self, path: str) -> Mapping[str, object] | None:
        """The object at this path, or None."""
        value = self.values.get(path)
        return value if isinstance(value, Mapping) else None


def read_fields(pairs: Iterable[tuple[str, object]]) -> Fields:
    """Sorts dotted paths with what was given for them into what holds and what does not.

    Null and the empty text count as absent; of a path that comes twice the first counts.
    """
    values: dict[str, Value] = {}
    flaws: list[Flaw] = []
    for path, given in pairs:
        kind = FIELDS.get(path)
        if path in values or (given in (None, "") and (kind or path in GROUPS)):
            continue
        if kind is None:
            flaws.append(_unknown(path))
        elif (value := kind.read(given)) is not None:
            values[path] = value
        else:
            flaws.append(_flaw(path, given, kind))
    return Fields(values, tuple(flaws))


def leaves(tree: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The dotted paths of a nested request with what stands there."""
    for name, value in tree.items():
        if name in GROUPS and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def told(flaws: Iterable[Flaw]) -> tuple[Fault, ...]:
    """What is wrong, for a person: of the first few unknown fields also which one was probably meant."""
    return tuple(
        Fault(flaw.at, flaw.message + _meant(flaw.at) if flaw.wrong is Wrong.UNKNOWN and at < _HINTS else flaw.message)
        for at, flaw in enumerate(flaws)
    )


def _meant(path: str) -> str:
    """The hint for an unknown field; its group, too, may have been left out."""
    if len(path) > _LONGEST_NAME:
        return ""
    names = {name: known for known in FIELDS for name in (known.rpartition(".")[2], known)} | {g: g for g in GROUPS}
    near = difflib.get_close_matches(path.casefold(), names, n=1, cutoff=_ALIKE)
    return f', did you mean "{names[near[0]]}"?' if near else ""


def _unknown(path: str) -> Flaw:
    path = without_surrogates(path)
    if path in GROUPS:
        return Flaw(path, Wrong.MALFORMED, "expected an object")
    return Flaw(path, Wrong.UNKNOWN, "there is no such field")


def _flaw(path: str, given: object, kind: Kind) -> Flaw:
    if path == "output" and given in _OUTPUTS_TO_COME:
        return Flaw(path, Wrong.UNSUPPORTED, f"{given} is not served yet")
    return Flaw(path, Wrong.MALFORMED, f"expected {kind.expected}")


# What a field may hold. A reader returns None for what does not hold.


@dataclass(frozen=True, slots=True)
class Kind:
    """One shape of field: how it is read, and how it is called in a fault."""

    expected: str
    read: Callable[[object], Value]


def _text(given: object) -> str | None:
    return without_surrogates(given) if isinstance(given, str) else None


def _texts(given: object) -> tuple[str, ...] | None:
    if not isinstance(given, list):
        return None
    found = tuple(without_surrogates(each) for each in given if isinstance(each, str))
    return found if len(found) == len(given) else None


def _whole(given: object) -> int | None:
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _flag(given: object) -> int | None:
    return int(given) if isinstance(given, int) and given in (0, 1) else None


def _positive(given: object) -> int | None:
    number = _whole(given)
    return number if number is not None and number > 0 else None


def _mapping(given: object) -> Mapping[str, object] | None:
    return given if isinstance(given, Mapping) else None


def _wholes(given: object) -> tuple[str, ...] | None:
    if not isinstance(given, list) or any(_whole(each) is None for each in given):
        return None
    return tuple(str(each) for each in given)


def _one_of(choices: type[StrEnum]) -> Callable[[object], str | None]:
    allowed = {choice.value for choice in choices}
    return lambda given: given if isinstance(given, str) and given in allowed else None


def _request_id(given: object) -> str | None:
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else None


def _layout(given: object) -> str | Mapping[str, object] | None:
    return given if isinstance(given, Mapping) else _text(given)


_OUTPUTS_TO_COME = ("esi", "client")
TEXT = Kind("a text", _text)
TEXTS = Kind("a list of texts", _texts)
POSITIVE = Kind("a whole number above 0", _positive)
WHOLES = Kind("a list of whole numbers", _wholes)
FLAG = Kind("true or false, 1 or 0", _flag)
GROUPS = frozenset({"article", "context", "consent"})
FIELDS: Mapping[str, Kind] = {
    "article.id": TEXT,
    "article.url": TEXT,
    "article.headline": TEXT,
    "article.byline": TEXT,
    "article.section": TEXT,
    "article.tags": TEXTS,
    "article.language": TEXT,
    "site": TEXT,
    "layout": Kind("the name of a layout, or for a plan a layout as an object", _layout),
    "variation": TEXT,
    "output": Kind("page or fragment", _one_of(Output)),
    "unit": TEXT,
    "device": Kind("mobile, tablet or desktop", _one_of(Device)),
    "context.country": TEXT,
    "context.user_agent": TEXT,
    "context.ip": TEXT,
    "context.keywords": TEXTS,
    "context.attributes": Kind("an object", _mapping),
    "consent.gdpr": FLAG,
    "consent.tcf": TEXT,
    "consent.gpp": TEXT,
    "consent.gpp_sid": WHOLES,
    "consent.gpc": FLAG,
    "consent.coppa": FLAG,
    "request_id": Kind("1 to 128 visible ASCII characters", _request_id),
    "seed": TEXT,
    "timeout_ms": POSITIVE,
}
NUMBERS = frozenset(path for path, kind in FIELDS.items() if kind in (POSITIVE, FLAG, WHOLES))
LISTS = frozenset(path for path, kind in FIELDS.items() if kind in (TEXTS, WHOLES))
