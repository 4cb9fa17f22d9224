"""The scopes whose role assignments are read: those that the operations of this endpoint are checked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pfdoctor.collect.azure.arm_id import parse
from pfdoctor.collect.azure.authorization import Scope
from pfdoctor.core.derive import scopes_to_read
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json

_KINDS = {
    "microsoft.cognitiveservices/accounts": "cognitive-account",
    "microsoft.search/searchservices": "search-service",
    "microsoft.storage/storageaccounts": "storage-account",
    "microsoft.keyvault/vaults": "key-vault",
    "microsoft.containerregistry/registries": "registry",
}


def needed_scopes(workspace: str, document: dict[str, Json]) -> tuple[Scope, ...]:
    """The workspace, and whatever else the operations that follow from the other facts are checked at."""
    needed = (Scope(one.scope, one.kind) for one in scopes_to_read(Facts(document)))
    return _once((Scope(workspace, "workspace"), *needed))


def likely_scopes(workspace: str, registry: Json, connections: Json) -> tuple[Scope, ...]:
    """Those of them that the first answers already tell: workspace, registry, and what connections without keys use."""
    return _once((Scope(workspace, "workspace"), *_likely(registry, connections)))


def _likely(registry: Json, connections: Json) -> Iterator[Scope]:
    if parse(registry) is not None:
        yield Scope(registry, "registry")
    for one in _items(connections):
        target = parse(one["resource_id"])
        kind = _KINDS.get(target.type.lower()) if target is not None else None
        if target is not None and kind is not None and str(one["auth_type"]).lower() in ("aad", "managedidentity"):
            yield Scope(target.text, "openai-account" if one["type"] == "AzureOpenAI" else kind)


def _once(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    found: dict[str, Scope] = {}
    for one in scopes:
        found.setdefault(one.id.strip("/").lower(), one)
    return tuple(found.values())


def _items(node: Json) -> Iterable[dict[str, Json]]:
    if isinstance(node, dict):
        node = node.get("$list") or node.get("items")
    return node if isinstance(node, list) else ()
