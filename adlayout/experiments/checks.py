"""What one experiment cannot know by itself: sites, layouts, and the other experiments. Opens no file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from math import fsum
from typing import Final, TypeAlias

from adlayout.config.faults import nearest
from adlayout.errors import Fault
from adlayout.experiments.schema import ExperimentRow, ExperimentsFile, Namespace

# Who is hashed how, and the stretches that are taken of them.
_Claim: TypeAlias = tuple[tuple[object, ...], tuple[tuple[float, ...], ...]]

# Readers fall into ten thousand buckets; a share below half of one is nobody.
_NOBODY: Final = 0.00005


def faults(file: ExperimentsFile, layouts: Collection[str], sites: Collection[str]) -> Iterator[Fault]:
    """Sites and layouts that do not exist, each at its dotted path."""
    for at, row in enumerate(file.experiments):
        if row.site not in sites:
            yield Fault(f"experiments.{at}.site", f'no site "{row.site}", {nearest(row.site, sites)}')
        for nth, name in enumerate(row.variations):
            if name not in layouts:
                yield Fault(f"experiments.{at}.variations.{nth}", f'no layout "{name}", {nearest(name, layouts)}')


def warnings(file: ExperimentsFile, layouts: Mapping[str, object], *, shards: int = 1) -> Iterator[Fault]:
    """What holds and hardly does what was meant, each at its dotted path.

    `layouts` is what each layout that the file names compiles to, under one name for all, so that equal ones are equal;
    `shards` is into how many parts the counters are split.
    """
    for at, row in enumerate(file.experiments):
        path = f"experiments.{at}"
        if shards > 1 and "url" in (row.hashAttribute, row.fallbackAttribute):
            # A page's events are counted in one shard, and a reader's caps need it to be his.
            key = "hashAttribute" if row.hashAttribute == "url" else "fallbackAttribute"
            yield Fault(f"{path}.{key}", "with several store.shards an article is a unit in each shard of its readers")
        yield from (Fault(f"{path}.{key}", message) for key, message in _alone(row, layouts))
        for earlier in file.experiments[:at]:
            yield from (Fault(f"{path}.{key}", message) for key, message in _beside(row, earlier))


def _alone(row: ExperimentRow, layouts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    control = row.variations[0]
    for nth, name in enumerate(row.variations[1:], 1):
        if layouts[name] == layouts[control]:
            yield f"variations.{nth}", f'"{name}" does just what "{control}" does: a test of nothing (A/A)'
    yield from _shares(row)
    if row.hashVersion == 1:
        yield "hashVersion", "1 deals readers alike in tests that run beside each other: write 2 for a new test"
    if row.filters and row.namespace:
        yield "namespace", "`filters` decide, and this is not asked"


def _shares(row: ExperimentRow) -> Iterator[tuple[str, str]]:
    if row.ranges is not None:
        if row.weights is not None:
            yield "weights", "`ranges` decide, and this is not asked"
        if row.coverage != 1:
            yield "coverage", "`ranges` decide, and this is not asked"
        for (_, one), (nth, other) in combinations(enumerate(row.ranges), 2):
            if _meet((one,), (other,)):
                yield f"ranges.{nth}", "meets one before it, which gets those who fall into both"
        return
    weights = row.weights or ()
    missing = 1 - fsum(weights or (1,))
    if missing > _NOBODY:
        yield "weights", f"leave {missing:.2%} of readers out: the sum is {fsum(weights):.6g}"
    for nth, share in enumerate(weights):
        if share * row.coverage < _NOBODY:
            yield f"weights.{nth}", f'nobody sees "{row.variations[nth]}"'


def _beside(row: ExperimentRow, earlier: ExperimentRow) -> Iterator[tuple[str, str]]:
    """What comes between two tests of one site, the later of which is asked only where the earlier takes nobody."""
    if row.site != earlier.site or not (row.status == earlier.status == "running") or _are_apart(row, earlier):
        return
    mine, others = _namespace(row), _namespace(earlier)
    if mine and others and mine.name == others.name:
        if _hashed(row) != _hashed(earlier):
            yield "namespace", f'"{earlier.key}" is in it with another unit, which keeps nobody apart'
        else:
            yield "namespace", f'meets that of "{earlier.key}" in "{mine.name}", which takes those of both'
    elif not (row.condition and earlier.condition):
        message = f'gets only whom "{earlier.key}" leaves over, which is asked before it: give each a `namespace`'
        yield "key", message


def _are_apart(one: ExperimentRow, other: ExperimentRow) -> bool:
    """Whether no page can be in both."""
    if one.when and other.when:
        for mine, others in ((one.when.section, other.when.section), (one.when.device, other.when.device)):
            if mine and others and {name.casefold() for name in mine}.isdisjoint(name.casefold() for name in others):
                return True
    return any(
        who == other_who and not _meet(spans, other_spans)
        for who, spans in _claims(one)
        for other_who, other_spans in _claims(other)
    )


def _claims(row: ExperimentRow) -> Iterator[_Claim]:
    if row.filters:
        yield from (((one.seed, one.attribute, one.hashVersion), one.ranges) for one in row.filters)
    elif space := _namespace(row):
        yield (space.name, *_hashed(row)), (space.range,)


def _namespace(row: ExperimentRow) -> Namespace | None:
    """The namespace, where it is asked at all."""
    return None if row.filters else row.namespace


def _hashed(row: ExperimentRow) -> tuple[str, str | None]:
    """Who is dealt into a namespace: an article in place of a reader falls anywhere."""
    return row.hashAttribute, row.fallbackAttribute


def _meet(spans: tuple[tuple[float, ...], ...], others: tuple[tuple[float, ...], ...]) -> bool:
    return any(max(one[0], other[0]) < min(one[1], other[1]) for one in spans for other in others)
