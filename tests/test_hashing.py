"""Units fall into variations: the published numbers, GrowthBook's own code as the judge, and what a test relies on."""

from __future__ import annotations

import math
from itertools import product

import pytest
from growthbook import core
from hypothesis import given
from hypothesis import strategies as st

from adlayout.experiments.hashing import (
    bucket_of,
    bucket_ranges,
    choose,
    equal_weights,
    fnv1a,
    in_namespace,
    number_text,
    unit_text,
)

# Also halves of pairs, which JSON lets through.
TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
SHARE = st.floats(0, 1)
NUMBERS = st.integers(-(10**25), 10**25) | st.floats()


# As GrowthBook publishes them: version, seed, value, bucket.
@pytest.mark.parametrize(
    ("version", "seed", "value", "bucket"),
    [
        (1, "", "a", 0.22),
        (1, "", "b", 0.077),
        (1, "b", "a", 0.946),
        (1, "ef", "d", 0.652),
        (1, "asdf", "8952klfjas09ujk", 0.549),
        (1, "", "123", 0.011),
        (1, "", '___)((*":&', 0.563),
        (2, "seed", "a", 0.0505),
        (2, "seed", "b", 0.2696),
        (2, "foo", "ab", 0.2575),
        (2, "foo", "def", 0.2019),
        (2, "89123klj", "8952klfjas09ujkasdf", 0.124),
        (2, "90850943850283058242805", "123", 0.7516),
        (2, "()**(%$##$%#$#", '___)((*":&', 0.0128),
        (99, "abc", "def", None),
    ],
)
def test_the_published_buckets(version: int, seed: str, value: str, bucket: float | None) -> None:
    assert bucket_of(seed, value, version) == bucket


# The published vectors of the algorithm itself, for one byte and for several.
@pytest.mark.parametrize(("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_published_hashes(text: str, value: int) -> None:
    assert fnv1a(text) == value


@given(TEXT, TEXT, st.sampled_from([1, 2]))
def test_buckets_are_growthbooks(seed: str, value: str, version: int) -> None:
    assert bucket_of(seed, value, version) == core.gbhash(seed, value, version)


def test_what_takes_two_code_units_is_hashed_as_two() -> None:
    assert fnv1a("😀") == fnv1a("\ud83d\ude00") != fnv1a("\u1f60")


# Weights, coverage, and the stretches that come of them.
@pytest.mark.parametrize(
    ("count", "coverage", "weights", "ranges"),
    [
        (2, 1, None, ((0, 0.5), (0.5, 1))),
        (2, 0.5, None, ((0, 0.25), (0.5, 0.75))),
        (2, 0, None, ((0, 0), (0.5, 0.5))),
        (4, 1, None, ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1))),
        (2, 1, [0.4, 0.6], ((0, 0.4), (0.4, 1))),
        (3, 0.2, [0.2, 0.3, 0.5], ((0, 0.2 * 0.2), (0.2, 0.2 + 0.2 * 0.3), (0.5, 0.5 + 0.2 * 0.5))),
        (2, -0.2, None, ((0, 0), (0.5, 0.5))),
        (2, 1.5, None, ((0, 0.5), (0.5, 1))),
        (2, 1, [0.4, 0.1], ((0, 0.5), (0.5, 1))),
        (2, 1, [0.7, 0.6], ((0, 0.5), (0.5, 1))),
        (4, 1, [0.4, 0.4, 0.2], ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1))),
        (2, 1, [0.4, 0.5999], ((0, 0.4), (0.4, 0.4 + 0.5999))),
        (2, 1, [1.2, -0.2], ((0, 0.5), (0.5, 1))),
    ],
)
def test_stretches(
    count: int, coverage: float, weights: list[float] | None, ranges: tuple[tuple[float, float], ...]
) -> None:
    assert bucket_ranges(count, coverage, weights) == ranges


@given(
    st.integers(2, 6),
    st.floats(-1, 2),
    st.none() | st.lists(st.floats(-0.5, 1.5), max_size=6) | st.permutations([0.1, 0.2, 0.3, 0.4]),
)
def test_stretches_are_growthbooks(count: int, coverage: float, weights: list[float] | None) -> None:
    assert list(bucket_ranges(count, coverage, weights)) == core.getBucketRanges(count, coverage, weights)


@pytest.mark.parametrize("sum_of_two", [0.989, 0.99, 1.01, 1.011])
def test_weights_are_rounded_or_wrong_where_growthbook_says_so(sum_of_two: float) -> None:
    weights = [0.4, sum_of_two - 0.4]
    assert list(bucket_ranges(2, 1, weights)) == core.getBucketRanges(2, 1, weights)


@given(st.integers(-1, 9))
def test_equal_weights_are_growthbooks(count: int) -> None:
    assert list(equal_weights(count)) == core.getEqualWeights(count)


@pytest.mark.parametrize(
    ("bucket", "ranges", "variation"),
    [
        (0.2, ((0, 0.5), (0.5, 1)), 0),
        (0.6, ((0, 0.5), (0.5, 1)), 1),
        (0.4, ((0, 0.5), (0.5, 1)), 0),
        (0.5, ((0, 0.5), (0.5, 1)), 1),
        (0.0, ((0, 0.5), (0.5, 1)), 0),
        (0.5, ((0, 0.3), (0.6, 1)), -1),
        (0.3, ((0, 0.3), (0.3, 0.3)), -1),
        (0.2, ((0, 0.5), (0, 1)), 0),
        (0.2, (), -1),
    ],
)
def test_the_first_stretch_that_holds_the_bucket_is_chosen(
    bucket: float, ranges: tuple[tuple[float, float], ...], variation: int
) -> None:
    assert choose(bucket, ranges) == variation


@given(SHARE, st.lists(st.tuples(SHARE, SHARE), max_size=5))
def test_choices_are_growthbooks(bucket: float, ranges: list[tuple[float, float]]) -> None:
    assert choose(bucket, ranges) == core.chooseVariation(bucket, ranges)


@pytest.mark.parametrize(
    ("span", "inside"),
    [((0, 0.4), False), ((0.4, 1), True), ((0.68, 0.681), True), ((0.4, 0.68), False), ((0.68, 0.68), False)],
)
def test_a_namespace_begins_with_its_start_and_ends_before_its_end(span: tuple[float, float], inside: bool) -> None:
    assert bucket_of("__namespace1", "1", 1) == 0.68
    assert in_namespace("1", "namespace1", span) is inside


@given(TEXT, TEXT, SHARE, SHARE)
def test_namespaces_are_growthbooks(value: str, name: str, start: float, end: float) -> None:
    assert in_namespace(value, name, (start, end)) == core.inNamespace(value, (name, start, end))


# Numbers as JavaScript writes them.
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (123, "123"),
        (-1.5, "-1.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e25, "1.25e+25"),
        (2**53 + 1, "9007199254740992"),
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(number: float, text: str) -> None:
    assert number_text(number) == text


@given(NUMBERS)
def test_written_numbers_are_growthbooks(number: float) -> None:
    assert number_text(number) == core._js_number_to_string(number)


@given(st.none() | st.booleans() | NUMBERS | TEXT | st.lists(TEXT) | st.dictionaries(TEXT, TEXT))
def test_what_is_a_unit_is_growthbooks(value: object) -> None:
    assert unit_text(value) == (core._hash_string(value) if core._is_hashable(value) else "")


# What a test relies on.
CHI_999 = {1: 10.83, 3: 16.27, 8: 26.12}  # 1 in 1000 is above


def chi_squared(counts: list[int], expected: list[float]) -> float:
    return sum((count - wanted) ** 2 / wanted for count, wanted in zip(counts, expected, strict=True))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.1, 0.2, 0.3, 0.4)])
def test_shares_are_as_the_weights_say(version: int, weights: tuple[float, ...]) -> None:
    ranges = bucket_ranges(len(weights), 1, weights)
    chosen = [choose(bucket_of("density", f"reader-{at}", version) or 0, ranges) for at in range(20_000)]
    counts = [chosen.count(at) for at in range(len(weights))]
    assert chi_squared(counts, [20_000 * weight for weight in weights]) < CHI_999[len(weights) - 1]


@pytest.mark.parametrize(("one", "other"), [("density", "labels"), ("a", "b"), ("test-1", "test-2")])
def test_tests_that_run_beside_each_other_know_nothing_of_each_other(one: str, other: str) -> None:
    ranges = bucket_ranges(3)
    pairs = [
        tuple(choose(bucket_of(seed, f"reader-{at}", 2) or 0, ranges) for seed in (one, other)) for at in range(18_000)
    ]
    counts = [pairs.count(pair) for pair in product(range(3), repeat=2)]
    assert chi_squared(counts, [2_000] * 9) < CHI_999[8]


@given(SHARE, SHARE, st.permutations([0.1, 0.2, 0.7]), TEXT)
def test_more_coverage_moves_nobody_who_was_in(one: float, other: float, weights: list[float], unit: str) -> None:
    bucket = bucket_of("seed", unit, 2) or 0
    less, more = (choose(bucket, bucket_ranges(3, coverage, weights)) for coverage in sorted((one, other)))
    assert less in (-1, more)
