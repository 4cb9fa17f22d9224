"""The state of the simulated Azure: who there is, what there is, who may do what, and what was said about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from pfdoctor.simulator.clock import Clock, instant, seconds_of
from pfdoctor.simulator.defaults import complete
from pfdoctor.simulator.directory import Directory, Principal, derived_id
from pfdoctor.simulator.ids import parse, scope_key
from pfdoctor.simulator.rbac import Access, Assignment, Decision
from pfdoctor.simulator.store import CANONICAL, VERSIONED, Resource, Store


@dataclass
class Settings:
    """What can be tuned; times in seconds of the simulated clock."""

    propagation: float = 0.0
    """From writing or deleting a role assignment until it has (or has lost) its effect."""
    replication: float = 0.0
    """From making a principal until a role assignment finds it."""
    endpoint_seconds: float = 0.05
    """How long creating or updating an endpoint takes."""
    deployment_seconds: float = 0.05
    """The same for a deployment."""
    page_size: int = 30
    """Of the lists of Azure Machine Learning."""
    token_seconds: float = 3600.0
    assignment_limit: int = 4000
    """Role assignments a subscription holds at most."""
    throttle: bool = False
    """Whether the token buckets of ARM and Resource Graph answer 429 when they are empty."""
    read_burst: float = 250.0
    read_rate: float = 25.0
    write_burst: float = 200.0
    write_rate: float = 10.0
    graph_burst: float = 15.0
    graph_rate: float = 3.0


class Lock(NamedTuple):
    """A management lock; `level` is ReadOnly or CanNotDelete."""

    name: str
    scope: str
    level: str
    notes: str = ""

    @property
    def id(self) -> str:
        return f"{self.scope}/providers/Microsoft.Authorization/locks/{self.name}"


class Eligible(NamedTuple):
    """A role that a principal may activate (PIM) but does not hold."""

    name: str
    scope: str
    role: str
    principal: str
    until: str | None = None


@dataclass
class World:
    """All of it. Everything that is looked up by resource goes by the resource's lower-case id."""

    tenant: str
    clock: Clock
    settings: Settings = field(default_factory=Settings)
    caller: str = ""
    """The object id behind the default managed identity token: the person who runs pfdoctor."""
    locks: dict[str, Lock] = field(default_factory=dict)
    eligible: dict[str, Eligible] = field(default_factory=dict)
    providers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Per subscription: registration state by namespace, where it is not Registered."""
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Per deployment: what each container logged."""
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    locations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per Azure region: usages, quotas and vmSizes of Azure Machine Learning."""
    simulation: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per deployment: how it behaves; see the gateway and `outcome`."""
    faults: list[dict[str, Any]] = field(default_factory=list)
    management_groups: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory = Directory(self.tenant)
        self.access = Access(self.directory)
        self.store = Store()
        self.snapshots: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        """Answers of Azure Resource Graph that were not asked for to the end, by principal and number."""

    # ------------------------------------------------------------------------------------------------ resources

    def add(self, identifier: str, body: Mapping[str, Any], *, when: str | None = None) -> Resource:
        """Make a resource, filling in what Azure would, and the identity that it brings."""
        target = parse(identifier)
        parent = self.store.get(target.parent)
        location = str(body.get("location") or (parent.body.get("location") if parent else None) or "eastus2")
        times = {"when": when} if when else {}
        full = complete(target.id, body, location=location, tenant=self.tenant, **times)
        if target.type.lower().endswith("/versions"):
            self._count_version(target.parent, target.name)
        if target.type.lower() == "microsoft.machinelearningservices/workspaces":
            full["properties"].setdefault("tenantId", self.tenant)
        resource = self.store.put(target.id, full)
        self._bring_identity(resource)
        return resource

    def _count_version(self, container: str, version: str) -> None:
        existing = self.store.get(container) or self.add(container, {})
        if parse(container).type.lower() in VERSIONED:
            existing.properties["latestVersion"] = version
            existing.properties["nextVersion"] = str(int(version) + 1) if version.isdigit() else None

    def _bring_identity(self, resource: Resource) -> None:
        """The principal of a system-assigned identity or of a user-assigned identity, unless the scenario has it."""
        identity = resource.body.get("identity") or {}
        if resource.type.lower() == "microsoft.managedidentity/userassignedidentities":
            oid, application = resource.properties["principalId"], resource.properties["clientId"]
        elif identity.get("principalId"):
            oid, application = identity["principalId"], derived_id("application", identity["principalId"])
        else:
            return
        if self.directory.get(oid) is None:
            target = parse(resource.id)
            words = resource.type.split("/")
            name = target.name if len(words) == 2 else f"{target.names[0]}/{words[-1]}/{target.name}"
            now = self.clock.text() if resource.body.get("systemData", {}).get("createdAt", "") > "2026-03-03" else None
            self.directory.add(Principal(oid, "ServicePrincipal", name, application, resource=resource.id, created=now))

    def remove(self, resource: Resource) -> None:
        """Delete a resource with all below it and its identity; the role assignments of that identity stay behind."""
        start = resource.key + "/"
        principals = self.directory.by_resource
        for key in [key for key in principals if key == resource.key or key.startswith(start)]:
            self.directory.remove(principals[key].id)
        self.store.delete(resource)
        for section in (self.logs, self.secrets, self.simulation, self.metrics):
            for key in [key for key in section if key == resource.key or key.startswith(start)]:
                del section[key]

    def registration(self, subscription: str, namespace: str) -> str:
        """The registration state of a resource provider in a subscription; what no scenario speaks of is Registered."""
        states = self.providers.get(subscription.lower(), {})
        return next((state for name, state in states.items() if name.lower() == namespace.lower()), "Registered")

    def location_of(self, identifier: str) -> str:
        resource = self.store.get(identifier)
        return str(resource.body.get("location") if resource else "eastus2")

    # --------------------------------------------------------------------------------------------------- access

    def decide(
        self,
        principal: str,
        action: str,
        scope: str,
        *,
        data: bool = False,
        attributes: Mapping[str, str] | None = None,
    ) -> Decision:
        """Whether a principal may do something now."""
        return self.access.decide(principal, action, scope, now=self.clock.now(), data=data, attributes=attributes)

    def allows(self, principal: str, action: str, scope: str, *, data: bool = False) -> bool:
        """The same as yes or no."""
        return self.decide(principal, action, scope, data=data).allowed

    def grant(self, principal: str, role: str, scope: str, **details: Any) -> Assignment:
        """Write a role assignment as Azure does: listed at once, effective after the propagation time.

        `principal` is an object id, `role` a name or GUID; `details` are further fields of `Assignment`.
        """
        definition = self.access.role(role)
        if definition is None:
            raise ValueError(f"there is no role {role!r}")
        known = self.directory.get(principal)
        now = self.clock.now()
        fields: dict[str, Any] = {
            "name": str(uuid.uuid4()),
            "type": known.type if known else "ServicePrincipal",
            "created": instant(now),
            "updated": instant(now),
            "created_by": self.caller,
            **details,
        }
        assignment = Assignment(scope=scope, role=definition.id, principal=principal, **fields)
        assignment.effective = seconds_of(assignment.created) + self.settings.propagation
        self.access.add(assignment)
        return assignment

    def revoke(self, assignment: Assignment) -> None:
        """Delete a role assignment; it keeps its effect for the propagation time."""
        self.access.remove(assignment, ends=self.clock.now() + self.settings.propagation)

    def locks_on(self, scope: str) -> list[Lock]:
        """The locks at a scope or above."""
        covering = set(self.access.above(scope_key(scope)))
        return [lock for lock in self.locks.values() if scope_key(lock.scope) in covering]

    # ----------------------------------------------------------------------------------------------------- dump

    def dump(self) -> dict[str, Any]:
        """The whole state as a scenario that loads again, in an order that depends on nothing but the state."""
        roles = (role for role in self.access.roles.values() if role.custom)
        return {
            "tenant": self.tenant,
            "caller": self.caller,
            "settings": asdict(self.settings),
            "managementGroups": dict(sorted(self.management_groups.items())),
            "principals": self.directory.dump(),
            "roles": {
                role.id: {
                    "name": role.name,
                    "description": role.description,
                    "assignableScopes": list(role.assignable),
                    "permissions": [
                        {**element.plain(), **({"condition": element.condition} if element.condition else {})}
                        for element in role.permissions
                    ],
                }
                for role in sorted(roles, key=lambda role: role.id)
            },
            "resources": {resource.id: resource.body for resource in sorted(self.store.all(), key=lambda r: r.key)},
            "roleAssignments": {
                assignment.name: _assignment(assignment)
                for assignment in sorted(self.access.assignments.values(), key=lambda a: (a.name, a.scope))
            },
            "denyAssignments": {
                deny.name: {
                    "name": deny.title,
                    "scope": deny.scope,
                    "permissions": [element.plain() for element in deny.permissions],
                    "principals": list(deny.principals),
                    "excludePrincipals": list(deny.excluded),
                    "doNotApplyToChildScopes": deny.here_only,
                    "createdOn": deny.created,
                }
                for deny in sorted(self.access.denies.values(), key=lambda deny: deny.name)
            },
            "locks": {
                lock.name: {"scope": lock.scope, "level": lock.level, "notes": lock.notes}
                for lock in sorted(self.locks.values())
            },
            "eligible": {
                entry.name: {
                    "scope": entry.scope,
                    "role": entry.role,
                    "principal": entry.principal,
                    "until": entry.until,
                }
                for entry in sorted(self.eligible.values())
            },
            "providers": {name: dict(sorted(states.items())) for name, states in sorted(self.providers.items())},
            **{
                section: dict(sorted(getattr(self, section).items()))
                for section in ("secrets", "logs", "metrics", "locations", "simulation")
            },
            "faults": list(self.faults),
        }


def _assignment(assignment: Assignment) -> dict[str, Any]:
    plain = {
        "principal": assignment.principal,
        "principalType": assignment.type,
        "role": assignment.role,
        "scope": assignment.scope,
        "createdOn": assignment.created,
        "updatedOn": assignment.updated,
        "createdBy": assignment.created_by,
    }
    optional = {"condition": assignment.condition, "description": assignment.description}
    return plain | {name: value for name, value in optional.items() if value is not None}


def known_type(kind: str) -> bool:
    """Whether resources of this type can be there."""
    return kind.lower() in CANONICAL
