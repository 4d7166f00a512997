"""What `adlayout check` says of experiments beside sites, layouts and each other."""

from __future__ import annotations

import pytest

from adlayout.config.read import fit
from adlayout.config.source import parse
from adlayout.experiments.checks import faults, warnings
from adlayout.experiments.schema import ExperimentsFile

# What layouts compile to: `same` is `a` by another name.
LAYOUTS = {"a": {"every": 2}, "b": {"every": 3}, "same": {"every": 2}}
ASKED_LATER = 'experiments.1.key: gets only whom "one" leaves over, which is asked before it: give each a `namespace`'


def loaded(*rows: str) -> ExperimentsFile:
    keys = ("one", "two", "three")
    lines = [f"  - {{variations: [a, b], key: {key}, {row}}}" for key, row in zip(keys, rows, strict=False)]
    return fit(parse("\n".join(["version: 1", "experiments:", *lines]), "experiments.yaml"), ExperimentsFile)


def warned(*rows: str) -> list[str]:
    return [str(fault) for fault in warnings(loaded(*rows), LAYOUTS)]


def test_sites_and_layouts_have_to_be_there() -> None:
    found = faults(loaded("site: sprot"), ["a", "c"], ["default", "sport"])
    assert [str(fault) for fault in found] == [
        'experiments.0.site: no site "sprot", did you mean "sport"?',
        'experiments.0.variations.1: no layout "b", there are: a, c',
    ]


def test_what_is_there_is_no_fault() -> None:
    assert list(faults(loaded(""), LAYOUTS, ["default"])) == []


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("", []),
        ("weights: [0.5, 0.4995]", ["weights: leave 0.05% of readers out: the sum is 0.9995"]),
        ("weights: [0.3333, 0.6667]", []),
        ("weights: [1, 0]", ['weights.1: nobody sees "b"']),
        ("ranges: [[0, 0.5], [0.5, 1]]", []),
        ("ranges: [[0, 0.6], [0.5, 1]]", ["ranges.1: meets one before it, which gets those who fall into both"]),
        ("ranges: [[0, 0.5], [0.5, 1]], weights: [0.5, 0.5]", ["weights: `ranges` decide, and this is not asked"]),
        ("ranges: [[0, 0.5], [0.5, 1]], coverage: 0.5", ["coverage: `ranges` decide, and this is not asked"]),
        (
            "hashVersion: 1",
            ["hashVersion: 1 deals readers alike in tests that run beside each other: write 2 for a new test"],
        ),
        (
            "namespace: [n, 0, 1], filters: [{ranges: [[0, 1]]}]",
            ["namespace: `filters` decide, and this is not asked"],
        ),
    ],
)
def test_what_one_experiment_says_in_vain(row: str, expected: list[str]) -> None:
    assert warned(row) == [f"experiments.0.{message}" for message in expected]


def test_a_layout_that_does_the_same_is_no_variation() -> None:
    text = "version: 1\nexperiments: [{key: x, variations: [a, b, same]}]"
    found = warnings(fit(parse(text, "experiments.yaml"), ExperimentsFile), LAYOUTS)
    assert [str(fault) for fault in found] == [
        'experiments.0.variations.2: "same" does just what "a" does: a test of nothing (A/A)'
    ]


RUNS = "status: running, "


@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param("", "", id="both take everybody"),
        pytest.param("namespace: [n, 0, 0.5]", "", id="one has no namespace"),
        pytest.param("namespace: [n, 0, 0.5]", "namespace: [m, 0.5, 1]", id="two namespaces"),
        pytest.param(
            "namespace: [n, 0, 0.5], filters: [{ranges: [[0, 0.5]]}]", "namespace: [n, 0.5, 1]", id="filters decide"
        ),
        pytest.param("filters: [{seed: x, ranges: [[0, 0.5]]}]", "filters: [{ranges: [[0.5, 1]]}]", id="two seeds"),
        pytest.param("when: {section: [sport]}", "when: {section: [Sport, news]}", id="a section of both"),
        pytest.param("when: {tags: [a]}", "when: {tags: [b]}", id="an article has several tags"),
        pytest.param("when: {section: [a]}", "when: {device: [mobile]}", id="of different kinds"),
        pytest.param("condition: {country: DE}", "", id="a condition on one"),
    ],
)
def test_the_later_of_two_gets_what_the_first_leaves(one: str, two: str) -> None:
    (said,) = [text for text in warned(RUNS + one, RUNS + two) if text.startswith("experiments.1")]
    assert said == ASKED_LATER


@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param("namespace: [n, 0, 0.5]", "namespace: [n, 0.5, 1]", id="stretches apart"),
        pytest.param("filters: [{ranges: [[0, 0.5]]}]", "filters: [{ranges: [[0.5, 1]]}]", id="filters apart"),
        pytest.param("when: {section: [sport]}", "when: {section: [news]}", id="sections apart"),
        pytest.param("when: {device: [mobile]}", "when: {device: [tablet]}", id="devices apart"),
        pytest.param("condition: {country: DE}", "condition: {country: FR}", id="conditions that nobody can judge"),
        pytest.param("site: sport", "", id="sites apart"),
        pytest.param("status: draft", "", id="a draft"),
    ],
)
def test_tests_that_share_no_page_are_left_alone(one: str, two: str) -> None:
    rows = [text if "status" in text else RUNS + text for text in (one, two)]
    assert warned(*rows) == []


def test_stretches_of_a_namespace_that_meet_are_told() -> None:
    assert warned(f"{RUNS}namespace: [n, 0, 0.6]", f"{RUNS}namespace: [n, 0.5, 1]") == [
        'experiments.1.namespace: meets that of "one" in "n", which takes those of both'
    ]


@pytest.mark.parametrize("more", ["hashAttribute: url", "fallbackAttribute: url"])
def test_units_of_two_kinds_are_never_apart(more: str) -> None:
    assert warned(f"{RUNS}namespace: [n, 0, 0.5]", f"{RUNS}{more}, namespace: [n, 0.5, 1]") == [
        'experiments.1.namespace: "one" is in it with another unit, which keeps nobody apart'
    ]


def test_each_pair_is_told() -> None:
    found = warned(RUNS, RUNS, RUNS)
    assert [text.split(": ")[0] for text in found] == ["experiments.1.key", "experiments.2.key", "experiments.2.key"]


@pytest.mark.parametrize(
    ("row", "shards", "at"),
    [
        ("hashAttribute: url", 2, "experiments.0.hashAttribute"),
        ("fallbackAttribute: url", 2, "experiments.0.fallbackAttribute"),
        ("hashAttribute: url", 1, None),
        ("hashAttribute: id", 2, None),
    ],
)
def test_articles_as_units_and_several_shards_do_not_go_together(row: str, shards: int, at: str | None) -> None:
    found = [str(fault) for fault in warnings(loaded(row), LAYOUTS, shards=shards)]
    message = "with several store.shards an article is a unit in each shard of its readers"
    assert found == ([f"{at}: {message}"] if at else [])
