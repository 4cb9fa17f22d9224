"""The resources of the simulated world, found by id and by parent without searching."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pfdoctor.simulator.ids import parse, subscription_of

_ML = "Microsoft.MachineLearningServices"
_TYPES = (
    "Microsoft.Resources/subscriptions",
    "Microsoft.Resources/subscriptions/resourceGroups",
    "Microsoft.Management/managementGroups",
    f"{_ML}/workspaces",
    f"{_ML}/workspaces/onlineEndpoints",
    f"{_ML}/workspaces/onlineEndpoints/deployments",
    f"{_ML}/workspaces/environments",
    f"{_ML}/workspaces/environments/versions",
    f"{_ML}/workspaces/models",
    f"{_ML}/workspaces/models/versions",
    f"{_ML}/workspaces/codes",
    f"{_ML}/workspaces/codes/versions",
    f"{_ML}/workspaces/data",
    f"{_ML}/workspaces/data/versions",
    f"{_ML}/workspaces/connections",
    f"{_ML}/workspaces/datastores",
    f"{_ML}/workspaces/computes",
    f"{_ML}/workspaces/outboundRules",
    f"{_ML}/workspaces/privateEndpointConnections",
    f"{_ML}/registries",
    f"{_ML}/registries/environments",
    f"{_ML}/registries/environments/versions",
    f"{_ML}/registries/models",
    f"{_ML}/registries/models/versions",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Insights/components",
    "Microsoft.CognitiveServices/accounts",
    "Microsoft.CognitiveServices/accounts/deployments",
    "Microsoft.Search/searchServices",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.OperationalInsights/workspaces",
)
CANONICAL: Mapping[str, str] = {name.lower(): name for name in _TYPES}
"""Types the simulator holds, spelt as Azure spells them, by lower-case name."""
VERSIONED = frozenset(name[: -len("/versions")].lower() for name in _TYPES if name.endswith("/versions"))


@dataclass
class Resource:
    """One resource: its raw ARM body, without id, name and type, which follow from `id`."""

    id: str
    type: str
    body: dict[str, Any]
    etag: int = 1

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.body.setdefault("properties", {})
        return properties

    @property
    def state(self) -> str:
        return str(self.properties.get("provisioningState", "Succeeded"))


class Store:
    """All resources, by id; those of one type below a parent, in the order they were made."""

    def __init__(self) -> None:
        self._by_key: dict[str, Resource] = {}
        self._below: dict[tuple[str, str], dict[str, Resource]] = defaultdict(dict)
        self._by_type: dict[str, dict[str, Resource]] = defaultdict(dict)
        self._by_name: dict[tuple[str, str], Resource] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, identifier: str) -> Resource | None:
        return self._by_key.get(parse(identifier).key)

    def put(self, identifier: str, body: dict[str, Any]) -> Resource:
        """Make or replace a resource."""
        target = parse(identifier)
        existing = self._by_key.get(target.key)
        if existing is not None:
            existing.body = body
            existing.etag += 1
            return existing
        kind = CANONICAL.get(target.type.lower(), target.type)
        resource = Resource(target.id, kind, body)
        self._by_key[target.key] = resource
        for parent in self._parents(target.key, target.parent.lower()):
            self._below[parent, kind.lower()][target.key] = resource
        self._by_type[kind.lower()][target.key] = resource
        self._by_name[kind.lower(), resource.name.lower()] = resource
        return resource

    def touch(self, resource: Resource) -> None:
        """Its body was changed in place."""
        resource.etag += 1

    def delete(self, resource: Resource) -> None:
        """Delete a resource and all below it."""
        doomed = [resource]
        start = resource.key + "/"
        for (parent, _), children in list(self._below.items()):
            if parent == resource.key or parent.startswith(start):
                doomed += list(children.values())
        for item in doomed:
            target = parse(item.id)
            self._by_key.pop(target.key, None)
            for parent in self._parents(target.key, target.parent.lower()):
                self._below[parent, item.type.lower()].pop(target.key, None)
            self._by_type[item.type.lower()].pop(target.key, None)
            self._by_name.pop((item.type.lower(), item.name.lower()), None)

    @staticmethod
    def _parents(key: str, parent: str) -> tuple[str, ...]:
        """Where a resource is listed: below its parent, and a top level resource below its subscription too."""
        subscription = f"/subscriptions/{subscription_of(key)}" if subscription_of(key) else ""
        top_level = "/resourcegroups/" in parent and "/providers/" not in parent
        return (parent, subscription) if top_level else (parent,)

    def below(self, parent: str, kind: str) -> Mapping[str, Resource]:
        """The resources of a type listed below a parent (a resource, group or subscription), by key."""
        return self._below.get((parent.lower(), kind.lower()), {})

    def of_type(self, kind: str) -> Iterable[Resource]:
        return list(self._by_type.get(kind.lower(), {}).values())

    def named(self, kind: str, name: str) -> Resource | None:
        """A resource of a type by its own name alone: the names of endpoints are unique."""
        return self._by_name.get((kind.lower(), name.lower()))

    def types(self) -> Iterable[str]:
        return list(self._by_type)

    def all(self) -> Iterable[Resource]:
        return list(self._by_key.values())

    def view(self, resource: Resource) -> dict[str, Any]:
        """The resource as ARM shows it: id, name and type first."""
        return {"id": resource.id, "name": resource.name, "type": resource.type, **resource.body}
