"""Distances: what ops may write, what they are told otherwise, and when a distance is reached."""

from __future__ import annotations

import pytest

from adlayout.placement.distance import All, Any_, Distance, Plain, Unit, parse_distance
from adlayout.placement.measures import Measure

P3 = Plain(3, Unit.PARAGRAPHS)
C200 = Plain(200, Unit.CHARS)


@pytest.mark.parametrize(("written", "distance", "text"), [
    ("2 paragraphs", Plain(2, Unit.PARAGRAPHS), "2 paragraphs"),
    ("1 paragraphs", Plain(1, Unit.PARAGRAPHS), "1 paragraph"),
    (" 1 block ", Plain(1, Unit.BLOCKS), "1 block"),
    ("0 words", Plain(0, Unit.WORDS), "0 words"),
    ("1 char", Plain(1, Unit.CHARS), "1 char"),
    ({"all": ["3 paragraphs", "200 chars"]}, All((P3, C200)), "3 paragraphs and 200 chars"),
    ({"any": ["3 paragraphs", {"all": ["1 block", "200 chars"]}]},
     Any_((P3, All((Plain(1, Unit.BLOCKS), C200)))), "3 paragraphs or (1 block and 200 chars)"),
])  # fmt: skip
def test_a_distance_is_read_and_told(written: object, distance: Distance, text: str) -> None:
    assert (parse_distance(written), parse_distance(distance).text()) == (distance, text)


@pytest.mark.parametrize(("written", "told"), [
    (2, 'expected a distance such as "2 paragraphs"'),
    ("two", 'expected a distance such as "2 paragraphs" (got "two")'),
    ("-1 blocks", 'expected a distance such as "2 paragraphs" (got "-1 blocks")'),
    ("12 em", 'expected a distance in paragraphs, blocks, words, chars, px or % (got "12 em")'),
    ({"all": [2]}, 'expected a distance such as "2 paragraphs" (got 2)'),
    ({"all": []}, "expected a list of distances under `all`"),
    ({"both": ["1 block"]}, 'expected a distance such as "2 paragraphs", {all: [A, B]} or {any: [A, B]}'),
])  # fmt: skip
def test_what_is_no_distance_is_told_the_right_form(written: object, told: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_distance(written)
    assert str(caught.value) == told


def test_distances_nest_only_so_deep() -> None:
    nested: object = "1 block"
    for _ in range(5_000):
        nested = {"all": [nested]}
    with pytest.raises(ValueError, match="at most 8"):
        parse_distance(nested)


@pytest.mark.parametrize(("distance", "reached", "is_zero"), [
    (P3, True, False),
    (C200, False, False),
    (All((P3, C200)), False, False),
    (Any_((P3, C200)), True, False),
    (Any_((Plain(0, Unit.WORDS), C200)), True, True),
    (All((Plain(0, Unit.WORDS), C200)), False, False),
])  # fmt: skip
def test_a_distance_is_reached_when_it_is_equal(distance: Distance, reached: bool, is_zero: bool) -> None:
    measured = Measure(paragraphs=3, blocks=5, words=40, chars=199)
    assert (distance.reached(Measure(whole=measured.whole), measured), distance.is_zero) == (reached, is_zero)


def test_what_was_measured_is_told_in_the_distances_shape() -> None:
    measured = Measure(paragraphs=1, blocks=5, words=40, chars=199)
    assert (All((P3, C200)).actual(measured), Any_((P3, C200)).actual(measured)) == (
        "1 paragraph and 199 chars",
        "1 paragraph or 199 chars",
    )
