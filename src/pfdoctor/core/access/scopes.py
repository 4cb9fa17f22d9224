"""Scopes of Azure: which contains which."""

from __future__ import annotations

from functools import lru_cache

_GROUPS = "/providers/microsoft.management/managementgroups/"


@lru_cache(maxsize=65536)
def normal(scope: str) -> str:
    """The scope to compare by: lower case, one slash in front, none behind; the root is `/`."""
    return "/" + scope.strip().strip("/").lower()


def contains(outer: str, inner: str) -> bool:
    """Whether the normal scope `outer` is `inner` or lies above it. Of a management group only its own id tells."""
    return outer in ("/", inner) or inner.startswith(f"{outer}/")


def is_management_group(scope: str) -> bool:
    """Whether the normal scope is a management group, below which every subscription has another prefix."""
    return scope.startswith(_GROUPS)


def last(scope: str) -> str:
    """The name at the end of a scope, as written; `the tenant` for the root."""
    return scope.strip().rstrip("/").rpartition("/")[2] or "the tenant"


_KINDS = {
    "microsoft.machinelearningservices/workspaces": "workspace",
    "microsoft.machinelearningservices/registries": "aml-registry",
    "microsoft.containerregistry/registries": "registry",
    "microsoft.storage/storageaccounts": "storage-account",
    "microsoft.keyvault/vaults": "key-vault",
    "microsoft.cognitiveservices/accounts": "cognitive-account",
    "microsoft.search/searchservices": "search-service",
    "microsoft.insights/components": "application-insights",
    "microsoft.managedidentity/userassignedidentities": "user-assigned-identity",
}


def kind_of(scope: str) -> str | None:
    """The kind of resource that a scope is; None for one that pfdoctor has no word for."""
    parts = normal(scope).strip("/").split("/")
    if "providers" in parts:
        rest = parts[parts.index("providers") + 1 :]
        if len(rest) == 7 and rest[1] == "storageaccounts" and rest[5] == "containers":
            return "container"
        return _KINDS.get("/".join(rest[:2])) if len(rest) == 3 else None
    return {2: "subscription", 4: "resource-group"}.get(len(parts)) if parts[0] == "subscriptions" else None


def parent_group(scope: str) -> str | None:
    """The resource group that a resource id lies in."""
    parts = scope.strip("/").split("/")
    if len(parts) >= 4 and parts[2].lower() == "resourcegroups":
        return "/" + "/".join(parts[:4])
    return None
