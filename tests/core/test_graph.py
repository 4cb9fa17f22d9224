"""The graph of a flow, against brute force and against what promptflow was seen to do."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdoctor.core.derive.graph import derive_graph

NAMES = "abcde"


def node(name: str, *references: str, **more: Any) -> dict[str, Any]:
    inputs = [{"name": f"i{index}", "value": text} for index, text in enumerate(references)]
    return {
        "name": name,
        "type": "python",
        "variant": None,
        "aggregation": False,
        "activate": None,
        "use_variants": False,
        "inputs": inputs,
        **more,
    }


def graph(nodes: list[dict[str, Any]], outputs: dict[str, str] | None = None, inputs: tuple[str, ...] = ("q",)) -> Any:
    flow = {
        "kind": "dag",
        "nodes": nodes,
        "inputs": [{"name": name} for name in inputs],
        "outputs": [{"name": name, "reference": text} for name, text in (outputs or {}).items()],
    }
    return derive_graph({"flow": flow})


edges = st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=9)


def built(pairs: set[tuple[str, str]]) -> Any:
    return graph(
        [node(name, *(f"${{{before}.output}}" for after, before in sorted(pairs) if after == name)) for name in NAMES]
    )


@given(edges)
def test_cycles_are_found_if_and_only_if_no_order_exists(pairs: set[tuple[str, str]]) -> None:
    orders = any(
        all(order.index(before) < order.index(after) for after, before in pairs) for order in permutations(NAMES)
    )
    found = built(pairs)
    assert bool(found["cycles"]) is not orders
    for cycle in found["cycles"]:
        ring = cycle["nodes"]
        # each node feeds the next, and the last the first
        assert all((after, before) in pairs for before, after in zip(ring, ring[1:] + ring[:1], strict=True))


@given(edges)
def test_the_longest_chain_is_the_longest(pairs: set[tuple[str, str]]) -> None:
    found = built(pairs)["longest_chain"]
    if built(pairs)["cycles"]:
        return

    def depth(name: str) -> int:
        return 1 + max((depth(before) for after, before in pairs if after == name), default=0)

    assert found["length"] == max(map(depth, NAMES))


@pytest.mark.parametrize(
    ("text", "kind", "exists"),
    [
        ("${n.output}", "node", True),
        ("${n}", "node", True),
        ("${n.output.field}", "node", True),
        ("${m.output}", "node", False),
        ("${inputs.q}", "flow-input", True),
        ("${flow.q}", "flow-input", True),
        ("${inputs.zz}", "flow-input", False),
        ("${inputs.q.y}", "flow-input", False),
        ("${q}", "node", False),
        ("${Inputs.q}", "node", False),
        ("${ n.output}", "malformed", False),
        ("${inputs}", "malformed", False),
        ("${}", "malformed", False),
    ],
)
def test_references_are_read_as_promptflow_reads_them(text: str, kind: str, exists: bool) -> None:
    (reference,) = graph([node("n"), node("user", text)])["references"]
    assert (reference["target_kind"], reference["target_exists"]) == (kind, exists)


@pytest.mark.parametrize(
    "text", ["hello ${inputs.q}", " ${inputs.q}", "{{inputs.q}}", "$inputs.q", 5, None, ["${n.output}"]]
)
def test_everything_else_is_a_literal(text: Any) -> None:
    assert graph([node("n", text)])["references"] == []


def test_what_was_meant_is_suggested() -> None:
    references = graph([node("fetch_page"), node("a", "${fetch_pag.output}", "${q}")])["references"]
    assert [one["suggestion"] for one in references] == ["fetch_page", "inputs.q"]


def test_references_of_the_variant_that_is_served() -> None:
    """As promptflow 1.18.5 judges them: those of the default variant like a node's own."""
    bodies = [node("n", "${zz.output}", variant=name, served=name == "b") for name in ("a", "b")]
    found = graph([node("n", use_variants=True, served=False), *bodies])["references"]
    assert [(one["user_kind"], one["target_exists"]) for one in found] == [("variant", False), ("node", False)]


def test_a_name_that_is_a_number_is_not_found() -> None:
    found = graph([node("1", name_is_text=False)], {"a": "${1.output}"})["references"]
    assert [one["target_exists"] for one in found] == [False]
