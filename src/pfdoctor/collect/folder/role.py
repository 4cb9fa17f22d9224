"""Role definitions as facts: the JSON of `az role definition create`, and the ARM form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import Key, Place, YamlDocument

_PROVIDER = "Microsoft.MachineLearningServices"
_PROVIDERS = Pattern(r"(?:microsoft\.)?machine_?learning(?:services?)?\Z", re.IGNORECASE)
_LAST = ("read", "write", "delete", "action", "*")
_LAST_MEANT = {
    "reader": "read",
    "reads": "read",
    "get": "read",
    "list": "read",
    "writer": "write",
    "writes": "write",
    "create": "write",
    "update": "write",
    "remove": "delete",
    "deletes": "delete",
    "actions": "action",
}
# resource types whose singular is a frequent slip; the operations of Azure use the plural
_PLURAL = {
    "workspace": "workspaces",
    "registry": "registries",
    "datastore": "datastores",
    "connection": "connections",
    "onlineendpoint": "onlineEndpoints",
    "deployment": "deployments",
    "environment": "environments",
    "model": "models",
    "compute": "computes",
    "job": "jobs",
    "metric": "metrics",
    "endpoint": "endpoints",
    "secret": "secrets",
}
_VERBS = {
    "listsecret": "listsecrets",
    "listsecrets": "listsecrets",
    "listkey": "listkeys",
    "listkeys": "listkeys",
    "score": "score",
    "token": "token",
    "getlogs": "getlogs",
    "getlog": "getlogs",
}


def read_role(
    document: YamlDocument, value: dict[str, Json], file: str, path: tuple[Key, ...] = ()
) -> dict[str, Json] | None:
    """The facts of the mapping at `path` of the document, or None when it defines no role."""
    properties = value.get("properties")
    body, here = (properties, (*path, "properties")) if isinstance(properties, dict) else (value, path)
    keys = {key.lower(): key for key in body}
    if "permissions" not in keys and not ({"actions", "dataactions"} & keys.keys() and "assignablescopes" in keys):
        return None
    blocks = list(_blocks(body, here, keys))
    if not blocks:
        return None
    misprints: list[dict[str, Json]] = [
        {"$at": {"": _list(document.place(*where))}, "action": action, "suggestion": meant}
        for block, at in blocks
        for key, actions in block.items()
        if key.lower() in ("actions", "notactions", "dataactions", "notdataactions")
        for where, action in _elements(actions, (*at, key))
        if (meant := operation_meant(action)) is not None
    ]
    name = next((body[keys[key]] for key in ("rolename", "name") if isinstance(body.get(keys.get(key, "")), str)), None)
    return {
        "$file": file,
        "$at": {
            "": _list(document.place(*path)),
            "data_actions": next(
                (
                    _list(document.key_place(*at, key))
                    for block, at in blocks
                    for key in block
                    if key.lower() == "dataactions"
                ),
                None,
            ),
            "misprinted_actions": misprints[0]["$at"][""] if misprints else None,
        },
        "name": name if name is not None else value.get("name"),
        "file": file,
        "actions": _texts(blocks, "actions"),
        "not_actions": _texts(blocks, "notactions"),
        "data_actions": _texts(blocks, "dataactions"),
        "misprinted_actions": misprints,
    }


def _blocks(
    body: dict[str, Json], here: tuple[Key, ...], keys: dict[str, str]
) -> Iterator[tuple[dict[str, Json], tuple[Key, ...]]]:
    """The mappings that hold actions: the definition itself, or the elements of `permissions`."""
    permissions = body[keys["permissions"]] if "permissions" in keys else None
    if isinstance(permissions, list):
        for index, element in enumerate(permissions):
            if isinstance(element, dict) and any(key.lower() in ("actions", "dataactions") for key in element):
                yield element, (*here, keys["permissions"], index)
    if "actions" in keys or "dataactions" in keys:
        yield body, here


def _elements(actions: Json, where: tuple[Key, ...]) -> Iterator[tuple[tuple[Key, ...], str]]:
    for index, action in enumerate(actions if isinstance(actions, list) else ()):
        if isinstance(action, str):
            yield (*where, index), action


def _texts(blocks: list[tuple[dict[str, Json], tuple[Key, ...]]], name: str) -> list[str]:
    return [
        action
        for block, at in blocks
        for key, actions in block.items()
        if key.lower() == name
        for _, action in _elements(actions, (*at, key))
    ]


def _list(place: Place | None) -> list[int] | None:
    return list(place) if place is not None else None


def operation_meant(action: str) -> str | None:
    """The operation of Azure Machine Learning that a misprinted one means; None for what is in order or not its own.

    Only the form is judged (namespace, plural, last word), since the list of operations grows.
    """
    parts = action.strip().split("/")
    if len(parts) < 2 or _PROVIDERS.match(parts[0]) is None:
        return None
    provider = _PROVIDER if parts[0].lower() != _PROVIDER.lower() else parts[0]
    middle = [_PLURAL.get(part.lower(), part) for part in parts[1:-1]]
    last = parts[-1]
    if last.lower() in _VERBS:
        ending = [_VERBS[last.lower()], "action"]
    else:
        ending = [last if last.lower() in _LAST else _LAST_MEANT.get(last.lower(), last)]
    if middle and middle[-1].lower() in _VERBS:
        middle[-1] = middle[-1] if middle[-1].lower() == _VERBS[middle[-1].lower()] else _VERBS[middle[-1].lower()]
        if middle[-1].lower() in ("listsecrets", "listkeys"):
            ending = ["action"] if ending != ["*"] else ending
    meant = "/".join((provider, *middle, *ending))
    return meant if meant.lower() != action.strip().lower() else None
