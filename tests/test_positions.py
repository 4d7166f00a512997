"""Positions: what ops may write, and which blocks that means."""

from __future__ import annotations

import pytest

from adlayout.placement.positions import Nth, Positions, Series, Share, parse_position, parse_positions


@pytest.mark.parametrize(("said", "position"), [
    (3, Nth(3, "3")),
    ("3", Nth(3, "3")),
    (-1, Nth(-1, "-1")),
    (" !2 ", Nth(2, "!2", never=True)),
    ("n", Series(1, 0, "n")),
    ("3n+1", Series(3, 1, "3n+1")),
    ("3n - 1", Series(3, -1, "3n - 1")),
    ("-n+4", Series(-1, 4, "-n+4")),
    ("!2n", Series(2, 0, "!2n", never=True)),
    ("50 %", Share(50, "50 %")),
    ("0%", Share(0, "0%")),
])  # fmt: skip
def test_a_position_is_a_number_a_series_or_a_share(said: object, position: object) -> None:
    assert parse_position(said) == position
    assert parse_position(position) == position


@pytest.mark.parametrize("said", ["", "two", "2.5", 2.5, True, None, "n2", "101 %", "!50 %", "1 2", [3]])
def test_what_is_no_position_is_told_the_right_form(said: object) -> None:
    with pytest.raises(ValueError, match='expected a position such as 3, -1, "3n\\+1", "!2" or "50 %"'):
        parse_position(said)


@pytest.mark.parametrize(("said", "numbers"), [
    ("3", [3]), ("6", []), ("0", [0]), ("-1", [5]), ("-5", [1]), ("-6", []),
    ("n", [1, 2, 3, 4, 5]), ("2n", [2, 4]), ("2n+1", [1, 3, 5]), ("3n-1", [2, 5]), ("3n-6", [3]), ("9n+9", []),
    ("-n+3", [3, 2, 1]), ("-2n+7", [5, 3, 1]), ("0n+4", [4]), ("0n+6", []), ("0n", []),
])  # fmt: skip
def test_numbers_count_paragraphs_from_either_end(said: str, numbers: list[int]) -> None:
    position = parse_position(said)
    assert isinstance(position, Nth | Series)
    assert sorted(position.numbers(5)) == sorted(numbers)


def test_one_position_is_a_list_of_one() -> None:
    assert parse_positions(3) == parse_positions(["3"]) == Positions((Nth(3, "3"),))
    assert parse_positions(parse_positions("n")).text == "n"


@pytest.mark.parametrize("said", [[], None, {}, True, 2.5])
def test_what_is_no_list_of_positions_is_told_so(said: object) -> None:
    with pytest.raises(ValueError, match="expected a list of positions such as"):
        parse_positions(said)
