"""Whether a live view has the shape of the facts schema: every key is there, nothing else is, and types agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = json.loads((Path(__file__).parents[3] / "rules/schema/facts.schema.json").read_text())
DERIVED = {
    *("settings", "access", "latency", "drift"),
    *("deployment.serves_prompt_flow", "quota.cores_needed", "quota.available"),
}


def faults(document: dict[str, Any]) -> list[str]:
    """In words, where the document differs from the schema."""
    view = _plain(document["live"])
    validator = jsonschema.Draft202012Validator(SCHEMA)
    checked = {**document, "live": view}
    found = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(checked)]
    return found + list(_missing(SCHEMA["$defs"]["view"], document["live"], ""))


def _plain(node: Any) -> Any:
    """The facts with null for what is unknown, and the items of what is incomplete: the schema knows neither."""
    if isinstance(node, dict):
        if "$unknown" in node:
            return None
        if "$incomplete" in node:
            return _plain(node.get("items", node.get("entries")))
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(one) for one in node] if isinstance(node, list) else node


def _missing(schema: dict[str, Any], node: Any, path: str) -> Iterator[str]:
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if isinstance(node, dict) and "$incomplete" in node:
        node = node.get("items", node.get("entries"))
    if node is None or (isinstance(node, dict) and "$unknown" in node):
        return
    for key, shape in schema.get("properties", {}).items():
        name = f"{path}.{key}".lstrip(".")
        target = shape
        while "$ref" in target:
            target = SCHEMA["$defs"][target["$ref"].rpartition("/")[2]]
        if name in DERIVED or "live" not in shape.get("x-views", target.get("x-views", ["live"])):
            continue
        if not isinstance(node, dict) or key not in node:
            yield f"{name} is missing"
        else:
            yield from _missing(shape, node[key], name)
    if "items" in schema and isinstance(node, list):
        for one in node:
            yield from _missing(schema["items"], one, f"{path}[]")
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict) and isinstance(node, dict):
        for one in node.values():
            yield from _missing(extra, one, f"{path}.*")


def unknowns(node: Any, path: str = "") -> dict[str, dict[str, Any]]:
    """Every unknown below a fact, by path."""
    found: dict[str, dict[str, Any]] = {}
    if isinstance(node, dict):
        for mark in ("$unknown", "$incomplete"):
            if mark in node:
                found[path] = node[mark]
        for key, value in node.items():
            if not key.startswith("$"):
                found |= unknowns(value, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found |= unknowns(value, f"{path}[{index}]")
    return found
