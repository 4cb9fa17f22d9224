"""The condition language: parse a mapping into a condition, evaluate it to true, false or unknown, and say why.

    condition := {all: [condition…]} | {any: [condition…]} | {not: condition}
               | {some: path, where: condition} | {every: path, where: condition}
               | {fact: path, OP: value} | {predicate: name, of: [path…]}

A verdict is unknown if and only if something it needs is missing, and names it. Values of a leaf may be
`{fact: path}`, to compare two facts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from pfdoctor.core.facts import FactPath, Facts, FactsError, FactsSchema, Found, Members, join, members
from pfdoctor.core.model import Evidence, Json, Missing, Unknown, Verdict

Predicate: TypeAlias = Callable[..., bool]
"""A named test of values that data cannot say; it is called only when every value is known."""

OPERATORS = ("exists", "equals", "in", "contains", "matches", "less", "greater", "version")
_COMBINATORS = ("all", "any", "not", "some", "every", "fact", "predicate")


class ConditionError(Exception):
    """A condition that cannot be parsed. `where` is the path of keys and indexes to the fault."""

    def __init__(self, message: str, where: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.where = where


class All(NamedTuple):
    parts: tuple[Condition, ...]


class AnyOf(NamedTuple):
    parts: tuple[Condition, ...]


class Not(NamedTuple):
    part: Condition


class Quantified(NamedTuple):
    """`some` (an element satisfies) when `universal` is false, else `every` (all do)."""

    path: FactPath
    where: Condition
    universal: bool


class Leaf(NamedTuple):
    path: FactPath
    operator: str
    value: Json
    other: FactPath | None = None


class Test(NamedTuple):
    """A named predicate over facts."""

    name: str
    paths: tuple[FactPath, ...]
    predicate: Predicate


Condition: TypeAlias = All | AnyOf | Not | Quantified | Leaf | Test


class Scope(NamedTuple):
    """What a condition is evaluated against: the facts, the view that relative paths mean, and what `it` is.

    `seen` keeps what was looked up, `values` what was looked up without its path, and `listed` the elements of that:
    rules ask for the same few facts again and again.
    """

    facts: Facts
    view: str
    item: Found | None = None
    seen: dict[str, Found] | None = None
    values: dict[str, Json] | None = None
    listed: dict[str, Members] | None = None

    def look_up(self, path: FactPath) -> Found:
        if self.seen is None or path.root == "it":
            return self.facts.look_up(path, self.view, self.item)
        found = self.seen.get(path.text)
        if found is None:
            found = self.seen[path.text] = self.facts.look_up(path, self.view)
        return found

    def value(self, path: FactPath) -> Json:
        """The value at a path that is not below `it`, for whom it does not matter where it stands."""
        if self.values is None:
            return self.facts.value(path, self.view)
        text = path.text
        if text not in self.values:
            self.values[text] = self.facts.value(path, self.view)
        return self.values[text]

    def members(self, path: FactPath) -> Members:
        """The elements of the collection at such a path, and why they may not be all; none where it is unknown."""
        if self.listed is None:
            return members(self.value(path))
        text = path.text
        if text not in self.listed:
            self.listed[text] = members(self.value(path))
        return self.listed[text]

    def evidence(self, found: Found) -> Evidence:
        return Evidence(found.path, found.value, self.facts.origin(found.path))

    def bind(self, path: str, element: Json) -> Scope:
        return self._replace(item=Found(path, element))


def parse(
    raw: Json,
    schema: FactsSchema,
    predicates: Mapping[str, Predicate],
    item: FactPath | None = None,
    where: tuple[str | int, ...] = (),
) -> Condition:
    """The condition of a mapping read from a rule. `item` is the collection that `it` is an element of.

    Raises ConditionError for a misspelt fact, operator or predicate, with a suggestion.
    """
    if not isinstance(raw, dict) or not raw:
        raise ConditionError("a condition is a mapping such as {fact: flow.kind, equals: dag}", where)
    kind = next((key for key in _COMBINATORS if key in raw), None)
    if kind is None:
        first = str(next(iter(raw)))
        raise ConditionError(f"unknown key {first!r} in a condition{did_you_mean(first, _COMBINATORS)}", where)
    if kind in ("all", "any"):
        _only(raw, {kind}, where)
        children = raw[kind]
        if not isinstance(children, list) or not children:
            raise ConditionError(f"{kind!r} takes a list of conditions", (*where, kind))
        parts = tuple(
            parse(child, schema, predicates, item, (*where, kind, index)) for index, child in enumerate(children)
        )
        return All(parts) if kind == "all" else AnyOf(parts)
    if kind == "not":
        _only(raw, {"not"}, where)
        return Not(parse(raw["not"], schema, predicates, item, (*where, "not")))
    if kind in ("some", "every"):
        _only(raw, {kind, "where"}, where)
        path = _path(raw[kind], schema, item, (*where, kind))
        if not path.is_collection:
            raise ConditionError(f"{path.text!r} is neither a list nor a free map", (*where, kind))
        if "where" not in raw:
            raise ConditionError(f"{kind!r} needs a 'where'", where)
        return Quantified(path, parse(raw["where"], schema, predicates, path, (*where, "where")), kind == "every")
    if kind == "predicate":
        _only(raw, {"predicate", "of"}, where)
        name = raw["predicate"]
        if name not in predicates:
            raise ConditionError(f"there is no predicate {name!r}{did_you_mean(str(name), predicates)}", where)
        paths = tuple(
            _path(text, schema, item, (*where, "of", index)) for index, text in enumerate(raw.get("of") or [])
        )
        if not paths:
            raise ConditionError("'of' lists the facts that the predicate is given", where)
        return Test(name, paths, predicates[name])
    return _parse_leaf(raw, schema, item, where)


def _parse_leaf(
    raw: dict[str, Json], schema: FactsSchema, item: FactPath | None, where: tuple[str | int, ...]
) -> Condition:
    operators = [key for key in raw if key != "fact"]
    if len(operators) != 1:
        raise ConditionError("a fact takes exactly one operator: " + ", ".join(OPERATORS), where)
    operator = operators[0]
    if operator not in OPERATORS:
        raise ConditionError(f"unknown operator {operator!r}{did_you_mean(operator, OPERATORS)}", (*where, operator))
    path = _path(raw["fact"], schema, item, (*where, "fact"))
    value = raw[operator]
    if isinstance(value, dict) and set(value) == {"fact"}:
        return Leaf(path, operator, None, _path(value["fact"], schema, item, (*where, operator, "fact")))
    problem = _value_problem(operator, value)
    if problem:
        raise ConditionError(f"{operator!r} {problem}", (*where, operator))
    return Leaf(path, operator, value)


def _value_problem(operator: str, value: Json) -> str | None:
    if operator == "exists" and not isinstance(value, bool):
        return "takes true or false"
    if operator == "in" and not isinstance(value, list):
        return "takes a list"
    if operator in ("less", "greater") and (isinstance(value, bool) or not isinstance(value, int | float)):
        return "takes a number"
    if operator in ("matches", "version") and not isinstance(value, str):
        return "takes a text"
    if operator == "matches":
        try:
            re.compile(value)
        except re.error as error:
            return f"is not a regular expression: {error}"
    return None


def did_you_mean(word: str, names: Sequence[str] | Mapping[str, object]) -> str:
    """`; did you mean 'x'?`, or nothing when no name is near."""
    close = difflib.get_close_matches(word, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _path(text: Json, schema: FactsSchema, item: FactPath | None, where: tuple[str | int, ...]) -> FactPath:
    if not isinstance(text, str):
        raise ConditionError("a path is a text such as flow.nodes", where)
    try:
        return schema.compile(text, item)
    except FactsError as error:
        raise ConditionError(str(error), where) from error


def _only(raw: dict[str, Json], allowed: set[str], where: tuple[str | int, ...]) -> None:
    for key in raw:
        if key not in allowed:
            raise ConditionError(f"unexpected key {key!r}{did_you_mean(str(key), sorted(allowed))}", (*where, str(key)))


def evaluate(condition: Condition, scope: Scope) -> Verdict:
    """The verdict, with the facts that decided it or the ones that were missing to decide it."""
    match condition:
        case All(parts):
            return _combine((evaluate(part, scope) for part in parts), decisive=False)
        case AnyOf(parts):
            return _combine((evaluate(part, scope) for part in parts), decisive=True)
        case Not(part):
            verdict = evaluate(part, scope)
            truth = None if verdict.truth is None else not verdict.truth
            return Verdict(truth, verdict.evidence, verdict.missing)
        case Quantified():
            return _quantify(condition, scope)
        case Leaf():
            return _evaluate_leaf(condition, scope)
        case Test(_, paths, predicate):
            found = [scope.look_up(path) for path in paths]
            missing = tuple(Missing(one.path, why) for one in found if (why := lacking(one.value)) is not None)
            if missing:
                return Verdict(None, (), missing)
            return Verdict(bool(predicate(*(one.value for one in found))), tuple(map(scope.evidence, found)))


def lacking(value: Json) -> Unknown | None:
    """Why a value is not there to be tested; of a list or map of which a part was seen, why it was no more."""
    if isinstance(value, dict) and "$incomplete" in value:
        return Unknown.from_json(value["$incomplete"])
    return value if isinstance(value, Unknown) else None


def _combine(verdicts: Iterator[Verdict], *, decisive: bool) -> Verdict:
    """Kleene's `any` when `decisive` is true, his `all` when it is false; stops at the first decisive verdict."""
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[Missing, ...] = ()
    for verdict in verdicts:
        if verdict.truth is decisive:
            return Verdict(decisive, verdict.evidence)
        evidence += verdict.evidence
        missing += verdict.missing
    if missing:
        return Verdict(None, evidence, missing)
    return Verdict(not decisive, evidence)


def _quantify(condition: Quantified, scope: Scope) -> Verdict:
    found = scope.look_up(condition.path)
    if isinstance(found.value, Unknown):
        return Verdict(None, (), (Missing(found.path, found.value),))
    elements, incomplete = members(found.value)
    decisive = not condition.universal
    missing: tuple[Missing, ...] = ()
    outside: dict[str, Evidence] = {}
    for key, element in elements:
        inner = scope.bind(join(found.path, key), element)
        verdict = evaluate(condition.where, inner)
        if verdict.truth is decisive:
            return Verdict(decisive, verdict.evidence + _existence(verdict, inner))
        missing += verdict.missing
        outside.update((one.path, one) for one in verdict.evidence if not one.path.startswith(found.path))
    if incomplete is not None:
        missing += (Missing(found.path, incomplete),)
    if missing:
        return Verdict(None, (), missing)
    # the whole list decided, and whatever else was asked for each of its elements
    return Verdict(not decisive, (scope.evidence(found), *outside.values()))


def _existence(verdict: Verdict, inner: Scope) -> tuple[Evidence, ...]:
    """That the witness is there at all is evidence too, where nothing inside it was looked at."""
    if inner.item is None or any(one.path.startswith(inner.item.path) for one in verdict.evidence):
        return ()
    return (inner.evidence(inner.item),)


def _evaluate_leaf(leaf: Leaf, scope: Scope) -> Verdict:
    found = scope.look_up(leaf.path)
    operand: Json = leaf.value
    more: tuple[Found, ...] = ()
    missing = [Missing(found.path, found.value)] if isinstance(found.value, Unknown) else []
    if leaf.other is not None:
        other = scope.look_up(leaf.other)
        operand, more = other.value, (other,)
        if isinstance(other.value, Unknown):
            missing.append(Missing(other.path, other.value))
    if missing:
        return Verdict(None, (), tuple(missing))
    truth = apply(leaf.operator, found.value, operand)
    if isinstance(truth, Unknown):
        return Verdict(None, (), (Missing(found.path, truth),))
    return Verdict(truth, tuple(scope.evidence(one) for one in (found, *more)))


def apply(operator: str, value: Json, operand: Json) -> bool | Unknown:
    """The operator on known values. On null everything but `exists`, `equals` and `in` is false."""
    incomplete = Unknown.from_json(value["$incomplete"]) if isinstance(value, dict) and "$incomplete" in value else None
    if operator == "exists":
        return (value is not None) is (operand is not False)
    if operator == "equals":
        return incomplete or same(value, operand)
    if operator == "in":
        options = [element for _, element in members(operand)[0]] if isinstance(operand, list) else []
        return incomplete or any(same(value, option) for option in options)
    if value is None or operand is None:
        return False
    if operator == "contains":
        return _contains(value, operand, incomplete)
    if incomplete is not None:
        return incomplete
    if operator in ("less", "greater"):
        if not _is_number(value) or not _is_number(operand):
            return Unknown("not-a-number", f"{value!r} is not a number")
        return bool(value < operand) if operator == "less" else bool(value > operand)
    if not isinstance(value, str):
        return Unknown("not-a-text", f"{value!r} is not a text")
    if operator == "matches":
        # compiled at its first use, and kept by re
        return re.search(operand, value) is not None
    return _version(value, operand)


def _contains(value: Json, operand: Json, incomplete: Unknown | None) -> bool | Unknown:
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    if isinstance(value, dict) and "items" not in value:
        entries = value.get("entries", {}) if incomplete else value
        return operand in entries or incomplete or False
    elements, _ = members(value)
    return any(same(element, operand) for _, element in elements) or incomplete or False


def _version(value: str, specifier: str) -> bool | Unknown:
    # imported here: most runs never compare a version, and packaging costs as much as a small rule set
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(specifier).contains(Version(value), prereleases=True)
    except InvalidVersion:
        return Unknown("not-a-version", f"{value!r} is not a version")


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Json, right: Json) -> bool:
    """Equality as YAML means it: `1` is not `true`."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def paths(condition: Condition) -> Iterator[FactPath]:
    """Every path that the condition looks at."""
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from paths(part)
        case Not(part):
            yield from paths(part)
        case Quantified(path, where, _):
            yield path
            yield from paths(where)
        case Leaf(path, _, _, other):
            yield path
            if other is not None:
                yield other
        case Test(_, several, _):
            yield from several


def leaves(condition: Condition) -> Iterator[tuple[str | int, ...]]:
    """The path of every leaf inside the raw mapping that `condition` was parsed from (for the mutation test)."""
    match condition:
        case All(parts) | AnyOf(parts):
            key = "all" if isinstance(condition, All) else "any"
            for index, part in enumerate(parts):
                for rest in leaves(part):
                    yield (key, index, *rest)
        case Not(part):
            for rest in leaves(part):
                yield ("not", *rest)
        case Quantified():
            for rest in leaves(condition.where):
                yield ("where", *rest)
        case _:
            yield ()
