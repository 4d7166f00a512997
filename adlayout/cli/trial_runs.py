"""`adlayout experiments simulate`: tests on generated readers of whom the truth is known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from adlayout.assemble import assemble
from adlayout.cli.directory import add_config, config_directory
from adlayout.cli.terminal import print_json
from adlayout.config.faults import nearest
from adlayout.errors import InputError
from adlayout.experiments.assign import Experiment, experiments_of
from adlayout.experiments.schema import ExperimentsFile

if TYPE_CHECKING:
    from adlayout.rehearsal.runs import Lifted, Promise, Rate, Rehearsal, Robbed, Runs, Same
    from adlayout.rehearsal.setup import Setup

_EXAMPLE = """examples:
  adlayout experiments simulate
  adlayout experiments simulate density --readers 50000 --days 21 --metric views_per_user
  adlayout experiments simulate --lift 0 --runs 1000 --jobs 4 --json

Readers are generated: a few read, see and click much, most do little. Assignment, sums, intervals and verdicts are
those of real tests; a first run goes through signed pages, the spool and a store of its own. Nobody sees anything."""

_LOOKS: Final = {"daily": 1, "weekly": 7, "end": 100_000}
_PLAIN: Final = {"version": 1, "experiments": [{"key": "rehearsal", "variations": ["a", "b"]}]}
_ROOM: Final = 46


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb and its options."""
    parser = verbs.add_parser(
        "simulate",
        help="how often tests like this one are right, on generated readers",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("key", nargs="?", metavar="KEY", help="the test (default: two variations of equal weight)")
    parser.add_argument("--readers", type=_number, default=5_000, metavar="N", help="in each run (default: 5000)")
    parser.add_argument("--days", type=_number, default=14, metavar="D", help="how long each run is (default: 14)")
    parser.add_argument("--runs", type=_number, default=200, metavar="R", help="runs of each kind (default: 200)")
    parser.add_argument("--lift", type=float, help="planted, 0 for nothing (default: the test's own, else 0.05)")
    parser.add_argument("--lost", type=float, default=0.1, help="share of readers whose beacons one variation loses")
    parser.add_argument("--metric", help="by what runs are judged (default: the test's first, else ctr)")
    parser.add_argument("--peek", choices=_LOOKS, default="daily", help="when somebody looks (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other readers (default: 1)")
    parser.add_argument("--jobs", type=_number, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Rehearses and prints what it comes to."""
    # Only who rehearses waits for the library of distributions.
    from adlayout.rehearsal.runs import Runs, rehearse
    from adlayout.rehearsal.setup import Setup

    experiment = _experiment(args)
    setup = Setup(
        experiment,
        args.metric or (experiment.metrics[0] if args.key and experiment.metrics else "ctr"),
        args.readers,
        args.days,
        _LOOKS[args.peek],
        args.seed,
    )
    runs = Runs(args.runs, experiment.lift if args.lift is None else args.lift, _share(args.lost), args.jobs)
    found = rehearse(setup, runs, _teller())
    if args.json:
        print_json(rehearsal_json(found, setup, runs))
    else:
        print("\n".join(_text(found, setup, runs, args.peek)))
    return 0


def _number(said: str) -> int:
    if not said.isdecimal() or not 1 <= int(said) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 10000000, got {said}")
    return int(said)


def _share(said: float) -> float:
    if not 0 <= said < 1:
        raise InputError(f"--lost: expected a share from 0 to below 1 (got {said:g})")
    return said


def _experiment(args: argparse.Namespace) -> Experiment:
    if args.key is None:
        return experiments_of(ExperimentsFile.model_validate(_PLAIN))[0]
    edition = assemble(config_directory(args.config), os.environ)
    known = {one.key: one for one in edition.all_experiments}
    if args.key not in known:
        hint = nearest(args.key, known) if known else "there are none"
        raise InputError(f'no experiment "{args.key}", {hint}')
    return known[args.key]


def _teller() -> Callable[[int, int], None]:
    """Says on a terminal how far it is."""
    shows = sys.stderr.isatty()

    def tell(done: int, whole: int) -> None:
        if shows:
            end = "\r\x1b[K" if done == whole else ""
            print(f"\r{done:,} of {whole:,} runs{end}", end="", file=sys.stderr, flush=True)

    return tell


# As data.


def rehearsal_json(found: Rehearsal, setup: Setup, runs: Runs) -> dict[str, object]:
    """Everything that was found, for programs; shares are of 1, each with its standard error."""
    return {
        "experiment": setup.experiment.key,
        "metric": setup.metric,
        "readers": setup.readers,
        "days": setup.days,
        "runs": runs.number,
        "store": {"pages": found.counted.pages, "sums": len(found.counted.store), "differing": []},
        "same": _rates(found.same),
        "lift": None if found.lifted is None else _lifted_json(found.lifted, runs.lift),
        "lost": None if found.robbed is None else _robbed_json(found.robbed, runs.lost),
    }


def _rates(found: Same | Lifted | Robbed) -> dict[str, object]:
    rates = ((name, getattr(found, name)) for name in found.__slots__)
    return {
        name: {"share": round(one.share, 5), "error": round(one.error, 5), "runs": one.runs}
        for name, one in rates
        if hasattr(one, "runs")
    }


def _lifted_json(found: Lifted, lift: float) -> dict[str, object]:
    told: Promise = found.promise
    promised = {
        "baseline": told.baseline,
        "found": round(told.power, 5),
        "fixed_found": round(told.fixed_power, 5),
        "readers_needed": told.readers,
        "fixed_readers_needed": told.fixed_readers,
    }
    return {"planted": lift, "promised": promised, **_rates(found)}


def _robbed_json(found: Robbed, lost: float) -> dict[str, object]:
    due = None if found.due is None else round(found.due, 5)
    return {"planted": lost, "due": due, **_rates(found)}


# As text.


def _text(found: Rehearsal, setup: Setup, runs: Runs, peek: str) -> Iterator[str]:
    variations = len(setup.experiment.variations)
    yield f"{setup.metric}: {variations} variations, {setup.readers:,} readers in {setup.days} days, looks: {peek}"
    yield f"{runs.number:,} runs of each kind; shares of runs with their standard error"
    yield ""
    yield f"Through tickets, spool and store: {found.counted.pages:,} pages,"
    yield f"and all of the {len(found.counted.store)} sums are those added up here."
    yield from _same_text(found.same)
    if found.lifted is not None:
        yield from _lifted_text(found.lifted, runs.lift)
    if found.robbed is not None:
        yield from _robbed_text(found.robbed, runs.lost)


def _same_text(found: Same) -> Iterator[str]:
    yield from _head("Variations that are the same", "should be")
    yield _row("false alarms, default interval, any look", found.alarms, "<= 5 %")
    yield _row("winner or loser named, any look", found.decisions, "<= 5 %")
    yield _row("false alarms, fixed interval, last look", found.fixed_once, "5 %")
    yield _row("false alarms, fixed interval, any look", found.fixed_any, "")
    yield _row("default interval holds 0 at every look", found.holds, ">= 95 %")
    yield _row("shares called wrong, last look", found.mismatched, "0.1 %")
    yield _row("shares called wrong, any look", found.mismatched_any, "")


def _lifted_text(found: Lifted, lift: float) -> Iterator[str]:
    told = found.promise
    yield from _head(f"A lift of {lift:+.3g}", "promised")
    yield _row("found, default interval, last look", found.found, _percent(told.power))
    yield _row("found, default interval, any look", found.found_any, "")
    yield _row("found, fixed interval, last look", found.fixed_found, _percent(told.fixed_power))
    yield _row("default interval holds it at every look", found.holds, ">= 95 %")
    yield _row("fixed interval holds it, last look", found.fixed_holds, "95 %")
    if told.readers is not None and told.fixed_readers is not None:
        yield f"  readers that the plan asks for: {told.readers:,} (default), {told.fixed_readers:,} (fixed)"


def _robbed_text(found: Robbed, lost: float) -> Iterator[str]:
    yield from _head(f"Beacons of {_percent(lost)} of readers lost in one variation", "should be")
    yield _row("shares called wrong, last look", found.caught, "" if found.due is None else _percent(found.due))
    yield _row("shares called wrong, any look", found.caught_any, "")
    if found.decisions.runs:
        yield _row("winner or loser named where they are", found.decisions, "0 %")


def _head(name: str, beside: str) -> Iterator[str]:
    yield ""
    yield f"{name:<{_ROOM}}{'measured':>18}{beside:>12}"


def _row(name: str, found: Rate, beside: str) -> str:
    return f"  {name:<{_ROOM - 2}}{_percent(found.share) + ' ± ' + _percent(found.error):>18}{beside:>12}".rstrip()


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %" if share < 0.0995 else f"{share * 100:.1f} %"
