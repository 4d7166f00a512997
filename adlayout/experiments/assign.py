"""From a page's attributes to a variation: the same for the same unit always, and the one that GrowthBook gives.

The order is that of its Python SDK 4.0.0, `_run_experiment`, without what needs a memory (sticky buckets,
prerequisites). Knows no layout but by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from adlayout.config.settings import When
from adlayout.experiments.condition import Condition, holds
from adlayout.experiments.hashing import Span, bucket_of, bucket_ranges, choose, equal_weights, in_namespace, unit_text
from adlayout.experiments.schema import ExperimentRow, ExperimentsFile
from adlayout.model import Device

Attributes: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Space:
    """A stretch of a namespace."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Sieve:
    """The readers who fall into one of some stretches, by a hash of their own."""

    seed: str
    attribute: str
    hash_version: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One test, ready to be asked. `ranges` are the stretches of its variations, `weights` their shares of 1."""

    key: str
    site: str
    status: str
    variations: tuple[str, ...]
    variation_keys: tuple[str, ...]
    variation_names: tuple[str, ...]
    weights: tuple[float, ...]
    ranges: tuple[Span, ...]
    hash_attribute: str = "id"
    fallback_attribute: str | None = None
    hash_version: int = 2
    seed: str = ""
    phase: str | None = None
    when: When | None = None
    condition: Condition | None = None
    namespace: Space | None = None
    filters: tuple[Sieve, ...] = ()
    forced_units: Mapping[str, int] = field(default_factory=dict)
    force: int | None = None
    metrics: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    minimum_days: int = 3
    power: float = 0.8
    lift: float = 0.05


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an experiment makes of a page. Only where `hash_used` the page counts, as one of `unit`.

    Out of it, the variation is 0 and `in_experiment` false; who was forced is in it without the hash.
    """

    key: str
    variation_id: int
    variation_key: str
    in_experiment: bool
    hash_used: bool
    bucket: float | None
    unit: str = field(default="", repr=False)


def experiments_of(file: ExperimentsFile) -> tuple[Experiment, ...]:
    """The tests of a checked file, in its order."""
    return tuple(_experiment(row) for row in file.experiments)


def _experiment(row: ExperimentRow) -> Experiment:
    ranges, weights = _ranges(row)
    meta = row.meta or ()
    keys = tuple((at < len(meta) and meta[at].key) or str(at) for at in range(len(row.variations)))
    names = tuple((at < len(meta) and meta[at].name) or key for at, key in enumerate(keys))
    return Experiment(
        key=row.key,
        site=row.site,
        status=row.status,
        variations=row.variations,
        variation_keys=keys,
        variation_names=names,
        weights=weights,
        ranges=ranges,
        hash_attribute=row.hashAttribute,
        fallback_attribute=row.fallbackAttribute,
        hash_version=row.hashVersion,
        seed=row.seed or row.key,
        phase=row.phase,
        when=row.when,
        condition=row.condition or None,
        namespace=Space(row.namespace.name, _span(row.namespace.range)) if row.namespace else None,
        filters=tuple(
            Sieve(one.seed, one.attribute, one.hashVersion, tuple(map(_span, one.ranges))) for one in row.filters
        ),
        forced_units=row.forcedVariations,
        force=row.force,
        metrics=row.metrics,
        guardrails=row.guardrails,
        minimum_days=row.minimum_days,
        power=row.power,
        lift=row.lift,
    )


def _ranges(row: ExperimentRow) -> tuple[tuple[Span, ...], tuple[float, ...]]:
    """The stretches of the variations and what share of those in the test falls into each."""
    count = len(row.variations)
    if not row.ranges:
        return bucket_ranges(count, row.coverage, row.weights), row.weights or equal_weights(count)
    ranges = tuple(map(_span, row.ranges))
    whole = sum(end - start for start, end in ranges)
    return ranges, tuple((end - start) / whole if whole else 0.0 for start, end in ranges)


def _span(said: tuple[float, ...]) -> Span:
    return (said[0], said[1])


def first_assignment(
    experiments: Iterable[Experiment], attributes: Attributes, *, forced: Mapping[str, int] | None = None
) -> tuple[Experiment, Assignment] | None:
    """The first of the experiments that takes the page, and what it makes of it; None where none does.

    `forced` are the variations that somebody asks for, by the key of their experiment.
    """
    for experiment in experiments:
        assignment = assign(experiment, attributes, forced=(forced or {}).get(experiment.key))
        if assignment.in_experiment:
            return experiment, assignment
    return None


def assign(experiment: Experiment, attributes: Attributes, *, forced: int | None = None) -> Assignment:
    """The variation of the page whose attributes these are; `forced` is the one that its address asks for."""
    unit = _unit(experiment, attributes)
    forced = experiment.forced_units.get(unit) if forced is None else forced
    if forced is not None:
        return _unhashed(experiment, unit, forced)
    if experiment.status == "draft" or not unit or not _is_meant(experiment, attributes, unit):
        return _unhashed(experiment, unit)
    bucket = bucket_of(experiment.seed, unit, experiment.hash_version)
    variation = -1 if bucket is None else choose(bucket, experiment.ranges)
    if variation < 0:
        return _unhashed(experiment, unit)
    if experiment.force is not None:
        return _unhashed(experiment, unit, experiment.force)
    if experiment.status == "stopped":
        return _unhashed(experiment, unit)
    return Assignment(experiment.key, variation, experiment.variation_keys[variation], True, True, bucket, unit)


def _unit(experiment: Experiment, attributes: Attributes) -> str:
    unit = unit_text(attributes.get(experiment.hash_attribute))
    if not unit and experiment.fallback_attribute:
        return unit_text(attributes.get(experiment.fallback_attribute))
    return unit


def _unhashed(experiment: Experiment, unit: str, variation: int = -1) -> Assignment:
    """Forced to a variation, or out of the experiment."""
    inside = 0 <= variation < len(experiment.variations)
    at = variation if inside else 0
    return Assignment(experiment.key, at, experiment.variation_keys[at], inside, False, None, unit)


def _is_meant(experiment: Experiment, attributes: Attributes, unit: str) -> bool:
    space, condition = experiment.namespace, experiment.condition
    if experiment.filters:
        if not all(_lets_in(one, attributes) for one in experiment.filters):
            return False
    elif space is not None and not in_namespace(unit, space.name, space.span):
        return False
    return _is_for(experiment.when, attributes) and (condition is None or holds(condition, attributes))


def _lets_in(sieve: Sieve, attributes: Attributes) -> bool:
    value = unit_text(attributes.get(sieve.attribute))
    bucket = bucket_of(sieve.seed, value, sieve.hash_version) if value else None
    return bucket is not None and choose(bucket, sieve.spans) >= 0


def _is_for(when: When | None, attributes: Attributes) -> bool:
    if when is None:
        return True
    section, tags, device = (attributes.get(name) for name in ("section", "tags", "device"))
    return when.holds(
        section if isinstance(section, str) else None,
        [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list | tuple) else [],
        next((one for one in Device if one == device), Device.MOBILE),
    )
