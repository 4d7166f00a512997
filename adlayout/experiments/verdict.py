"""What to do with a test, in words that a product person reads.

The first metric decides; the others and the guardrails can only stop a winner. It rests on the confidence sequence
whatever else is shown, so neither looking every day nor choosing a way of testing makes a winner. Nothing wins while
units come in wrong shares, or before the minimum of days.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adlayout.experiments.assign import Experiment
from adlayout.experiments.findings import Comparison, Direction, Findings, Reading, Status, Told, Verdict
from adlayout.experiments.srm import Health

_LONG_DAYS: Final = 365


def verdict(experiment: Experiment, found: Findings) -> Verdict:
    """What the findings say should be done now."""
    progress, days = found.progress, experiment.minimum_days
    units = _units(experiment)
    if experiment.status == "draft":
        return Verdict(Status.DRAFT, "A draft: nobody takes part yet.")
    if not progress.users:
        return Verdict(Status.NO_DATA, f"No data: none of the {units} who take part was counted yet.")
    if found.ratio.health is Health.UNHEALTHY:
        return Verdict(Status.UNHEALTHY, _wrong_shares(found, units))
    if found.multiple.health is Health.UNHEALTHY:
        return Verdict(Status.UNHEALTHY, _seen_twice(found, units))
    if progress.days < days or found.ratio.health is Health.TOO_FEW:
        return _too_early(experiment, found)
    return _decide(experiment, found)


def _units(experiment: Experiment) -> str:
    if experiment.hash_attribute == "url":
        return "articles"
    return "readers and articles" if experiment.fallback_attribute else "readers"


def _wrong_shares(found: Findings, units: str) -> str:
    arms = "; ".join(f"{arm.variation} {arm.users:,} instead of {arm.due:,.0f}" for arm in found.arms)
    return (
        f"Do not use these numbers: the {units} did not come in the shares they should have ({arms}; by chance in "
        f"{_share(found.ratio.p)}). One variation loses or doubles some: look at caches, redirects and the page script."
    )


def _seen_twice(found: Findings, units: str) -> str:
    return (
        f"Do not use these numbers: {found.multiple.units:,} of the {units} ({_share(found.multiple.share)}) saw more "
        "than one variation. Look for a changed seed or weights, and for pages cached without their variation."
    )


def _too_early(experiment: Experiment, found: Findings) -> Verdict:
    seen = f"{found.progress.users:,} {_units(experiment)} in {_days(found.progress.days)}"
    if experiment.status == "stopped":
        return Verdict(Status.REVIEW, f"Stopped too early to say anything: {seen}.")
    least = _days(experiment.minimum_days)
    return Verdict(Status.RUNNING, f"Running: {seen}. No winner is named in the first {least}, nor of so few.")


def _decide(experiment: Experiment, found: Findings) -> Verdict:
    baseline = found.arms[0].variation
    tried = [arm.variation for arm in found.arms[1:] if arm.due_share > 0]
    opinions = {key: _opinion(found, key) for key in tried}
    winners = [key for key in tried if opinions[key] is Status.SHIP]
    if winners:
        best = max(winners, key=lambda key: _goodness(found.metrics[0], key))
        return Verdict(
            Status.SHIP, f"Ship {best}: {_tell(found.metrics[0], best)}. Nothing that is watched got worse.", best
        )
    open_ones = [key for key in tried if opinions[key] is Status.DAYS_LEFT]
    if open_ones:
        return _go_on(experiment, found, open_ones)
    mixed = [key for key in tried if opinions[key] is Status.REVIEW]
    if mixed:
        told = "; ".join(f"with {key} {_tell(found.metrics[0], key)}, but {_tell_worse(found, key)}" for key in mixed)
        return Verdict(Status.REVIEW, f"Weigh it yourselves: {told}.")
    told = "; ".join(f"with {key} {_tell_worse(found, key)}" for key in tried)
    return Verdict(Status.ROLL_BACK, f"Keep {baseline}: {told}.")


def _opinion(found: Findings, key: str) -> Status:
    """What one variation's directions say; DAYS_LEFT where they say nothing yet."""
    first = found.metrics[0].of(key).direction if found.metrics else Direction.UNCLEAR
    worse = _worse(found, key)
    if first is Direction.BETTER:
        return Status.REVIEW if worse else Status.SHIP
    return Status.ROLL_BACK if worse else Status.DAYS_LEFT


def _worse(found: Findings, key: str) -> list[Reading]:
    readings = (*found.metrics, *found.guardrails)
    return [reading for reading in readings if reading.of(key).direction is Direction.WORSE]


def _goodness(reading: Reading, key: str) -> float:
    value = reading.of(key).value or 0.0
    return value if reading.metric.higher_is_better else -value


def _go_on(experiment: Experiment, found: Findings, keys: Sequence[str]) -> Verdict:
    progress, units, names = found.progress, _units(experiment), " and ".join(keys)
    lift = f"{_share(experiment.lift)} on {experiment.metrics[0]}" if experiment.metrics else "anything"
    if experiment.status == "stopped":
        return Verdict(Status.REVIEW, f"Stopped without a clear difference for {names}: {_so_far(found, keys)}.")
    if progress.wanted is None:
        return Verdict(Status.RUNNING, f"Running: {progress.users:,} {units}, too little happened yet to say how long.")
    of = f"{progress.users:,} of about {_round(progress.wanted):,} {units}, with which a change of {lift} would show"
    if progress.days_left is None:
        return Verdict(Status.RUNNING, f"Running, but none of the {units} came in the last days: {of}.")
    if progress.days_left == 0:
        said = f"a change of {lift} would most likely have shown by now"
        return Verdict(Status.REVIEW, f"No clear difference for {names}: {said} ({_so_far(found, keys)}).")
    if progress.days_left > _LONG_DAYS:
        return Verdict(Status.DAYS_LEFT, f"More than a year left: {of}. Take more in, or look for a larger change.")
    return Verdict(Status.DAYS_LEFT, f"About {_days(progress.days_left)} left: {of}.{_lost(found, keys)}")


def _lost(found: Findings, keys: Sequence[str]) -> str:
    """The variations that need not be waited for."""
    lost = [arm.variation for arm in found.arms[1:] if arm.variation not in keys and _worse(found, arm.variation)]
    return "".join(f" {key} can be taken out: {_tell_worse(found, key)}." for key in lost)


def _so_far(found: Findings, keys: Sequence[str]) -> str:
    return "; ".join(_tell(reading, key) for reading in found.metrics[:1] for key in keys)


def _tell(reading: Reading, key: str) -> str:
    return f"{reading.metric.name} {_change(reading, reading.of(key))}"


def _tell_worse(found: Findings, key: str) -> str:
    return " and ".join(_tell(reading, key) for reading in _worse(found, key))


def _change(reading: Reading, comparison: Comparison) -> str:
    """`+12.3 % (+4.1 to +20.5 %)`, or the difference in the metric's unit where there is no lift."""
    if comparison.lift is not None:
        return _with_interval(comparison.lift, 100, "%")
    if comparison.difference is not None:
        return _with_interval(comparison.difference, 1, reading.metric.unit)
    return "cannot be told"


def _with_interval(told: Told, scale: int, unit: str) -> str:
    low, high = told.sequential.interval.low * scale, told.sequential.interval.high * scale
    return f"{told.value * scale:+.3g} {unit} ({low:+.3g} to {high:+.3g} {unit})"


def _round(count: int) -> int:
    """Two digits of it: nobody knows more of what is to come."""
    return int(float(f"{count:.2g}"))


def _share(part: float) -> str:
    return f"{part * 100:.3g} %"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
