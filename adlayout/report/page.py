"""The report of a simulation as one HTML file that asks for nothing from anywhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from typing import NamedTuple

from adlayout.assemble import assemble
from adlayout.model import Device, Reason
from adlayout.placement.layout import Layout
from adlayout.plans import Planned, judge
from adlayout.report.charts import Axes, Series, bars, heat
from adlayout.report.strips import page_px, strip
from adlayout.simulate import Run, Setup, Sheet, Summary, changes, read, summarise

_DRAWN = 8
_BINS = 20
_DENSEST = 12  # bins of 5 %: what is denser than 55 % goes into the last
_COLOURS = ("one", "two")
# Its two colours stay apart for eyes that see no red or no green.
_STYLE = resources.files("adlayout.report") / "style.css"


class _Told(NamedTuple):
    """All that the report is made of."""

    run: Run
    names: Sequence[str]
    devices: Sequence[Device]
    meaning: Mapping[Reason, str]
    summaries: Mapping[tuple[str, Device], Summary]
    layouts: Mapping[str, Layout]


def report(run: Run, setup: Setup, meaning: Mapping[Reason, str]) -> str:
    """The whole page; `meaning` says in words what each rule's refusal is.

    The second of the layouts, where there is one, is that with which the first is compared.
    """
    _, names, devices = setup
    edition = assemble(setup.config, os.environ)
    told = _Told(
        run,
        names,
        devices,
        meaning,
        {(name, device): summarise(run.sheets[name, device]) for name in names for device in devices},
        {name: edition.layouts[name][devices[0]] for name in names},
    )
    title = f"{names[0]} against {names[1]}" if len(names) > 1 else names[0]
    body = "".join(
        (*_head(told, title), *_ads(told), *_density(told), *_places(told), *_rules(told), *_none(told), *_drawn(told))
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: a simulation</title><style>{_STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )


def _head(told: _Told, title: str) -> Iterator[str]:
    read_ = len(told.run.files) - len(told.run.unread)
    yield f"<header><p>adlayout simulate</p><h1>{escape(title)}</h1>"
    yield f"<p>{_many(read_, 'article')} in {escape(str(told.run.folder))}</p></header>"
    if len(told.names) > 1:
        yield from _key(told)
    yield '<div class="scroll"><table class="figures"><thead><tr><th></th>'
    columns = [(device, name) for device in told.devices for name in told.names]
    yield "".join(f"<th>{device.value}<br><small>{escape(name)}</small></th>" for device, name in columns)
    yield "</tr></thead><tbody>"
    cells = [_figures(told.summaries[name, device]) for device, name in columns]
    for label in cells[0]:
        row = "".join(f'<td class="{one[label][1]}">{one[label][0]}</td>' for one in cells)
        yield f"<tr><th>{label}</th>{row}</tr>"
    yield "</tbody></table></div>"


def _key(told: _Told) -> Iterator[str]:
    yield '<p class="key">'
    for colour, name in zip(_COLOURS, told.names, strict=False):
        yield f'<span><i class="{colour}"></i>{escape(name)}</span>'
    yield "</p>"


def _figures(summary: Summary) -> dict[str, tuple[str, str]]:
    """Each figure with the class of its cell."""
    none = sum(map(len, summary.none.values()))
    depth = summary.depth or (0.0, 0.0, 0.0)
    return {
        "Ads per article, mean": (f"{summary.mean_ads:.1f}", ""),
        "Articles without an ad": (f"{none:,}", "odd" if none else ""),
        "Density, median": (f"{summary.median_density:.0%}", ""),
        "Density, nine of ten up to": (f"{summary.high_density:.0%}", ""),
        "Articles over 30 %": (f"{summary.over:,}", "bad" if summary.over else ""),
        "First ad after": (f"{depth[0]:g} ¶, {depth[2]:.0f} px", ""),
    }


def _ads(told: _Told) -> Iterator[str]:
    most = max((max(summary.ads, default=0) for summary in told.summaries.values()), default=0)
    yield _section("How many ads an article has", "Articles by their number of ads.")
    yield '<div class="panels">'
    for device in told.devices:
        labels = [str(number) for number in range(most + 1)]
        series = [
            Series(name, [told.summaries[name, device].ads.get(number, 0) for number in range(most + 1)], colour)
            for name, colour in zip(told.names, _COLOURS, strict=False)
        ]
        yield _panel(device, bars(Axes(f"Ads per article on {device.value}", labels, "ads", "articles"), series))
    yield "</div></section>"


def _density(told: _Told) -> Iterator[str]:
    yield _section(
        "How much of the page is ads",
        "Articles by the share of ads in the height of article and ads, as estimated. Over 30 % a browser that follows"
        " the Better Ads Standards may block all ads of a site on phones.",
    )
    yield '<div class="panels">'
    labels = [f"{5 * at} %" for at in range(_DENSEST)]
    for device in told.devices:
        series = [
            Series(name, _by_density(told.summaries[name, device].density), colour)
            for name, colour in zip(told.names, _COLOURS, strict=False)
        ]
        over = ", ".join(f"{told.summaries[name, device].over:,}" for name in told.names)
        axes = Axes(f"Density on {device.value}", labels, "density", "articles", (6, f"30 %: {over} over"))
        yield _panel(device, bars(axes, series))
    yield "</div></section>"


def _by_density(densities: Sequence[float]) -> list[float]:
    found = Counter(min(_DENSEST - 1, int(density * 20)) for density in densities)
    return [found.get(at, 0) for at in range(_DENSEST)]


def _places(told: _Told) -> Iterator[str]:
    yield _section("Where in the article ads fall", "Ads by how much of the text stands above them; darker is more.")
    rows = [
        (f"{device.value} · {name}", _by_depth(told.run.sheets[name, device]))
        for device in told.devices
        for name in told.names
    ]
    map_ = heat("Ads by their depth in the article", rows, "of the article's characters above the ad")
    yield f'<div class="scroll">{map_}</div></section>'


def _by_depth(sheets: Sequence[Sheet]) -> list[float]:
    ads = [ad for sheet in sheets for ad in sheet.ads]
    found = Counter(min(_BINS - 1, int(ad.percent * _BINS / 100)) for ad in ads)
    return [found.get(at, 0) / len(ads) if ads else 0.0 for at in range(_BINS)]


def _rules(told: _Told) -> Iterator[str]:
    device = told.devices[0]
    yield _section(
        "What kept gaps free",
        f"Gaps without an ad by the rules that kept them free, on {device.value}, of all articles.",
    )
    most = max((gaps for name in told.names for gaps, _ in told.summaries[name, device].refused.values()), default=1)
    rules = dict.fromkeys(rule for name in told.names for rule in told.summaries[name, device].refused)
    yield '<table class="rules"><thead><tr><th>rule</th><th>gaps, and in how many articles</th></tr></thead><tbody>'
    for rule in rules:
        lines = []
        for name, colour in zip(told.names, _COLOURS, strict=False):
            gaps, articles = told.summaries[name, device].refused.get(rule, (0, 0))
            lines.append(
                f'<span class="bar"><i class="{colour}" style="width:{70 * gaps / most:.1f}%"></i>'
                f"<b>{gaps:,}</b> in {articles:,}</span>"
            )
        yield f"<tr><th>{rule.value}<small>{escape(told.meaning[rule])}</small></th><td>{''.join(lines)}</td></tr>"
    yield "</tbody></table></section>"


def _none(told: _Told) -> Iterator[str]:
    device = told.devices[0]
    yield _section(
        "Articles without an ad, and why", f"By the rule that kept most of their gaps free, on {device.value}."
    )
    for name in told.names:
        found = told.summaries[name, device].none
        yield f"<h3>{escape(name)}: {_many(sum(map(len, found.values())), 'article')}</h3><ul>"
        for rule, files in found.items():
            said = f"<b>{rule.value}</b>: {escape(told.meaning[rule])}" if rule else "<b>nothing to see</b> in them"
            some = ", ".join(f"<code>{_name(file)}</code>" for file in files[:3])
            yield f"<li>{len(files):,} by {said}, as {some}</li>"
        yield "</ul>"
    yield "</section>"


def _drawn(told: _Told) -> Iterator[str]:
    device = told.devices[0]
    compared = len(told.names) > 1
    title = "The articles that change most" if compared else "The articles with most ads on their page"
    yield _section(title, f"Each block as high as it is likely to be on {device.value}, with the ads in their gaps.")
    yield (
        '<p class="key"><span><i class="text"></i>paragraph</span><span><i class="heading"></i>heading</span>'
        '<span><i class="media"></i>picture or video</span><span><i class="other"></i>other</span>'
        '<span><i class="ours"></i>ad</span></p><div class="articles">'
    )
    for file in _most_telling(told, device):
        html = read(told.run.folder / file)
        if html is not None:
            yield _article(file, [judge(html, told.layouts[name]) for name in reversed(told.names)])
    yield "</div></section>"


def _most_telling(told: _Told, device: Device) -> list[str]:
    if len(told.names) > 1:
        before, after = (told.run.sheets[name, device] for name in reversed(told.names))
        return [one.file for one in changes(before, after)[:_DRAWN]]
    sheets = sorted(told.run.sheets[told.names[0], device], key=lambda sheet: (-sheet.density, sheet.file))
    return [sheet.file for sheet in sheets[:_DRAWN]]


def _article(file: str, plans: Sequence[Planned]) -> str:
    tallest = max(map(page_px, plans))
    drawn = "".join(
        f"<figure>{strip(plan, tallest)}<figcaption>{escape(plan.layout)}<br>{_many(len(plan.plan.slots), 'ad')},"
        f" {plan.plan.space.density:.0%} of the page</figcaption></figure>"
        for plan in plans
    )
    return f"<article><h3><code>{_name(file)}</code></h3><div>{drawn}</div></article>"


def _section(title: str, about: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(about)}</p>"


def _panel(device: Device, chart: str) -> str:
    return f"<figure><figcaption>{device.value}</figcaption>{chart}</figure>"


def _name(file: str) -> str:
    """A file's name, whose invalid bytes no page can hold."""
    return escape(file.encode(errors="replace").decode())


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
