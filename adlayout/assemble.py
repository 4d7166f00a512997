"""A config directory becomes one edition: settings, layouts, templates, inventory files; all faults at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from adlayout.article.selectors import selector_fault
from adlayout.config.effective import effective
from adlayout.config.read import read
from adlayout.config.settings import Settings
from adlayout.decision.files import to_rows
from adlayout.decision.schema import InventoryFile
from adlayout.errors import ConfigError, Fault
from adlayout.model import Creative
from adlayout.placement.layout import Layout, compile_layout
from adlayout.placement.schema import LayoutFile
from adlayout.rendering.creative import Prepared, prepare
from adlayout.rendering.page import Templates
from adlayout.rows import Rows

M = TypeVar("M", LayoutFile, InventoryFile)


@dataclass(frozen=True, slots=True)
class Edition:
    """One consistent configuration; a request keeps the one it began with."""

    directory: Path
    settings: Settings
    layouts: Mapping[str, Layout]
    templates: Templates
    house_rows: Rows
    warnings: tuple[str, ...]

    def prepare(self, creative: Creative) -> Prepared:
        """The creative's markup, made once; raises BadMarkup (a ValueError) where it must not stand in a page."""
        return prepare(creative, self.templates)


def assemble(directory: Path, env: Mapping[str, str]) -> Edition:
    """Reads everything in the directory; raises ConfigError with every fault of every file."""
    faults: list[Fault] = []
    layouts = _layouts(directory, faults)
    files = [file for _, file in _files(directory / "inventory", InventoryFile, faults)]
    templates = None
    settings = None
    warnings: tuple[str, ...] = ()
    try:
        templates = Templates.load(directory / "templates")
    except ConfigError as exc:
        faults += exc.faults
    try:
        found = effective(directory, env)
        settings, warnings = found.settings, tuple(found.warnings)
        faults += found.layout_faults(layouts)
    except ConfigError as exc:
        faults += exc.faults
    if faults or settings is None or templates is None:
        raise ConfigError(tuple(faults))
    warned = tuple(warning for layout in layouts.values() for warning in layout.warnings)
    return Edition(directory, settings, layouts, templates, to_rows(files), (*warnings, *warned))


def _layouts(directory: Path, faults: list[Fault]) -> dict[str, Layout]:
    layouts: dict[str, Layout] = {}
    for path, file in _files(directory / "layouts", LayoutFile, faults):
        layout = compile_layout(file, path.stem)
        faults += selector_faults(layout, f"layouts/{path.name}")
        layouts[path.stem] = layout
    return layouts


def selector_faults(layout: Layout, at: str) -> list[Fault]:
    """Selectors of the layout that cannot be read."""
    needs = layout.needs
    container = (needs.container,) if needs.container is not None else ()
    every = (*needs.selectors, *needs.exclude_within, *needs.enter, *container)
    wrong = [(selector, selector_fault(selector)) for selector in dict.fromkeys(every)]
    return [Fault(at, f"inline: {message} (got {selector!r})") for selector, message in wrong if message]


def _files(folder: Path, model: type[M], faults: list[Fault]) -> list[tuple[Path, M]]:
    found: list[tuple[Path, M]] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found.append((path, read(path, model)))
        except ConfigError as exc:
            faults += [Fault(f"{folder.name}/{fault.at}", fault.message) for fault in exc.faults]
    return found
