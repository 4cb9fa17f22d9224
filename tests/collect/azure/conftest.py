"""Whether a live view has the shape of the facts schema: every key is there, nothing else is, and types agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

SCHEMA = json.loads((Path(__file__).parents[3] / "rules/schema/facts.schema.json").read_text())
DERIVED = {
    *("settings", "access", "latency", "drift"),
    *("deployment.serves_prompt_flow", "quota.cores_needed", "quota.available"),
}


def _faults(document: dict[str, Any]) -> list[str]:
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


def _unknowns(node: Any, path: str = "") -> dict[str, dict[str, Any]]:
    """Every unknown below a fact, by path."""
    found: dict[str, dict[str, Any]] = {}
    if isinstance(node, dict):
        for mark in ("$unknown", "$incomplete"):
            if mark in node:
                found[path] = node[mark]
        for key, value in node.items():
            if not key.startswith("$"):
                found |= _unknowns(value, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found |= _unknowns(value, f"{path}[{index}]")
    return found


@pytest.fixture
def faults() -> Callable[[dict[str, Any]], list[str]]:
    """In words, where a facts document differs from the schema."""
    return _faults


@pytest.fixture
def unknowns() -> Callable[[Any], dict[str, dict[str, Any]]]:
    """Every unknown below a fact, by path."""
    return _unknowns


@pytest.fixture
def azure(azure: Any) -> Iterator[Any]:
    azure.simulator.requests.clear()
    yield azure
    azure.simulator.clear_faults()


@pytest.fixture
def collected(azure: Any) -> Callable[..., Any]:
    """Collects with the given changes to how; gives the documents."""
    from pfdoctor.collect.azure.collector import Collection, collect
    from pfdoctor.collect.azure.target import Target

    def run(endpoint: str = "chat", workspace: str = "ws-chat", **how: Any) -> list[dict[str, Any]]:
        target = Target("11111111-2222-3333-4444-555555555555", "rg-chat", workspace, endpoint)
        settings = Collection(environment=azure.environment, limits=azure.limits)._replace(**how)

        async def asked() -> list[dict[str, Any]]:
            async with azure.credential() as credential:
                return [one.document for one in await collect(target, azure.cloud, credential, settings)]

        documents: list[dict[str, Any]] = azure.run(asked())
        return documents

    return run


@pytest.fixture
def change(azure: Any) -> Any:
    """Changes resources for one test: `change(id, {...})` merges into the resource's body."""
    undo = []

    def apply(identifier: str, body: dict[str, Any]) -> None:
        def now() -> None:
            resource = azure.simulator.world.store.get(identifier)
            undo.append((resource, json.dumps(resource.body)))
            _merge(resource.body, body)

        azure.simulator.run(now)

    yield apply

    def back() -> None:
        for resource, text in reversed(undo):
            resource.body.clear()
            resource.body.update(json.loads(text))

    azure.simulator.run(back)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
