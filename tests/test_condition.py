"""Conditions: what each operator makes of attributes, GrowthBook's own code as the judge, and what is a fault."""

from __future__ import annotations

from typing import Any

import pytest
from growthbook.core import evalCondition
from hypothesis import assume, given
from hypothesis import strategies as st

from adlayout.experiments.condition import OPERATORS, Wrong, condition_faults, holds
from adlayout.experiments.values import KINDS

PAGE: dict[str, Any] = {
    "id": "reader-1",
    "section": "politics",
    "tags": ["vote", "europe"],
    "device": "mobile",
    "country": "DE",
    "age": 40,
    "version": "1.10.2",
    "member": False,
    "nothing": None,
    "plan": {"name": "basic", "seats": [1, 2.5], "0": 1},
    "visits": [{"page": "a", "ms": 10}, None, {"page": "b", "ms": 300}],
}


# What holds of the page above, and what does not.
TABLE: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"section": "politics", "device": "mobile"}, True),
    ({"section": "politics", "device": "desktop"}, False),
    ({"section": "Politics"}, False),
    ({"age": 40.0}, True),
    ({"age": "40"}, False),
    ({"member": False}, True),
    ({"member": 0}, False),
    ({"nothing": None, "absent": None}, True),
    ({"member": None}, False),
    ({"tags": ["vote", "europe"]}, True),
    ({"tags": ["europe", "vote"]}, False),
    ({"tags": "vote"}, False),
    ({"plan": {"0": 1, "name": "basic", "seats": [1.0, 2.5]}}, True),
    ({"plan": {"seats": [1, 2.5], "name": "basic", "0": 1}}, False),
    ({"plan": {"name": "basic"}}, False),
    ({"section": {}}, True),
    # Paths.
    ({"plan.name": "basic"}, True),
    ({"plan.seats.1": 2.5}, True),
    ({"plan.seats.01": None, "plan.seats.2": None, "plan.seats.-1": None}, True),
    ({"tags.length": 2}, True),
    ({"section.length": None, "section.a.b": None}, True),
    # Of conditions.
    ({"$and": [{"device": "mobile"}, {"country": "DE"}]}, True),
    ({"$and": [{"device": "mobile"}, {"country": "FR"}]}, False),
    ({"$and": []}, True),
    ({"$or": [{"device": "desktop"}, {"country": "DE"}]}, True),
    ({"$or": [{"device": "desktop"}, {"country": "FR"}]}, False),
    ({"$or": []}, True),
    ({"$nor": [{"device": "desktop"}, {"country": "FR"}]}, True),
    ({"$nor": [{"device": "desktop"}, {"country": "DE"}]}, False),
    ({"$nor": []}, False),
    ({"$not": {"country": "FR"}}, True),
    ({"$not": {"country": "DE"}}, False),
    ({"$not": {}}, False),
    # Of values.
    ({"age": {"$eq": 40}, "nothing": {"$eq": None}}, True),
    ({"age": {"$eq": True}}, False),
    ({"age": {"$ne": 41}, "absent": {"$ne": 1}, "tags": {"$ne": "vote"}}, True),
    ({"age": {"$ne": 40}}, False),
    ({"age": {"$gt": 39, "$gte": 40, "$lt": 40.5, "$lte": 40}}, True),
    ({"age": {"$gt": 40}}, False),
    ({"age": {"$lt": 40}}, False),
    ({"age": {"$gte": 41}}, False),
    ({"age": {"$lte": 39}}, False),
    ({"age": {"$gt": "3"}}, False),
    ({"absent": {"$lt": 1}}, False),
    ({"member": {"$lt": 1}}, False),
    ({"section": {"$gt": "police", "$lt": "sport"}}, True),
    ({"section": {"$lt": "Sport"}}, False),
    ({"version": {"$veq": "v1.10.2+build.7"}}, True),
    ({"version": {"$vgt": "1.9.10", "$vgte": "1.10.2", "$vlt": "1.10.3", "$vlte": "1.10.2"}}, True),
    ({"version": {"$vgt": "1.10.2-beta.1"}}, True),
    ({"version": {"$vlt": "1.9.10"}}, False),
    ({"version": {"$vne": "1.10.2"}}, False),
    ({"absent": {"$vne": "1.10.2"}}, True),
    ({"absent": {"$veq": "0"}}, False),
    ({"age": {"$vgt": 39, "$veq": 40}}, True),
    ({"age": {"$veq": "40"}}, False),
    ({"country": {"$in": ["AT", "DE"]}, "tags": {"$in": ["europe", "asia"]}}, True),
    ({"country": {"$in": ["de"]}}, False),
    ({"tags": {"$in": []}}, False),
    ({"member": {"$in": [0, None]}}, False),
    ({"absent": {"$in": [None]}}, True),
    ({"plan": {"$in": [1]}}, False),
    ({"country": {"$nin": ["AT"]}, "tags": {"$nin": ["asia"]}, "absent": {"$nin": ["a"]}}, True),
    ({"tags": {"$nin": ["europe"]}}, False),
    ({"country": {"$ini": ["de"]}, "tags": {"$ini": ["EUROPE"]}, "age": {"$ini": [40]}}, True),
    ({"country": {"$nini": ["de"]}}, False),
    ({"country": {"$nini": ["at"]}}, True),
    ({"tags": {"$all": ["europe", "vote"]}}, True),
    ({"tags": {"$all": ["europe", "asia"]}}, False),
    ({"tags": {"$all": []}}, True),
    ({"tags": {"$all": [{"$in": ["vote", "asia"]}]}}, True),
    ({"section": {"$all": ["politics"]}}, False),
    ({"tags": {"$alli": ["EUROPE", {"$eq": "vote"}]}}, True),
    ({"tags": {"$alli": ["EUROPE", {"$eq": "VOTE"}]}}, False),
    ({"section": {"$alli": []}}, False),
    ({"tags": {"$elemMatch": {"$eq": "vote"}}}, True),
    ({"tags": {"$elemMatch": {"$eq": "asia"}}}, False),
    ({"tags": {"$elemMatch": {"$not": {"$eq": "vote"}}}}, True),
    ({"visits": {"$elemMatch": {"page": "b", "ms": {"$gt": 100}}}}, True),
    ({"visits": {"$elemMatch": {"page": "a", "ms": {"$gt": 100}}}}, False),
    ({"visits": {"$elemMatch": {"$or": [{"page": "z"}, {"ms": 10}]}}}, True),
    ({"visits": {"$elemMatch": {"page": None}}}, False),
    ({"section": {"$elemMatch": {"$eq": "p"}}}, False),
    ({"tags": {"$size": 2}}, True),
    ({"tags": {"$size": {"$gt": 2}}}, False),
    ({"section": {"$size": 8}}, False),
    ({"section": {"$exists": True}, "absent": {"$exists": False}, "nothing": {"$exists": False}}, True),
    ({"section": {"$exists": False}}, False),
    ({"absent": {"$exists": True}}, False),
    ({"section": {"$type": "string"}, "age": {"$type": "number"}, "member": {"$type": "boolean"}}, True),
    ({"tags": {"$type": "array"}, "plan": {"$type": "object"}, "absent": {"$type": "null"}}, True),
    ({"section": {"$type": "number"}}, False),
    ({"age": {"$not": {"$gt": 50}}, "section": {"$not": "sport"}}, True),
    ({"age": {"$not": {"$gt": 30}}}, False),
]


@pytest.mark.parametrize(("condition", "expected"), TABLE, ids=str)
def test_what_holds_of_a_page(condition: dict[str, Any], expected: bool) -> None:
    assert list(condition_faults(condition)) == []
    assert (holds(condition, PAGE), evalCondition(PAGE, condition)) == (expected, expected)


def test_every_operator_is_in_the_table_above() -> None:
    assert [name for name in OPERATORS if f"'{name}'" not in str(TABLE)] == []


@pytest.mark.parametrize(("lower", "higher"), [("\U0001f600", "\ue000"), ("a", "é"), ("", "a"), ("\ud800", "\ue000")])
def test_text_is_ordered_by_code_units(lower: str, higher: str) -> None:
    assert holds({"a": {"$lt": higher}}, {"a": lower})
    assert evalCondition({"a": lower}, {"a": {"$lt": higher}})


def test_what_is_no_number_is_neither_less_nor_more_and_is_written_as_null() -> None:
    attributes = {"a": float("nan"), "b": [float("inf")]}
    assert [holds({"a": {operator: 1}}, attributes) for operator in ("$lt", "$lte", "$gt", "$gte")] == [False] * 4
    assert holds({"b": [None]}, attributes)


def test_lists_of_the_service_are_lists() -> None:
    attributes = {"tags": ("vote", "europe")}
    conditions = [{"$all": ["vote"]}, {"$size": 2}, {"$type": "array"}, {"$in": ["vote"]}, ["vote", "europe"]]
    assert [holds({"tags": one}, attributes) for one in conditions] == [True] * 5


# GrowthBook's own code as the judge.

WORD = st.sampled_from(["a", "b", "A", "é", "1", "1.2.3", "v1.10.0-rc.1", "1.2.3+b", ""])
KEY = st.sampled_from(["a", "b", "a.b", "a.0", "b.length", "0", "id"])
PLAIN = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.5, 1.0, 1e21]) | WORD
STEP = st.sampled_from(["a", "b", "0", "1", "id"])
VALUE = st.recursive(
    PLAIN, lambda one: st.lists(one, max_size=3) | st.dictionaries(STEP, one, max_size=3), max_leaves=6
)
ATTRIBUTES = st.dictionaries(STEP, VALUE, max_size=4)
ORDERED = st.integers(-2, 3) | st.just(0.5) | WORD


def said_of(condition: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What may be said of an attribute, where conditions below it are these."""
    simple = (
        st.dictionaries(st.sampled_from(["$eq", "$ne"]), PLAIN, min_size=1)
        | st.dictionaries(st.sampled_from(["$lt", "$lte", "$gt", "$gte"]), ORDERED, min_size=1)
        | st.dictionaries(st.sampled_from(["$veq", "$vne", "$vlt", "$vlte", "$vgt", "$vgte"]), ORDERED, min_size=1)
        | st.dictionaries(st.sampled_from(["$in", "$nin", "$ini", "$nini"]), st.lists(PLAIN, max_size=3), min_size=1)
        | st.fixed_dictionaries({"$exists": st.booleans()})
        | st.fixed_dictionaries({"$type": st.sampled_from(KINDS)})
    )
    said = VALUE | simple
    return said | (
        st.dictionaries(st.sampled_from(["$all", "$alli"]), st.lists(said, max_size=3), min_size=1)
        | st.fixed_dictionaries({"$size": st.integers(0, 3) | simple})
        | st.fixed_dictionaries({"$not": said})
        | st.fixed_dictionaries({"$elemMatch": simple | condition})
    )


def wider(condition: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.dictionaries(KEY, said_of(condition), max_size=2)
        | st.dictionaries(
            st.sampled_from(["$and", "$or", "$nor"]), st.lists(condition, max_size=3), min_size=1, max_size=2
        )
        | st.fixed_dictionaries({"$not": condition})
    )


CONDITION = st.recursive(st.dictionaries(KEY, said_of(st.just({"a": 1})), max_size=2), wider, max_leaves=4)


@given(CONDITION, ATTRIBUTES)
def test_conditions_are_growthbooks(condition: dict[str, Any], attributes: dict[str, Any]) -> None:
    assume(not list(condition_faults(condition)))
    assert holds(condition, attributes) == evalCondition(attributes, condition)


ANY_KEY = KEY | st.sampled_from([*OPERATORS, "$and", "$or", "$nor", "$regex", "$unknown"])
ANYTHING = st.recursive(
    PLAIN, lambda one: st.lists(one, max_size=3) | st.dictionaries(ANY_KEY, one, max_size=3), max_leaves=9
)


@given(st.dictionaries(ANY_KEY, ANYTHING, max_size=3), ATTRIBUTES)
def test_whatever_has_no_fault_is_answered_as_growthbook_does(
    condition: dict[str, Any], attributes: dict[str, Any]
) -> None:
    assume(not list(condition_faults(condition)))
    assert holds(condition, attributes) == evalCondition(attributes, condition)


# What is a fault, and where.
OF_VALUES = f"there are: {', '.join(sorted(OPERATORS))}"
NO_EXPRESSION = "is not taken, as some expressions take forever on some text: list the values, {$in: [...]}"
NO_GROUP = "is not taken, as saved groups stay in GrowthBook: list the values, {$in: [...]}"
BESIDE = "stands beside operators: write its whole path before them, as a.b"
INSIDE = "stands inside a value: write the whole path before it, as a.b"
NO_LIST = "expected a list of values"
PLAIN_WANTED = "expected text, a number, true, false or null"


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        ("mobile", Wrong((), "expected a condition, such as {device: mobile}", "mobile")),
        ({"$and": {"a": 1}}, Wrong(("$and",), "expected a list of conditions", {"a": 1})),
        ({"$or": [1]}, Wrong(("$or", 0), "expected a condition, such as {device: mobile}", 1)),
        ({"$not": [1]}, Wrong(("$not",), "expected a condition, such as {device: mobile}", [1])),
        ({"$an": []}, Wrong(("$an",), 'unknown operator, did you mean "$and"?', {"$an": []}, True)),
        ({"$in": []}, Wrong(("$in",), "stands at an attribute, as {section: {…}}", {"$in": []}, True)),
        ({"$savedGroup": {}}, Wrong(("$savedGroup",), NO_GROUP, {"$savedGroup": {}}, True)),
        ({"a": {"$inn": []}}, Wrong(("a", "$inn"), 'unknown operator, did you mean "$in"?', {"$inn": []}, True)),
        ({"a": {"$zzzz": 1}}, Wrong(("a", "$zzzz"), f"unknown operator, {OF_VALUES}", {"$zzzz": 1}, True)),
        ({"a": {"$or": []}}, Wrong(("a", "$or"), "stands around attributes", {"$or": []}, True)),
        ({"a": {"$regex": "x"}}, Wrong(("a", "$regex"), NO_EXPRESSION, {"$regex": "x"}, True)),
        ({"a": {"$notRegexi": "x"}}, Wrong(("a", "$notRegexi"), NO_EXPRESSION, {"$notRegexi": "x"}, True)),
        ({"a": {"$inGroup": "x"}}, Wrong(("a", "$inGroup"), NO_GROUP, {"$inGroup": "x"}, True)),
        (
            {"a": {"$gt": 1, "b": 2}},
            Wrong(("a", "b"), BESIDE, {"$gt": 1, "b": 2}, True),
        ),
        (
            {"a": {"b": [{"$gt": 1}]}},
            Wrong(("a", "b", 0, "$gt"), INSIDE, {"$gt": 1}, True),
        ),
        ({"a": {"$eq": [1]}}, Wrong(("a", "$eq"), PLAIN_WANTED, [1])),
        ({"a": {"$ne": {}}}, Wrong(("a", "$ne"), PLAIN_WANTED, {})),
        ({"a": {"$in": "x"}}, Wrong(("a", "$in"), NO_LIST, "x")),
        ({"a": {"$nini": [[1]]}}, Wrong(("a", "$nini", 0), PLAIN_WANTED, [1])),
        ({"a": {"$lt": True}}, Wrong(("a", "$lt"), "expected text or a number", True)),
        ({"a": {"$vgte": None}}, Wrong(("a", "$vgte"), "expected text or a number", None)),
        ({"a": {"$all": "x"}}, Wrong(("a", "$all"), NO_LIST, "x")),
        ({"a": {"$all": [{"$in": 1}]}}, Wrong(("a", "$all", 0, "$in"), NO_LIST, 1)),
        ({"a": {"$size": "2"}}, Wrong(("a", "$size"), "expected a number, or operators such as {$gt: 2}", "2")),
        ({"a": {"$size": {"$in": 2}}}, Wrong(("a", "$size", "$in"), NO_LIST, 2)),
        ({"a": {"$exists": 1}}, Wrong(("a", "$exists"), "expected true or false", 1)),
        (
            {"a": {"$type": "text"}},
            Wrong(("a", "$type"), "expected one of string, number, boolean, array, object, null", "text"),
        ),
        ({"a": {"$not": {"$in": 1}}}, Wrong(("a", "$not", "$in"), NO_LIST, 1)),
        ({"a": {"$elemMatch": {"$in": 1}}}, Wrong(("a", "$elemMatch", "$in"), NO_LIST, 1)),
        ({"a": {"$elemMatch": {"b": {"$in": 1}}}}, Wrong(("a", "$elemMatch", "b", "$in"), NO_LIST, 1)),
        ({"a": {"$elemMatch": 1}}, Wrong(("a", "$elemMatch"), "expected a condition, such as {device: mobile}", 1)),
    ],
    ids=str,
)
def test_what_could_never_be_meant_is_a_fault(condition: object, wrong: Wrong) -> None:
    assert list(condition_faults(condition)) == [wrong]


def test_every_fault_is_told() -> None:
    condition = {"$or": [{"a": {"$in": 1, "$regex": "x"}}, 2], "b": {"$eq": []}}
    trails = [wrong.trail for wrong in condition_faults(condition)]
    assert trails == [("$or", 0, "a", "$in"), ("$or", 0, "a", "$regex"), ("$or", 1), ("b", "$eq")]
