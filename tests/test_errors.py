"""The drawing of everything that can go wrong: every failure there is, in its place, with its room and its status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import NamedTuple

import adlayout
from adlayout import errors
from adlayout.errors import AdlayoutError, InputError

ROOT = AdlayoutError.__name__
_LINE = re.compile(
    r"^    (?P<trunk>(?:│   |    )*)[├└]── (?P<name>\w+) .*?"
    r"(?:\((?P<room>\w+)\))?\s*-> (?P<to>.*)$"
)


class Failure(NamedTuple):
    """A failure as it is drawn, or as it is."""

    kind: str
    room: str
    parent: str


def drawn() -> Iterator[tuple[Failure, str]]:
    """Each line of the drawing, with what comes of the failure."""
    above = [ROOT]
    for found in filter(None, map(_LINE.match, str(errors.__doc__).splitlines())):
        above = [*above[: len(found["trunk"]) // 4 + 1], found["name"]]
        yield Failure(found["name"], found["room"] or "errors", above[-2]), found["to"]


def failures(kind: type[AdlayoutError]) -> Iterator[type[AdlayoutError]]:
    for one in kind.__subclasses__():
        yield one
        yield from failures(one)


def raised() -> list[type[AdlayoutError]]:
    """Every failure that some room of ours has."""
    for module in walk_packages(adlayout.__path__, "adlayout."):
        import_module(module.name)
    return [one for one in failures(AdlayoutError) if one.__module__.startswith("adlayout.")]


def test_every_failure_is_drawn_in_its_place_with_its_room() -> None:
    found = {Failure(one.__name__, one.__module__.split(".")[1], one.__bases__[0].__name__) for one in raised()}
    assert {failure for failure, _ in drawn()} == found


def test_every_refusal_is_drawn_with_its_status() -> None:
    statuses = {one.__name__: one.status for one in raised() if issubclass(one, InputError) and one is not InputError}
    told = {failure.kind: int(to[-3:]) for failure, to in drawn() if failure.kind in statuses}
    assert told == statuses


def test_nobody_refuses_without_saying_what() -> None:
    titles = [one.title for one in raised() if issubclass(one, InputError)]
    assert len(set(titles)) == len(titles)
