"""A config directory becomes one edition: settings, layouts, templates, inventory files; all faults at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from adlayout.checks import (
    Read,
    inventory_faults,
    inventory_warnings,
    layout_data_faults,
    layout_warnings,
    markup_faults,
    proven,
    slot_warnings,
    template_faults,
)
from adlayout.config.effective import Effective, effective
from adlayout.config.read import fit, open_source
from adlayout.config.settings import Settings
from adlayout.config.source import Source
from adlayout.decision.files import to_rows
from adlayout.decision.schema import InventoryFile
from adlayout.errors import ConfigError, Fault
from adlayout.experiments.assign import Experiment, experiments_of
from adlayout.experiments.checks import faults, warnings
from adlayout.experiments.schema import ExperimentsFile
from adlayout.model import Creative, Device
from adlayout.placement.layout import Layout, compile_all
from adlayout.placement.overlay import extended
from adlayout.placement.schema import LayoutFile
from adlayout.rendering.creative import Prepared
from adlayout.rendering.page import PageContext, Templates
from adlayout.rows import Rows

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Edition:
    """One consistent configuration; a request keeps the one it began with.

    `experiments` are those that pages may be in, by site; `all_experiments` every one of the file, drafts too.
    """

    directory: Path
    settings: Settings
    layouts: Mapping[str, Mapping[Device, Layout]]
    layout_keys: Mapping[str, object]
    experiments: Mapping[str, tuple[Experiment, ...]]
    all_experiments: tuple[Experiment, ...]
    templates: Templates
    house_rows: Rows
    warnings: tuple[Fault, ...]

    def prepare(self, creative: Creative) -> Prepared:
        """The creative's markup, made once; raises BadMarkup (a ValueError) where it must not stand in a page."""
        return proven(creative, self.templates)


def assemble(directory: Path, env: Mapping[str, str]) -> Edition:
    """Reads everything in the directory; raises ConfigError with every fault of every file."""
    found = _Found()
    settings = found.take(lambda: effective(directory, env))
    if settings is not None:
        found.faults += settings.layout_faults([path.stem for path in _paths(directory / "layouts")])
    before = len(found.faults)
    sources = found.sources(directory / "layouts")
    layouts = found.layouts(sources)
    # Which faults show at once and which only beside other files is not what ops look for them by.
    found.faults[before:] = sorted(found.faults[before:], key=lambda fault: fault.at.partition(":")[0])
    templates, wrong = Templates.attempt(directory / "templates")
    found.faults += wrong
    inventory = found.inventories(found.sources(directory / "inventory"))
    if len(inventory) == len(_paths(directory / "inventory")):
        found.faults += inventory_faults(inventory)
    experiments = found.experiments(directory / "experiments.yaml")
    if experiments is not None and settings is not None:
        sites, names = settings.settings.sites, [path.stem for path in _paths(directory / "layouts")]
        found.faults += [experiments.source.placed(one) for one in faults(experiments.contents, names, sites)]
    found.faults += template_faults(layouts, templates, _heads(settings), also=found.templates())
    found.faults += markup_faults(inventory, templates)
    if found.faults or settings is None:
        raise ConfigError(tuple(found.faults))
    every = experiments_of(experiments.contents) if experiments is not None else ()
    return Edition(
        directory=directory,
        settings=settings.settings,
        layouts={file.name: compile_all(file.contents, file.name) for file in layouts},
        layout_keys={name: source.data for name, source in sources.items()},
        experiments=_by_site(every),
        all_experiments=every,
        templates=templates,
        house_rows=to_rows(file.contents for file in inventory),
        warnings=(
            *settings.warnings,
            *layout_warnings(layouts, inventory),
            *slot_warnings(layouts, templates),
            *inventory_warnings(inventory),
            *_experiment_warnings(experiments, layouts, settings.settings.store.shards),
            *_unread(directory),
        ),
    )


@dataclass(slots=True)
class _Found:
    """The faults so far, and the files that do not hold; reading goes on after each."""

    faults: list[Fault] = field(default_factory=list)
    broken: list[Source] = field(default_factory=list)

    def take(self, read: Callable[[], T]) -> T | None:
        """What is read; None, and its faults kept, where it does not hold."""
        try:
            return read()
        except ConfigError as exc:
            self.faults += exc.faults
            return None

    def sources(self, folder: Path) -> dict[str, Source]:
        """Every file of the folder that can be read, by its name without its ending."""
        read = {path.stem: self.take(partial(open_source, path)) for path in _paths(folder)}
        return {name: source for name, source in read.items() if source is not None}

    def layouts(self, sources: Mapping[str, Source]) -> list[Read[LayoutFile]]:
        """Every layout that holds, laid over those it extends."""
        keys = {name: source.data for name, source in sources.items()}
        read = [self._layout(name, source, keys) for name, source in sources.items()]
        return [file for file in read if file is not None]

    def inventories(self, sources: Mapping[str, Source]) -> list[Read[InventoryFile]]:
        """Every inventory file that holds."""
        read = {name: self.take(partial(fit, source, InventoryFile)) for name, source in sources.items()}
        return [Read(name, sources[name], file) for name, file in read.items() if file is not None]

    def experiments(self, path: Path) -> Read[ExperimentsFile] | None:
        """The tests of layouts, where there is a file of them and it holds."""
        source = self.take(partial(open_source, path)) if path.exists() else None
        contents = self.take(lambda: fit(source, ExperimentsFile)) if source is not None else None
        return Read(path.stem, source, contents) if source is not None and contents is not None else None

    def _layout(self, name: str, source: Source, keys: Mapping[str, object]) -> Read[LayoutFile] | None:
        also = layout_data_faults(source.data, name)
        try:
            whole = extended(source.data, keys)
        except ConfigError as exc:
            whole, also = source.data, (*also, *exc.faults)
        contents = self.take(lambda: fit(replace(source, data=whole), LayoutFile, also))
        if contents is None:
            self.broken.append(source)
            return None
        return Read(name, source, contents)

    def templates(self) -> set[str]:
        """The templates of layouts that do not hold, so that their faults are told at once too."""
        named = (source.data.get("template", "article") for source in self.broken if isinstance(source.data, dict))
        return {name for name in named if isinstance(name, str)}


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


def _by_site(experiments: Iterable[Experiment]) -> Mapping[str, tuple[Experiment, ...]]:
    """The tests that pages may be asked for, by the site whose pages they are: drafts only for units that are named."""
    sites: dict[str, tuple[Experiment, ...]] = {}
    for one in experiments:
        if one.status == "running" or one.force is not None or one.forced_units:
            sites[one.site] = (*sites.get(one.site, ()), one)
    return sites


def _experiment_warnings(
    file: Read[ExperimentsFile] | None, layouts: Iterable[Read[LayoutFile]], shards: int
) -> Iterable[Fault]:
    """What hardly does what was meant, each at its line."""
    if file is None:
        return
    alike = {layout.name: compile_all(layout.contents, "any") for layout in layouts}
    for one in warnings(file.contents, alike, shards=shards):
        yield file.source.placed(one, key=True)


def _heads(settings: Effective | None) -> list[PageContext]:
    """What the head of each site's pages says."""
    sites = settings.settings.sites.values() if settings is not None else ()
    return [PageContext(site.name, site.tagline, site.language) for site in sites] or [
        PageContext("News", language="en")
    ]


def _unread(directory: Path) -> Iterable[Fault]:
    """A warning for each file whose ending leaves it unread."""
    for folder in ("layouts", "inventory"):
        for path in sorted((directory / folder).glob("*.yml")):
            yield Fault(str(path), "is not read: call it *.yaml")
