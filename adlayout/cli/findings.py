"""An experiment's results as people read them in a terminal: what to do, who came, what changed. Knows no formula."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from adlayout.experiments.assign import Experiment
from adlayout.experiments.findings import Comparison, Direction, Findings, Reading, Results, Status, Told
from adlayout.experiments.srm import Health
from adlayout.trials import Stats, interval_of, p_of

_GREEN, _RED, _YELLOW, _BOLD, _FAINT = "32", "1;31", "33", "1", "2"
_STATUS_INKS: Final = {Status.SHIP: _GREEN, Status.UNHEALTHY: _RED, Status.ROLL_BACK: _RED, Status.REVIEW: _YELLOW}
_LIGHTS: Final = {
    Health.HEALTHY: ("ok", _GREEN),
    Health.UNHEALTHY: ("WRONG", _RED),
    Health.TOO_FEW: ("too few", _FAINT),
}
_DIRECTION_INKS: Final = {Direction.BETTER: _GREEN, Direction.WORSE: _RED, Direction.UNCLEAR: _FAINT}
_HOW: Final = {
    Stats.SEQUENTIAL: "Intervals hold however often one looks",
    Stats.FIXED: "Intervals hold for one look, at a time chosen before the start",
    Stats.BAYESIAN: "Credible intervals, for one look, at a time chosen before the start",
}
_LAST_DAYS: Final = 7
_NOTHING: Final = "-"


def draw_results(experiment: Experiment, found: Results, *, stats: Stats, colour: bool) -> str:
    """The whole of it, without the last line's end."""
    return "\n".join(_Sheet(experiment, found, stats, colour).lines())


class _Sheet:
    """One experiment's results, drawn from top to bottom."""

    def __init__(self, experiment: Experiment, found: Results, stats: Stats, colour: bool) -> None:
        self._experiment, self._found, self._stats, self._colour = experiment, found, stats, colour

    @property
    def _findings(self) -> Findings:
        return self._found.findings

    def lines(self) -> Iterator[str]:
        verdict = self._found.verdict
        yield f"{self._ink(self._experiment.key, _BOLD)} on {self._experiment.site}, {self._progress()}"
        status = self._ink(verdict.status.value.upper(), _STATUS_INKS.get(verdict.status, _BOLD))
        yield from ("", f"{status}  {verdict.words}", "")
        yield from self._users()
        for title, readings in (("metrics", self._findings.metrics), ("guardrails", self._findings.guardrails)):
            if readings:
                yield ""
                yield from self._readings(title, readings)
        yield from self._daily()
        yield from self._devices()
        yield from ("", f"{_HOW[self._stats]}; each misses {self._findings.level:.3g} of the time.")

    def _progress(self) -> str:
        progress = self._findings.progress
        parts = [self._experiment.status, "1 whole day" if progress.days == 1 else f"{progress.days} whole days"]
        if progress.days_left:
            parts.append(f"about {progress.days_left} {'day' if progress.days_left == 1 else 'days'} to go")
        return ", ".join(parts)

    def _users(self) -> Iterator[str]:
        rows = [
            (
                f"{arm.variation} ({layout})",
                f"{arm.users:,}",
                f"{arm.due:,.0f}",
                f"{arm.share:.1%}",
                f"{arm.due_share:.1%}",
                f"{arm.bad:,}",
            )
            for arm, layout in zip(self._findings.arms, self._experiment.variations, strict=True)
        ]
        head = ("users", "seen", "expected", "share", "expected", "invalid")
        yield from self._table(head, rows)
        ratio, multiple = self._findings.ratio, self._findings.multiple
        yield f"  {self._light(ratio.health)}  shares as they should be (p {_p(ratio.p)})"
        # Few of them are what should be.
        twice = Health.HEALTHY if multiple.health is Health.TOO_FEW else multiple.health
        yield f"  {self._light(twice)}  seen in several variations: {multiple.units:,} ({multiple.share:.2%})"

    def _light(self, health: Health) -> str:
        word, code = _LIGHTS[health]
        return self._ink(f"{word:7}", code)

    def _readings(self, title: str, readings: Sequence[Reading]) -> Iterator[str]:
        baseline = self._findings.arms[0].variation
        chance = "chance to win" if self._stats is Stats.BAYESIAN else "p"
        head = (title, "in", "value", baseline, "change", chance, "")
        rows = [self._row(reading, one) for reading in readings for one in reading.comparisons]
        inks = [_DIRECTION_INKS[one.direction] for reading in readings for one in reading.comparisons]
        first, *lines = self._table(head, rows)
        yield first
        yield from (self._ink(line, code) for line, code in zip(lines, inks, strict=True))

    def _row(self, reading: Reading, one: Comparison) -> tuple[str, ...]:
        metric = reading.metric
        wanted = "" if metric.higher_is_better else " (less is better)"
        return (
            f"{metric.name}{wanted}",
            one.variation,
            _number(one.value),
            _number(reading.baseline),
            self._change(one, metric.unit),
            self._chance(one),
            one.direction.value,
        )

    def _change(self, one: Comparison, unit: str) -> str:
        if one.lift is not None:
            return self._effect(one.lift, 100, "%")
        return self._effect(one.difference, 1, unit) if one.difference is not None else _NOTHING

    def _effect(self, told: Told, scale: int, unit: str) -> str:
        low, high = interval_of(told, self._stats)
        return f"{told.value * scale:+.3g} {unit} ({low * scale:+.3g} to {high * scale:+.3g})"

    def _chance(self, one: Comparison) -> str:
        if self._stats is Stats.BAYESIAN:
            return _NOTHING if one.chance_to_win is None else f"{one.chance_to_win:.1%}"
        told = one.lift or one.difference
        return _NOTHING if told is None else _p(p_of(told, self._stats))

    def _daily(self) -> Iterator[str]:
        days = self._findings.daily[-_LAST_DAYS:]
        if days:
            yield ""
            head = ("first seen on", *(arm.variation for arm in self._findings.arms), "p of shares")
            yield from self._table(head, [(day.day, *map("{:,}".format, day.users), _p(day.p)) for day in days])

    def _devices(self) -> Iterator[str]:
        parts = self._findings.devices
        if len(parts) > 1:
            yield ""
            head = ("first seen with", *(arm.variation for arm in self._findings.arms), "p of shares")
            yield from self._table(head, [(one.device, *map("{:,}".format, one.users), _p(one.p)) for one in parts])

    def _table(self, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
        """Columns as wide as they need, numbers to the right."""
        lines = [head, *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for at, line in enumerate(lines):
            drawn = _drawn(line, widths)
            yield self._ink(drawn, _FAINT) if at == 0 else drawn

    def _ink(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _drawn(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        f"{cell:{width}}" if at == 0 or not _is_number(cell) else f"{cell:>{width}}"
        for at, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _is_number(cell: str) -> bool:
    return cell.strip("+-%").replace(",", "").replace(".", "").isdecimal()


def _number(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _p(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.3g}"
