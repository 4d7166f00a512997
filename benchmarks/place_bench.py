"""Placing ads in a new article beside what lxml takes to parse it: in one process, by turns, medians of the rounds.

Ours is `plans.lay`: parse, place, verify and splice; theirs is `lxml.html.document_fromstring`, lxml's fastest way to a
tree. The ratio is what to read; microseconds per KB tell whether either of them is linear. Articles are pages of news
prose (those of compose_bench.py), a new one in each round.

    pip install lxml
    python benchmarks/place_bench.py [--seconds 2] [--layout article] [--sizes 1,16,64,256,1024,5120]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from compose_bench import NUMBER, request

from adlayout.assemble import assemble
from adlayout.model import Device
from adlayout.placement.layout import Layout
from adlayout.plans import lay

try:
    from lxml.html import document_fromstring
except ImportError as exc:
    raise SystemExit("this benchmark compares with lxml, which is not installed: pip install lxml") from exc

CONFIG = Path(__file__).resolve().parent.parent / "config"
STAGES = ("parse", "place", "verify", "splice")
HEAD = f"{'KB':>6} {'slots':>5} {'lxml us':>10} {'ours us':>10} {'ratio':>6} {'lxml/KB':>8} {'ours/KB':>8}"
LEAST_ROUNDS = 5


def main() -> None:
    """Measures one size after the other and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="for each size")
    parser.add_argument("--layout", default="article")
    parser.add_argument("--sizes", default="1,16,64,256,1024,5120", help="in KB")
    args = parser.parse_args()
    layout = assemble(CONFIG, {}).layouts[args.layout][Device.DESKTOP]
    sys.stdout.write(HEAD + "".join(f" {stage:>9}" for stage in STAGES) + "\n")
    for size in map(int, args.sizes.split(",")):
        sys.stdout.write(_line(size, layout, args.seconds) + "\n")
        sys.stdout.flush()


def _line(size: int, layout: Layout, seconds: float) -> str:
    made = _articles(size * 1024)
    slots = len(lay(next(made), layout)[0].boxes)
    ends = perf_counter() + seconds
    rounds: list[tuple[float, ...]] = []
    while perf_counter() < ends or len(rounds) < LEAST_ROUNDS:
        rounds.append(_round(next(made), layout))
    theirs, ours, *stages = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(row[1] / row[0] for row in rounds)
    figures = f"{size:6} {slots:5} {theirs:10.1f} {ours:10.1f} {ratio:6.2f} {theirs / size:8.2f} {ours / size:8.2f}"
    return figures + "".join(f" {stage:9.1f}" for stage in stages)


def _articles(size: int) -> Iterator[str]:
    article = request(size).partition(b"\r\n\r\n")[2].decode()
    number = 0
    while True:
        number += 1
        yield article.replace(NUMBER.decode(), f"{number:010}")


def _round(article: str, layout: Layout) -> tuple[float, ...]:
    """Microseconds of lxml, of ours, and of our stages; a tree is freed within the time of whoever made it."""
    start = perf_counter()
    document_fromstring(article)
    parsed = perf_counter()
    timings = lay(article, layout)[1]
    laid = perf_counter()
    stages = [spent * 1000 for _, spent in timings]
    ours = (laid - parsed) * 1e6
    return (parsed - start) * 1e6, ours, *stages, ours - sum(stages)


if __name__ == "__main__":
    main()
