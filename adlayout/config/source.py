"""YAML text into plain values that remember where they stood. Owns YAML and its limits; never what a key means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

import yaml

from adlayout.errors import ConfigError, Fault

Trail: TypeAlias = tuple[str | int, ...]

# Far above what people write, and low enough that a hostile file costs a second, not the machine.
_MAX_CHARS: Final = 8 * 1024 * 1024
_MAX_VALUES: Final = 200_000
_MAX_DEPTH: Final = 40
# Python refuses to read longer ones, and nothing that is configured is that large.
_MAX_DIGITS: Final = 300

# The core schema of YAML 1.2.2, section 10.3.2: `no`, `on`, `12:30` and `2026-01-01` are text.
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class _Mark(Protocol):
    """A position as the library gives it, counted from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file; both count from 1, columns in characters."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A file's values and where each key and value stood; `faults` are the text's own, as a key said twice.

    `laid_over` names, for values that did not come from the file, what they came from instead.
    """

    name: str
    data: object
    keys: Mapping[Trail, Spot]
    values: Mapping[Trail, Spot]
    faults: tuple[tuple[Spot, Fault], ...] = ()
    laid_over: Mapping[Trail, str] = field(default_factory=dict)

    def spot(self, trail: Trail, *, key: bool = False) -> Spot:
        """Where a value (or its key) stands; for what is not in the file, the nearest key or list item above it."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        if found := first.get(trail) or second.get(trail):
            return found
        if not trail:
            return Spot()
        above = trail[:-1]
        return self.keys.get(above) or self.spot(above)

    def fault(self, trail: Trail, message: str, *, key: bool = False) -> Fault:
        """A fault at `file:line:column`, or at what was laid over it, whose message begins with the dotted key."""
        spot = self.spot(trail, key=key)
        at = self.laid_over.get(trail) or f"{self.name}:{spot.line}:{spot.column}"
        return Fault(at, f"{dotted(trail)}: {message}" if trail else message)

    def placed(self, found: Fault, *, key: bool = False) -> Fault:
        """A fault at a dotted path, as `inline.no_after.0`, at its place in the file; no step may hold a dot."""
        return self.fault(steps(found.at), found.message, key=key)


def steps(path: str) -> Trail:
    """The trail that a dotted path spells; digits count list items."""
    return tuple(int(step) if step.isdecimal() else step for step in path.split("."))


def dotted(trail: Trail) -> str:
    """The trail as people write it, `sites.default.layouts.0.when`; what cannot be printed is escaped."""
    steps = (str(step) for step in trail)
    return ".".join(step if step.isprintable() else ascii(step)[1:-1] for step in steps)


def parse(text: str, name: str) -> Source:
    """The values of one YAML document; `name` is the file as faults shall name it.

    Raises `ConfigError` where the text is no YAML, or passes a limit. Keys are always text; an empty text is an empty
    mapping.
    """
    if len(text) > _MAX_CHARS:
        raise ConfigError((Fault(name, f"larger than {_MAX_CHARS // 1024 // 1024} MiB"),))
    try:
        _guard(text, name)
        node = _Loader(text).get_single_node()
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as exc:
        raise ConfigError((_syntax_fault(exc, text, name),)) from exc
    if node is None:
        return Source(name, {}, {}, {})
    walk = _Walk(name)
    data = walk.value(node, ())
    return Source(name, data, walk.keys, walk.values, tuple(walk.faults))


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain, unquoted text stands for by the core schema of YAML 1.2."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) <= _MAX_DIGITS:
        if _INT.fullmatch(text):
            return int(text)
        if _OCTAL_OR_HEX.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


class _Loader(yaml.CSafeLoader):
    """The C parser, with every plain scalar left as text: `scalar` reads it."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - declared without ClassVar by the library


def _guard(text: str, name: str) -> None:
    """Refuses what a composer would choke on, before it composes: it recurses in C, and no limit stops it."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _refused(event.start_mark, name, f"tags are not taken (got {tag}): write the value without it")
        if depth > _MAX_DEPTH:
            raise _refused(event.start_mark, name, f"nested deeper than {_MAX_DEPTH} levels")
        if count > 2 * _MAX_VALUES:
            raise _refused(event.start_mark, name, f"more than {_MAX_VALUES} values")


def _refused(mark: _Mark | None, name: str, message: str) -> ConfigError:
    return ConfigError((Fault(_at(name, mark), message),))


def _at(name: str, mark: _Mark | None) -> str:
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name


def _syntax_fault(exc: yaml.MarkedYAMLError | yaml.reader.ReaderError, text: str, name: str) -> Fault:
    if isinstance(exc, yaml.MarkedYAMLError):
        if (mark := exc.problem_mark) and text[mark.index : mark.index + 1] == "\t":
            return Fault(_at(name, mark), "not YAML: a tab, where lines are indented with spaces")
        what = ", ".join(part for part in (exc.context, exc.problem) if part)
        return Fault(_at(name, exc.problem_mark or exc.context_mark), f"not YAML: {what}")
    spot = spot_of_byte(text.encode(), exc.position)
    return Fault(f"{name}:{spot.line}:{spot.column}", f"not YAML: {exc.reason}")


def spot_of_byte(body: bytes, at: int) -> Spot:
    """Line and column of a byte in UTF-8."""
    before = body[:at].decode(errors="replace")
    return Spot(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


@dataclass(slots=True)
class _Walk:
    """One walk from nodes to values; an alias is walked again, so that its values have places and count."""

    name: str
    keys: dict[Trail, Spot] = field(default_factory=dict)
    values: dict[Trail, Spot] = field(default_factory=dict)
    faults: list[tuple[Spot, Fault]] = field(default_factory=list)

    def value(self, node: yaml.Node, trail: Trail) -> object:
        self.values[trail] = _spot(node)
        if len(trail) > _MAX_DEPTH or len(self.values) > _MAX_VALUES:
            raise _refused(node.start_mark, self.name, "aliases (`*name`) blow this up beyond all limits")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, trail)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*trail, at)) for at, item in enumerate(node.value)]
        return scalar(node.value) if isinstance(node, yaml.ScalarNode) and not node.style else node.value

    def _mapping(self, node: yaml.MappingNode, trail: Trail) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            if fault := self._key_fault(key, trail, found):
                self.faults.append((_spot(key), fault))
            else:
                below = (*trail, str(key.value))
                self.keys[below] = _spot(key)
                found[key.value] = self.value(value, below)
        return found

    def _key_fault(self, key: yaml.Node, trail: Trail, found: Mapping[str, object]) -> Fault | None:
        """What is wrong with a key by itself; the first of two equal keys stands, so that the rest is checked too."""
        spot = _spot(key)
        at = f"{self.name}:{spot.line}:{spot.column}"
        if not isinstance(key, yaml.ScalarNode):
            return Fault(at, f"{dotted(trail)}: a key has to be text" if trail else "a key has to be text")
        below = (*trail, key.value)
        if key.value == "<<" and not key.style:
            return Fault(at, f"{dotted(below)}: merge keys are not taken: write the keys out")
        if key.value in found:
            return Fault(at, f"{dotted(below)}: said twice, first on line {self.keys[below].line}")
        return None


def _spot(node: yaml.Node) -> Spot:
    return Spot(node.start_mark.line + 1, node.start_mark.column + 1)
