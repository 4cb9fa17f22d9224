"""The laws of three-valued diagnosis, as properties over random facts and random conditions."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pfdoctor.core.condition import Condition, Scope, evaluate, parse
from pfdoctor.core.facts import Facts, FactsSchema
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.truth import compiled

SCHEMA = FactsSchema(
    {
        "properties": {
            "declared": {
                "properties": {
                    "a": {"properties": {"x": {}, "y": {}}},
                    "b": {},
                    "c": {},
                    "many": {"items": {"properties": {"x": {}, "y": {}}}},
                    "free": {"additionalProperties": {}},
                }
            }
        }
    }
)
PREDICATES = {"both": lambda left, right: left == right}
NOBODY = {"$unknown": {"code": "not-looked", "detail": "nobody could look"}}

scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "p", "q", "pq"]))
maybe = st.one_of(scalars, st.just(NOBODY))
items = st.fixed_dictionaries({}, optional={"x": maybe, "y": maybe})
lists = st.lists(items, max_size=3)
incomplete = st.builds(lambda some: {"$incomplete": NOBODY["$unknown"], "items": some}, lists)
views = st.fixed_dictionaries(
    {},
    optional={
        "a": st.one_of(st.none(), st.just(NOBODY), items),
        "b": maybe,
        "c": maybe,
        "many": st.one_of(st.none(), st.just(NOBODY), lists, incomplete),
        "free": st.one_of(st.none(), st.dictionaries(st.sampled_from(["k", "l.m"]), maybe, max_size=2)),
    },
)

OPERATORS = st.one_of(
    st.builds(lambda value: {"exists": value}, st.booleans()),
    st.builds(lambda value: {"equals": value}, scalars),
    st.builds(lambda value: {"in": value}, st.lists(scalars, max_size=2)),
    st.builds(lambda value: {"contains": value}, st.sampled_from(["p", "q"])),
    st.builds(lambda value: {"matches": value}, st.sampled_from(["^p", "q$"])),
    st.builds(lambda value: {"less": value}, st.integers(0, 3)),
    st.builds(lambda value: {"greater": value}, st.integers(0, 3)),
)


def _leaf(paths: list[str]) -> st.SearchStrategy[dict[str, Json]]:
    return st.builds(lambda path, operator: {"fact": path, **operator}, st.sampled_from(paths), OPERATORS)


def _combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    )


in_item = st.recursive(_leaf(["it.x", "it.y", "b"]), _combined, max_leaves=3)
quantified = st.builds(lambda kind, where: {kind: "many", "where": where}, st.sampled_from(["some", "every"]), in_item)
compared = st.just({"predicate": "both", "of": ["b", "c"]})
conditions = st.recursive(
    st.one_of(_leaf(["a.x", "a.y", "b", "c", "free.k", 'free."l.m"']), quantified, compared), _combined, max_leaves=6
)


def facts_of(view: dict[str, Json]) -> Facts:
    return Facts({"case": {"name": "law", "kind": "law"}, "declared": view})


def verdict(raw: dict[str, Json], view: dict[str, Json]) -> Any:
    condition: Condition = parse(raw, SCHEMA, PREDICATES)
    return evaluate(condition, Scope(facts_of(view), "declared"))


@given(st.lists(conditions, min_size=1, max_size=3), views)
def test_de_morgan(parts: list[Json], view: dict[str, Json]) -> None:
    left = verdict({"not": {"all": parts}}, view).truth
    right = verdict({"any": [{"not": part} for part in parts]}, view).truth
    assert left is right
    left = verdict({"not": {"any": parts}}, view).truth
    right = verdict({"all": [{"not": part} for part in parts]}, view).truth
    assert left is right


def _holes(node: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if node == NOBODY:
        return [path]
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    return [hole for key, value in pairs if key != "$incomplete" for hole in _holes(value, (*path, key))]


def _shapes(path: tuple[str | int, ...]) -> st.SearchStrategy[Json]:
    if path == ("a",):
        return st.one_of(st.none(), items)
    if path == ("many",):
        return st.one_of(st.none(), lists)
    return scalars


@settings(max_examples=400)
@given(conditions, views, st.data())
def test_learning_a_fact_never_flips_a_definite_verdict(raw: Json, view: dict[str, Json], data: st.DataObject) -> None:
    before = verdict(raw, view).truth
    learnt = copy.deepcopy(view)
    for hole in _holes(view):
        if data.draw(st.booleans()):
            node: Any = learnt
            for key in hole[:-1]:
                node = node[key]
            node[hole[-1]] = data.draw(_shapes(hole))
    for key in ("a", "b", "c", "free", "many"):
        if key not in learnt and data.draw(st.booleans()):
            learnt[key] = data.draw(st.one_of(st.none(), st.just({}))) if key in ("a", "free") else None
    if isinstance(learnt.get("many"), dict) and "items" in learnt["many"] and data.draw(st.booleans()):
        learnt["many"] = learnt["many"]["items"] + data.draw(lists)
    if before is not None:
        assert verdict(raw, learnt).truth is before


@settings(max_examples=400)
@given(conditions, views)
def test_unknown_if_and_only_if_something_is_missing(raw: Json, view: dict[str, Json]) -> None:
    found = verdict(raw, view)
    assert (found.truth is None) is bool(found.missing)
    assert all(one.path and isinstance(one.reason, Unknown) for one in found.missing)


@settings(max_examples=400)
@given(conditions, views)
def test_evidence_suffices(raw: Json, view: dict[str, Json]) -> None:
    """Keep only the facts that the evidence names: the verdict stands."""
    found = verdict(raw, view)
    if found.truth is None:
        return
    kept: dict[str, Json] = {}
    for one in found.evidence:
        _keep(view, one.path.removeprefix("declared."), kept)
    assert verdict(raw, kept).truth is found.truth


def _keep(view: dict[str, Json], path: str, kept: dict[str, Json]) -> None:
    """Copies the fact at a concrete path; of a list element, the list becomes an incomplete one holding it."""
    if path.startswith("many["):
        index, rest = path.removeprefix("many[").split("]", 1)
        source = view["many"]["items"] if isinstance(view["many"], dict) else view["many"]
        holder = kept.get("many")
        if holder is not None and not (isinstance(holder, dict) and "$incomplete" in holder):
            return  # the whole list is kept already
        holder = kept.setdefault("many", {"$incomplete": NOBODY["$unknown"], "items": []})
        while len(holder["items"]) <= int(index):
            holder["items"].append({})
        key = rest.removeprefix(".")
        if not key:
            holder["items"][int(index)] = source[int(index)]
        elif key in source[int(index)]:
            holder["items"][int(index)][key] = source[int(index)][key]
        return
    head, _, rest = path.partition(".")
    if head == "many" or not rest:
        kept[head] = view.get(head)
    elif view.get(head) is None:
        kept[head] = None
    elif head == "free":
        key = rest.strip('"')
        holder = kept.setdefault("free", {"$incomplete": NOBODY["$unknown"], "entries": {}})
        holder["entries"][key] = view["free"].get(key)
    else:
        kept.setdefault(head, {})[rest] = view[head].get(rest)


@settings(max_examples=400)
@given(conditions, views)
def test_a_compiled_condition_is_true_where_the_evaluated_is(raw: Json, view: dict[str, Json]) -> None:
    condition = parse(raw, SCHEMA, PREDICATES)
    scope = Scope(facts_of(view), "declared", seen={})
    assert compiled(condition)(scope, None) is evaluate(condition, scope).truth
