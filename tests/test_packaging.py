"""What is shipped: the lock is in step with the project and names public addresses only."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
OWN = next(package for package in LOCK["package"] if package["name"] == PROJECT["name"])
NAME = re.compile(r"([A-Za-z0-9._-]+)(\[[a-z,]+\])?([^;]*)")


def wanted(requirements: list[str]) -> set[tuple[str, frozenset[str]]]:
    """Each requirement's name with the bounds of its version."""
    parts = [NAME.match(requirement) for requirement in requirements]
    return {(part[1].lower(), bounds(part[3])) for part in parts if part}


def bounds(specifier: str) -> frozenset[str]:
    return frozenset(bound.strip() for bound in specifier.split(",") if bound.strip())


def test_the_lock_is_in_step_with_the_project() -> None:
    """`uv lock` mends it."""
    locked = {(one["name"], bounds(one.get("specifier", ""))) for one in OWN["metadata"]["requires-dist"]}
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    assert locked == wanted([*PROJECT["dependencies"], *extras])


def test_the_lock_names_the_public_index_and_no_other_host() -> None:
    hosts = set(re.findall(r"https?://[^\s\"]*?(?=/packages/|\")", (ROOT / "uv.lock").read_text("utf-8")))
    assert hosts == {"https://pypi.org/simple", "https://files.pythonhosted.org"}
