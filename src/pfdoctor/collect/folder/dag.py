"""The nodes of a DAG flow as facts: what each names, whether it is there, and which definition is served."""

from __future__ import annotations

import os
from pathlib import Path

from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.gathered import Gathered, wrong_type
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.folder.sources import include_of, read_sources
from pfdoctor.collect.folder.template import read_template
from pfdoctor.collect.placeholder import any_placeholder
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_NODE_KEYS = frozenset(
    "name type source inputs activate aggregation reduce tool comment api provider module connection use_variants "
    "enable_cache skip description variant_id node_variants".split()
)
_REFERENCE = Pattern(r"\$\{[^\n]*\}\Z")
_TEMPLATE_TYPES = ("llm", "prompt", "custom_llm")


def read_dag(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    """Adds the facts of a DAG flow: its nodes, and the sources and templates behind them."""
    flow = gathered.flow
    raw = section.get("nodes")
    if raw is not None and not isinstance(raw, list):
        flow["nodes"] = wrong_type(gathered, section, "nodes", "a list of nodes").to_json()
        flow["sources"] = flow["templates"] = flow["nodes"]
        return
    nodes: list[dict[str, Json]] = []
    for index, body in enumerate(raw or []):
        if isinstance(body, dict):
            nodes.append(_node(tree, folder, Section(section.document, ("nodes", index), body), gathered))
        else:
            parent = Section(section.document, ("nodes",), dict(enumerate(raw)))  # type: ignore[arg-type]  # a list seen as a mapping of index to element
            wrong_type(gathered, parent, index, "a mapping")  # type: ignore[arg-type]  # the index is the key here
    flow["nodes_with_variants"], bodies = _variants(tree, folder, section, nodes, gathered)
    flow["nodes"] = nodes + bodies
    _mark_served(flow)
    _look_into_code(tree, folder, section, gathered)
    flow["is_evaluation"] = flow["is_evaluation"] or any(node["aggregation"] for node in nodes)
    flow["other_tools"] = sorted({node["source_tool"] for node in flow["nodes"] if node["source_tool"]})
    flow["sources"] = _sources(tree, folder, flow["nodes"], gathered)
    flow["templates"] = _templates(tree, folder, flow["nodes"], gathered)


def _mark_served(flow: dict[str, Json]) -> None:
    """Which definitions the serving app uses: the body of the default variant where there is one, else the node itself.

    Source: promptflow-core 1.18.5, promptflow/contracts/flow.py (_apply_default_node_variant); run.
    """
    own = {
        node["name"]: bool(node["source_path"] or node["source_tool"])
        for node in flow["nodes"]
        if node["variant"] is None
    }
    defaults = {}
    for summary in flow["nodes_with_variants"]:
        summary["own_source"] = own.get(summary["node"], False)
        if summary["used"] and summary["default_exists"]:
            defaults[summary["node"]] = summary["default_variant"]
    for node in flow["nodes"]:
        if node["variant"] is None:
            node["served"] = node["name"] not in defaults and (not node["use_variants"] or own[node["name"]])
        else:
            node["served"] = node["variant"] == defaults.get(node["name"])


def _look_into_code(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    """Sets `source_in_code` of each node. With `code: src`, promptflow checks the file beside the flow file and then
    loads the one below src, so it must be in both places."""
    code = section.get("code")
    if "code" in section.value and not isinstance(code, str):
        wrong_type(gathered, section, "code", "the path of a folder")
    for node in gathered.flow["nodes"]:
        path = node["source_path"]
        node["source_in_code"] = None
        if path and isinstance(code, str) and tree.inside(folder / code):
            base = Path(os.path.normpath(folder / code))
            present = _exists_exactly(tree, base, path) and os.path.isfile(base / path)
            node["source_in_code"] = tree.existence(base / path, present)


def _node(
    tree: Tree, folder: Path, section: Section, gathered: Gathered, variant: str | None = None
) -> dict[str, Json]:
    source = section.child("source")
    path = source.text("path") if source is not None else None
    inputs = section.get("inputs")
    if inputs is not None and inputs != [] and not isinstance(inputs, dict):
        wrong_type(gathered, section, "inputs", "a mapping of name to value")
    entries = section.child("inputs")
    connection = section.text("connection")
    node: dict[str, Json] = {
        "$at": section.places(
            "name", "type", "api", "connection", "provider", "module", "tool", "aggregation", "activate"
        )
        | _source_places(source),
        "name": section.text("name"),
        "name_is_text": isinstance(section.get("name"), str),
        "type": section.text("type"),
        "source_type": source.text("type") if source is not None else None,
        "source_path": path,
        "source_tool": source.text("tool") if source is not None else None,
        "tool": section.text("tool"),
        "provider": section.text("provider"),
        "api": section.text("api"),
        "module": section.text("module"),
        "connection": connection,
        "deployment_name": entries.get("deployment_name") if entries is not None else None,
        "inputs": [_node_input(entries, name) for name in entries.value] if entries is not None else [],
        "aggregation": _truthy(section.get("aggregation")) or _truthy(section.get("reduce")),
        "activate": _activate(section),
        "use_variants": section.get("use_variants") is True,
        "variant": variant,
        "unknown_keys": [key for key in section.value if key not in _NODE_KEYS],
    }
    node |= _source_file(tree, folder, path, gathered.flow["additional_includes"])
    return node


def _truthy(value: Json) -> bool:
    """promptflow takes the value as Python would: any text but the empty one is true."""
    return bool(value)


def _source_places(source: Section | None) -> dict[str, Json]:
    if source is None:
        return {}
    return {f"source_{name}": place for name in ("type", "path", "tool") if (place := source.place(name)) is not None}


def _node_input(entries: Section, name: str) -> dict[str, Json]:
    value = entries.value[name]
    reference = isinstance(value, str) and value.startswith("${") and _REFERENCE.match(value) is not None
    return {
        "$at": {"": entries.place(name), "name": list(entries.document.key_place(*entries.path, name) or [1])},
        "name": str(name),
        "value": value,
        "kind": "reference" if reference else "literal",
        "placeholder": any_placeholder(value) and not reference,
    }


def _activate(section: Section) -> Json:
    if "activate" not in section.value:
        return None
    child = section.child("activate")
    body = child.value if child is not None else {}
    return {
        "$at": child.places("when", "is") if child is not None else {"": section.place("activate")},
        "when": body.get("when"),
        "is": body.get("is"),
        "has_when": "when" in body,
        "has_is": "is" in body,
    }


def _source_file(tree: Tree, folder: Path, path: str | None, includes: Json) -> dict[str, Json]:
    """Whether the file a node names is there, with this spelling, for the container to find."""
    facts: dict[str, Json] = {
        "source_exists": None,
        "source_actual": None,
        "source_outside": False,
        "source_in_includes": False,
    }
    if not path:
        return facts
    target = Path(os.path.normpath(folder / path))
    if os.path.isabs(path) or not tree.inside(target):
        detail = f"{path} lies outside what may be read"
        return facts | {"source_outside": True, "source_exists": Unknown("outside-boundary", detail).to_json()}
    exists = _exists_exactly(tree, folder, path) and os.path.isfile(target)
    facts["source_exists"] = exists
    if not exists:
        include = include_of(folder, path, includes)
        if include is not None and tree.inside(include) and os.path.isfile(include):
            facts["source_exists"] = facts["source_in_includes"] = True
        else:
            facts["source_actual"] = _other_spelling(tree, folder, path)
            facts["source_exists"] = tree.existence(target, present=False)
    return facts


def _exists_exactly(tree: Tree, folder: Path, path: str) -> bool:
    """Whether every segment of the path exists with this spelling, as it must on Linux."""
    current = folder
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != ".." and not tree.exists(current / part):
            return False
        current = Path(os.path.normpath(current / part))
    return True


def _other_spelling(tree: Tree, folder: Path, path: str) -> str | None:
    """The path under the spelling that the file system has, when it differs in case or in its slashes only."""
    current, parts = folder, []
    for part in path.replace("\\", "/").split("/"):
        if part in ("", "."):
            continue
        name = tree.spelling(current / part)
        if name is None:
            return None
        parts.append(name)
        current = current / name
    found = "/".join(parts)
    return found if found != path and os.path.isfile(current) else None


def _variants(
    tree: Tree, folder: Path, section: Section, nodes: list[dict[str, Json]], gathered: Gathered
) -> tuple[list[Json], list[dict[str, Json]]]:
    """The nodes that have variants, and the body of each variant as a node with `variant` set."""
    summaries: list[Json] = []
    bodies: list[dict[str, Json]] = []
    used = {node["name"]: node for node in nodes if node["use_variants"]}
    table = section.child("node_variants")
    for name in table.value if table is not None else ():
        entry = Section(section.document, ("node_variants", name), table.value[name] or {}) if table else None
        if entry is None or not isinstance(entry.value, dict):
            continue
        variants = entry.child("variants")
        ids = list(variants.value) if variants is not None else []
        default = entry.get("default_variant_id")
        summaries.append(
            {
                "$at": entry.places() | {"default_variant": entry.place("default_variant_id")},
                "node": str(name),
                "default_variant": entry.text("default_variant_id"),
                "variants": [str(one) for one in ids],
                "default_exists": variants is not None and _has_key(variants, default),
                "defined": True,
                "used": name in used,
            }
        )
        for variant in ids:
            body = variants.value[variant] if variants is not None else None
            inner = body.get("node") if isinstance(body, dict) else None
            if not isinstance(inner, dict):
                wrong_type(gathered, variants or entry, variant, "a mapping with the key node")
            else:
                path = ("node_variants", name, "variants", variant, "node")
                node = _node(tree, folder, Section(section.document, path, inner), gathered, str(variant))
                node |= {"name": str(name), "name_is_text": True}
                bodies.append(node)
    for name, node in used.items():
        if table is None or name not in table.value:
            summaries.append(
                {
                    "$at": {"": node["$at"].get("")},
                    "node": name,
                    "default_variant": None,
                    "variants": [],
                    "default_exists": False,
                    "defined": False,
                    "used": True,
                }
            )
    return summaries, bodies


def _has_key(section: Section, wanted: Json) -> bool:
    """Whether the mapping has the key, as YAML reads both: 0 and "0" differ."""
    keys = (section.document.key(*section.path, name) for name in section.value)
    return any(key == wanted and type(key) is type(wanted) for key in keys)


def _sources(tree: Tree, folder: Path, nodes: list[dict[str, Json]], gathered: Gathered) -> Json:
    wanted: dict[str, str] = {}
    for node in sorted(nodes, key=lambda one: not one["served"]):
        path = node["source_path"]
        if node["type"] not in _TEMPLATE_TYPES and path and path.endswith(".py"):
            wanted.setdefault(path, "node" if node["served"] else "variant")
    return read_sources(tree, folder, wanted, gathered)


def _templates(tree: Tree, folder: Path, nodes: list[dict[str, Json]], gathered: Gathered) -> Json:
    found: dict[str, Json] = {}
    unread: Problem | None = None
    for node in nodes:
        path = node["source_path"]
        if path in found:
            _note_use(found[path], node)
        if not path or path in found or path.endswith(".py") or node["source_exists"] is not True:
            continue
        target = Path(os.path.normpath(folder / path))
        if not os.path.isfile(target):
            target = include_of(folder, path, gathered.flow["additional_includes"]) or target
        text = tree.read(target)
        if isinstance(text, Problem):
            unread = text
            gathered.documents.append(text.fact(tree.name(target), "template"))
            continue
        if text.problem is not None:
            gathered.documents.append(text.problem.fact(tree.name(target), "template"))
        template = read_template(text.text, path)
        template |= {"$file": tree.name(target), "$at": {"": [1]}}
        template["used_as"] = []
        _note_use(template, node)
        found[path] = template
    items = list(found.values())
    if unread is not None:
        return {"$incomplete": {"code": unread.code, "detail": unread.detail}, "items": items}
    return items


def _note_use(template: Json, node: dict[str, Json]) -> None:
    """How a served node uses the template: its kind, or for an LLM node its API."""
    use = node["api"] if node["type"] == "llm" else node["type"]
    if node["served"] and use is not None and use not in template["used_as"]:
        template["used_as"].append(use)
