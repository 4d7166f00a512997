"""The drawing of the architecture, held against the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "adlayout"
FLOORS = {
    "model": 0, "counts": 0, "errors": 0, "rows": 0, "formats": 0, "__init__": 0,
    "crew": 1, "config": 1, "store": 1, "telemetry": 1, "snapshots": 1,
    "article": 2, "placement": 2, "decision": 2, "rendering": 2, "events": 2, "privacy": 2,
    "experiments": 2,
    "compose": 3, "choosing": 3, "plans": 3, "deciding": 3, "imprint": 3, "answers": 3, "counting": 3,
    "upkeep": 3, "delivery": 3,
    "assemble": 3, "checks": 3, "publishing": 3, "reports": 3, "trials": 3, "simulate": 3, "corpus": 3, "report": 3,
    "rehearsal": 3,
    "cli": 4, "web": 4,
}  # fmt: skip
SOLE = {
    "turbohtml": "article",
    "jinja2": "rendering",
    "nh3": "rendering",
    "redis": "store",
    "yaml": "config",
    "crawleruseragents": "events",
    "scipy": "experiments",
}
DOORS_AND_STORY = 3


def imports() -> list[tuple[str, str]]:
    """Every import as (room, imported module)."""
    found = []
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found.append((room, node.module))
            elif isinstance(node, ast.Import):
                found += [(room, alias.name) for alias in node.names]
    return found


def test_imports_go_down_and_stages_do_not_know_each_other() -> None:
    ours = [(room, name.split(".")[1]) for room, name in imports() if name.startswith("adlayout.")]
    wrong = [
        (room, other)
        for room, other in ours
        if room != other
        and (FLOORS[other] > FLOORS[room] or (FLOORS[other] == FLOORS[room] and 0 < FLOORS[room] < DOORS_AND_STORY))
    ]
    assert wrong == []


@pytest.mark.parametrize(("library", "room"), SOLE.items())
def test_a_library_is_imported_in_one_room_only(library: str, room: str) -> None:
    assert {who for who, name in imports() if name.split(".")[0] == library} == {room}
