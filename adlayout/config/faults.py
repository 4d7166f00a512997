"""What pydantic found, said for people: the real key without union tags, what was expected, what was got instead."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adlayout.config.keys import inside, keys_at
from adlayout.config.source import Trail

_MOST_SHOWN: Final = 60
_PASSWORD: Final = re.compile(r"(?<=://)([^/@\s]*)(?=@)")

_EXPECTED: Final[Mapping[str, str]] = {
    "bool": "expected true or false",
    "int": "expected a whole number",
    "float": "expected a number",
    "decimal": "expected a number",
    "finite_number": "expected a finite number",
    "string": "expected text",
    "string_sub_type": "expected text",
    "list": "expected a list",
    "tuple": "expected a list",
    "set": "expected a list",
    "frozen_set": "expected a list",
    "iterable": "expected a list",
    "dict": "expected keys with values",
    "mapping": "expected keys with values",
    "model": "expected keys with values",
    "model_attributes": "expected keys with values",
    "dataclass": "expected keys with values",
    "none_required": "expected null",
    "path": "expected a path",
}
_LIMITS: Final[Mapping[str, str]] = {
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
    "multiple_of": "expected a multiple of {multiple_of}",
    "too_short": "expected at least {min_length} of them",
    "too_long": "expected at most {max_length} of them",
    "string_too_short": "expected at least {min_length} characters",
    "string_too_long": "expected at most {max_length} characters",
    "string_pattern_mismatch": "expected text of the form {pattern}",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One fault: the real trail to it, whether the key itself is at fault, and the message."""

    trail: Trail
    message: str
    at_key: bool = False


def found_faults(exc: ValidationError, data: object, model: type[BaseModel]) -> tuple[Found, ...]:
    """Every fault of `data` against `model`; what several arms of a union say of one value becomes one fault."""
    joined: dict[tuple[Trail, bool], list[str]] = {}
    for error in exc.errors(include_url=False):
        if _is_echo(error):
            continue
        found = _found(error, data, model)
        messages = joined.setdefault((found.trail, found.at_key), [])
        if found.message not in messages:
            messages.append(found.message)
    return tuple(Found(trail, _joined(messages), at_key) for (trail, at_key), messages in joined.items())


def _is_echo(error: ErrorDetails) -> bool:
    """Whether a list is called too short only because items of it, which are faults of their own, were not counted."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _joined(messages: list[str]) -> str:
    """`expected a (got x)` and `expected b (got x)` as `expected a or b (got x)`."""
    said, _, got = messages[0].partition(" (got ")
    others = [message.removesuffix(f" (got {got}").removeprefix("expected ") for message in messages[1:]]
    return " or ".join([said, *others]) + (f" (got {got}" if got else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint for a name that is not known: the one that was probably meant, else all there are."""
    names = sorted(known)
    folded = {one.casefold(): one for one in names}
    if near := difflib.get_close_matches(name.casefold(), folded, n=1):
        return f'did you mean "{folded[near[0]]}"?'
    return f"there are: {', '.join(names)}" if names else "there is none"


def _found(error: ErrorDetails, data: object, model: type[BaseModel]) -> Found:
    kind, loc = error["type"], error["loc"]
    if kind == "missing":
        return Found((*_trail(loc[:-1], data), loc[-1]), "is missing")
    trail = _trail(loc, data)
    if kind == "extra_forbidden":
        name = str(trail[-1])
        return Found(trail, f"unknown key, {nearest(name, keys_at(model, trail[:-1], data))}", at_key=True)
    if kind == "union_tag_not_found":
        return Found((*trail, _discriminator(error)), "is missing")
    if kind == "union_tag_invalid":
        expected = _quoted(str(error["ctx"]["expected_tags"]))
        return Found((*trail, _discriminator(error)), f'expected {expected} (got "{error["ctx"]["tag"]}")')
    return Found(trail, _said(error), at_key=loc[-1:] == ("[key]",))


def _discriminator(error: ErrorDetails) -> str:
    return str(error["ctx"]["discriminator"]).strip("'")


def _trail(loc: Trail, data: object) -> Trail:
    """The longest way through `data` that the steps of `loc` spell, which leaves out the tags of unions."""
    if not loc:
        return ()
    skipping = _trail(loc[1:], data)
    found = inside(data, loc[0])
    if found is None:
        return skipping
    descending = (loc[0], *_trail(loc[1:], found[0]))
    return descending if len(descending) >= len(skipping) else skipping


def _said(error: ErrorDetails) -> str:
    """The message of one error, with what was found where that helps."""
    message = _message(error)
    value = error["input"]
    # What a whole mapping fails at is said by the message; to print the mapping would bury it.
    shown = not isinstance(value, dict | list | tuple) or error["type"].endswith("_type")
    return f"{message} (got {_shown(value)})" if shown and "got " not in message else message


def _message(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    if kind in ("literal_error", "enum"):
        return f"expected {_quoted(str(context['expected']))}"
    if kind in _LIMITS:
        return _LIMITS[kind].format(**{name: _plain(limit) for name, limit in context.items()})
    if kind == "int_from_float":
        return _EXPECTED["int"]
    if kind.startswith(("datetime_", "timezone_")):
        return "expected a time such as 2026-03-01T00:00:00+01:00"
    stem = kind.removesuffix("_type").removesuffix("_parsing")
    return _EXPECTED.get(stem) or error["msg"][:1].lower() + error["msg"][1:]


def _plain(limit: object) -> object:
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _quoted(names: str) -> str:
    return names.replace("'", '"')


def _shown(value: object) -> str:
    """The value as it would be written, short, on one line, with no password in it."""
    if isinstance(value, Mapping):
        return "keys with values"
    if isinstance(value, list | tuple):
        return "a list"
    text = hide_password(json.dumps(value, ensure_ascii=False, default=repr))
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def hide_password(text: str) -> str:
    """The text with the user and password of every URL in it replaced."""
    return _PASSWORD.sub("***", text)
