"""Damages articles at random for as long as one likes, and holds each against what the service promises.

    python benchmarks/mutate.py [--seconds 60] [--seed N]

Under each shipped layout in turn: the stretches between the ads are the article, byte for byte; a browser's parse of
the composed article without its ads is the article's tree; the plan of a person who asks has the same slots. What fails
is printed with the seed that makes it again, and the run ends with 1.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from corpus import article, damaged
from turbohtml import Element, parse_fragment

from adlayout.assemble import assemble
from adlayout.model import Device
from adlayout.placement.layout import Layout
from adlayout.plans import judge, lay
from adlayout.rendering.slot import empty_slot

CONFIG = Path(__file__).resolve().parent.parent / "config"
SLOT = "aside.adl-slot[data-adl-slot]"


def layouts() -> list[Layout]:
    """Every layout that ships, on every device."""
    shipped = assemble(CONFIG, {}).layouts
    return [shipped[name][device] for name in sorted(shipped) for device in Device]


def faults(html: str, layout: Layout) -> Iterator[str]:
    """What does not hold of an article under a layout, in words."""
    laid, _ = lay(html, layout)
    if "".join(stretch.text for stretch in laid.stretches) != html:
        yield "the stretches are not the article"
    slots = [box.slot for box in laid.boxes]
    planned = [(slot.id, slot.gap, slot.offset) for slot in judge(html, layout).plan.slots]
    if planned != [(slot.id, slot.gap, slot.offset) for slot in slots]:
        yield f"the plan has {planned}"
    ads = [empty_slot(slot) for slot in slots]
    pairs = zip((one.text for one in laid.stretches), [*ads, ""], strict=True)
    tree = _tree("".join(text for pair in pairs for text in pair))
    found = tree.select(SLOT)
    for slot in found:
        slot.extract()
    tree.normalize()
    if len(found) != len(slots) or not tree.equals(_tree(html)):
        yield f"the tree is not the article's, with ads in gaps {[slot.gap for slot in slots]}"


def _tree(html: str) -> Element:
    return parse_fragment(html.replace("\r\n", "\n").replace("\r", "\n"), "body")


def made(seed: int) -> str:
    """The damaged article of a seed."""
    pick = random.Random(seed)  # noqa: S311 (articles, not secrets)
    html = article(pick)[: pick.randint(200, 6000)]
    for _ in range(pick.randint(1, 5)):
        html = damaged(pick, html) if html else "<p>"
    return html


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="only this one")
    args = parser.parse_args()
    every = layouts()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 40)
    ends, done, wrong = monotonic() + args.seconds, 0, 0
    while (monotonic() < ends and args.seed is None) or not done:
        layout = every[seed % len(every)]
        for fault in faults(made(seed), layout):
            wrong += 1
            sys.stdout.write(f"--seed {seed}, {layout.name} on {layout.device.value}: {fault}\n")
        seed, done = seed + 1, done + 1
    sys.stdout.write(f"{done:,} damaged articles, {wrong:,} faults\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
