"""Deny assignments and management locks."""

from __future__ import annotations

from typing import Any

from pfdoctor.simulator.call import Answer, Call
from pfdoctor.simulator.errors import ArmError, bad_request
from pfdoctor.simulator.ids import AUTHORIZATION
from pfdoctor.simulator.rbac import EVERYONE, Deny
from pfdoctor.simulator.routing import Routes
from pfdoctor.simulator.scopes_and_filters import Filter, related_to, scope_of
from pfdoctor.simulator.world import Lock

routes = Routes()


def _deny_view(call: Call, deny: Deny) -> dict[str, Any]:
    def principal(oid: str) -> dict[str, Any]:
        if oid == EVERYONE:
            return {"id": EVERYONE, "type": "SystemDefined", "displayName": "All Principals"}
        known = call.world.directory.get(oid)
        return {"id": oid, "type": known.type if known else "Unknown", "displayName": known.name if known else None}

    return {
        "properties": {
            "denyAssignmentName": deny.title,
            "description": None,
            "permissions": [
                {**element.plain(), "condition": None, "conditionVersion": None} for element in deny.permissions
            ],
            "scope": deny.scope,
            "doNotApplyToChildScopes": deny.here_only,
            "principals": [principal(oid) for oid in deny.principals],
            "excludePrincipals": [principal(oid) for oid in deny.excluded],
            "isSystemProtected": deny.protected,
            "createdOn": deny.created,
            "updatedOn": deny.created,
        },
        "id": deny.id,
        "type": f"{AUTHORIZATION}/denyAssignments",
        "name": deny.name,
    }


@routes.collection(f"{AUTHORIZATION}/denyAssignments")
def list_denies(call: Call) -> Answer:
    wanted = Filter(call.query.get("$filter", ""))
    related = related_to(call, scope_of(call), below=not wanted.at_scope)
    found = [deny for deny in call.world.access.denies.values() if related(deny.scope)]
    if wanted.assigned or wanted.principal:
        principals = call.world.directory.identities(str(wanted.assigned or wanted.principal)) | {EVERYONE}
        found = [deny for deny in found if {oid.lower() for oid in deny.principals} & principals]
    return Answer(200, {"value": [_deny_view(call, deny) for deny in found]})


@routes.item("GET", f"{AUTHORIZATION}/denyAssignments")
def get_deny(call: Call) -> Answer:
    deny = call.world.access.denies.get(call.target.key)
    if deny is None:
        raise ArmError(404, "DenyAssignmentNotFound", f"The deny assignment '{call.target.name}' is not found.")
    return Answer(200, _deny_view(call, deny))


def _lock_view(lock: Lock) -> dict[str, Any]:
    return {
        "id": lock.id,
        "name": lock.name,
        "type": f"{AUTHORIZATION}/locks",
        "properties": {"level": lock.level, "notes": lock.notes},
    }


@routes.collection(f"{AUTHORIZATION}/locks")
def list_locks(call: Call) -> Answer:
    """At the scope and above; without atScope(), below it as well."""
    related = related_to(call, scope_of(call), below=not Filter(call.query.get("$filter", "")).at_scope)
    return Answer(200, {"value": [_lock_view(lock) for lock in call.world.locks.values() if related(lock.scope)]})


def _lock(call: Call) -> Lock:
    lock = call.world.locks.get(call.target.key)
    if lock is None:
        raise ArmError(404, "LockNotFound", f"The lock '{call.target.name}' could not be found.")
    return lock


@routes.item("GET", f"{AUTHORIZATION}/locks")
def get_lock(call: Call) -> Answer:
    return Answer(200, _lock_view(_lock(call)))


@routes.item("PUT", f"{AUTHORIZATION}/locks")
def put_lock(call: Call) -> Answer:
    properties = call.mapping().get("properties") or {}
    if properties.get("level") not in {"ReadOnly", "CanNotDelete"}:
        raise bad_request("The lock level must be ReadOnly or CanNotDelete.", "InvalidLockLevel")
    lock = Lock(call.target.name, call.target.scope, properties["level"], str(properties.get("notes") or ""))
    status = 200 if call.target.key in call.world.locks else 201
    call.world.locks[call.target.key] = lock
    return Answer(status, _lock_view(lock))


@routes.item("DELETE", f"{AUTHORIZATION}/locks")
def delete_lock(call: Call) -> Answer:
    return Answer(200 if call.world.locks.pop(call.target.key, None) else 204)
