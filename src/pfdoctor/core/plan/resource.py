"""Edits of Azure: what a step does to one resource, and the resources as they were read when the plan was made."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from pfdoctor.core.model import Json

BodyPath: TypeAlias = tuple[str, ...]
"""Keys from the top of a raw body."""

_GUID = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
"""The namespace in which Azure Resource Manager's and Bicep's guid() make their version 5 UUIDs."""


class BodyChange(NamedTuple):
    """One change of a raw body. `value` is what is set, or the new key of one that is renamed; `old` is redacted."""

    verb: Literal["set", "remove", "rename"]
    path: BodyPath
    value: Json = None
    old: Json = None


class GrantRole(NamedTuple):
    """Assign a built-in role to a managed identity at a scope."""

    scope: str
    role: str
    role_id: str
    principal_id: str

    @property
    def target(self) -> str:
        """The assignment's id. Its name follows from what it says: Bicep's guid() of the same texts is the same."""
        texts = (self.scope, self.principal_id, self.definition)
        name = uuid.uuid5(_GUID, "-".join(text.lower() for text in texts))
        return f"{self.scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}"

    @property
    def definition(self) -> str:
        """The role definition's id, in the subscription of the scope."""
        subscription = self.scope.strip("/").split("/")[1]
        return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{self.role_id}"


class NewVersion(NamedTuple):
    """Register a version of an environment: a copy of `base` with the changes."""

    container: str
    base: str
    version: str
    changes: tuple[BodyChange, ...]

    @property
    def target(self) -> str:
        return f"{self.container}/versions/{self.version}"


class UpdateDeployment(NamedTuple):
    """Change a deployment. Azure starts new instances with it, one after the other."""

    target: str
    changes: tuple[BodyChange, ...]


class UpdateEndpoint(NamedTuple):
    """Change an endpoint; its deployments go on as they are."""

    target: str
    changes: tuple[BodyChange, ...]


class RegisterProvider(NamedTuple):
    """Register a resource provider in a subscription."""

    subscription: str
    namespace: str

    @property
    def target(self) -> str:
        return f"/subscriptions/{self.subscription}/providers/{self.namespace}"


class SyncKeys(NamedTuple):
    """Have a workspace fetch the current keys of its storage account, registry and the like."""

    workspace: str

    @property
    def target(self) -> str:
        return self.workspace


AzureEdit: TypeAlias = GrantRole | NewVersion | UpdateDeployment | UpdateEndpoint | RegisterProvider | SyncKeys
Update: TypeAlias = UpdateDeployment | UpdateEndpoint

AZURE_KINDS: dict[str, type] = {
    "assign-role": GrantRole,
    "environment-version": NewVersion,
    "update-deployment": UpdateDeployment,
    "update-endpoint": UpdateEndpoint,
    "register-provider": RegisterProvider,
    "sync-keys": SyncKeys,
}


class Resources(NamedTuple):
    """Raw bodies by resource id in lower case (None: not there), and the versions of each environment's container.

    What could not be read is missing from both.
    """

    bodies: Mapping[str, dict[str, Json] | None] = {}
    versions: Mapping[str, tuple[str, ...]] = {}

    def body(self, identifier: str) -> dict[str, Json] | None:
        return self.bodies.get(identifier.lower())

    def next_version(self, container: str) -> str | None:
        """The number after the largest; None where the versions were not read."""
        names = self.versions.get(container.lower())
        return None if names is None else next_version(names)


NOTHING = Resources()
"""No resource was read."""


def next_version(names: Iterable[str]) -> str:
    """The first free version after all that are numbers."""
    return str(max((int(name) for name in names if name.isdecimal() and len(name) < 10), default=0) + 1)


_SERVICES = {"", "id", "name", "type", "systemData", "etag"}
_SERVICES_PROPERTIES = {
    "provisioningState", "provisioningError", "scoringUri", "swaggerUri", "keys", "latestVersion", "nextVersion",
}  # fmt: skip
_OPERATION = "AzureAsyncOperationUri"


def content(body: Mapping[str, Json]) -> dict[str, Json]:
    """What somebody meant of a raw body, without what the service says about it; what nobody here knows is kept."""
    own = {key: copy.deepcopy(value) for key, value in body.items() if key not in _SERVICES}
    properties = own.get("properties")
    if isinstance(properties, dict):
        own["properties"] = {key: value for key, value in properties.items() if key not in _SERVICES_PROPERTIES}
        below = own["properties"].get("properties")
        if isinstance(below, dict):
            own["properties"]["properties"] = {key: value for key, value in below.items() if key != _OPERATION}
    return own


def digest(body: Mapping[str, Json] | None) -> str | None:
    """SHA-256 of the content of a raw body; None where there is none. Null and empty are as good as absent."""
    if body is None:
        return None
    # imported here: OpenSSL comes with it
    import hashlib

    text = json.dumps(_bare(content(body)), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _bare(value: Json) -> Json:
    """Without keys that say nothing: services leave them out or write null, as they like."""
    if isinstance(value, dict):
        kept = {key: _bare(child) for key, child in value.items()}
        return {key: child for key, child in kept.items() if child not in (None, {}, [])}
    return [_bare(child) for child in value] if isinstance(value, list) else value


def changed_body(body: Mapping[str, Json], changes: Iterable[BodyChange]) -> dict[str, Json]:
    """The content of a body with the changes; everything else of it stays."""
    new = content(body)
    for change in changes:
        holder = new
        for key in change.path[:-1]:
            child = holder.get(_key(holder, key))
            if not isinstance(child, dict):
                child = holder[key] = {}
            holder = child
        key = _key(holder, change.path[-1])
        if change.verb == "set":
            holder[key] = copy.deepcopy(change.value)
        elif change.verb == "remove":
            holder.pop(key, None)
        elif key in holder:
            holder[str(change.value)] = holder.pop(key)
    return new


def _key(holder: Mapping[str, Json], key: str) -> str:
    """The key as the body spells it: the names of deployments in `traffic` are written in any case."""
    return key if key in holder else next((one for one in holder if one.lower() == key.lower()), key)


def role_body(edit: GrantRole, description: str) -> dict[str, Json]:
    """The request that assigns the role."""
    return {
        "properties": {
            "roleDefinitionId": edit.definition,
            "principalId": edit.principal_id,
            "principalType": "ServicePrincipal",
            "description": description,
        }
    }
