"""Files and values into models: all faults at once, each with its place, in words that a person can act on."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from adlayout.config.faults import found_faults
from adlayout.config.source import Source, Trail, dotted, parse, spot_of_byte
from adlayout.errors import ConfigError, Fault

M = TypeVar("M", bound=BaseModel)


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
        return parse(body.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as exc:
        spot = spot_of_byte(body, exc.start)
        message = f"not UTF-8 (got the byte 0x{body[exc.start]:02x}): save the file as UTF-8"
        raise ConfigError((Fault(f"{path}:{spot.line}:{spot.column}", message),)) from exc


def fit(source: Source, model: type[M]) -> M:
    """The source's values as a model. Raises `ConfigError` with its faults and those of the text, top to bottom."""
    faults = list(source.faults)
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
        raise ConfigError(
            tuple(Fault(_below(at, one.trail), one.message) for one in found_faults(exc, data, model))
        ) from exc


def _below(at: str, trail: Trail) -> str:
    return ".".join(part for part in (at, dotted(trail)) if part)
