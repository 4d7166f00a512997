"""`adlayout compose`: one page with the ads of the config directory, no server and no store needed."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from adlayout.answers import page_json
from adlayout.assemble import Edition, assemble
from adlayout.cli.directory import add_config, config_directory
from adlayout.cli.terminal import read_article, warn, write_article, write_json
from adlayout.compose import Composer
from adlayout.config.faults import nearest
from adlayout.decision.inventory import read_inventory
from adlayout.errors import InputError
from adlayout.model import ArticleFacts, Device, Output, Page, Request
from adlayout.upkeep import Shelf, Stock

# The same article gets the same ads each time.
SEED = "adlayout compose"

_EXAMPLE = """examples:
  adlayout compose article.html -o page.html
  adlayout compose article.html --layout every-2 --output fragment
  curl -s https://example.com/body.html | adlayout compose - --json

The ads are those of inventory/ in the config directory. The same article gives the same page each time; --seed
changes which ads are drawn."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser(
        "compose",
        help="one page, no server needed",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_request(parser)
    parser.add_argument(
        "--output", choices=[one.value for one in Output], default=Output.PAGE, help="how much (default: %(default)s)"
    )
    parser.add_argument("--seed", default=SEED, metavar="TEXT", help="seeds every random choice")
    parser.add_argument("--json", action="store_true", help="the whole answer, as JSON")
    parser.add_argument("-o", dest="into", type=Path, metavar="FILE", help="write there (default: standard output)")
    parser.set_defaults(run=run)


def add_request(parser: argparse.ArgumentParser) -> None:
    """Adds what says which article is meant and how it is to be laid out."""
    parser.add_argument(
        "article", metavar="ARTICLE.html", help="the article's body HTML in UTF-8; - reads it from stdin"
    )
    parser.add_argument("--layout", metavar="NAME", help="the layout (default: what the site says)")
    parser.add_argument("--site", metavar="ID", help="the site (default: that of the config)")
    parser.add_argument(
        "--device", choices=[one.value for one in Device], default=Device.MOBILE, help="(default: %(default)s)"
    )
    parser.add_argument("--section", metavar="NAME", help="the article's section, as sites and blocklists ask for it")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="NAME", help="a tag of the article; may be repeated"
    )
    add_config(parser)


def request_of(args: argparse.Namespace, edition: Edition) -> Request:
    """The request that the options spell. Raises `InputError` for a layout or site that is not there."""
    for what, name, names in (
        ("layout", args.layout, edition.layouts),
        ("site", args.site, edition.settings.sites),
    ):
        if name is not None and name not in names:
            raise InputError(f'no {what} "{name}", {nearest(name, names)}')
    return Request(
        html=read_article(args.article),
        facts=ArticleFacts(section=args.section, tags=tuple(args.tag)),
        site=args.site,
        layout=args.layout,
        device=Device(args.device),
    )


def run(args: argparse.Namespace) -> int:
    """Writes the page, and says on standard error what is not as it should be."""
    edition = assemble(config_directory(args.config), os.environ)
    asked = request_of(args, edition)
    request = replace(asked, output=Output(args.output), seed=args.seed, request_id="cli")
    page = Composer(edition, shelf_of(edition)).compose(request, now=datetime.now(UTC))
    for said in (*page.warnings, *(f"degraded: {reason.value}" for reason in page.degraded)):
        warn(said)
    _write(args, page)
    return 0


def _write(args: argparse.Namespace, page: Page) -> None:
    if args.json:
        write_json(page_json(page, "cli"), args.into)
    else:
        write_article("".join(piece.text for piece in page.pieces), args.into)


def shelf_of(edition: Edition) -> Shelf:
    """The ads of the config directory, ready to be put into a page; an edition has none that is not good."""
    inventory, _ = read_inventory(edition.house_rows, time_zone=edition.settings.counting.time_zone)
    return Shelf(Stock(inventory, {id: edition.prepare(one) for id, one in inventory.creatives.items()}))
