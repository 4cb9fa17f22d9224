"""The scopes whose role assignments are read before the facts tell of more: those that almost every endpoint needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pfdoctor.collect.azure.arm_id import parse
from pfdoctor.collect.azure.authorization import Scope
from pfdoctor.core.model import Json

_STORES = {
    "storage": "storage-account",
    "key_vault": "key-vault",
    "container_registry": "registry",
    "application_insights": "application-insights",
}
_KINDS = {
    "microsoft.cognitiveservices/accounts": "cognitive-account",
    "microsoft.search/searchservices": "search-service",
    "microsoft.storage/storageaccounts": "storage-account",
    "microsoft.keyvault/vaults": "key-vault",
    "microsoft.containerregistry/registries": "registry",
}


def scopes_of(view: dict[str, Json]) -> tuple[Scope, ...]:
    """Workspace, connection workspace, the resources behind them, and what connections without keys lead to."""
    found: dict[str, Scope] = {}
    for scope in _scopes(view):
        found.setdefault(scope.id.lower(), scope)
    return tuple(found.values())


def _scopes(view: dict[str, Json]) -> Iterator[Scope]:
    workspace = view["workspace"]
    for name in ("workspace", "connection_workspace"):
        one = view[name]
        identifier = _known(one, "id")
        if identifier is not None:
            yield Scope(identifier, "hub" if _known(one, "kind") == "hub" else "workspace")
    for name, kind in _STORES.items():
        identifier = _known(_known(workspace, name), "id")
        if identifier is not None:
            yield Scope(identifier, kind)
    for one in _items(view["connections"]):
        identifier = _known(one, "resource_id")
        target = parse(identifier)
        known = _KINDS.get(target.type.lower()) if target is not None else None
        if target is not None and known is not None and str(one["auth_type"]).lower() in ("aad", "managedidentity"):
            yield Scope(target.text, "openai-account" if one["type"] == "AzureOpenAI" else known)
    for one in _items(_known(view["identity"], "identities")):
        identifier = _known(one, "resource_id")
        if identifier is not None:
            yield Scope(identifier, "user-assigned-identity")


def _known(node: Json, key: str) -> Json:
    """The value of an object that is known, else None."""
    value = node.get(key) if isinstance(node, dict) and "$unknown" not in node else None
    return None if isinstance(value, dict) and "$unknown" in value else value


def _items(node: Json) -> Iterable[dict[str, Json]]:
    if isinstance(node, dict):
        node = node.get("$list") or node.get("items")
    return node if isinstance(node, list) else ()
