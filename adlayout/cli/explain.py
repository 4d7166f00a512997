"""`adlayout explain`: an article's outline with the verdict on every gap, and why."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime

from adlayout.answers import plan_json
from adlayout.assemble import assemble
from adlayout.cli.ads import draw_ads
from adlayout.cli.compose import SEED, add_request, request_of
from adlayout.cli.directory import config_directory
from adlayout.cli.live import Ads, ads_of
from adlayout.cli.outline import draw
from adlayout.cli.store import FOUND, add_store
from adlayout.cli.terminal import has_colour, ink, print_json, shown, width
from adlayout.compose import Composer
from adlayout.reports.why import Why, why
from adlayout.upkeep import Shelf

_EXAMPLE = f"""examples:
  adlayout explain article.html
  adlayout explain article.html --layout every-2 --device desktop
  adlayout explain article.html --decide --section sport
  adlayout explain article.html --json | jq '.gaps[] | select(.verdict == "refused")'

Gap n follows block n. ▶ holds an ad; ✗ is refused, by the rules that are named; · would take an ad, but none is due.

--decide tells of the ads in the store, without those whose goal or cap is reached; what one reader has seen already and
what other pages hold is not looked at, and nothing is counted. Where no store is found, they are those of the files.
{FOUND}"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "explain",
        help="where ads would stand in an article, and why nowhere else",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_request(parser)
    parser.add_argument("--decide", action="store_true", help="also who stands in each slot, and why nobody else does")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draws the outline, or prints the plan."""
    edition = assemble(config_directory(args.config), os.environ)
    request = request_of(args, edition)
    ads = ads_of(args, edition) if args.decide else Ads(Shelf(), None, "")
    composer = Composer(edition, ads.shelf, books=ads.books)
    planned = composer.plan(request)
    # As `compose` draws them, so that both speak of the same page.
    asked = replace(request, seed=SEED, counted=False)
    decided = why(composer, asked, now=datetime.now(UTC)) if args.decide else ()
    if args.json:
        told = {"inventory": ads.source, "decisions": [_json(one) for one in decided]} if args.decide else {}
        print_json(plan_json(planned) | told)
        return 0
    print(ink(f"layout {planned.layout} on {planned.device.value}", "1", sys.stdout), end="\n\n")
    colour = has_colour(sys.stdout, os.environ)
    drawn = draw(planned, colour=colour, width=width(sys.stdout, os.environ))
    print(shown(drawn, sys.stdout))
    if args.decide:
        drawn = draw_ads(decided, colour=colour, width=width(sys.stdout, os.environ))
        print(shown(f"\nads, as of {ads.source}:\n\n{drawn}", sys.stdout))
    return 0


def _json(one: Why) -> dict[str, object]:
    return one._asdict() | {"others": [group._asdict() for group in one.others]}
