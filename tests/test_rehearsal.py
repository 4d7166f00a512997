"""Rehearsals: generated readers do what was planted, the store sums them up alike, and what tests say of them is so."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import replace
from math import sqrt
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng

from adlayout.cli import trial_runs
from adlayout.errors import InputError
from adlayout.experiments.assign import Experiment, experiments_of
from adlayout.experiments.crowd import PLANTABLE, Plant, Tally, Today, crowd
from adlayout.experiments.metrics import METRICS, sums_of
from adlayout.experiments.schema import ExperimentsFile
from adlayout.experiments.stats import Sums, relative
from adlayout.rehearsal.pages import Counted, by_store
from adlayout.rehearsal.play import play
from adlayout.rehearsal.runs import Rate, Runs, rate, rehearse
from adlayout.rehearsal.setup import Setup, day, readers

DAYS = 5


def experiment(**keys: Any) -> Experiment:
    row = {"key": "density", "variations": ["every-2", "article"], **keys}
    return experiments_of(ExperimentsFile.model_validate({"version": 1, "experiments": [row]}))[0]


def tally(arms: list[int], plant: Plant, seed: int = 1) -> Tally:
    """The sums of such readers after some days."""
    tally = Tally(arms)
    for at, today in enumerate(crowd(default_rng(seed), arms, DAYS, plant)):
        tally.add(today, day(at))
    return tally


def halves(number: int) -> list[int]:
    return [at % 2 for at in range(number)]


# Readers.


def totals(days: Iterable[Today], letter: str, number: int) -> list[int]:
    """What each reader did in all."""
    whole = np.zeros(number, dtype=np.int64)
    for today in days:
        whole[today.who] += today.of()[letter]
    return [int(one) for one in whole]


@pytest.mark.parametrize("name", [name for name in METRICS if name != "bounce"])
def test_sums_that_grow_day_by_day_are_those_of_what_all_readers_did(name: str) -> None:
    arms, metric = halves(400), METRICS[name]
    days = list(crowd(default_rng(1), arms, DAYS, Plant()))
    m = totals(days, metric.numerator, len(arms))
    d = totals(days, metric.denominator, len(arms)) if metric.denominator else [0] * len(arms)
    found = tally(arms, Plant())
    for arm in (0, 1):
        own = [(m[at], d[at]) for at in range(len(arms)) if arms[at] == arm]
        assert sums_of(metric, found.counted, arm) == Sums.of(own)


def test_who_came_once_for_one_page_bounced() -> None:
    days = list(crowd(default_rng(1), [0] * 300, DAYS, Plant()))
    pages = totals(days, "P", 300)
    assert sums_of(METRICS["bounce"], tally([0] * 300, Plant()).counted, 0) == Sums.of((int(p == 1), 0) for p in pages)


def test_readers_are_uneven() -> None:
    """Half of them see a few ads, one in a hundred ten times as many; most never follow one, some do every third."""
    days = list(crowd(default_rng(1), [0] * 5_000, 14, Plant()))
    views, clicks = (np.array(totals(days, letter, 5_000)) for letter in "VC")
    assert np.quantile(views, 0.99) > 8 * np.quantile(views, 0.5)
    assert (clicks == 0).mean() > 0.8
    assert (clicks / np.maximum(views, 1)).max() > 0.3


@pytest.mark.parametrize("name", PLANTABLE)
def test_what_is_planted_is_there(name: str) -> None:
    lift = PLANTABLE[name]
    found, metric = tally(halves(60_000), Plant(name, lift)).counted, METRICS[name]
    a, b = (metric.estimate(sums_of(metric, found, arm)) for arm in (0, 1))
    effect = a and b and relative(a, b)
    assert effect is not None
    assert abs(effect.value - lift) < 4 * sqrt(effect.variance)
    assert effect.value > lift / 2


def test_only_the_last_variation_loses_beacons() -> None:
    arms = [at % 3 for at in range(30_000)]
    found = tally(arms, Plant(lost=0.25)).counted
    assert (found["0:n"], found["1:n"]) == (10_000, 10_000)
    assert abs(found["2:n"] - 7_500) < 4 * sqrt(10_000 * 0.25 * 0.75)


# Who takes part.


def test_a_test_is_rehearsed_with_its_own_shares_and_for_everybody() -> None:
    told = experiment(
        coverage=0.4,
        weights=[0.75, 0.25],
        status="draft",
        hashAttribute="url",
        when={"section": ["sport"]},
        condition={"country": "DE"},
        namespace=["layouts", 0.0, 0.1],
        forcedVariations={"reader-1": 1},
        force=1,
    )
    found = list(readers(Setup(told).run(1), 4_000))
    assert len({reader for reader, _ in found}) == 4_000
    assert abs(sum(arm for _, arm in found) - 1_000) < 4 * sqrt(4_000 * 0.75 * 0.25)


def test_each_run_deals_readers_anew_and_comes_again() -> None:
    setup = Setup(experiment(), readers=500, days=3)
    assert list(readers(setup.run(1), 50)) != list(readers(setup.run(2), 50))
    first, second = (play(setup, setup.plant(0.05), number) for number in (1, 2))
    assert first != second
    assert first == play(setup, setup.plant(0.05), 1)


def test_somebody_looks_as_often_as_is_said_and_at_the_end() -> None:
    setup = Setup(experiment(), "views_per_user", readers=500, days=8)
    looks = [len(play(replace(setup, look_every=every), Plant(), 1).verdicts) for every in (1, 3, 7, 100)]
    assert looks == [8, 3, 2, 1]


def test_what_cannot_be_rehearsed_is_told() -> None:
    with pytest.raises(InputError, match="views: no such metric"):
        Setup(experiment(), "views")
    with pytest.raises(InputError, match=r"viewability: a lift of 0\.5 cannot be planted, at most 0\.25"):
        Setup(experiment(), "viewability").plant(0.5)
    with pytest.raises(InputError, match=r"bounce: a lift of 0\.05 cannot be planted, only in views_per_user"):
        Setup(experiment(), "bounce").plant(0.05)
    with pytest.raises(InputError, match="density: took none of 100,000 readers, look at its coverage"):
        list(readers(Setup(experiment(coverage=0.0)).run(1), 1))


# The store.


@pytest.mark.parametrize("seed", [1, 2])
def test_the_store_comes_to_the_same_sums_page_by_page(seed: int) -> None:
    told = experiment(variations=["a", "b", "c"], meta=[{"key": "control"}, {}, {"key": "c.1"}])
    setup = Setup(told, readers=150, days=DAYS, seed=seed)
    found = by_store(setup, setup.plant(0.5, lost=0.2), 1)
    assert found.store == found.due
    assert sum(found.store[f"{arm}:n"] for arm in range(2)) > 80
    assert {name[2:] for name in found.store} >= {"n", "P", "SS", "CV", "VS", "EP", "LP", "TP", "BB", "RR"}


def test_sums_that_differ_are_named() -> None:
    assert Counted(1, {"0:n": 1, "0:P": 2, "1:n": 3}, {"0:n": 1, "0:P": 3, "1:P": 3}).differing == ("0:P", "1:P", "1:n")


# What tests say. The long forms are `make experiments`.


def near(found: Rate, due: float) -> bool:
    return abs(found.share - due) < 3 * max(found.error, sqrt(due * (1 - due) / found.runs))


def test_a_share_has_an_error_even_where_it_is_none_or_all() -> None:
    assert rate([True, False, False, False]) == Rate(0.25, 4)
    assert (rate([]), rate([]).error) == (Rate(0.0, 0), 0.5)
    assert [round(Rate(share, 100).error, 4) for share in (0.0, 0.5, 1.0)] == [0.0099, 0.05, 0.0099]


def test_what_is_found_is_as_true_as_is_said() -> None:
    """Of variations that are the same, with a lift of 5 %, and with beacons lost in one of them."""
    setup = Setup(experiment(), "viewability", readers=3_000, days=7)
    found = rehearse(setup, Runs(60, by_store=20))
    same, lifted, robbed = found.same, found.lifted, found.robbed
    assert lifted is not None
    assert robbed is not None
    assert robbed.due is not None
    assert same.alarms.share <= 0.05 + 2 * same.alarms.error
    assert near(same.fixed_once, 0.05)
    assert same.fixed_any.share > same.fixed_once.share
    assert near(same.mismatched, 0.001)
    assert near(lifted.found, lifted.promise.power)
    assert near(lifted.fixed_found, lifted.promise.fixed_power)
    assert lifted.found_any.share >= lifted.found.share > 0.2
    assert lifted.holds.share >= 0.9
    assert near(lifted.fixed_holds, 0.95)
    assert near(robbed.caught, robbed.due)
    assert robbed.decisions == Rate(0.0, round(robbed.caught.share * 60))


def test_nothing_is_planted_where_nothing_is_wished() -> None:
    found = rehearse(Setup(experiment(), "bounce", readers=200, days=3), Runs(3, lift=0, lost=0, jobs=2, by_store=10))
    assert (found.lifted, found.robbed, found.same.alarms.runs) == (None, None, 3)


# The command.


def told(*words: str) -> int:
    parser = ArgumentParser()
    trial_runs.add(parser.add_subparsers())
    args = parser.parse_args(["simulate", *words])
    code: int = args.run(args)
    return code


SMALL = ("--readers", "300", "--days", "4", "--runs", "6", "--metric", "viewability", "--jobs", "2")


def test_the_command_tells_every_share_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(*SMALL, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert {name: answer[name] for name in ("experiment", "metric", "readers", "days", "runs")} == {
        "experiment": "rehearsal", "metric": "viewability", "readers": 300, "days": 4, "runs": 6,
    }  # fmt: skip
    assert answer["store"]["differing"] == []
    kinds = {name: set(answer[name]) for name in ("same", "lift", "lost")}
    assert kinds == {
        "same": {"alarms", "decisions", "fixed_once", "fixed_any", "holds", "mismatched", "mismatched_any"},
        "lift": {"planted", "promised", "found", "found_any", "fixed_found", "holds", "fixed_holds"},
        "lost": {"planted", "due", "caught", "caught_any", "decisions"},
    }
    assert set(answer["same"]["alarms"]) == {"share", "error", "runs"}
    assert (answer["lift"]["planted"], answer["lost"]["planted"]) == (0.05, 0.1)


def test_the_command_draws_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(*SMALL, "--peek", "end", "--lost", "0") == 0
    out = capsys.readouterr().out
    assert out.startswith("viewability: 2 variations, 300 readers in 4 days, looks: end\n6 runs of each kind")
    rows = [line.split("  ")[1] for line in out.splitlines() if line.startswith("  ")]
    assert rows.pop().startswith("readers that the plan asks for: ")
    assert rows == [
        "false alarms, default interval, any look",
        "winner or loser named, any look",
        "false alarms, fixed interval, last look",
        "false alarms, fixed interval, any look",
        "default interval holds 0 at every look",
        "shares called wrong, last look",
        "shares called wrong, any look",
        "found, default interval, last look",
        "found, default interval, any look",
        "found, fixed interval, last look",
        "default interval holds it at every look",
        "fixed interval holds it, last look",
    ]


def test_a_test_of_the_config_brings_its_metric_and_lift(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = Path(copytree(Path(__file__).parents[1] / "config", tmp_path / "config"))
    (config / "experiments.yaml").write_text(
        "version: 1\nexperiments:\n"
        "  - {key: density, variations: [every-2, article], metrics: [viewability], lift: 0.2}\n"
    )
    few = ("--readers", "200", "--days", "2", "--runs", "2", "--lost", "0", "--json", "--config", str(config))
    assert told("density", *few) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["experiment"], answer["metric"], answer["lift"]["planted"]) == ("density", "viewability", 0.2)
    with pytest.raises(InputError, match='no experiment "denity", did you mean "density"'):
        told("denity", *few)


@pytest.mark.parametrize(("words", "error"), [
    (("--lost", "1"), "--lost: expected a share from 0 to below 1"),
    (("--metric", "clicks"), "clicks: no such metric"),
])  # fmt: skip
def test_what_the_command_does_not_understand_is_told(words: tuple[str, ...], error: str) -> None:
    with pytest.raises(InputError, match=error):
        told(*words)
