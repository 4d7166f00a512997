"""Files and values into models: all faults at once, each with its place, in words that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from adlayout.config.faults import found_faults
from adlayout.config.source import Source, Trail, dotted, parse, spot_of_byte, steps
from adlayout.errors import ConfigError, Fault

M = TypeVar("M", bound=BaseModel)

# JSON is YAML but for this: what it writes in two escapes, as most of its writers do, YAML writes in one.
_SURROGATES: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


def read(path: Path, model: type[M]) -> M:
    """The file as a model. Raises `ConfigError` with every fault as `file:line:column: key: message`."""
    return fit(open_source(path), model)


def open_source(path: Path) -> Source:
    """The file's values and their places, not yet checked against anything."""
    try:
        body = path.read_bytes()
    except OSError as exc:
        raise ConfigError((Fault(str(path), f"cannot be read: {(exc.strerror or str(exc)).lower()}"),)) from exc
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        spot = spot_of_byte(body, exc.start)
        message = f"not UTF-8 (got the byte 0x{body[exc.start]:02x}): save the file as UTF-8"
        raise ConfigError((Fault(f"{path}:{spot.line}:{spot.column}", message),)) from exc
    return parse(_SURROGATES.sub(_one_character, text) if path.suffix == ".json" else text, str(path))


def _one_character(match: re.Match[str]) -> str:
    high, low = int(match[2], 16), int(match[3], 16)
    return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + low - 0xDC00:08x}"


def fit(source: Source, model: type[M], also: Iterable[Fault] = ()) -> M:
    """The source's values as a model. Raises `ConfigError` with its faults and those of the text, top to bottom.

    `also` are faults, at dotted paths, that others found in the values.
    """
    faults = list(source.faults)
    faults += [(source.spot(steps(one.at)), source.placed(one)) for one in also]
    try:
        value = model.model_validate(source.data)
    except ValidationError as exc:
        for one in found_faults(exc, source.data, model):
            fault = source.fault(one.trail, one.message, key=one.at_key)
            faults.append((source.spot(one.trail, key=one.at_key), fault))
    else:
        if not faults:
            return value
    faults.sort(key=lambda pair: (pair[0].line, pair[0].column))
    raise ConfigError(tuple(fault for _, fault in faults))


def validate(data: object, model: type[M], at: str = "") -> M:
    """Plain values, as JSON gives them, as a model. Raises `ConfigError` with faults at dotted paths below `at`."""
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        raise _refused(exc, data, model, at) from exc


def validate_json(text: str, model: type[M]) -> M:
    """A JSON text as a model. Raises `ConfigError` with faults at dotted paths, whatever the text is."""
    try:
        return model.model_validate_json(text.encode())
    except UnicodeEncodeError as exc:
        raise ConfigError((Fault("", "is not UTF-8"),)) from exc
    except ValidationError as exc:
        raise _refused(exc, _values(text), model) from exc


def _values(text: str) -> object:
    try:
        return from_json(text)
    except ValueError as exc:
        raise ConfigError((Fault("", f"Invalid JSON: {exc}"),)) from exc


def _refused(exc: ValidationError, data: object, model: type[BaseModel], at: str = "") -> ConfigError:
    return ConfigError(tuple(Fault(_below(at, one.trail), one.message) for one in found_faults(exc, data, model)))


def _below(at: str, trail: Trail) -> str:
    return ".".join(part for part in (at, dotted(trail)) if part)
