"""`adlayout experiments plan`: the users and days that a test needs to find what it looks for."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

from adlayout.cli.terminal import print_json
from adlayout.errors import InputError
from adlayout.experiments.metrics import CONVERSIONS, Metric, metric
from adlayout.experiments.power import Need, Wish, need, variance_of_share


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a plan."""
    parser.add_argument("--baseline", type=float, required=True, metavar="N", help="what the metric is now, as 0.02")
    parser.add_argument(
        "--lift", type=float, default=0.05, metavar="N", help="the least change that matters (0.05: 5 %%)"
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="which metric it is; one of users who do something needs no --sd"
    )
    parser.add_argument("--sd", type=float, metavar="N", help="the standard deviation of the metric among users")
    parser.add_argument(
        "--variations", type=int, default=2, metavar="N", help="how many layouts, all alike (default: 2)"
    )
    parser.add_argument("--users-a-day", type=float, metavar="N", help="new users on a day, of those who take part")
    parser.add_argument("--power", type=float, default=0.8, metavar="N", help="how probably it is found (default: 0.8)")
    parser.add_argument("--json", action="store_true", help="as one JSON object")


def plan(args: argparse.Namespace) -> int:
    """Prints what the test needs, looked at as one likes and looked at once."""
    wish = _wish(args)
    always, once = need(wish), need(replace(wish, always_valid=False))
    if always is None or once is None:
        raise InputError("no number of users finds that")
    days = [found.days(args.users_a_day) if args.users_a_day else None for found in (always, once)]
    if args.json:
        print_json({"sequential": _told(always, days[0]), "fixed": _told(once, days[1])})
        return 0
    name = args.metric or "a share of users"
    print(f"A change of {wish.lift * 100:.3g} % of {wish.baseline:g} ({name}) is found with ", end="")
    print(f"{wish.power * 100:.3g} % probability by")
    print(f"  {_words(always, days[0])}, looked at as often as you like (sequential)")
    print(f"  {_words(once, days[1])}, looked at once, at the end (fixed)")
    return 0


def _wish(args: argparse.Namespace) -> Wish:
    named = _metric(args.metric)
    for name, value in (("baseline", args.baseline), ("lift", args.lift)):
        if not math.isfinite(value) or not value:
            raise InputError(f"--{name}: expected a number other than 0")
    if not 0 < args.power < 1:
        raise InputError("--power: expected a number between 0 and 1, as 0.8")
    if not 2 <= args.variations <= 100:
        raise InputError("--variations: expected 2 to 100")
    if args.users_a_day is not None and not 0 < args.users_a_day < math.inf:
        raise InputError("--users-a-day: expected a number above 0")
    weights = (1 / args.variations,) * args.variations
    variance, once = _variance(args, named)
    return Wish(args.baseline, variance, args.lift, args.power, weights, once=once)


def _metric(name: str | None) -> Metric | None:
    if name is None:
        return None
    found = metric(name)
    if found is None:
        raise InputError(f'no metric "{name}"')
    return found


def _variance(args: argparse.Namespace, named: Metric | None) -> tuple[float, bool]:
    """What one user brings to the variance, as it is said or where each does something or does not; and which it is."""
    if args.sd is not None:
        if not 0 < args.sd < math.inf:
            raise InputError("--sd: expected a number above 0")
        return float(args.sd**2), False
    is_share = named is None or named.once or named.name.startswith(CONVERSIONS)
    if not is_share or not 0 < args.baseline < 1:
        raise InputError(
            f"say --sd: how much {args.metric or 'a number that is no share'} differs from user to user is not told by "
            "its baseline (about 1 to 2 times the baseline for views and pages, 5 times and more for revenue)"
        )
    return variance_of_share(args.baseline), True


def _told(found: Need, days: int | None) -> dict[str, object]:
    return {"users": found.total, "users_by_variation": list(found.units), "days": days}


def _words(found: Need, days: int | None) -> str:
    units = f"{found.total:,} users, {found.units[0]:,} in each variation"
    return units if days is None else f"{units}, in {days:,} {'day' if days == 1 else 'days'}"
