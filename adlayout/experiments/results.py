"""From what was counted of an experiment to its results: shares, metrics beside the baseline, progress, a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from adlayout.experiments.assign import Experiment
from adlayout.experiments.findings import Arm, Comparison, Day, Direction, Findings, Progress, Reading, Results, Told
from adlayout.experiments.metrics import Metric, metric, sums_of
from adlayout.experiments.power import Wish, level, need
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

# A lift is a quotient of two uncertain values. In tests of equal variations that were looked at daily, lifts of values
# that stood nearer than this to 0, in standard errors, were found in up to 11 % (rare clicks), of others in under 5 %.
STEADY: Final = 5.0
# New units come unevenly over a week.
_RATE_DAYS: Final = 7


def results(experiment: Experiment, counted: Mapping[str, int], *, today: date, prior: Prior | None = None) -> Results:
    """The results as of the reporting time zone's `today`; `prior` is what is believed of lifts beforehand."""
    users = [counted.get(f"{at}:n", 0) for at in range(len(experiment.variations))]
    readings = [_reading(experiment, counted, name, prior) for name in (*experiment.metrics, *experiment.guardrails)]
    found = Findings(
        level=level(experiment.weights),
        arms=_arms(experiment, counted, users),
        ratio=sample_ratio(users, experiment.weights),
        multiple=multiple_exposures(counted.get("multi", 0), sum(users)),
        metrics=tuple(readings[: len(experiment.metrics)]),
        guardrails=tuple(readings[len(experiment.metrics) :]),
        progress=_progress(experiment, counted, sum(users), today),
        daily=_daily(experiment, counted),
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


def _reading(experiment: Experiment, counted: Mapping[str, int], name: str, prior: Prior | None) -> Reading:
    named = _named(name)
    estimates = [named.estimate(sums_of(named, counted, at)) for at in range(len(experiment.variations))]
    alpha, baseline = level(experiment.weights), estimates[0]
    return Reading(
        named,
        baseline.value if baseline else None,
        tuple(
            _comparison(named, key, baseline, estimate, alpha=alpha, prior=prior)
            for key, estimate in zip(experiment.variation_keys[1:], estimates[1:], strict=True)
        ),
    )


def _named(name: str) -> Metric:
    found = metric(name)
    if found is None:
        raise LookupError(f"{name}: no such metric")
    return found


def _comparison(
    named: Metric, key: str, a: Estimate | None, b: Estimate | None, *, alpha: float, prior: Prior | None
) -> Comparison:
    if a is None or b is None:
        return Comparison(key, b.value if b else None, None, None, None, Direction.UNCLEAR)
    difference = _told(absolute(a, b), alpha, None)
    lift = _told(relative(a, b), alpha, prior) if _is_steady(a) and _is_steady(b) else None
    return Comparison(
        key, b.value, difference, lift, _chance(named, lift or difference), _direction(named, difference, lift)
    )


def _is_steady(estimate: Estimate) -> bool:
    return abs(estimate.value) >= STEADY * math.sqrt(estimate.of_mean)


def _told(effect: Effect | None, alpha: float, prior: Prior | None) -> Told | None:
    if effect is None:
        return None
    return Told(effect.value, sequential(effect, alpha), fixed(effect, alpha), bayesian(effect, alpha, prior=prior))


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


def _days(counted: Mapping[str, int]) -> list[date]:
    """The days on which a unit was seen for the first time."""
    names = {name.split(":")[2] for name in counted if name.split(":")[1:2] == ["n"] and name.count(":") == 2}
    return sorted(date.fromisoformat(name) for name in names)


def _progress(experiment: Experiment, counted: Mapping[str, int], users: int, today: date) -> Progress:
    days = _days(counted)
    if not days:
        return Progress(0, users, None, None)
    ended = days[-1] + timedelta(days=1) if experiment.status == "stopped" else today
    wanted = _wanted(experiment, counted)
    if wanted is None:
        return Progress((ended - days[0]).days, users, None, None)
    rate = _rate(counted, days[0], today)
    left = 0 if users >= wanted else math.ceil((wanted - users) / rate) if rate > 0 else None
    return Progress((ended - days[0]).days, users, wanted, left)


def _wanted(experiment: Experiment, counted: Mapping[str, int]) -> int | None:
    """The units of all variations with which the first metric shows the wanted lift at the wanted power."""
    for name in experiment.metrics[:1]:
        named = _named(name)
        estimate = named.estimate(sums_of(named, counted, 0))
        if estimate is None or not estimate.variance:
            return None
        wish = Wish(estimate.value, estimate.variance, experiment.lift, experiment.power, experiment.weights)
        found = need(wish)
        return found.total if found else None
    return None


def _rate(counted: Mapping[str, int], first: date, today: date) -> float:
    """New units on a day: of the last whole days, or today where there is none yet."""
    whole = min((today - first).days, _RATE_DAYS)
    if whole < 1:
        return _users_on(counted, today)
    return sum(_users_on(counted, today - timedelta(days=back)) for back in range(1, whole + 1)) / whole


def _users_on(counted: Mapping[str, int], day: date) -> int:
    end = f":n:{day:%Y%m%d}"
    return sum(count for name, count in counted.items() if name.endswith(end))
