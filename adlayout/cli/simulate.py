"""`adlayout simulate`: a layout over a folder of articles, before readers see it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from adlayout.assemble import Edition, assemble
from adlayout.cli.directory import add_config, config_directory
from adlayout.cli.outline import MEANING
from adlayout.cli.progress import Progress
from adlayout.cli.snippet import cut
from adlayout.cli.terminal import has_colour, ink, print_json, shown, warn, width, write_article
from adlayout.config.faults import nearest
from adlayout.errors import InputError
from adlayout.model import Device, Reason
from adlayout.report import report
from adlayout.simulate import Change, Run, Setup, Sheet, Summary, changes, simulate, summarise

_EXAMPLE = """examples:
  adlayout simulate articles --layout article
  adlayout simulate articles --layout denser --against article --html report.html
  adlayout simulate articles --layout article --device mobile --json | jq '.layouts.article.mobile.ads'

Reads every *.html and *.htm below the folder. Nothing is counted and no reader sees anything."""

_SHOWN: Final = 10
_BAR: Final = 24


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "simulate",
        help="a layout over a folder of articles: ads, density, and what a change moves",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of articles, body HTML in UTF-8")
    parser.add_argument("--layout", required=True, metavar="NAME", help="the layout")
    parser.add_argument("--against", metavar="NAME", help="the layout to compare it with, as the one in use")
    parser.add_argument(
        "--device", choices=[*(one.value for one in Device), "all"], default="all", help="(default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write a report with charts there, one HTML file")
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="processes (default: one for each core)")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulates, prints what it comes to, and writes the report where one is wanted."""
    config = config_directory(args.config)
    names = _layouts(args, assemble(config, os.environ))
    devices = tuple(Device) if args.device == "all" else (Device(args.device),)
    setup = Setup(config, names, devices)
    with Progress(sys.stderr) as progress:
        done = simulate(args.folder, setup, jobs=args.jobs, told=progress.tell)
    for file, cause in done.unread.items():
        warn(f"{file}: {cause}, and was left out")
    if args.html is not None:
        write_article(report(done, setup, MEANING), args.html)
    if args.json:
        print_json(run_json(done, names, devices))
    else:
        text = "\n".join(_text(done, names, devices, width(sys.stdout, os.environ)))
        print(shown(text, sys.stdout))
    return 0


def _jobs(said: str) -> int:
    if not said.isdecimal() or not 1 <= int(said) <= 256:
        raise argparse.ArgumentTypeError(f"expected a number of processes from 1 to 256, got {said}")
    return int(said)


def _layouts(args: argparse.Namespace, edition: Edition) -> tuple[str, ...]:
    names = (args.layout,) if args.against in (None, args.layout) else (args.layout, args.against)
    for name in names:
        if name not in edition.layouts:
            raise InputError(f'no layout "{name}", {nearest(name, edition.layouts)}')
    return names


# As data.


def run_json(run: Run, names: Sequence[str], devices: Sequence[Device]) -> dict[str, object]:
    """Everything that was found, for programs."""
    told: dict[str, object] = {
        "articles": len(run.files),
        "unread": list(run.unread),
        "layouts": {
            name: {device.value: _summary_json(summarise(run.sheets[name, device])) for device in devices}
            for name in names
        },
        "sheets": {
            name: {device.value: [_sheet_json(sheet) for sheet in run.sheets[name, device]] for device in devices}
            for name in names
        },
    }
    if len(names) > 1:
        told["against"] = names[1]
        told["changes"] = {
            device.value: [
                {"file": one.file, "before": list(one.before), "after": list(one.after)}
                for one in _changes(run, names, device)
            ]
            for device in devices
        }
    return told


def _summary_json(summary: Summary) -> dict[str, object]:
    depth = summary.depth
    return {
        "articles": summary.articles,
        "ads": {"mean": summary.mean_ads, "median": summary.median_ads, "articles_by_ads": summary.ads},
        "density": {
            "median": round(summary.median_density, 3),
            "p90": round(summary.high_density, 3),
            "max": round(max(summary.density, default=0.0), 3),
            "articles_over_30": summary.over,
        },
        "first_ad": None if depth is None else dict(zip(("paragraphs", "percent", "px"), depth, strict=True)),
        "refused": {rule.value: {"gaps": gaps, "articles": many} for rule, (gaps, many) in summary.refused.items()},
        "dropped": {rule.value: count for rule, count in summary.dropped.items()},
        "without_ads": {rule.value if rule else "nothing_to_see": list(files) for rule, files in summary.none.items()},
        "warnings": summary.warnings,
    }


def _sheet_json(sheet: Sheet) -> dict[str, object]:
    return {
        "file": sheet.file,
        "gaps": list(sheet.gaps),
        "density": round(sheet.density, 3),
        "refused": {rule.value: count for rule, count in sorted(sheet.refused.items())},
        "warnings": list(sheet.warnings),
    }


def _changes(run: Run, names: Sequence[str], device: Device) -> tuple[Change, ...]:
    """What the layout changes against the one it is compared with."""
    return changes(run.sheets[names[1], device], run.sheets[names[0], device])


# As text.


def _text(run: Run, names: Sequence[str], devices: Sequence[Device], columns: int) -> Iterator[str]:
    summaries = {(name, device): summarise(run.sheets[name, device]) for name in names for device in devices}
    read = len(run.files) - len(run.unread)
    yield _bold(f"{_many(read, 'article')} in {run.folder}")
    yield ""
    yield from _table(summaries, names, devices)
    for name in names:
        yield from _rules(name, summaries[name, devices[0]], devices[0], columns)
    if len(names) > 1:
        yield from _moved(run, names, devices, columns)


def _table(
    summaries: Mapping[tuple[str, Device], Summary], names: Sequence[str], devices: Sequence[Device]
) -> Iterator[str]:
    """A column for each layout on each device, what it is compared with beside it."""
    columns = [(device, name) for device in devices for name in names]
    rows: list[tuple[str, list[str]]] = [
        ("", [device.value for device, _ in columns]),
        ("", [name for _, name in columns]),
    ]
    told = [_cells(summaries[name, device]) for device, name in columns]
    rows += [(label, [one[label] for one in told]) for label in told[0]]
    room = max(len(label) for label, _ in rows)
    rooms = [max(len(cells[at]) for _, cells in rows) for at in range(len(columns))]
    for number, (label, cells) in enumerate(rows):
        line = f"{label:<{room}}  " + "  ".join(f"{cell:>{rooms[at]}}" for at, cell in enumerate(cells))
        yield _bold(line) if number < 2 else line


def _cells(summary: Summary) -> dict[str, str]:
    depth = summary.depth or (0.0, 0.0, 0.0)
    none = sum(map(len, summary.none.values()))
    return {
        "ads per article": f"{summary.mean_ads:.1f}",
        "  median": f"{summary.median_ads:g}",
        "  least to most": f"{min(summary.ads, default=0)} to {max(summary.ads, default=0)}",
        "articles without": f"{none:,}",
        "density, median": f"{summary.median_density:.0%}",
        "  nine of ten up to": f"{summary.high_density:.0%}",
        "  articles over 30 %": f"{summary.over:,}",
        "first ad after": f"{depth[0]:g} ¶",
        "  of the text": f"{depth[1]:.0f} %",
        "  height": f"{depth[2]:.0f} px",
    }


def _rules(name: str, summary: Summary, device: Device, columns: int) -> Iterator[str]:
    yield ""
    yield _bold(f"What kept gaps free, {name} on {device.value}")
    most = max((gaps for gaps, _ in summary.refused.values()), default=1)
    bar = max(8, min(_BAR, columns - 52))
    for rule, (gaps, articles) in summary.refused.items():
        filled = "━" * max(1, bar * gaps // most)
        yield cut(f"  {rule.value:<16} {filled:<{bar}} {gaps:>8,} in {_many(articles, 'article')}", columns)
    if summary.none:
        yield ""
        yield _bold(f"Articles without ads, {name} on {device.value}")
    for why, files in summary.none.items():
        said = f"{why.value}: {MEANING[why]}" if isinstance(why, Reason) else "nothing to see in them"
        yield f"  {len(files):>6,} {said}, as {files[0]}"


def _moved(run: Run, names: Sequence[str], devices: Sequence[Device], columns: int) -> Iterator[str]:
    """What the layout changes, device by device; articles only where they are not those of the device before."""
    told: tuple[Change, ...] = ()
    for device in devices:
        found = _changes(run, names, device)
        more = sum(len(one.after) > len(one.before) for one in found)
        fewer = sum(len(one.after) < len(one.before) for one in found)
        yield ""
        yield _bold(f"{names[0]} against {names[1]} on {device.value}")
        yield (
            f"  {_many(len(found), 'article')} of {len(run.files) - len(run.unread):,} differ: {more:,} have more ads,"
            f" {fewer:,} have fewer, in {len(found) - more - fewer:,} they only moved"
        )
        if found != told:
            yield from (cut(_change(one), columns) for one in found[:_SHOWN])
            if len(found) > _SHOWN:
                yield f"  and {len(found) - _SHOWN:,} more (--json has them all)"
        told = found


def _change(one: Change) -> str:
    """`00331.html  8 → 45 ads  + 2, 4, 8 …  - 3, 9`."""
    gained, lost = (sorted(set(a) - set(b)) for a, b in ((one.after, one.before), (one.before, one.after)))
    moves = [f"{sign} {', '.join(map(str, gaps))}" for sign, gaps in (("+", gained), ("-", lost)) if gaps]
    return f"  {one.file}  {len(one.before)} → {_many(len(one.after), 'ad')}, gaps {'  '.join(moves)}"


def _bold(text: str) -> str:
    return ink(text, "1", sys.stdout) if has_colour(sys.stdout, os.environ) else text


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
