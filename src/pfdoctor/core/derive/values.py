"""What values flow where in a DAG flow: references that are only text, and what the outputs hold."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.derive.conversion import KINDS, converts
from pfdoctor.core.derive.nodes import Definition, definitions, items, tool_of
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_OUTPUT = Pattern(r"\$\{([^{}.]+)(?:\.outputs?)?\}\Z")
_BRACES = Pattern(r"\$\{([^{}]+)\}|\{\{\s*([^{}]+?)\s*\}\}")


def derive_values(view: dict[str, Json]) -> dict[str, Json]:
    """`served_llm_node_count`, `embedded_references`, `output_values` and `streamable_outputs` of a view's graph."""
    served = {one.node["name"]: one for one in definitions(view) if one.served}
    referable = _referable(view["flow"])
    outputs = list(_outputs(view, served))
    return {
        "served_llm_node_count": sum(one.node["type"] == "llm" for one in served.values()),
        "embedded_references": [found for one in served.values() for found in _embedded(referable, one)],
        "output_values": [value for value, _ in outputs if value is not None],
        "streamable_outputs": sum(streams for _, streams in outputs),
    }


def mark_defaults(view: dict[str, Json]) -> Json:
    """The flow's inputs with `default_converts`: null without a default or with a type that is not known."""
    inputs = view["flow"].get("inputs")
    if not isinstance(inputs, list):
        return inputs
    return [
        {**one, "default_converts": converts(one["default"], one["type"])}
        if one["has_default"] and isinstance(one["type"], str) and one["type"] in KINDS
        else {**one, "default_converts": None}
        for one in inputs
    ]


def _referable(flow: dict[str, Json]) -> tuple[set[str], set[str]]:
    """What a reference can name: the flow's inputs as `inputs.<name>`, and its nodes."""
    return {f"inputs.{one['name']}" for one in items(flow.get("inputs"))}, {
        one["name"] for one in items(flow.get("nodes"))
    }


def _embedded(referable: tuple[set[str], set[str]], definition: Definition) -> Iterator[dict[str, Json]]:
    """Literals that hold what reads like a reference to a node or input that exists."""
    known, nodes = referable
    for index, one in enumerate(definition.node["inputs"]):
        if one["kind"] == "reference":
            continue
        text = one["value"] if isinstance(one["value"], str) else repr(one["value"])
        for match in _BRACES.finditer(text):
            name = (match[1] or match[2]).strip()
            if name in known or name.partition(".")[0] in nodes:
                yield {
                    "$from": f"{definition.path}.inputs[{index}]",
                    "user": definition.node["name"],
                    "slot": one["name"],
                    "text": text,
                    "reference": match[0],
                }


def _outputs(view: dict[str, Json], served: dict[str, Definition]) -> Iterator[tuple[Json, bool]]:
    """Of each output that is a node's whole output: its value, if a Python node's, and whether it can stream."""
    for index, output in enumerate(items(view["flow"].get("outputs"))):
        reference = output["reference"]
        match = _OUTPUT.match(reference) if isinstance(reference, str) else None
        definition = served.get(match[1]) if match is not None else None
        if definition is None:
            continue
        node = definition.node
        if node["type"] == "llm":
            yield None, True
            continue
        found = tool_of(view, node) if node["type"] == "python" else None
        if found is None:
            continue
        source, function = found
        value = {
            "$from": f"flow.outputs[{index}]",
            "output": output["name"],
            "node": node["name"],
            "returns": function.get("returns") if isinstance(function.get("returns"), str) else None,
            "file": source["file"],
        }
        yield value, function.get("is_generator") is True
