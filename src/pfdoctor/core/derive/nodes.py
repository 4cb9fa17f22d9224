"""The nodes of a flow with what decides whether and how they run. Shared by the modules that derive from nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.core.model import Json


class Definition(NamedTuple):
    """What defines a node: the node itself, or the body of one of its variants. `path` is that of the fact."""

    node: dict[str, Json]
    path: str
    served: bool
    """Whether serving runs this definition: false in a variant that is not the default."""
    aggregation: bool
    conditional: bool


def definitions(view: dict[str, Json]) -> Iterator[Definition]:
    """Every definition of a node; a node that only refers to its variants is none."""
    flow = view.get("flow")
    if not isinstance(flow, dict):
        return
    nodes = items(flow.get("nodes"))
    shells = {node.get("name"): node for node in nodes if node.get("use_variants") is True and _variant(node) is None}
    for index, node in enumerate(nodes):
        variant = _variant(node)
        if variant is None and node.get("use_variants") is True and node.get("served") is not True:
            continue
        both = (node, shells.get(node.get("name"), {})) if variant is not None else (node,)
        yield Definition(
            node,
            f"flow.nodes[{index}]",
            served=node.get("served") is not False,
            aggregation=any(one.get("aggregation") is True for one in both),
            conditional=any(isinstance(one.get("activate"), dict) for one in both),
        )


def _variant(node: dict[str, Json]) -> Json:
    return node.get("variant")


def items(value: Json) -> list[dict[str, Json]]:
    """The known elements of a list that may be unknown, absent or incomplete."""
    if isinstance(value, dict) and "$incomplete" in value:
        value = value.get("items")
    return value if isinstance(value, list) else []


def is_complete(value: Json) -> bool:
    """Whether every element of the list is known; an absent list has none."""
    return isinstance(value, list) or value is None


def is_dropped(value: Json) -> bool:
    """Whether promptflow treats an input as if it were not written: null and the empty text."""
    return value is None or value == ""


def tool_of(view: dict[str, Json], node: dict[str, Json]) -> tuple[dict[str, Json], dict[str, Json]] | None:
    """The source file and the one tool function of a Python node; None when they are not known."""
    flow = view["flow"]
    source = next((one for one in items(flow.get("sources")) if one.get("file") == node.get("source_path")), None)
    tools = source.get("tools") if source else None
    if source is None or not isinstance(tools, list) or len(tools) != 1:
        return None
    functions = items(source.get("functions"))
    function = next((one for one in functions if one.get("name") == tools[0]), None)
    if function is None or not isinstance(function.get("parameters"), list):
        return None
    return source, function


def defers_annotations(source: dict[str, Json]) -> bool:
    """Whether the file's annotations are texts for promptflow, which then converts nothing."""
    return any(
        one.get("module") == "__future__" and "annotations" in one.get("names", ())
        for one in items(source.get("imports"))
    )


def annotation_names(annotation: str | None) -> list[str]:
    """The names promptflow sees in an annotation, `Optional` and `Union` taken apart; none for a quoted one."""
    text = (annotation or "").strip()
    for wrapper in ("Optional[", "Union["):
        head, bracket, rest = text.partition("[")
        if bracket and head.rpartition(".")[2] + bracket == wrapper and rest.endswith("]"):
            return [name for part in rest[:-1].split(",") for name in annotation_names(part) if name != "None"]
    if not text or any(mark in text for mark in "\"'[]|( "):
        return []
    return [text.rpartition(".")[2]]
