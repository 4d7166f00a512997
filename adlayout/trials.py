"""The story of experiments once they run: their sums become results, and first exposures become rows.

Knows the store and what results are; never HTTP, nor a terminal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from math import ceil, fsum
from typing import Any, Final, NamedTuple
from zlib import crc32

from adlayout.choosing import attributes_of, choose_layout
from adlayout.config.settings import Site
from adlayout.experiments.assign import Experiment, assign
from adlayout.experiments.findings import Comparison, Reading, Results, Told
from adlayout.experiments.results import results
from adlayout.model import Request
from adlayout.reports.table import csv_rows
from adlayout.store.client import Store

# So many units are kept in mind at once, some fifty megabytes; where there are more, the streams are read again.
_UNITS_AT_ONCE: Final = 500_000
_ROWS_AT_ONCE: Final = 500
_LATEST_MS: Final = 4_102_444_800_000  # the year 2100: what is said to be later is a broken clock


class Stats(StrEnum):
    """How an effect is tested: always valid, for one look at the end, or as a belief."""

    SEQUENTIAL = "sequential"
    FIXED = "fixed"
    BAYESIAN = "bayesian"


class Form(StrEnum):
    """How rows are written."""

    CSV = "csv"
    NDJSON = "ndjson"


class Exposure(NamedTuple):
    """A unit's first page in an experiment, in the columns that GrowthBook's assignment queries have.

    `user_id` is the key of the unit, from which nobody can tell the unit.
    """

    timestamp: str
    user_id: str
    experiment_id: str
    variation_id: str


# What there is, and who would see what.


def listed(experiment: Experiment) -> dict[str, object]:
    """The experiment as plain values, in the words of its file."""
    return {
        "key": experiment.key,
        "site": experiment.site,
        "status": experiment.status,
        "phase": experiment.phase,
        "variations": [
            {"key": key, "name": name, "layout": layout, "weight": weight}
            for key, name, layout, weight in _variations(experiment)
        ],
        "coverage": round(fsum(end - start for start, end in experiment.ranges), 9),
        "hashAttribute": experiment.hash_attribute,
        "fallbackAttribute": experiment.fallback_attribute,
        "when": experiment.when.model_dump(mode="json") if experiment.when else None,
        "metrics": list(experiment.metrics),
        "guardrails": list(experiment.guardrails),
    }


def _variations(experiment: Experiment) -> Iterable[tuple[str, str, str, float]]:
    return zip(
        experiment.variation_keys,
        experiment.variation_names,
        experiment.variations,
        experiment.weights,
        strict=True,
    )


def assignment(
    experiment: Experiment, request: Request, *, site: Site, running: Sequence[Experiment]
) -> dict[str, object]:
    """What the experiment makes of a page of its site, and the layout that the page gets; counts nothing.

    `running` are those that the site's pages are asked for; `taken_by` is the one of them that takes this page before.
    """
    choice = choose_layout(request, site, running)
    made = choice.assignment
    taken = made.key if made and made.key != experiment.key else None
    if made is None or taken:
        made = assign(experiment, attributes_of(request, site))
    return {
        "key": made.key,
        "variation_id": made.variation_id,
        "variation_key": made.variation_key,
        "in_experiment": made.in_experiment,
        "hash_used": made.hash_used,
        "bucket": made.bucket,
        "layout": choice.layout,
        "taken_by": taken,
    }


# What came of it.


async def results_of(store: Store, experiment: Experiment, *, today: date, metrics: Sequence[str] = ()) -> Results:
    """The results as of `today` in the reporting time zone; `metrics` are those to be told of, any that there are.

    What is told of does not change the verdict.
    """
    counted = await store.experiment(experiment.key, experiment.variation_keys)
    # The library of distributions takes a while to load, and pages must not wait for it.
    return await asyncio.to_thread(_made, experiment, counted, today, tuple(metrics))


def _made(experiment: Experiment, counted: Mapping[str, int], today: date, metrics: tuple[str, ...]) -> Results:
    found = results(experiment, counted, today=today)
    if not metrics:
        return found
    asked = results(replace(experiment, metrics=metrics, guardrails=()), counted, today=today).findings.metrics
    guards = set(experiment.guardrails)
    told = replace(
        found.findings,
        metrics=tuple(one for one in asked if one.metric.name not in guards),
        guardrails=tuple(one for one in asked if one.metric.name in guards),
    )
    return replace(found, findings=told)


def results_json(experiment: Experiment, found: Results, *, stats: Stats) -> dict[str, object]:
    """The results as plain values, with what one way of testing says."""
    findings, verdict = found.findings, found.verdict
    return {
        "experiment": experiment.key,
        "site": experiment.site,
        "phase": experiment.phase,
        "status": experiment.status,
        "verdict": {"status": verdict.status.value, "words": verdict.words, "winner": verdict.winner},
        "stats": stats.value,
        "level": findings.level,
        "users": findings.progress.users,
        "variations": _arms(experiment, found),
        "srm": {"p": findings.ratio.p, "health": findings.ratio.health.value},
        "multiple_exposures": {
            "users": findings.multiple.units,
            "share": findings.multiple.share,
            "health": findings.multiple.health.value,
        },
        "metrics": [_reading(one, stats) for one in findings.metrics],
        "guardrails": [_reading(one, stats) for one in findings.guardrails],
        "days": findings.progress.days,
        "minimum_days": experiment.minimum_days,
        "users_wanted": findings.progress.wanted,
        "days_left": findings.progress.days_left,
        "daily": [
            {"day": day.day, "users": dict(zip(experiment.variation_keys, day.users, strict=True)), "p": day.p}
            for day in findings.daily
        ],
        "devices": [
            {"device": one.device, "users": dict(zip(experiment.variation_keys, one.users, strict=True)), "p": one.p}
            for one in findings.devices
        ],
    }


def _arms(experiment: Experiment, found: Results) -> list[dict[str, object]]:
    return [
        {
            "key": key,
            "name": name,
            "layout": layout,
            "users": arm.users,
            "share": arm.share,
            "expected": arm.due,
            "expected_share": arm.due_share,
            "invalid": arm.bad,
        }
        for (key, name, layout, _), arm in zip(_variations(experiment), found.findings.arms, strict=True)
    ]


def _reading(reading: Reading, stats: Stats) -> dict[str, object]:
    metric = reading.metric
    return {
        "metric": metric.name,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "baseline": reading.baseline,
        "variations": [_comparison(one, stats) for one in reading.comparisons],
    }


def _comparison(one: Comparison, stats: Stats) -> dict[str, object]:
    told, believes = one.lift or one.difference, stats is Stats.BAYESIAN
    return {
        "key": one.variation,
        "value": one.value,
        "change": _effect(one.lift, stats),
        "difference": _effect(one.difference, stats),
        "p": None if believes or told is None else p_of(told, stats),
        "chance_to_win": one.chance_to_win if believes else None,
        "direction": one.direction.value,
    }


def _effect(told: Told | None, stats: Stats) -> dict[str, float] | None:
    if told is None:
        return None
    low, high = interval_of(told, stats)
    return {"value": told.value, "low": low, "high": high}


def interval_of(told: Told, stats: Stats) -> tuple[float, float]:
    """Where the effect may lie, by this way of testing."""
    found = {
        Stats.SEQUENTIAL: told.sequential.interval,
        Stats.FIXED: told.fixed.interval,
        Stats.BAYESIAN: told.bayesian.interval,
    }[stats]
    return found.low, found.high


def p_of(told: Told, stats: Stats) -> float:
    """How probable such an effect is where there is none."""
    return (told.fixed if stats is Stats.FIXED else told.sequential).p


# Who saw what first.


async def exposures(store: Store, experiment: Experiment, *, at_once: int = _UNITS_AT_ONCE) -> AsyncIterator[Exposure]:
    """The first exposure of each unit of which the store's events still tell, but for those that no reader had.

    Where there are more units than are kept in mind at once, the events are read once for each part of them.
    """
    counted = await store.experiment(experiment.key, experiment.variation_keys)
    users = sum(counted.get(f"{at}:n", 0) for at in range(len(experiment.variations)))
    parts = max(ceil(users / at_once), 1)
    for part in range(parts):
        seen: set[str] = set()
        for shard in range(store.shards):
            async for _, entry in store.entries(shard):
                unit = _exposed(entry, experiment.key)
                if unit is not None and unit not in seen and _part(unit, parts) == part:
                    seen.add(unit)
                    yield _exposure(unit, entry)


def _exposed(entry: Mapping[str, Any], experiment: str) -> str | None:
    """The unit that an event exposes to the experiment."""
    unit, variation, at = entry.get("h"), entry.get("v"), entry.get("at")
    if entry.get("e") != "exposure" or entry.get("bad") or not (isinstance(unit, str) and unit):
        return None
    known = isinstance(variation, str) and variation.partition("=")[0] == experiment
    return unit if known and isinstance(at, int) and 0 <= at <= _LATEST_MS else None


def _part(unit: str, parts: int) -> int:
    return crc32(unit.encode("utf-8", "surrogatepass")) % parts


def _exposure(unit: str, entry: Mapping[str, Any]) -> Exposure:
    experiment, _, variation = str(entry["v"]).partition("=")
    at = datetime.fromtimestamp(entry["at"] / 1000, UTC).isoformat(timespec="milliseconds")
    return Exposure(at.replace("+00:00", "Z"), unit, experiment, variation)


async def written(rows: AsyncIterator[Exposure], form: Form) -> AsyncIterator[str]:
    """The rows as text, some at once; the first piece, with a head of CSV, comes when the store has answered."""
    write, head = _WRITERS[form]
    gathered, began = list[Exposure](), False
    async for row in rows:
        gathered.append(row)
        if len(gathered) == _ROWS_AT_ONCE:
            yield ("" if began else head) + write(gathered)
            gathered, began = [], True
    yield ("" if began else head) + write(gathered)


def _ndjson(rows: Iterable[Exposure]) -> str:
    return "".join(f"{json.dumps(row._asdict())}\n" for row in rows)


_WRITERS: Final[Mapping[Form, tuple[Callable[[Iterable[Exposure]], str], str]]] = {
    Form.CSV: (csv_rows, csv_rows([Exposure._fields])),
    Form.NDJSON: (_ndjson, ""),
}
