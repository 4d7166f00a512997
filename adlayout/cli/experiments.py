"""`adlayout experiments`: what tests of layouts there are, what came of them, and how long one would take."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from adlayout.assemble import Edition, assemble
from adlayout.cli import trial_runs
from adlayout.cli.directory import add_config, config_directory
from adlayout.cli.findings import draw_results
from adlayout.cli.plan import add_plan, plan
from adlayout.cli.store import FOUND, add_store, store_url
from adlayout.cli.terminal import complain, has_colour, print_json, shown
from adlayout.config.faults import nearest
from adlayout.deciding import zone_of
from adlayout.errors import AdlayoutError, InputError
from adlayout.experiments.assign import Experiment
from adlayout.experiments.metrics import metric
from adlayout.store.client import Store
from adlayout.trials import Form, Stats, exposures, listed, results_json, results_of, written
from adlayout.web.accounts import open_store

_EXAMPLE = f"""examples:
  adlayout experiments list
  adlayout experiments results density
  adlayout experiments results density --stats bayesian --metric ctr --json
  adlayout experiments export density > density.csv
  adlayout experiments plan --baseline 0.02 --lift 0.1 --users-a-day 20000

{FOUND}"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command, its verbs and their options."""
    parser = subparsers.add_parser(
        "experiments",
        help="the numbers of a test of layouts",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list | results | export | plan | simulate")
    verb = partial(verbs.add_parser, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = verb("list", help="the tests of the config, drafts too")
    add_config(known)
    known.add_argument("--json", action="store_true", help="as one JSON object")
    results = verb("results", help="what came of a test, and what to do")
    _add_one(results)
    results.add_argument("--stats", type=Stats, choices=list(Stats), default=Stats.SEQUENTIAL, help=_STATS_HELP)
    results.add_argument(
        "--metric", action="append", default=[], metavar="NAME", help="tell of this one; may be repeated"
    )
    results.add_argument("--json", action="store_true", help="as one JSON object")
    export = verb("export", help="print the first exposure of each unit, as GrowthBook reads them")
    _add_one(export)
    export.add_argument("--format", type=Form, choices=list(Form), default=Form.CSV, help="how (default: csv)")
    add_plan(verb("plan", help="how many users and days a test needs"))
    trial_runs.add(verbs)


_STATS_HELP = "sequential: look as often as you like (the default); fixed or bayesian: for one look at the end"


def _add_one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the key of the test")
    add_config(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Does what was asked; 1, with the causes on standard error, where it cannot."""
    try:
        match args.verb:
            case "list":
                return _list(_edition(args), as_json=args.json)
            case "plan":
                return plan(args)
            case _:
                edition = _edition(args)
                return asyncio.run(_with_store(args, edition, _found(edition, args.key)))
    except AdlayoutError as exc:
        complain(str(exc))
        return 1


def _edition(args: argparse.Namespace) -> Edition:
    return assemble(config_directory(args.config), os.environ)


def _found(edition: Edition, key: str) -> Experiment:
    known = {one.key: one for one in edition.all_experiments}
    if key not in known:
        raise InputError(f'no experiment "{key}", {nearest(key, known)}' if known else "there are no experiments")
    return known[key]


def _list(edition: Edition, *, as_json: bool) -> int:
    if as_json:
        print_json({"experiments": [listed(one) for one in edition.all_experiments]})
        return 0
    for one in edition.all_experiments:
        arms = zip(one.variation_keys, one.variations, one.weights, strict=True)
        told = ", ".join(f"{key} ({layout}) {weight:.3g}" for key, layout, weight in arms)
        print(f"{one.key}  {one.status} on {one.site}: {told}")
    if not edition.all_experiments:
        print(f"no experiments in {Path(edition.directory) / 'experiments.yaml'}")
    return 0


async def _with_store(args: argparse.Namespace, edition: Edition, experiment: Experiment) -> int:
    store = open_store(edition.settings, store_url(args))
    try:
        if args.verb == "export":
            return await _export(store, experiment, args.format)
        return await _results(args, edition, store, experiment)
    finally:
        await store.close()


async def _results(args: argparse.Namespace, edition: Edition, store: Store, experiment: Experiment) -> int:
    metrics = _metrics(args.metric)
    today = datetime.now(zone_of(edition.settings)).date()
    found = await results_of(store, experiment, today=today, metrics=metrics)
    if args.json:
        print_json(results_json(experiment, found, stats=args.stats))
        return 0
    drawn = draw_results(experiment, found, stats=args.stats, colour=has_colour(sys.stdout, os.environ))
    print(shown(drawn, sys.stdout))
    return 0


def _metrics(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if metric(name) is None:
            raise InputError(f'no metric "{name}"')
    return tuple(dict.fromkeys(names))


async def _export(store: Store, experiment: Experiment, form: Form) -> int:
    async for piece in written(exposures(store, experiment), form):
        sys.stdout.write(piece)
    return 0
