"""`adlayout counters`: counts in the store made again from the events that it still has."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

from adlayout.cli.store import add_store, settings_of, store_url
from adlayout.cli.terminal import complain, print_json
from adlayout.errors import AdlayoutError
from adlayout.reports.recount import Recounted, recount
from adlayout.web.accounts import open_store, terms_of

_EXAMPLE = """examples:
  adlayout counters rebuild --dry-run
  adlayout counters rebuild --config config

Counts are only ever raised: where events were trimmed from the stream, what was counted of them stays. The store is
found as for `adlayout inventory`."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command, its verb and its options."""
    parser = subparsers.add_parser(
        "counters",
        help="count again what the store's events say",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="rebuild")
    rebuild = verbs.add_parser(
        "rebuild",
        help="raise what is lower than the events in the stream come to",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rebuild.add_argument("--dry-run", action="store_true", help="say what the events come to, and change nothing")
    rebuild.add_argument("--config", type=Path, metavar="DIR", help="the config directory (default: ./config)")
    add_store(rebuild)
    rebuild.add_argument("--json", action="store_true", help="say it as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Does what was asked; 1, with the cause on standard error, where it cannot."""
    try:
        found = asyncio.run(_rebuild(args))
    except AdlayoutError as exc:
        complain(str(exc))
        return 1
    if args.json:
        print_json({"raised": sum(one.raised for one in found), "shards": [_told(one) for one in found]})
        return 0
    for one in found:
        print("\n".join(_lines(one, dry=args.dry_run)))
    return 0


async def _rebuild(args: argparse.Namespace) -> list[Recounted]:
    # Days and hours are counted in the config's time zone, and shards are as many as it says.
    settings = settings_of(args)
    store = open_store(settings, store_url(args))
    try:
        shards, terms = range(store.shards), terms_of(settings)
        return [await recount(store, shard, terms, raises=not args.dry_run) for shard in shards]
    finally:
        await store.close()


def _told(one: Recounted) -> dict[str, object]:
    return {"shard": one.shard, "events": one.events, "first": one.first, "raised": one.raised, "counts": one.counts}


def _lines(one: Recounted, *, dry: bool) -> Iterator[str]:
    fields = sum(map(len, one.counts.values()))
    if not one.events:
        yield f"shard {one.shard}: no events"
        return
    yield f"shard {one.shard}: {one.events} events since {one.first} come to {fields} counts"
    if dry:
        yield from (f"  {key} {field}: {count}" for key, field, count in _totals(one))
        return
    yield f"  {one.raised} of them were lower and are raised" if one.raised else "  none of them was lower"


def _totals(one: Recounted) -> Iterator[tuple[str, str, int]]:
    """The counts of flights, which are few; those of hours are many."""
    for key in sorted(key for key in one.counts if not key.startswith("h:")):
        yield from ((key, field, count) for field, count in sorted(one.counts[key].items()))
