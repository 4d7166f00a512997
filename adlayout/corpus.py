"""The story of a check over a folder of articles: what layouts write that none of the articles ever needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Final

from adlayout.assemble import Edition
from adlayout.config.read import open_source
from adlayout.config.source import Source, steps
from adlayout.errors import Fault
from adlayout.model import Device, Reason, Verdict
from adlayout.placement.distance import Distance
from adlayout.placement.doubts import is_written
from adlayout.placement.layout import Layout
from adlayout.placement.measures import Measure, measures_to_gaps
from adlayout.placement.overlay import extended
from adlayout.placement.schema import Inline, LayoutFile
from adlayout.plans import Planned, judge
from adlayout.simulate import read

DEVICE: Final = Device.MOBILE
"""Most readers hold a phone, and a second device would double the time."""

# What a rule that keeps gaps free is called in a layout. That nothing is on a blocklist or marked is as it should be.
_KEYS: Final = {
    Reason.MIN_ARTICLE: "min_article",
    Reason.NO_AFTER: "no_after",
    Reason.NO_BEFORE: "no_before",
    Reason.KEEP_WITH_NEXT: "keep_with_next",
    Reason.CLEARANCE: "clearances",
    Reason.SMALL_NEIGHBOUR: "small_neighbour",
    Reason.END_GUARD: "end_guard",
    Reason.FIRST_SCREEN: "first_screen",
    Reason.MIN_BETWEEN: "min_between",
    Reason.DENSITY: "max_density",
}
_LONG: Final = ("min_article", "first", "every")


@dataclass(frozen=True, slots=True)
class Survey:
    """How many articles were read, and what was found, at the places of the layouts' files."""

    articles: int
    warnings: tuple[Fault, ...]


def survey(
    edition: Edition,
    folder: Path,
    files: tuple[str, ...],
    told: Callable[[int, int], None] = lambda done, all: None,
) -> Survey:
    """Judges these articles of a folder under every layout; `told` hears how many are done."""
    tallies = {name: _Tally(_asking(devices[DEVICE])) for name, devices in sorted(edition.layouts.items())}
    unread = []
    for done, file in enumerate(files, start=1):
        html = read(folder / file)
        if html is None:
            unread.append(Fault(str(folder / file), "cannot be read, and was left out"))
        else:
            for tally in tallies.values():
                tally.add(judge(html, tally.layout))
        told(done, len(files))
    articles = len(files) - len(unread)
    found = (fault for name, tally in tallies.items() if articles for fault in _placed(edition, name, tally))
    return Survey(articles, (*unread, *found))


def _asking(layout: Layout) -> Layout:
    """The layout, with the selectors of its weights asked about as those of its rules are."""
    weights = (weight.selector for weight in layout.needs.weights)
    return replace(layout, needs=replace(layout.needs, selectors=(*layout.needs.selectors, *weights)))


@dataclass(slots=True)
class _Tally:
    """What came to pass under one layout; `wholes` are the lengths of the articles."""

    layout: Layout
    articles: int = 0
    most_ads: int = 0
    ads_brought: int = 0
    uncontained: int = 0
    kept_free: Counter[Reason] = field(default_factory=Counter)
    matched: set[str] = field(default_factory=set)
    missing: Counter[str] = field(default_factory=Counter)
    wholes: set[Measure] = field(default_factory=set)

    def add(self, planned: Planned) -> None:
        """Counts one article in."""
        article, plan, positions = planned.article, planned.plan, self.layout.schedule.positions
        to_gap = measures_to_gaps(article.blocks)
        self.articles += 1
        self.most_ads = max(self.most_ads, len(plan.slots))
        self.ads_brought += article.marks.ads
        self.uncontained += "container_not_found" in article.warnings
        self.wholes.add(to_gap[-1])
        for gap in plan.gaps:
            if gap.verdict is not Verdict.SLOT:
                self.kept_free.update(reason.rule for reason in gap.reasons)
        for block in article.blocks:
            self.matched |= block.matches
        if positions is not None:
            self.missing.update(set(positions.meant(article.blocks, to_gap).missing))

    def is_reached(self, distance: Distance) -> bool:
        """Whether any of the articles is so long."""
        return any(distance.reached(Measure(whole=whole.whole), whole) for whole in self.wholes)

    def longest(self, distance: Distance) -> str:
        """How long the longest article is, in the units of the distance."""
        return distance.actual(Measure(*map(max, zip(*self.wholes, strict=True))))

    @property
    def many(self) -> str:
        """Of how many articles, and where, this is told."""
        return f"{self.articles:,} {'article' if self.articles == 1 else 'articles'} on {DEVICE}"


def _placed(edition: Edition, name: str, tally: _Tally) -> Iterator[Fault]:
    """What a layout's own file says of which nothing came, from its top down."""
    source = open_source(edition.directory / "layouts" / f"{name}.yaml")
    file = LayoutFile.model_validate(extended(source.data, edition.layout_keys))
    keys = file.inline.on(DEVICE)
    told = [*_without_ads(tally), *_too_long(keys, tally), *_nowhere(keys, tally)]
    if tally.most_ads:
        told += [*_never(keys, tally), *_unmatched(keys, tally), *_few(keys, tally)]
    found = [fault for one in told if (fault := _at(file, source, one)) is not None]
    found.sort(key=lambda fault: astuple(source.spot(steps(fault.at))))
    yield from map(source.placed, found)


def _at(file: LayoutFile, source: Source, told: Fault) -> Fault | None:
    """The same where the file writes it, for the device or for all; None where another file does."""
    rules = getattr(file.inline.devices, DEVICE)
    own = rules is not None and told.at.partition(".")[0] in rules.model_fields_set
    above = f"inline.devices.{DEVICE}" if own else "inline"
    if not told.at:
        return Fault(above, told.message)
    # One position may stand there without a list.
    paths = (f"{above}.{key}" for key in (told.at, told.at.removesuffix(".0")))
    return next((Fault(path, told.message) for path in paths if is_written(source.data, path)), None)


# What is told, at paths below `inline`.


def _without_ads(tally: _Tally) -> Iterator[Fault]:
    if not tally.most_ads:
        why = tally.kept_free.most_common(1)
        most = f", most gaps are kept free by {why[0][0]}" if why else ""
        yield Fault("", f"no article gets an ad, of {tally.many}{most}: see `adlayout explain` for one of them")


def _too_long(keys: Inline, tally: _Tally) -> Iterator[Fault]:
    for key in _LONG:
        distance = getattr(keys, key)
        if distance is None or (key != "min_article" and keys.positions is not None) or tally.is_reached(distance):
            continue
        yield Fault(key, f"{distance.text()} is more than any article has: the longest of {tally.many} has"
                    f" {tally.longest(distance)}")  # fmt: skip


def _nowhere(keys: Inline, tally: _Tally) -> Iterator[Fault]:
    if tally.uncontained == tally.articles:
        yield Fault(
            "container", f"matches nothing in {tally.many}, which are taken whole: see whether it is spelled as there"
        )
    for at, entry in enumerate(keys.positions.entries if keys.positions is not None else ()):
        if tally.missing[entry.text] == tally.articles:
            message = f"{entry.text} is in none of {tally.many}: name a position that they have"
            yield Fault(f"positions.{at}", message)


def _never(keys: Inline, tally: _Tally) -> Iterator[Fault]:
    for reason, key in _KEYS.items():
        if _is_active(keys, key) and not tally.kept_free[reason]:
            yield Fault(key, f"kept no gap free in {tally.many}: leave it out, or see whether it says what it should")


def _is_active(keys: Inline, key: str) -> bool:
    said: object = getattr(keys, key)
    if key == "first_screen":
        return said == "avoid"
    if key == "max_density":
        return said is not None and getattr(said, DEVICE) is not None
    return not getattr(said, "is_zero", not said)


def _unmatched(keys: Inline, tally: _Tally) -> Iterator[Fault]:
    """Selectors that no block matches, in rules that do keep gaps free: of the others enough is told."""
    for reason in (Reason.NO_AFTER, Reason.NO_BEFORE, Reason.KEEP_WITH_NEXT):
        without = [selector for selector in getattr(keys, _KEYS[reason]) if selector not in tally.matched]
        if without and tally.kept_free[reason]:
            yield Fault(_KEYS[reason], _without_match(", ".join(without), tally))
    for path, selector in _single_selectors(keys, clears=bool(tally.kept_free[Reason.CLEARANCE])):
        if selector not in tally.matched:
            yield Fault(path, _without_match(selector, tally))
    if keys.existing_ads.mode != "ignore" and not tally.ads_brought:
        yield Fault("existing_ads.selectors", _without_match(", ".join(keys.existing_ads.selectors), tally))


def _without_match(selectors: str, tally: _Tally) -> str:
    return f"nothing matches {selectors} in {tally.many}: leave it out, or see whether it is spelled as there"


def _single_selectors(keys: Inline, *, clears: bool) -> Iterator[tuple[str, str]]:
    """The selectors of clearances, if any of these keeps gaps free, and of weights, with their paths."""
    for at, one in enumerate(keys.clearances if clears else ()):
        yield f"clearances.{at}.selector", one.selector
        if one.lift_before_if_next is not None:
            yield f"clearances.{at}.lift_before_if_next", one.lift_before_if_next
    for at, weight in enumerate(keys.weights):
        yield f"weights.{at}.selector", weight.selector


def _few(keys: Inline, tally: _Tally) -> Iterator[Fault]:
    for at, step in enumerate(keys.escalate):
        if tally.most_ads < step.from_ads:
            ads = "1 ad stands" if tally.most_ads == 1 else f"{tally.most_ads} ads stand"
            yield Fault(f"escalate.{at}.from_ads", f"never comes: no more than {ads} in any of {tally.many}")
