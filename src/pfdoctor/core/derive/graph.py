"""What follows from the nodes of a DAG flow: its references, cycles, longest chain.

References are read as promptflow reads them: `${node.output}` or `${inputs.name}` as the whole text of a value, split
at the first dot; everything else is a literal.
Source: promptflow-core 1.18.5, promptflow/contracts/flow.py (InputAssignment.deserialize), each form run.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from pfdoctor.core.model import Json, Unknown

_FLOW_INPUT_PREFIXES = ("inputs", "flow")
_FORMS = "${<node>.output} or ${inputs.<name>}, without blanks or more braces"


def derive_graph(view: dict[str, Json]) -> Json:
    """The fact `graph` of a view; null for flows that are no DAG, unknown where the nodes are."""
    flow = view.get("flow")
    if not isinstance(flow, dict):
        return None
    if "$unknown" in flow:
        return flow
    if flow.get("kind") not in ("dag", None):
        return None
    nodes = flow.get("nodes")
    if not isinstance(nodes, list):
        return nodes if isinstance(nodes, dict) else None
    graph = _Graph(flow, nodes)
    return {
        "references": graph.references,
        "cycles": graph.cycles(),
        "duplicate_nodes": graph.duplicates(),
        "unreachable_nodes": graph.unreachable(),
        "bypassable_outputs": graph.bypassable(),
        "longest_chain": graph.longest_chain(),
        "llm_node_count": len({node["name"] for node in nodes if node["type"] in ("llm", "custom_llm")}),
    }


def mark_used_inputs(view: dict[str, Json]) -> dict[str, Json]:
    """The flow with `used` on each input: whether a reference names it. Other kinds of flow keep it unknown."""
    flow: dict[str, Json] = view["flow"]
    graph = view.get("graph")
    inputs = flow.get("inputs")
    if not isinstance(inputs, list) or not isinstance(graph, dict) or "$unknown" in graph:
        return flow
    used = {one["target"] for one in graph["references"] if one["target_kind"] == "flow-input"}
    # a malformed reference is a fault of its own: the input that it means is not left over
    meant = [
        one["suggestion"] for one in graph["references"] if one["target_kind"] == "malformed" and one["suggestion"]
    ]
    used |= {name for head, _, name in (text[2:-1].partition(".") for text in meant) if head in _FLOW_INPUT_PREFIXES}
    # `${inputs.q.x}` names an input called `q.x`; a text that merely holds a reference is no use of it
    return {**flow, "inputs": [{**one, "used": one["name"] in used} for one in inputs]}


def _corrected(reference: dict[str, Json]) -> str | None:
    """The text of a reference with the suggested target in the place of the one that it names."""
    text, target, suggestion = reference["text"], reference["target"], reference["suggestion"]
    if suggestion is None:
        return None
    if reference["target_kind"] == "node" and suggestion.startswith("inputs."):
        # a flow input has no parts, so what is meant by more than its name is open
        return f"${{{suggestion}}}" if reference["target_property"] is None else None
    return text.replace(target, suggestion) if text.count(target) == 1 else None


class _Graph:
    def __init__(self, flow: dict[str, Json], nodes: list[Json]) -> None:
        self._nodes = nodes
        self._outputs = flow["outputs"] if isinstance(flow.get("outputs"), list) else []
        inputs = flow.get("inputs")
        self._inputs = [one["name"] for one in inputs] if isinstance(inputs, list) else None
        self._names = [node["name"] for node in nodes if node["variant"] is None]
        self._known = [str(name) for name in self._names if name is not None]
        # a reference is text, and YAML may have read the name as a number
        self._unnamed = {node["name"] for node in nodes if node.get("name_is_text") is False}
        self._aggregation = {node["name"] for node in nodes if node["aggregation"] and node["variant"] is None}
        self.references = list(self._find_references())
        self._feeds = self._edges()

    def _find_references(self) -> Iterator[dict[str, Json]]:
        for index, node in enumerate(self._nodes):
            path = f"flow.nodes[{index}]"
            kind = "node" if _is_served(node) else "variant"
            for position, one in enumerate(node["inputs"]):
                yield from self._reference(one["value"], node["name"], kind, one["name"], f"{path}.inputs[{position}]")
            activate = node["activate"]
            if isinstance(activate, dict):
                kind = "activate" if kind == "node" else kind
                yield from self._reference(activate["when"], node["name"], kind, "when", f"{path}.activate.when")
        for index, output in enumerate(self._outputs):
            path = f"flow.outputs[{index}].reference"
            yield from self._reference(output["reference"], output["name"], "output", output["name"], path)

    def _reference(self, value: Json, user: str, kind: str, slot: str, source: str) -> Iterator[dict[str, Json]]:
        if not isinstance(value, str) or not (value.startswith("${") and value.endswith("}")):
            return
        head, _, tail = value[2:-1].partition(".")
        reference: dict[str, Json] = {
            "$from": source,
            "user": user,
            "user_kind": kind,
            "slot": slot,
            "text": value,
            "target_kind": "node",
            "target": head,
            "target_property": tail.partition(".")[0] or None,
            "target_aggregation": head in self._aggregation,
            "user_aggregation": user in self._aggregation and kind != "output",
        }
        if head in _FLOW_INPUT_PREFIXES and tail:
            exists: Json = None
            if self._inputs is not None:
                exists = tail in self._inputs
            else:
                exists = {"$unknown": {"code": "wrong-type", "detail": "the flow's inputs could not be read"}}
            reference |= {"target_kind": "flow-input", "target": tail, "target_property": None, "target_exists": exists}
            reference["target_aggregation"] = False
            names = self._inputs or []
        else:
            reference["target_exists"] = head in self._names and head not in self._unnamed
            names = self._known
        if (
            head != head.strip()
            or not head
            or (head in _FLOW_INPUT_PREFIXES and not tail)
            or tail != tail.strip()
            or value.startswith("${{")
        ):
            meant = self._meant(value)
            # the target of a malformed reference never exists under the name that promptflow reads
            reference |= {
                "target_kind": "malformed",
                "suggestion": meant,
                "expected": meant or _FORMS,
                "corrected": meant,
            }
            yield reference
            return
        reference["expected"] = None
        wanted = reference["target"].strip()
        close = difflib.get_close_matches(wanted, names, n=1) if reference["target_exists"] is False else []
        reference["suggestion"] = close[0] if close else self._other_kind(wanted, reference)
        reference["corrected"] = _corrected(reference)
        yield reference

    def _meant(self, value: str) -> str | None:
        """The reference that a malformed one means, when what is between its braces names something of the flow."""
        inner = re.sub(r"\s*\.\s*", ".", value[2:-1].strip().removeprefix("{").removesuffix("}").strip())
        head, _, tail = inner.partition(".")
        is_input = head in _FLOW_INPUT_PREFIXES and tail in (self._inputs or ())
        return f"${{{inner}}}" if is_input or head in self._names else None

    def _other_kind(self, wanted: str, reference: dict[str, Json]) -> str | None:
        """`inputs.q` for a `${q}` that means the flow input of that name."""
        if reference["target_exists"] is not False or reference["target_kind"] != "node":
            return None
        if self._inputs is not None and wanted in self._inputs:
            return f"inputs.{wanted}"
        return None

    def _edges(self) -> dict[str, list[str]]:
        """For each node the nodes it waits for, in file order; what does not exist is left out."""
        feeds: dict[str, list[str]] = {name: [] for name in self._names if name is not None}
        variants_in_use = {node["name"] for node in self._nodes if node["use_variants"]}
        for one in self.references:
            if one["user_kind"] == "output" or one["target_kind"] != "node" or one["target_exists"] is not True:
                continue
            if one["user_kind"] == "variant" and one["user"] not in variants_in_use:
                continue
            if one["user"] in feeds and one["target"] not in feeds[one["user"]]:
                feeds[one["user"]].append(one["target"])
        return feeds

    def _source(self, name: str) -> str:
        index = next(i for i, node in enumerate(self._nodes) if node["name"] == name)
        return f"flow.nodes[{index}]"

    def cycles(self) -> list[Json]:
        """Each set of nodes that wait for one another, once, from its first node in file order."""
        found: list[Json] = []
        for component in _strongly_connected(self._feeds):
            if len(component) == 1 and component[0] not in self._feeds[component[0]]:
                continue
            ring = _ring(component, self._feeds)
            found.append({"$from": self._source(ring[0]), "nodes": ring, "text": " → ".join([*ring, ring[0]])})
        return found

    def duplicates(self) -> list[Json]:
        found: list[Json] = []
        for name in dict.fromkeys(self._names):
            indexes = [i for i, node in enumerate(self._nodes) if node["name"] == name and node["variant"] is None]
            if name is not None and len(indexes) > 1:
                found.append({"$from": f"flow.nodes[{indexes[1]}].name", "name": name, "count": len(indexes)})
        return found

    def unreachable(self) -> Json:
        """Nodes whose result nothing asks for: no output, no aggregation node, directly or through others.

        Unknown while a reference of a served node or an output is broken: it may be the one that asks.
        """
        if not self._outputs:
            return []
        broken = next((one for one in self.references if one["user_kind"] != "variant" and _is_broken(one)), None)
        if broken is not None:
            return Unknown(
                "reference-broken", f"{broken['user']} refers to {broken['text']}, which is not there"
            ).to_json()
        wanted = [
            one["target"] for one in self.references if one["user_kind"] == "output" and one["target_kind"] == "node"
        ]
        reached: set[str] = set()
        stack = [*wanted, *self._aggregation]
        while stack:
            name = stack.pop()
            if name in reached:
                continue
            reached.add(name)
            stack += self._feeds.get(name, ())
        return [{"$from": self._source(name), "name": name} for name in self._feeds if name not in reached]

    def bypassable(self) -> list[Json]:
        conditional = {node["name"] for node in self._nodes if isinstance(node["activate"], dict)}
        return [
            {"$from": f"flow.outputs[{index}]", "output": output["name"], "node": one["target"]}
            for index, output in enumerate(self._outputs)
            for one in self.references
            if one["user_kind"] == "output" and one["user"] == output["name"] and one["target"] in conditional
        ]

    def longest_chain(self) -> Json:
        """The longest path in nodes that wait for one another; null when there is a cycle or no node."""
        if not self._feeds or any(len(one) > 1 for one in _strongly_connected(self._feeds)):
            return None
        best: dict[str, list[str]] = {}
        for name in _topological(self._feeds):
            before = max((best[one] for one in self._feeds[name] if one in best), key=len, default=[])
            best[name] = [*before, name]
        chain = max(best.values(), key=len, default=[])
        llm = {node["name"] for node in self._nodes if node["type"] in ("llm", "custom_llm")}
        return {"length": len(chain), "llm_calls": sum(name in llm for name in chain), "text": " → ".join(chain)}


def _is_broken(reference: dict[str, Json]) -> bool:
    return reference["target_kind"] == "malformed" or reference["target_exists"] is False


def _is_served(node: dict[str, Json]) -> bool:
    """Whether the node is, or its variant becomes, the definition that is served."""
    served = node.get("served")
    return node["variant"] is None if served is None else served is True


def _ring(component: list[str], feeds: dict[str, list[str]]) -> list[str]:
    """A cycle through the component's first node, each node feeding the next."""
    start, members = component[0], set(component)
    # breadth first from the start along "waits for", back to the start; then turned to read as data flows
    paths = [[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        for before in feeds[path[-1]]:
            if before == start:
                return [start, *reversed(path[1:])]
            if before in members and before not in seen:
                seen.add(before)
                paths.append([*path, before])
    return component


def _strongly_connected(feeds: dict[str, list[str]]) -> list[list[str]]:
    """Components of nodes that reach one another, without recursion (Kosaraju); members in file order."""
    order: list[str] = list(_topological(feeds))
    reverse: dict[str, list[str]] = {name: [] for name in feeds}
    for name, before in feeds.items():
        for one in before:
            if one in reverse:
                reverse[one].append(name)
    position = {name: index for index, name in enumerate(feeds)}
    assigned: set[str] = set()
    components = []
    for root in reversed(order):
        if root in assigned:
            continue
        members, stack = [], [root]
        while stack:
            name = stack.pop()
            if name not in assigned:
                assigned.add(name)
                members.append(name)
                stack += reverse[name]
        components.append(sorted(members, key=position.__getitem__))
    return components


def _topological(feeds: dict[str, list[str]]) -> Iterable[str]:
    """Nodes after all that they wait for (depth first; where there is a cycle, in order of completion)."""
    done: dict[str, None] = {}
    entered: set[str] = set()
    for root in feeds:
        stack = [root]
        while stack:
            name = stack[-1]
            if name in done:
                stack.pop()
                continue
            entered.add(name)
            waiting = [one for one in feeds[name] if one in feeds and one not in entered]
            if waiting:
                stack.append(waiting[0])
            else:
                stack.pop()
                done[name] = None
    return done
