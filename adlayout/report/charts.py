"""Charts as SVG in the text of a page. Knows numbers and labels; never what they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

_WIDE, _HIGH = 360, 200
_LEFT, _TOP, _BOTTOM = 44, 26, 40
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Series:
    """One row of bars: its name, a number for each label, and which of the page's colours it has."""

    name: str
    values: Sequence[float]
    colour: str


@dataclass(frozen=True, slots=True)
class Axes:
    """What a chart says beside its bars; `line` is where a limit lies, counted in labels, with its text."""

    title: str
    labels: Sequence[str]
    along: str
    up: str
    line: tuple[float, str] | None = None


def bars(axes: Axes, series: Sequence[Series]) -> str:
    """Bars beside each other for each label, one of each series."""
    top = _round_up(max((value for one in series for value in one.values), default=0))
    width, height = _WIDE - _LEFT - 8, _HIGH - _TOP - _BOTTOM
    slot = width / max(1, len(axes.labels))
    bar = slot * 0.8 / max(1, len(series))
    parts = [*_grid(top, width, height), *_labels(axes, slot)]
    for number, one in enumerate(series):
        for at, value in enumerate(one.values):
            tall = height * value / top
            x = _LEFT + slot * at + slot * 0.1 + bar * number
            parts.append(
                f'<rect class="{one.colour}" x="{x:.1f}" y="{_TOP + height - tall:.1f}" width="{bar:.1f}"'
                f' height="{tall:.1f}"><title>{escape(one.name)}: {value:,.0f} at {escape(axes.labels[at])}'
                f"</title></rect>"
            )
    if axes.line is not None:
        x = _LEFT + slot * axes.line[0]
        parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{_TOP + height}"/>')
        parts.append(f'<text class="limit" x="{x + 4:.1f}" y="{_TOP + 4}">{escape(axes.line[1])}</text>')
    parts.append(f'<text class="axis" x="{_LEFT + width / 2:.0f}" y="{_HIGH - 4}">{escape(axes.along)}</text>')
    parts.append(f'<text class="up" x="4" y="10">{escape(axes.up)}</text>')
    return _svg(axes, series, "".join(parts))


def heat(title: str, rows: Sequence[tuple[str, Sequence[float]]], along: str) -> str:
    """A row of cells for each name, the darker the more; the numbers are shares, 0 to 1, of all rows' largest."""
    most = max((value for _, values in rows for value in values), default=0) or 1
    cells = len(rows[0][1]) if rows else 1
    wide, high, left = 720, 26, 190
    step = (wide - left) / cells
    parts = []
    for row, (name, values) in enumerate(rows):
        y = row * (high + 4)
        parts.append(f'<text class="row" x="{left - 8}" y="{y + 17}">{escape(name)}</text>')
        for at, value in enumerate(values):
            told = f"{at * 100 // cells} to {(at + 1) * 100 // cells} %: {value:.1%} of the ads"
            parts.append(
                f'<rect class="cell" x="{left + at * step:.1f}" y="{y}" width="{step - 2:.1f}" height="{high}"'
                f' style="--much:{value / most:.2f}"><title>{escape(name)}, {told}</title></rect>'
            )
    bottom = len(rows) * (high + 4) + 12
    for at in range(0, 101, 20):
        x = left + (wide - left) * at / 100
        anchor = "start" if at == 0 else "end" if at == 100 else "middle"
        parts.append(f'<text class="tick" style="text-anchor:{anchor}" x="{x:.0f}" y="{bottom}">{at} %</text>')
    parts.append(f'<text class="axis" x="{(wide + left) / 2:.0f}" y="{bottom + 18}">{escape(along)}</text>')
    return (
        f'<svg class="heat" viewBox="0 0 {wide} {bottom + 22}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _svg(axes: Axes, series: Sequence[Series], inside: str) -> str:
    said = "; ".join(
        f"{one.name}: "
        + ", ".join(f"{label} {value:,.0f}" for label, value in zip(axes.labels, one.values, strict=True))
        for one in series
    )
    return (
        f'<svg class="bars" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{escape(axes.title)}: {escape(said)}">'
        f"{inside}</svg>"
    )


def _grid(top: float, width: float, height: float) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + height * (1 - share)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="value" x="{_LEFT - 6}" y="{y + 4:.1f}">{top * share:,.4g}</text>')
    return parts


def _labels(axes: Axes, slot: float) -> list[str]:
    """As many of the labels as fit beside each other."""
    step = -(-len(axes.labels) * 30 // (_WIDE - _LEFT)) or 1
    return [
        f'<text class="tick" x="{_LEFT + slot * (at + 0.5):.1f}" y="{_HIGH - _BOTTOM + 14}">{escape(label)}</text>'
        for at, label in enumerate(axes.labels)
        if at % step == 0
    ]


def _round_up(most: float) -> float:
    """The least of 1, 2, 5, 10, 20 … that is no less."""
    if most <= 0:
        return 1
    scale = int("1".ljust(len(str(int(most))), "0"))
    tops = [step * size for size in (scale, scale * 10) for step in _STEPS]
    return next((top for before, top in pairwise([0, *tops]) if before < most <= top), tops[-1])
