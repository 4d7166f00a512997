"""GrowthBook's condition language over the attributes of a page: judged once when it is read, then asked.

Source: GrowthBook, "Build Your Own SDK", "Conditions". Its saved groups are not taken, and neither are regular
expressions, whose cost nobody could bound; both are faults, and so is what could never be true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from adlayout.config.faults import nearest
from adlayout.config.source import Trail
from adlayout.experiments.values import KINDS, folded, inside, kind_of, order_of, same, same_plain, version_order

Condition: TypeAlias = Mapping[str, object]

_LISTS: Final = ("$and", "$or", "$nor")
_OF_CONDITIONS: Final = (*_LISTS, "$not")
_REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("$regex", "$regexi", "$notRegex", "$notRegexi"),
        "is not taken, as some expressions take forever on some text: list the values, {$in: [...]}",
    ),
    **dict.fromkeys(
        ("$inGroup", "$notInGroup", "$savedGroup", "$savedGroups"),
        "is not taken, as saved groups stay in GrowthBook: list the values, {$in: [...]}",
    ),
}


class Wrong(NamedTuple):
    """What is wrong in a condition: the way to it, whether the key itself is at fault, and what stands there."""

    trail: Trail
    message: str
    value: object
    at_key: bool = False

    def below(self, *steps: str | int) -> Wrong:
        """The same, seen from further up."""
        return self._replace(trail=(*steps, *self.trail))


# Asking.


def holds(condition: Condition, attributes: object) -> bool:
    """Whether a condition without faults is true of the attributes."""
    return all(_entry_holds(key, said, attributes) for key, said in condition.items())


def _entry_holds(key: str, said: object, attributes: object) -> bool:
    match key:
        case "$and":
            return all(holds(one, attributes) for one in _conditions(said))
        case "$or":
            return _any_holds(_conditions(said), attributes)
        case "$nor":
            return not _any_holds(_conditions(said), attributes)
        case "$not":
            return isinstance(said, Mapping) and not holds(said, attributes)
        case _:
            return _is_said(inside(attributes, key), said)


def _conditions(said: object) -> Sequence[Condition]:
    return said if isinstance(said, list | tuple) else ()


def _any_holds(conditions: Sequence[Condition], attributes: object) -> bool:
    """Whether one of them holds, or there is none."""
    return not conditions or any(holds(one, attributes) for one in conditions)


def _is_said(found: object, said: object) -> bool:
    """Whether what was found is what was said: by its operators, else just that."""
    if isinstance(said, Mapping) and _is_operators(said):
        return all(OPERATORS[name].holds(found, operand) for name, operand in said.items())
    return same(found, said)


def _is_operators(said: Mapping[str, object]) -> bool:
    return all(key.startswith("$") for key in said)


# What operators make of what was found and what was said.


def _negated(judge: Judge) -> Judge:
    return lambda found, said: not judge(found, said)


def _ranked(order: Callable[[object, object], int | None], *ranks: int) -> Judge:
    return lambda found, said: order(found, said) in ranks


def _is_in(found: object, said: object) -> bool:
    """One of the list, or, where a list was found, one of both."""
    return any(same_plain(one, other) for one in _listed(found) for other in _items(said))


def _is_in_any_case(found: object, said: object) -> bool:
    return any(same_plain(folded(one), folded(other)) for one in _listed(found) for other in _items(said))


def _listed(found: object) -> Sequence[object]:
    return found if isinstance(found, list | tuple) else (found,)


def _items(found: object) -> Sequence[object]:
    return found if isinstance(found, list | tuple) else ()


def _has_item(found: object, said: object) -> bool:
    """Operators are asked of each item itself, a condition of the keys of each."""
    items = [item for item in _items(found) if item is not None]
    if isinstance(said, Mapping) and not _is_of_item(said):
        return any(holds(said, item) for item in items)
    return any(_is_said(item, said) for item in items)


def _is_of_item(said: Mapping[str, object]) -> bool:
    return _is_operators(said) and not any(key in _LISTS for key in said)


def _has_size(found: object, said: object) -> bool:
    return isinstance(found, list | tuple) and _is_said(len(found), said)


def _has_all(found: object, said: object) -> bool:
    return isinstance(found, list | tuple) and all(any(_is_said(item, one) for item in found) for one in _items(said))


def _has_all_in_any_case(found: object, said: object) -> bool:
    folded_items = tuple(folded(item) for item in _items(found))
    return isinstance(found, list | tuple) and all(
        any(_is_said(item, folded(one)) for item in (folded_items if isinstance(one, str) else found))
        for one in _items(said)
    )


# Judging what was written.


def condition_faults(condition: object) -> Iterator[Wrong]:
    """Everything in a condition that is not taken, or that GrowthBook would let never be true."""
    if not isinstance(condition, Mapping):
        yield Wrong((), "expected a condition, such as {device: mobile}", condition)
        return
    for key, said in condition.items():
        if key in _LISTS:
            yield from (wrong.below(key) for wrong in _list_faults(said, condition_faults, "conditions"))
        elif key == "$not":
            yield from (wrong.below(key) for wrong in condition_faults(said))
        elif key.startswith("$"):
            yield from _unknown(key, condition, (*_OF_CONDITIONS,), OPERATORS)
        else:
            yield from (wrong.below(key) for wrong in _said_faults(said))


def _unknown(
    key: str, where: object, known: Sequence[str], elsewhere: Sequence[str] | Mapping[str, object]
) -> Iterator[Wrong]:
    if refused := _REFUSED.get(key):
        message = refused
    elif key in elsewhere:
        message = "stands at an attribute, as {section: {…}}" if key in OPERATORS else "stands around attributes"
    else:
        message = f"unknown operator, {nearest(key, known)}"
    yield Wrong((key,), message, where, at_key=True)


def _list_faults(said: object, of_one: Callable[[object], Iterator[Wrong]], what: str) -> Iterator[Wrong]:
    if isinstance(said, list | tuple):
        yield from (wrong.below(at) for at, one in enumerate(said) for wrong in of_one(one))
    else:
        yield Wrong((), f"expected a list of {what}", said)


def _said_faults(said: object) -> Iterator[Wrong]:
    """Of what is said of an attribute: operators, or just a value."""
    if not isinstance(said, Mapping) or not any(key.startswith("$") for key in said):
        yield from _value_faults(said)
        return
    for key, operand in said.items():
        if operator := OPERATORS.get(key):
            yield from (wrong.below(key) for wrong in operator.faults(operand))
        elif key.startswith("$"):
            yield from _unknown(key, said, tuple(OPERATORS), _LISTS)
        else:
            yield Wrong((key,), "stands beside operators: write its whole path before them, as a.b", said, at_key=True)


def _value_faults(said: object) -> Iterator[Wrong]:
    """A value that is compared as it stands holds no operator: nobody would ask it."""
    if isinstance(said, Mapping):
        for key, value in said.items():
            if key.startswith("$"):
                yield Wrong((key,), "stands inside a value: write the whole path before it, as a.b", said, at_key=True)
            yield from (wrong.below(key) for wrong in _value_faults(value))
    elif isinstance(said, list | tuple):
        yield from (wrong.below(at) for at, one in enumerate(said) for wrong in _value_faults(one))


def _not_plain(said: object) -> Iterator[Wrong]:
    if kind_of(said) not in ("string", "number", "boolean", "null"):
        yield Wrong((), "expected text, a number, true, false or null", said)


def _not_plains(said: object) -> Iterator[Wrong]:
    yield from _list_faults(said, _not_plain, "values")


def _not_ordered(said: object) -> Iterator[Wrong]:
    if kind_of(said) not in ("string", "number"):
        yield Wrong((), "expected text or a number", said)


def _not_item(said: object) -> Iterator[Wrong]:
    """A condition or operators, whichever they are."""
    if isinstance(said, Mapping) and _is_of_item(said):
        yield from _said_faults(said)
    else:
        yield from condition_faults(said)


def _not_size(said: object) -> Iterator[Wrong]:
    if isinstance(said, Mapping) or kind_of(said) == "number":
        yield from _said_faults(said)
    else:
        yield Wrong((), "expected a number, or operators such as {$gt: 2}", said)


def _not_all(said: object) -> Iterator[Wrong]:
    yield from _list_faults(said, _said_faults, "values")


def _not_switch(said: object) -> Iterator[Wrong]:
    if not isinstance(said, bool):
        yield Wrong((), "expected true or false", said)


def _not_kind(said: object) -> Iterator[Wrong]:
    if said not in KINDS:
        yield Wrong((), f"expected one of {', '.join(KINDS)}", said)


class Operator(NamedTuple):
    """What an operator makes of what was found and what was said, and what is wrong with what was said."""

    holds: Judge
    faults: Callable[[object], Iterator[Wrong]]


Judge: TypeAlias = Callable[[object, object], bool]
OPERATORS: Final[Mapping[str, Operator]] = {
    "$eq": Operator(same_plain, _not_plain),
    "$ne": Operator(_negated(same_plain), _not_plain),
    "$lt": Operator(_ranked(order_of, -1), _not_ordered),
    "$lte": Operator(_ranked(order_of, -1, 0), _not_ordered),
    "$gt": Operator(_ranked(order_of, 1), _not_ordered),
    "$gte": Operator(_ranked(order_of, 0, 1), _not_ordered),
    "$veq": Operator(_ranked(version_order, 0), _not_ordered),
    "$vne": Operator(_negated(_ranked(version_order, 0)), _not_ordered),
    "$vlt": Operator(_ranked(version_order, -1), _not_ordered),
    "$vlte": Operator(_ranked(version_order, -1, 0), _not_ordered),
    "$vgt": Operator(_ranked(version_order, 1), _not_ordered),
    "$vgte": Operator(_ranked(version_order, 0, 1), _not_ordered),
    "$in": Operator(_is_in, _not_plains),
    "$nin": Operator(_negated(_is_in), _not_plains),
    "$ini": Operator(_is_in_any_case, _not_plains),
    "$nini": Operator(_negated(_is_in_any_case), _not_plains),
    "$all": Operator(_has_all, _not_all),
    "$alli": Operator(_has_all_in_any_case, _not_all),
    "$elemMatch": Operator(_has_item, _not_item),
    "$size": Operator(_has_size, _not_size),
    "$exists": Operator(lambda found, said: (found is not None) is said, _not_switch),
    "$type": Operator(lambda found, said: kind_of(found) == said, _not_kind),
    "$not": Operator(_negated(_is_said), _said_faults),
}
