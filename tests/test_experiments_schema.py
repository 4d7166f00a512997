"""`experiments.yaml`: what is taken, and every fault at its line; what the file that ships says of its keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adlayout.config.read import fit, read
from adlayout.config.source import parse
from adlayout.errors import ConfigError
from adlayout.experiments.schema import ExperimentRow, ExperimentsFile, Filter, Meta, Namespace

SHIPPED = Path(__file__).parents[1] / "config" / "experiments.yaml"
KEYS = sorted(ExperimentRow.model_fields)


def loaded(text: str) -> ExperimentsFile:
    return fit(parse(text, "experiments.yaml"), ExperimentsFile)


def row(*lines: str) -> str:
    """A file of one experiment, whose key and variations stand in lines 3 and 4."""
    return "\n  ".join(
        ["version: 1\nexperiments:", "- key: density", "  variations: [a, b]", *map("  {}".format, lines)]
    )


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    return [str(fault).replace("experiments.yaml:", "").replace("experiments.0.", "") for fault in caught.value.faults]


def test_two_keys_are_enough() -> None:
    assert loaded(row()).experiments == (
        ExperimentRow(
            key="density",
            site="default",
            status="draft",
            variations=("a", "b"),
            coverage=1,
            hashAttribute="id",
            hashVersion=2,
            metrics=("views_per_user", "revenue_per_user"),
            guardrails=("engaged_seconds", "layout_shift"),
            minimum_days=3,
            power=0.8,
            lift=0.05,
        ),
    )


@pytest.mark.parametrize("text", ["version: 1", "version: 1\nexperiments:", "version: 1\nexperiments: []"])
def test_a_file_may_have_no_experiment(text: str) -> None:
    assert loaded(text) == ExperimentsFile(version=1)


@pytest.mark.parametrize("said", ["[layouts, 0, 0.5]", "{name: layouts, range: [0, 0.5]}"])
def test_a_namespace_is_read_in_both_forms(said: str) -> None:
    assert loaded(row(f"namespace: {said}")).experiments[0].namespace == Namespace(name="layouts", range=(0, 0.5))


def test_what_stands_below_a_key_is_read() -> None:
    (found,) = loaded(
        row(
            "meta: [{key: control}, {name: Wider}]",
            "filters: [{ranges: [[0, 0.5]]}]",
            "condition: {$or: [{a.b: {$in: [1]}}, {tags: [x]}]}",
            "metrics: [conversions:signup]",
            "forcedVariations: {7: 1}",
            "weights: [0.333, 0.667]",
        )
    ).experiments
    assert (found.meta, found.filters) == (
        (Meta(key="control"), Meta(name="Wider")),
        (Filter(seed="", ranges=((0, 0.5),), attribute="id", hashVersion=2),),
    )
    assert (found.condition, found.metrics, found.forcedVariations, found.weights) == (
        {"$or": [{"a.b": {"$in": [1]}}, {"tags": ["x"]}]},
        ("conversions:signup",),
        {"7": 1},
        (0.333, 0.667),
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("coverge: 1", '5:5: coverge: unknown key, did you mean "coverage"?'),
        ("coverage: 1.1", "5:15: coverage: expected at most 1 (got 1.1)"),
        ("coverage: .nan", "5:15: coverage: expected a finite number (got NaN)"),
        ("status: paused", '5:13: status: expected "draft", "running" or "stopped" (got "paused")'),
        ("weights: [0.5, 0.4]", "5:14: weights: expected a sum of 1 (got 0.9)"),
        ("weights: [0.5, 0.502]", "5:14: weights: expected a sum of 1 (got 1.002)"),
        ("weights: [1]", "5:14: weights: expected 2 of them, one for each variation (got 1)"),
        ("weights: [1.5, 0]", "5:15: weights.0: expected at most 1 (got 1.5)"),
        ("ranges: [[0, 1]]", "5:13: ranges: expected 2 of them, one for each variation (got 1)"),
        ("ranges: [[0, 1], [0.5, 0.2]]", "5:22: ranges.1: expected the start before the end, as [0, 0.5]"),
        ("ranges: [[0, 1], [0.5]]", "5:22: ranges.1: expected at least 2 of them"),
        ("meta: [{key: a}]", "5:11: meta: expected 2 of them, one for each variation (got 1)"),
        ("meta: [{key: a}, {key: a}]", '5:28: meta.1.key: is the key of another variation (got "a")'),
        ("meta: [{key: '1'}, {}]", '5:24: meta.1: is the key of another variation (got "1")'),
        ("hashAttribute: company", '5:20: hashAttribute: expected "id" or "url" (got "company")'),
        ("hashVersion: 3", "5:18: hashVersion: expected 1 or 2 (got 3)"),
        ("fallbackAttribute: id", '5:24: fallbackAttribute: expected "url" (got "id")'),
        ("metrics: [ctr, clicks]", "5:20: metrics.1: no such metric, there are: "),
        ("metrics: [ctr, ctr]", '5:20: metrics.1: is there before (got "ctr")'),
        ("guardrails: [views_per_user]", '5:18: guardrails.0: is there before (got "views_per_user")'),
        ("force: 2", "5:12: force: expected at most 1, the last variation (got 2)"),
        ("force: -1", "5:12: force: expected at least 0 (got -1)"),
        ("forcedVariations: {x: 2}", "5:27: forcedVariations.x: expected at most 1, the last variation (got 2)"),
        ("when: {}", "5:11: when: name a section, a tag or a device"),
        ("namespace: {name: n, range: [0.5, 0.2]}", "5:33: namespace.range: expected the start before the end"),
        ("namespace: [n, 0.5]", "5:16: namespace: expected keys with values (got a list)"),
        ("filters: [{seed: x}]", "5:15: filters.0.ranges: is missing"),
        ("minimum_days: 0", "5:19: minimum_days: expected at least 1 (got 0)"),
        ("power: 1", "5:12: power: expected less than 1 (got 1)"),
        ("lift: 0", "5:11: lift: expected more than 0 (got 0)"),
        ("condition: mobile", '5:16: condition: expected keys with values (got "mobile")'),
        ("condition: {a.b: {$inn: [1]}}", '5:23: condition.a.b.$inn: unknown operator, did you mean "$in"?'),
        ("condition: {a: {$in: 1}}", "5:26: condition.a.$in: expected a list of values (got 1)"),
        ("condition: {$or: [{a: 1}, 2]}", "5:31: condition.$or.1: expected a condition, such as"),
        ("condition: {url: {$regex: ^/a}}", "5:23: condition.url.$regex: is not taken, as some expressions take"),
    ],
)  # fmt: skip
def test_a_fault_stands_at_its_line(line: str, fault: str) -> None:
    (found,) = faults(row(line))
    assert found.startswith(fault)


def test_a_fallback_is_another_attribute() -> None:
    found = faults(row("hashAttribute: url", "fallbackAttribute: url"))
    assert found == ['6:24: fallbackAttribute: is what hashAttribute is: leave it away (got "url")']


def test_every_fault_of_a_condition_stands_at_its_line() -> None:
    assert faults(row("condition:", "  $and:", "    - a: {$exists: 1}", "    - $nort: {}", "  b: {$size: x}")) == [
        "7:24: condition.$and.0.a.$exists: expected true or false (got 1)",
        '8:11: condition.$and.1.$nort: unknown operator, did you mean "$not"?',
        '9:18: condition.b.$size: expected a number, or operators such as {$gt: 2} (got "x")',
    ]


@pytest.mark.parametrize("key", ["", "a b", "a:b", "é", "-a", "a" * 65])
def test_a_key_stands_in_addresses_and_in_the_store(key: str) -> None:
    (found,) = faults(f"version: 1\nexperiments:\n  - key: '{key}'\n    variations: [a, b]")
    assert found.startswith("3:10: key: expected")


def test_a_test_compares_two_layouts_at_least() -> None:
    assert faults("version: 1\nexperiments:\n  - key: a\n    variations: [a]") == [
        "4:17: variations: expected at least 2 of them"
    ]


def test_a_key_is_said_once() -> None:
    text = f"{row()}\n  - key: density\n    variations: [a, b]"
    assert faults(text) == ['5:10: experiments.1.key: is there before (got "density")']


# The file that ships.


def test_nothing_that_ships_runs() -> None:
    assert [one.status for one in read(SHIPPED, ExperimentsFile).experiments] == ["draft"]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_explained_above_it(key: str) -> None:
    above = rf"(?:(?:    #|  #) .*\n)+  (?:- |  |  # ){key}:"
    assert re.search(above, SHIPPED.read_text("utf-8")), key


def test_what_is_left_out_holds_too() -> None:
    behind = re.compile(r"^    # ((?:when|condition|namespace|filters|forcedVariations|force): .*)$", re.MULTILINE)
    (found,) = loaded(behind.sub(r"    \1", SHIPPED.read_text("utf-8"))).experiments
    assert sorted(found.model_fields_set) == [key for key in KEYS if key != "ranges"]
