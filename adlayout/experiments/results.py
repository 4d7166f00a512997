"""From what was counted of an experiment to its results: shares, metrics beside the baseline, progress, a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from adlayout.experiments.assign import Experiment
from adlayout.experiments.findings import (
    Arm,
    Comparison,
    Day,
    Direction,
    Findings,
    Part,
    Progress,
    Reading,
    Results,
    Told,
)
from adlayout.experiments.metrics import Metric, metric, sums_of
from adlayout.experiments.power import Need, Wish, level, need
from adlayout.experiments.srm import multiple_exposures, sample_ratio
from adlayout.experiments.stats import (
    Effect,
    Estimate,
    Prior,
    absolute,
    bayesian,
    fixed,
    relative,
    sequential,
)
from adlayout.experiments.verdict import verdict
from adlayout.model import Device

# New units come unevenly over a week.
_RATE_DAYS: Final = 7
_OF_DAY: Final = re.compile(r"[0-9]+:n:([0-9]{8})")


@dataclass(frozen=True, slots=True)
class _Terms:
    """On which terms effects are tested: how often an interval may miss, and what is believed of lifts beforehand."""

    alpha: float
    prior: Prior | None = None


def results(experiment: Experiment, counted: Mapping[str, int], *, today: date, prior: Prior | None = None) -> Results:
    """The results as of the reporting time zone's `today`; `prior` is what is believed of lifts beforehand."""
    users = [counted.get(f"{at}:n", 0) for at in range(len(experiment.variations))]
    terms = _Terms(level(experiment.weights), prior)
    readings = [_reading(experiment, counted, name, terms) for name in (*experiment.metrics, *experiment.guardrails)]
    found = Findings(
        level=terms.alpha,
        arms=_arms(experiment, counted, users),
        ratio=sample_ratio(users, experiment.weights),
        multiple=multiple_exposures(counted.get("multi", 0), sum(users)),
        metrics=tuple(readings[: len(experiment.metrics)]),
        guardrails=tuple(readings[len(experiment.metrics) :]),
        progress=_progress(experiment, counted, sum(users), today),
        daily=_daily(experiment, counted),
        devices=_devices(experiment, counted),
    )
    return Results(experiment.key, verdict(experiment, found), found)


def _arms(experiment: Experiment, counted: Mapping[str, int], users: Sequence[int]) -> tuple[Arm, ...]:
    total, whole = sum(users), sum(experiment.weights)
    shares = [weight / whole for weight in experiment.weights]
    return tuple(
        Arm(
            variation=experiment.variation_keys[at],
            users=n,
            share=n / total if total else 0.0,
            due=total * shares[at],
            due_share=shares[at],
            bad=counted.get(f"{at}:bad", 0),
        )
        for at, n in enumerate(users)
    )


def _reading(experiment: Experiment, counted: Mapping[str, int], name: str, terms: _Terms) -> Reading:
    named = _named(name)
    baseline, *others = [named.estimate(sums_of(named, counted, at)) for at in range(len(experiment.variations))]
    return Reading(
        named,
        baseline.value if baseline else None,
        tuple(
            _comparison(named, key, baseline, other, terms=terms)
            for key, other in zip(experiment.variation_keys[1:], others, strict=True)
        ),
    )


def _named(name: str) -> Metric:
    found = metric(name)
    if found is None:
        raise LookupError(f"{name}: no such metric")
    return found


def _comparison(named: Metric, key: str, a: Estimate | None, b: Estimate | None, *, terms: _Terms) -> Comparison:
    if a is None or b is None:
        return Comparison(key, b.value if b else None, None, None, None, Direction.UNCLEAR)
    difference = _told(absolute(a, b), _Terms(terms.alpha))
    lift = _told(relative(a, b), terms) if a.is_steady and b.is_steady else None
    chance, direction = _chance(named, lift or difference), _direction(named, difference, lift)
    return Comparison(key, b.value, difference, lift, chance, direction)


def _told(effect: Effect | None, terms: _Terms) -> Told | None:
    if effect is None:
        return None
    return Told(
        effect.value,
        sequential(effect, terms.alpha),
        fixed(effect, terms.alpha),
        bayesian(effect, terms.alpha, prior=terms.prior),
    )


def _chance(named: Metric, told: Told | None) -> float | None:
    if told is None:
        return None
    return told.bayesian.chance if named.higher_is_better else 1 - told.bayesian.chance


def _direction(named: Metric, difference: Told | None, lift: Told | None) -> Direction:
    """Known only where the confidence sequences of difference and lift, where there is one, leave out nothing."""
    if difference is None:
        return Direction.UNCLEAR
    intervals = [told.sequential.interval for told in (difference, lift) if told]
    if any(interval.low <= 0 <= interval.high for interval in intervals):
        return Direction.UNCLEAR
    return Direction.BETTER if (difference.value > 0) == named.higher_is_better else Direction.WORSE


def _daily(experiment: Experiment, counted: Mapping[str, int]) -> tuple[Day, ...]:
    days = []
    for day in _days(counted):
        users = tuple(counted.get(f"{at}:n:{day:%Y%m%d}", 0) for at in range(len(experiment.variations)))
        days.append(Day(day.isoformat(), users, sample_ratio(users, experiment.weights).p))
    return tuple(days)


def _devices(experiment: Experiment, counted: Mapping[str, int]) -> tuple[Part, ...]:
    parts = []
    for device in Device:
        users = tuple(counted.get(f"{at}:n:{device}", 0) for at in range(len(experiment.variations)))
        if any(users):
            parts.append(Part(device.value, users, sample_ratio(users, experiment.weights).p))
    return tuple(parts)


def _days(counted: Mapping[str, int]) -> list[date]:
    """The days on which a unit was seen for the first time."""
    found = (_OF_DAY.fullmatch(name) for name in counted)
    return sorted({date.fromisoformat(match[1]) for match in found if match})


def _progress(experiment: Experiment, counted: Mapping[str, int], users: int, today: date) -> Progress:
    days, wanted = _days(counted), _wanted(experiment, counted)
    if not days:
        return Progress(0, users, wanted.total if wanted else None, None)
    ended = days[-1] + timedelta(days=1) if experiment.status == "stopped" else today
    ran = max((ended - days[0]).days, 0)
    if wanted is None:
        return Progress(ran, users, None, None)
    return Progress(ran, users, wanted.total, wanted.days(_rate(counted, days[0], today), already=users))


def _wanted(experiment: Experiment, counted: Mapping[str, int]) -> Need | None:
    """The units of all variations with which the first metric shows the wanted lift at the wanted power."""
    if not experiment.metrics:
        return None
    named = _named(experiment.metrics[0])
    estimate = named.estimate(sums_of(named, counted, 0))
    if estimate is None or not estimate.variance:
        return None
    wish = Wish(estimate.value, estimate.variance, experiment.lift, experiment.power, experiment.weights)
    return need(replace(wish, once=named.once))


def _rate(counted: Mapping[str, int], first: date, today: date) -> float:
    """New units on a day: of the last whole days, or today where there is none yet."""
    whole = min((today - first).days, _RATE_DAYS)
    if whole < 1:
        return _users_on(counted, today)
    return sum(_users_on(counted, today - timedelta(days=back)) for back in range(1, whole + 1)) / whole


def _users_on(counted: Mapping[str, int], day: date) -> int:
    found = ((_OF_DAY.fullmatch(name), users) for name, users in counted.items())
    return sum(users for match, users in found if match and match[1] == f"{day:%Y%m%d}")
