"""Conditions compiled to functions that tell nothing but their truth, for the many rules of which nobody asks why.

Of the rules of a run most pass, and of a pass no evidence is kept. The truth is that of `condition.evaluate` on the
same facts, always; a law in tests/core/test_laws.py holds the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from pfdoctor.core.condition import (
    All,
    AnyOf,
    Condition,
    Leaf,
    Not,
    Quantified,
    Scope,
    Test,
    apply,
    lacking,
    same,
)
from pfdoctor.core.facts import FactPath, Step, members, value_below
from pfdoctor.core.model import Json, Unknown

Truth: TypeAlias = Callable[[Scope, Json], bool | None]
"""True, False, or None for unknown. The second argument is the value of `it`."""

_UNKNOWN = Unknown("unknown", "unknown")

_Value: TypeAlias = Callable[[Scope, Json], Json]


def once_asked(condition: Condition) -> Truth:
    """The truth of the condition, compiled when it is asked for: of a single flow, many rules do not even apply."""
    found: Truth | None = None

    def truth(scope: Scope, item: Json) -> bool | None:
        nonlocal found
        if found is None:
            found = compiled(condition)
        return found(scope, item)

    return truth


def compiled(condition: Condition) -> Truth:
    """The truth of the condition, as a function."""
    match condition:
        case All(parts):
            return _all([compiled(part) for part in parts])
        case AnyOf(parts):
            return _any([compiled(part) for part in parts])
        case Not(part):
            return _not(compiled(part))
        case Quantified(path, where, universal):
            return _quantified(path, compiled(where), decisive=not universal)
        case Leaf():
            return _leaf(condition)
        case Test(_, paths, predicate):
            return _test([_value(path) for path in paths], predicate)


def _value(path: FactPath) -> _Value:
    """What looks the fact up; `Facts.look_up` without the concrete path."""
    steps = path.steps
    if path.root == "it":
        return _field(steps[0]) if len(steps) == 1 else lambda _, item: value_below(item, steps)
    return lambda scope, _: scope.value(path)


def _field(step: Step) -> _Value:
    """A field of `it`: what most conditions on elements ask for."""
    key, steps = step.key, (step,)

    def field(_: Scope, item: Json) -> Json:
        if isinstance(item, dict) and "$unknown" not in item and "$incomplete" not in item:
            value = item.get(key)
            if value is not None:
                # why it is unknown changes no truth
                return _UNKNOWN if isinstance(value, dict) and "$unknown" in value else value
        return value_below(item, steps)

    return field


def _all(parts: Sequence[Truth]) -> Truth:
    def truth(scope: Scope, item: Json) -> bool | None:
        result: bool | None = True
        for part in parts:
            one = part(scope, item)
            if one is False:
                return False
            if one is None:
                result = None
        return result

    return truth


def _any(parts: Sequence[Truth]) -> Truth:
    def truth(scope: Scope, item: Json) -> bool | None:
        result: bool | None = False
        for part in parts:
            one = part(scope, item)
            if one:
                return True
            if one is None:
                result = None
        return result

    return truth


def _not(part: Truth) -> Truth:
    def truth(scope: Scope, item: Json) -> bool | None:
        one = part(scope, item)
        return None if one is None else not one

    return truth


def _quantified(path: FactPath, where: Truth, *, decisive: bool) -> Truth:
    value, is_shared = _value(path), path.root != "it"

    def truth(scope: Scope, item: Json) -> bool | None:
        collection = value(scope, item)
        if isinstance(collection, Unknown):
            return None
        elements, incomplete = scope.members(path) if is_shared else members(collection)
        is_open = incomplete is not None
        for _, element in elements:
            one = where(scope, element)
            if one is decisive:
                return decisive
            is_open = is_open or one is None
        return None if is_open else not decisive

    return truth


def _leaf(leaf: Leaf) -> Truth:
    value, operator, operand = _value(leaf.path), leaf.operator, leaf.value
    if leaf.other is not None:
        return _compared(operator, value, _value(leaf.other))
    if operator == "exists":
        return _exists(value, wanted=operand is not False)
    if operator == "equals" and not isinstance(operand, list | dict):
        return _one_of(value, (operand,))
    if operator == "in" and not any(isinstance(one, list | dict) for one in operand):
        return _one_of(value, tuple(operand))
    if operator == "matches":
        return _matches(value, operand)

    def truth(scope: Scope, item: Json) -> bool | None:
        one = value(scope, item)
        return None if isinstance(one, Unknown) else _known(apply(operator, one, operand))

    return truth


def _compared(operator: str, value: _Value, other: _Value) -> Truth:
    def truth(scope: Scope, item: Json) -> bool | None:
        left, right = value(scope, item), other(scope, item)
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return None
        return _known(apply(operator, left, right))

    return truth


def _known(truth: bool | Unknown) -> bool | None:
    return None if isinstance(truth, Unknown) else truth


def _exists(value: _Value, *, wanted: bool) -> Truth:
    def truth(scope: Scope, item: Json) -> bool | None:
        one = value(scope, item)
        return None if isinstance(one, Unknown) else (one is not None) is wanted

    return truth


def _one_of(value: _Value, options: tuple[Json, ...]) -> Truth:
    def truth(scope: Scope, item: Json) -> bool | None:
        one = value(scope, item)
        if isinstance(one, str):
            return one in options
        if lacking(one) is not None:
            return None
        return any(same(one, option) for option in options)

    return truth


def _matches(value: _Value, pattern: str) -> Truth:
    search: Callable[[str], object] | None = None

    def truth(scope: Scope, item: Json) -> bool | None:
        nonlocal search
        one = value(scope, item)
        if not isinstance(one, str):
            return None if isinstance(one, Unknown) else _known(apply("matches", one, pattern))
        if search is None:
            search = re.compile(pattern).search
        return search(one) is not None

    return truth


def _test(values: Sequence[_Value], predicate: Callable[..., bool]) -> Truth:
    def truth(scope: Scope, item: Json) -> bool | None:
        found = [value(scope, item) for value in values]
        if any(lacking(one) is not None for one in found):
            return None
        return bool(predicate(*found))

    return truth
