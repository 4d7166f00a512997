"""`adlayout explain`: an article's outline with the verdict on every gap, and why."""

from __future__ import annotations

import argparse
import os
import sys

from adlayout.answers import plan_json
from adlayout.assemble import assemble
from adlayout.cli.compose import add_request, request_of
from adlayout.cli.directory import config_directory
from adlayout.cli.outline import draw
from adlayout.cli.terminal import has_colour, ink, print_json, shown, width
from adlayout.compose import Composer
from adlayout.upkeep import Shelf

_EXAMPLE = """examples:
  adlayout explain article.html
  adlayout explain article.html --layout every-2 --device desktop
  adlayout explain article.html --json | jq '.gaps[] | select(.verdict == "refused")'

Gap n follows block n. ▶ holds an ad; ✗ is refused, by the rules that are named; · would take an ad, but none is due."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "explain",
        help="where ads would stand in an article, and why nowhere else",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_request(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draws the outline, or prints the plan."""
    edition = assemble(config_directory(args.config), os.environ)
    planned = Composer(edition, Shelf()).plan(request_of(args, edition))
    if args.json:
        print_json(plan_json(planned))
        return 0
    print(ink(f"layout {planned.layout} on {planned.device.value}", "1", sys.stdout), end="\n\n")
    colour = has_colour(sys.stdout, os.environ)
    drawn = draw(planned, colour=colour, width=width(sys.stdout, os.environ))
    print(shown(drawn, sys.stdout))
    return 0
