"""The damaged articles of `make mutate`, a few of them in each run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    """The script, which is no part of the package."""
    loaded: dict[str, ModuleType] = {}
    for name in ("corpus", "mutate"):
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        loaded[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    return loaded["mutate"]


def test_no_damage_makes_a_layout_break_an_article(mutate: ModuleType) -> None:
    layouts = mutate.layouts()
    found = [
        (seed, layout.name, fault)
        for seed in range(300)
        for layout in layouts[seed % len(layouts) :][:1]
        for fault in mutate.faults(mutate.made(seed), layout)
    ]
    assert (len(layouts) >= 30, found) == (True, [])


def test_what_is_broken_is_found(mutate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same check, of slots whose markup does not stay where it is put."""
    monkeypatch.setattr(mutate, "empty_slot", lambda slot: "<p>not a slot")
    layout = next(one for one in mutate.layouts() if one.name == "every-2")
    assert [fault.partition(",")[0] for fault in mutate.faults("<p>One.</p>" * 4, layout)] == [
        "the tree is not the article's"
    ]
