"""The story of a simulation: layouts over a folder of articles, what each would do, and what a change would move."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from adlayout.assemble import assemble
from adlayout.crew import Lost, each
from adlayout.errors import InputError
from adlayout.model import Device, Plan, Reason, Verdict
from adlayout.placement.density import MOST_OF_A_PAGE
from adlayout.placement.layout import Layout
from adlayout.placement.measures import Measure, measures_to_gaps
from adlayout.plans import Planned, judge

_SUFFIXES = frozenset({".html", ".htm"})
# An article of a megabyte takes a second or two.
_PATIENCE_S = 60.0
_WHOLE = 100


class Setup(NamedTuple):
    """The config directory, and the layouts of it and the devices that are simulated."""

    config: Path
    layouts: tuple[str, ...]
    devices: tuple[Device, ...] = tuple(Device)


class Ad(NamedTuple):
    """Where an ad stands: its gap, and what lies above it in paragraphs, in percent of the characters and in px."""

    gap: int
    paragraphs: int
    percent: float
    px: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One article under one layout on one device; `refused` counts the gaps that each rule refused."""

    file: str
    layout: str
    device: Device
    blocks: int
    ads: tuple[Ad, ...]
    density: float
    refused: Mapping[Reason, int]
    dropped: Mapping[Reason, int]
    warnings: tuple[str, ...]

    @property
    def gaps(self) -> tuple[int, ...]:
        """The gaps that hold ads."""
        return tuple(ad.gap for ad in self.ads)

    @property
    def why_none(self) -> Reason | None:
        """The rule that refused most gaps of an article without ads; None where there is nothing to see in it."""
        if not self.blocks:
            return None
        return max(self.refused, key=lambda rule: (self.refused[rule], rule), default=None)


@dataclass(frozen=True, slots=True)
class Run:
    """All sheets, by layout and device, in the order of the files; `unread` says of files why they are not in them."""

    folder: Path
    files: tuple[str, ...]
    sheets: Mapping[tuple[str, Device], tuple[Sheet, ...]]
    unread: Mapping[str, str]


def articles_in(folder: Path) -> tuple[str, ...]:
    """The HTML files below a folder, sorted; raises InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such directory: name a folder of HTML files")
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    files = tuple(sorted(map(str, found)))
    if not files:
        raise InputError(f"{folder}: holds no *.html and no *.htm: name a folder of HTML files")
    return files


def simulate(
    folder: Path,
    setup: Setup,
    *,
    jobs: int | None = None,
    patience_s: float = _PATIENCE_S,
    told: Callable[[int, int], None] = lambda done, all: None,
) -> Run:
    """Every article of a folder under each layout on each device, on all cores; `told` hears how many are done.

    An article that takes longer than the patience, or fails, is left out. Raises InputError for a folder without
    articles, ConfigError for a config that does not hold.
    """
    files = articles_in(folder)
    edition = assemble(setup.config, os.environ)
    duty = partial(
        _sheets, folder, [edition.layouts[name][device] for name in setup.layouts for device in setup.devices]
    )
    results: dict[str, tuple[Sheet, ...]] = {}
    unread: dict[str, str] = {}
    with closing(each(files, duty, jobs=jobs or os.cpu_count() or 1, patience_s=patience_s)) as answers:
        for answer in answers:
            if isinstance(answer, Lost):
                unread[answer.name] = answer.cause
            else:
                results[answer[0]] = answer[1]
            told(len(results) + len(unread), len(files))
    unread |= {file: "cannot be read" for file, found in results.items() if not found}
    sheets = {
        (layout, device): tuple(
            sheet
            for file in files
            for sheet in results.get(file, ())
            if (sheet.layout, sheet.device) == (layout, device)
        )
        for layout in setup.layouts
        for device in setup.devices
    }
    return Run(folder, files, sheets, {file: unread[file] for file in files if file in unread})


def _sheets(folder: Path, layouts: Sequence[Layout], file: str) -> tuple[str, tuple[Sheet, ...]]:
    """The sheets of one article, with its name; none where it cannot be read."""
    html = read(folder / file)
    return file, () if html is None else tuple(sheet_of(file, judge(html, layout)) for layout in layouts)


def read(path: Path) -> str | None:
    """The article in a file, each invalid byte as one character; None where it cannot be read."""
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return None


def sheet_of(file: str, planned: Planned) -> Sheet:
    """What is kept of an article's plan."""
    plan, to_gap = planned.plan, measures_to_gaps(planned.article.blocks)
    return Sheet(
        file,
        planned.layout,
        planned.device,
        len(planned.article.blocks),
        tuple(_ad(slot.gap, to_gap) for slot in plan.slots if slot.gap is not None),
        plan.space.density,
        _refused(plan),
        Counter(dropped.reason for dropped in plan.dropped),
        planned.warnings,
    )


def _ad(gap: int, to_gap: Sequence[Measure]) -> Ad:
    above, whole = to_gap[gap], to_gap[-1]
    share = above.chars / whole.chars if whole.chars else gap / max(1, len(to_gap) - 1)
    return Ad(gap, above.paragraphs, round(_WHOLE * share, 1), above.px)


def _refused(plan: Plan) -> Mapping[Reason, int]:
    refused = (judgement for judgement in plan.gaps if judgement.verdict is not Verdict.SLOT)
    return Counter(rule for judgement in refused for rule in {reason.rule for reason in judgement.reasons})


# What all of it comes to.


@dataclass(frozen=True, slots=True)
class Summary:
    """A layout on a device over all articles. `ads` leads from a number of ads to how many articles have so many.

    `refused` leads from a rule to the gaps it kept free and the articles in which it did, `none` from the rule that
    kept most gaps of an article without ads free to such articles. `depth` is that of the first ads: the medians of
    paragraphs, percent and px above them.
    """

    articles: int
    ads: Mapping[int, int]
    mean_ads: float
    median_ads: float
    density: tuple[float, ...]
    over: int
    depth: tuple[float, float, float] | None
    refused: Mapping[Reason, tuple[int, int]]
    dropped: Mapping[Reason, int]
    none: Mapping[Reason | None, tuple[str, ...]]
    warnings: Mapping[str, int]

    @property
    def median_density(self) -> float:
        """The density that half of the articles do not exceed, 0 to 1."""
        return median(self.density) if self.density else 0.0

    @property
    def high_density(self) -> float:
        """The density that nine of ten articles do not exceed."""
        return sorted(self.density)[max(0, -(-9 * len(self.density) // 10) - 1)] if self.density else 0.0


def summarise(sheets: Sequence[Sheet]) -> Summary:
    """What the articles of one layout on one device come to."""
    counts = [len(sheet.ads) for sheet in sheets]
    first = [sheet.ads[0] for sheet in sheets if sheet.ads]
    return Summary(
        articles=len(sheets),
        ads=dict(sorted(Counter(counts).items())),
        mean_ads=round(mean(counts), 2) if counts else 0.0,
        median_ads=median(counts) if counts else 0.0,
        density=tuple(sheet.density for sheet in sheets),
        over=sum(sheet.density > MOST_OF_A_PAGE / _WHOLE for sheet in sheets),
        depth=_depth(first) if first else None,
        refused=_by_rule(sheets),
        dropped=dict(sum((Counter(sheet.dropped) for sheet in sheets), Counter())),
        none=_none(sheets),
        warnings=dict(Counter(warning for sheet in sheets for warning in sheet.warnings).most_common()),
    )


def _depth(ads: Iterable[Ad]) -> tuple[float, float, float]:
    _, paragraphs, percents, px = zip(*ads, strict=True)
    return float(median(paragraphs)), float(median(percents)), float(median(px))


def _by_rule(sheets: Iterable[Sheet]) -> dict[Reason, tuple[int, int]]:
    found: dict[Reason, tuple[int, int]] = {}
    for sheet in sheets:
        for rule, gaps in sheet.refused.items():
            before = found.get(rule, (0, 0))
            found[rule] = (before[0] + gaps, before[1] + 1)
    return dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0])))


def _none(sheets: Iterable[Sheet]) -> dict[Reason | None, tuple[str, ...]]:
    found: dict[Reason | None, list[str]] = {}
    for sheet in sheets:
        if not sheet.ads:
            found.setdefault(sheet.why_none, []).append(sheet.file)
    return {
        rule: tuple(files) for rule, files in sorted(found.items(), key=lambda item: (-len(item[1]), item[0] or ""))
    }


@dataclass(frozen=True, slots=True)
class Change:
    """An article whose ads stand elsewhere under another layout: the gaps before and after."""

    file: str
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def moved(self) -> int:
        """How many gaps gained or lost an ad."""
        return len(set(self.before) ^ set(self.after))


def changes(before: Sequence[Sheet], after: Sequence[Sheet]) -> tuple[Change, ...]:
    """The articles that are different, those that changed most first."""
    pairs = (Change(old.file, old.gaps, new.gaps) for old, new in zip(before, after, strict=True))
    return tuple(sorted((pair for pair in pairs if pair.moved), key=lambda change: (-change.moved, change.file)))
