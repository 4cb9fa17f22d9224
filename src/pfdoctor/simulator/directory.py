"""The tenant's principals: users, groups and service principals (managed identities among them)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""The application id of the Azure CLI's public client, which a user's token names."""

_NAMESPACE = uuid.UUID("6f6d8c1e-0c3b-4b57-9d3f-3e2f4a7b1c55")


def derived_id(*parts: str) -> str:
    """A GUID that depends on nothing but `parts`, so that the same scenario is the same world each time."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts).lower()))


@dataclass
class Principal:
    """One principal. `id` is its object id; `application` its client id (service principals only)."""

    id: str
    type: str  # User, Group or ServicePrincipal
    name: str
    application: str | None = None
    resource: str | None = None
    """The resource whose system-assigned identity, or the user-assigned identity, that this is."""
    members: tuple[str, ...] = ()
    secret: str | None = None
    created: str | None = None

    @property
    def client(self) -> str:
        """How ARM's error messages call it: a user's name, an application's id."""
        return self.name if self.type == "User" else self.application or self.id


@dataclass
class Directory:
    """All principals, by object id and by application id, and who is in which group."""

    tenant: str
    by_id: dict[str, Principal] = field(default_factory=dict)
    by_application: dict[str, Principal] = field(default_factory=dict)
    by_resource: dict[str, Principal] = field(default_factory=dict)
    _groups_of: dict[str, set[str]] = field(default_factory=dict)
    _closure: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, principal: Principal) -> Principal:
        self.by_id[principal.id.lower()] = principal
        if principal.application:
            self.by_application[principal.application.lower()] = principal
        if principal.resource:
            self.by_resource[principal.resource.lower()] = principal
        for member in principal.members:
            self._groups_of.setdefault(member.lower(), set()).add(principal.id.lower())
        self._closure.clear()
        return principal

    def remove(self, oid: str) -> None:
        """Delete a principal; its role assignments stay behind, as they do in Azure."""
        principal = self.by_id.pop(oid.lower(), None)
        if principal is None:
            return
        if principal.application:
            self.by_application.pop(principal.application.lower(), None)
        if principal.resource:
            self.by_resource.pop(principal.resource.lower(), None)
        self._closure.clear()

    def get(self, oid: str) -> Principal | None:
        return self.by_id.get(oid.lower())

    def identities(self, oid: str) -> frozenset[str]:
        """The principal and every group that it is in, directly or through other groups (lower-case object ids)."""
        oid = oid.lower()
        known = self._closure.get(oid)
        if known is None:
            found, pending = {oid}, [oid]
            while pending:
                for group in self._groups_of.get(pending.pop(), ()):
                    if group not in found:
                        found.add(group)
                        pending.append(group)
            known = self._closure[oid] = frozenset(found)
        return known

    def dump(self) -> dict[str, dict[str, Any]]:
        return {oid: _plain(principal) for oid, principal in sorted(self.by_id.items())}


def _plain(principal: Principal) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": principal.id, "type": principal.type, "name": principal.name}
    optional: Mapping[str, Any] = {
        "application": principal.application,
        "resource": principal.resource,
        "secret": principal.secret,
        "created": principal.created,
    }
    plain |= {name: value for name, value in optional.items() if value is not None}
    if principal.type == "Group":
        plain["members"] = list(principal.members)
    return plain


def from_plain(key: str, plain: Mapping[str, Any], members: Iterable[str] = ()) -> Principal:
    """A principal as a scenario describes it under the name `key`."""
    kind = str(plain.get("type", "ServicePrincipal"))
    application = plain.get("application")
    if application is None and kind == "ServicePrincipal":
        application = derived_id("application", key)
    return Principal(
        id=str(plain.get("id") or derived_id("principal", key)),
        type=kind,
        name=str(plain.get("name", key)),
        application=application,
        resource=plain.get("resource"),
        members=tuple(members),
        secret=plain.get("secret"),
        created=plain.get("created"),
    )
