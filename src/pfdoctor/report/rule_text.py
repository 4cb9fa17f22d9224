"""What a rule says, in words: the facts it reads and its conditions, for `explain` and for its page in the docs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.core.condition import All, AnyOf, Condition, Leaf, Not, Quantified, Test
from pfdoctor.core.facts import FactPath
from pfdoctor.core.message import show
from pfdoctor.core.model import Json
from pfdoctor.core.rule import Rule

EXPECTATION = {
    "confirmed": "confirmed",
    "latent": "found (latent: no log was looked at)",
    "contradicted": "contradicted: true by the facts, yet the log does not show it",
    "suspected": "suspected: the symptom shows, the facts are missing",
    "unknown": "unknown: too little is known to decide",
    "pass": "passes",
    "not-applicable": "not its business",
}
"""What an example is expected to come to, in words."""


class FactRead(NamedTuple):
    """A fact that a rule reads: its path from the view (`[]` for the elements of a list) and its description."""

    path: str
    description: str


def facts_read(rule: Rule) -> tuple[FactRead, ...]:
    """Every fact that decides the rule, sorted by path."""
    found: dict[str, FactRead] = {}
    outer = f"{rule.each.text}[]" if rule.each is not None else "it"
    if rule.each is not None:
        found[rule.each.text] = _read(rule.each, "")
    for condition, item in ((rule.applies, "it"), (rule.when, outer)):
        for one in _reads(condition, item) if condition is not None else ():
            found.setdefault(one.path, one)
    return tuple(found[path] for path in sorted(found))


def _reads(condition: Condition, item: str) -> Iterator[FactRead]:
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _reads(part, item)
        case Not(part):
            yield from _reads(part, item)
        case Quantified(path, where, _):
            outer = _read(path, item)
            yield outer
            yield from _reads(where, f"{outer.path}[]")
        case Leaf(path, _, _, other):
            yield _read(path, item)
            if other is not None:
                yield _read(other, item)
        case Test(_, paths, _):
            for path in paths:
                yield _read(path, item)


def _read(path: FactPath, item: str) -> FactRead:
    text = item + path.text[len("it") :] if path.root == "it" else path.text
    return FactRead(text, path.shape.get("description", ""))


def condition_lines(condition: Condition, depth: int = 0) -> Iterator[tuple[int, str]]:
    """The condition in words, one part a line, each with its depth of nesting."""
    match condition:
        case All(parts) | AnyOf(parts):
            yield depth, "all of" if isinstance(condition, All) else "at least one of"
            for part in parts:
                yield from condition_lines(part, depth + 1)
        case Not(part):
            yield depth, "not"
            yield from condition_lines(part, depth + 1)
        case Quantified(path, where, universal):
            yield depth, f"for {'every' if universal else 'at least one'} element (`it`) of `{path.text}`"
            yield from condition_lines(where, depth + 1)
        case Leaf():
            yield depth, _leaf(condition)
        case Test(name, paths, _):
            yield depth, f"{name.replace('_', ' ')}: " + ", ".join(f"`{path.text}`" for path in paths)


def _leaf(leaf: Leaf) -> str:
    fact = f"`{leaf.path.text}`"
    if leaf.other is not None:
        return f"{fact} {_VERBS[leaf.operator]} `{leaf.other.text}`"
    if leaf.operator == "exists":
        return f"{fact} is {'absent' if leaf.value is False else 'given'}"
    if leaf.operator == "equals" and leaf.value is None:
        return f"{fact} is absent"
    if leaf.operator == "matches":
        return f"{fact} matches `{leaf.value}`"
    return f"{fact} {_VERBS[leaf.operator]} {_value(leaf.value)}"


_VERBS = {
    "exists": "is given like",
    "equals": "is",
    "in": "is one of",
    "contains": "contains",
    "matches": "matches",
    "less": "is less than",
    "greater": "is greater than",
    "version": "is a version",
}


def _value(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value)
    return f"`{show(value)}`"
