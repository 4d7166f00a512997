"""JSON Schema of what ops write, made from the models, for editors: draft-07, which is what they read."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from itertools import pairwise
from textwrap import dedent
from typing import Any, Final, TypeAlias, get_args, get_type_hints

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Schema: TypeAlias = dict[str, Any]  # JSON, whose shape no type says

DRAFT: Final = "http://json-schema.org/draft-07/schema#"


def definitions_of(model: type[BaseModel]) -> Schema:
    """The schema of the model and of each model below it, by name; the text below a key is its description."""
    _, told = models_json_schema([(model, "validation")], ref_template="#/definitions/{model}")
    models = {one.__name__: one for one in _models(model)}
    definitions: Schema = told["$defs"]
    for name, definition in definitions.items():
        if name in models:
            for key, text in _texts(models[name]).items():
                definition["properties"].get(key, {})["description"] = text
    return {name: _bare(definition) for name, definition in sorted(definitions.items())}


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and every model that its keys hold, however deep in unions and lists."""
    waiting: list[object] = [model]
    seen: set[object] = set()
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
            seen.add(kind)
            yield kind
            waiting += [field.annotation for field in kind.model_fields.values()]
            waiting.append(get_type_hints(kind).get("__pydantic_extra__"))
        waiting += get_args(kind)


def _texts(model: type[BaseModel]) -> Mapping[str, str]:
    """The text that stands below each key in the source of a model and of those it is laid upon."""
    rooms = [room for room in model.__mro__ if issubclass(room, BaseModel) and room is not BaseModel]
    return {key: text for room in reversed(rooms) for key, text in _texts_of(room).items()}


def _texts_of(model: type[BaseModel]) -> Mapping[str, str]:
    body = ast.parse(dedent(inspect.getsource(model))).body[0]
    lines = body.body if isinstance(body, ast.ClassDef) else []
    return {
        above.target.id: below.value.value
        for above, below in pairwise(lines)
        if isinstance(above, ast.AnnAssign)
        and isinstance(above.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _bare(told: Any) -> Any:
    """Without what says nothing to a person: generated titles, formats that nobody checks, defaults of whole rooms."""
    if isinstance(told, list):
        return [_bare(one) for one in told]
    if not isinstance(told, dict):
        return told
    return {name: _bare(value) for name, value in told.items() if not _says_nothing(name, value)}


def _says_nothing(name: str, value: object) -> bool:
    generated = name in ("title", "format") and isinstance(value, str)
    return generated or (name == "default" and (value is None or isinstance(value, dict)))
