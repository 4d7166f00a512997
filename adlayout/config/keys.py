"""Which keys a model allows at a place in some data. Looks through unions; never judges a value."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel

from adlayout.config.source import Trail


def keys_at(model: type[BaseModel], trail: Trail, data: object) -> set[str]:
    """The keys that the model allows at the end of a trail through the data."""
    kinds: list[object] = list(_arms(model))
    for step in trail:
        kinds = [arm for kind in _meant(kinds, data) for below in _below(kind, step) for arm in _arms(below)]
        found = inside(data, step)
        data = found[0] if found else None
    return {name for kind in _meant(kinds, data) if _is_model(kind) for name in _fields(kind)}


def _meant(kinds: list[object], data: object) -> list[object]:
    """Of the arms of a tagged union the one whose tag the data has; all of them where none has it."""
    return [kind for kind in kinds if not _is_model(kind) or _matches(kind, data)] or kinds


def inside(data: object, step: str | int) -> tuple[object] | None:
    """What stands under a step, in a tuple of one, or None where nothing does."""
    if isinstance(data, Mapping):
        return (data[step],) if step in data else None
    if isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
        return (data[step],)
    return None


def _arms(kind: object) -> Iterator[object]:
    """The kinds that a type stands for: unions and annotations are looked through."""
    kind = getattr(kind, "__value__", kind)
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _arms(get_args(kind)[0])
    elif origin in (Union, types.UnionType):
        for arm in get_args(kind):
            yield from _arms(arm)
    else:
        yield kind


def _below(kind: object, step: str | int) -> Iterator[object]:
    """The types that may stand under a step of a type."""
    if _is_model(kind):
        if (annotation := _fields(kind).get(str(step))) is not None:
            yield annotation
        return
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    if isinstance(step, str):
        yield from arguments[1:]
    else:
        yield from arguments


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _fields(kind: type[BaseModel]) -> dict[str, object]:
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def _matches(kind: type[BaseModel], data: object) -> bool:
    """Whether the data may be of this arm of a tagged union: a literal field says no where it differs."""
    if not isinstance(data, Mapping):
        return True
    tags = ((name, get_args(one)) for name, one in _fields(kind).items() if get_origin(one) is Literal)
    return all(name not in data or data[name] in values for name, values in tags)
