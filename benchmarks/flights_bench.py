"""What a page's decisions cost with 10, 1,000 and 10,000 flights: each against the same with 10, in one run.

In process, without the store: drawing, drafting and settling eight slots. `python benchmarks/flights_bench.py`
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from timeit import repeat
from typing import Any

from adlayout.decision.draft import Conditions, draft
from adlayout.decision.inventory import Inventory, read_inventory
from adlayout.decision.settle import settle
from adlayout.decision.shortlist import shortlist
from adlayout.decision.targeting import PageFacts
from adlayout.model import Slot, SlotStyle
from adlayout.rows import Rows

SLOTS = [Slot(f"inline-{n}", SlotStyle()) for n in range(8)]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FACTS = PageFacts(section="sport", tags=("cup",), device="mobile")
SECTIONS = ("sport", "world", "money", "city", "food")
KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "plain": lambda n: {},
    "targeted": lambda n: {"targeting": {"include": {"section": [SECTIONS[n % 5]]}}},
    "capped": lambda n: {"daily_cap": 1000, "frequency_caps": [{"max": 3, "per": "day"}]},
    "labelled": lambda n: {"labels": [f"label-{n % 50}"]},
}


def stock(flights: int, kind: Callable[[int], dict[str, Any]]) -> Inventory:
    """So many flights of that kind, each with a creative of its own."""
    creatives = {
        f"c{n}": json.dumps({"id": f"c{n}", "kind": "image", "image": {"src": "/a.png", "w": 300, "h": 250}})
        for n in range(flights)
    }
    rows = {
        f"f{n}": json.dumps({"id": f"f{n}", "campaign": "c", "creatives": [{"id": f"c{n}"}], **kind(n)})
        for n in range(flights)
    }
    return read_inventory(Rows({"c": '{"id": "c"}'}, rows, creatives))[0]


def cost_us(inventory: Inventory, pages: int) -> float:
    """Microseconds a page, the best of five runs."""
    seeds = iter(range(pages * 6 + 1))

    def page() -> None:
        seed = str(next(seeds))
        settle(draft(shortlist(inventory, SLOTS, FACTS, now=NOW, seed=seed), Conditions(seed, reader=True)))

    page()
    return min(repeat(page, number=pages, repeat=5)) / pages * 1e6


def main() -> None:
    """Prints a line for each kind and number of flights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    pages = parser.parse_args().pages
    sys.stdout.write(f"{'flights':10} {'number':>7} {'µs a page':>10} {'to 10':>6}\n")
    for name, kind in KINDS.items():
        few = 0.0
        for number in (10, 1_000, 10_000):
            spent = cost_us(stock(number, kind), pages)
            few = few or spent
            sys.stdout.write(f"{name:10} {number:7} {spent:10.1f} {spent / few:6.2f}\n")


if __name__ == "__main__":
    main()
