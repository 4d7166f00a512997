"""The settings that hold: `adlayout.yaml` with the environment laid over it, and where each value came from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from adlayout.config.faults import hide_password
from adlayout.config.read import fit, open_source
from adlayout.config.settings import Settings
from adlayout.config.source import Source, Trail, dotted, scalar
from adlayout.errors import ConfigError, Fault

FILE: Final = "adlayout.yaml"

VARIABLES: Final[Mapping[str, Trail]] = {
    "ADLAYOUT_REDIS_URL": ("store", "url"),
    "ADLAYOUT_SHARDS": ("store", "shards"),
    "ADLAYOUT_DATA_DIR": ("store", "data_dir"),
    "ADLAYOUT_STATE_DIR": ("counting", "state_dir"),
    "ADLAYOUT_HOST": ("server", "host"),
    "ADLAYOUT_PORT": ("server", "port"),
    "ADLAYOUT_WORKERS": ("server", "workers"),
    "ADLAYOUT_PUBLIC_URL": ("public_url",),
}
TOKENS: Final[Mapping[str, Trail]] = {
    "ADLAYOUT_CMS_TOKEN": ("cms_token",),
    "ADLAYOUT_ADMIN_TOKEN": ("admin_token",),
    "ADLAYOUT_SECRET": ("secret",),
}
_NUMBERS: Final = frozenset({"ADLAYOUT_PORT", "ADLAYOUT_WORKERS", "ADLAYOUT_SHARDS"})
_TOKEN: Final = re.compile(r"[\x21-\x7e]+"), "a token is one or more visible ASCII characters, without spaces"
_SECRET: Final = (
    re.compile(r"[\x21-\x2b\x2d-\x7e]{16,}(,[\x21-\x2b\x2d-\x7e]{16,})*"),
    "a secret is 16 or more visible ASCII characters, without spaces; a comma parts two of them",
)
# Kubernetes sets ADLAYOUT_PORT_8080_TCP and the like for a Service named adlayout: far from what is meant here.
_MISSPELT: Final = 0.85


@dataclass(frozen=True, slots=True)
class Value:
    """One effective setting, fit to be shown: no secret is in it."""

    key: str
    shown: object
    origin: str


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings and what they were read from."""

    settings: Settings
    source: Source
    warnings: tuple[Fault, ...] = ()

    def layout_faults(self, known: Collection[str]) -> tuple[Fault, ...]:
        """A fault for each place that names a layout which is not among the known ones."""
        return tuple(self.source.fault(trail, message) for trail, message in self.settings.unknown_layouts(known))

    def values(self) -> tuple[Value, ...]:
        """Every setting that holds, and where it was set: a line of the file, a variable, or the default."""
        leaves = _leaves(self.settings, ())
        return tuple(Value(dotted(trail), _fit_to_show(trail, value), self._origin(trail)) for trail, value in leaves)

    def _origin(self, trail: Trail) -> str:
        if trail in self.source.laid_over:
            return self.source.laid_over[trail]
        if trail in self.source.keys:
            return f"{self.source.name}:{self.source.keys[trail].line}"
        return "default"


def load_settings(directory: Path, env: Mapping[str, str]) -> Settings:
    """The settings of a config directory under an environment. Raises `ConfigError` with every fault."""
    return effective(directory, env).settings


def effective(directory: Path, env: Mapping[str, str]) -> Effective:
    """The settings and where they came from. Raises `ConfigError` with every fault.

    A variable that is empty counts as not set. Tokens and secrets may stand in a file that a variable such as
    `ADLAYOUT_CMS_TOKEN_FILE` names, and never in `adlayout.yaml`.
    """
    source = open_source(directory / FILE)
    tokens, faults = _tokens(env)
    faults += _written_tokens(source)
    source = _lay_over(source, _overrides(env) | tokens)
    try:
        settings = fit(source, Settings)
    except ConfigError as exc:
        raise ConfigError((*faults, *exc.faults)) from exc
    faults += [source.fault(trail, message) for trail, message in settings.contradictions()]
    if faults:
        raise ConfigError(tuple(faults))
    return Effective(settings, source, tuple(_misspelt(env)))


def state_directory(settings: Settings, env: Mapping[str, str]) -> Path | None:
    """Where workers write down what happened; None where nothing outlives the service, its embedded store included."""
    if settings.counting.state_dir is not None:
        return settings.counting.state_dir
    if settings.store.url is None:
        return settings.store.data_dir
    base = env.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "adlayout"


Overrides = dict[Trail, tuple[str, object]]


def _overrides(env: Mapping[str, str]) -> Overrides:
    """From the key to the variable that sets it and what it sets."""
    given = {name: trail for name, trail in VARIABLES.items() if env.get(name)}
    return {trail: (name, scalar(env[name]) if name in _NUMBERS else env[name]) for name, trail in given.items()}


def _tokens(env: Mapping[str, str]) -> tuple[Overrides, list[Fault]]:
    """The tokens and secrets, and what is wrong with them; no message ever holds one."""
    overrides: Overrides = {}
    faults: list[Fault] = []
    for name, trail in TOKENS.items():
        origin, token, problem = _token(name, env)
        form, expected = _SECRET if name == "ADLAYOUT_SECRET" else _TOKEN
        if token is not None and not problem and not form.fullmatch(token):
            problem = expected
        if problem:
            faults.append(Fault(f"environment {origin}", problem))
        elif token is not None:
            overrides[trail] = (origin, token)
    return overrides, faults


def _token(name: str, env: Mapping[str, str]) -> tuple[str, str | None, str]:
    """The variable that gives the token, the token, and what stands in the way."""
    file = f"{name}_FILE"
    if not env.get(file):
        return name, env.get(name) or None, ""
    if env.get(name):
        return file, None, f"{name} is set too: keep one of the two"
    try:
        return file, Path(env[file]).read_bytes().decode("latin-1").strip(), ""
    except OSError as exc:
        return file, None, f"{env[file]} cannot be read: {(exc.strerror or str(exc)).lower()}"


def _written_tokens(source: Source) -> list[Fault]:
    if not isinstance(source.data, dict):
        return []
    written = ((name, trail) for name, trail in TOKENS.items() if trail[0] in source.data)
    return [
        source.fault(trail, f"a secret does not belong in this file: set {name}", key=True) for name, trail in written
    ]


def _lay_over(source: Source, overrides: Overrides) -> Source:
    """The source with other values in place of its own; a room that is no mapping is left for `fit` to refuse."""
    if not isinstance(source.data, dict):
        return source
    data = dict(source.data)
    laid_over: dict[Trail, str] = {}
    for trail, (name, value) in overrides.items():
        *rooms, last = trail
        room = _room(data, rooms[0]) if rooms else data
        if isinstance(room, dict):
            room[last] = value
            laid_over[trail] = f"environment {name}"
    return replace(source, data=data, laid_over=laid_over)


def _room(above: dict[object, object], step: object) -> object:
    """The mapping under a step, as a copy that may be written to; an absent one is made."""
    below = above.get(step)
    if isinstance(below, dict) or below is None:
        above[step] = dict(below or {})
    return above[step]


def _misspelt(env: Mapping[str, str]) -> Iterator[Fault]:
    """A warning for each variable that looks like one of ours and is none."""
    known = {*VARIABLES, *TOKENS, *(f"{name}_FILE" for name in TOKENS)}
    for name in sorted(name for name in env if name.startswith("ADLAYOUT_") and name not in known):
        if near := difflib.get_close_matches(name, known, n=1, cutoff=_MISSPELT):
            yield Fault(f"environment {name}", f'not a variable of adlayout, did you mean "{near[0]}"?')


def _leaves(value: object, trail: Trail) -> Iterator[tuple[Trail, object]]:
    """Every setting with its trail; lists of plain values are one setting."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), (*trail, name))
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, (*trail, key))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for at, below in enumerate(value):
            yield from _leaves(below, (*trail, at))
    else:
        yield trail, value


def _fit_to_show(trail: Trail, value: object) -> object:
    if value is not None and trail in TOKENS.values():
        return "(set)"
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return hide_password(value) if isinstance(value, str) else value
