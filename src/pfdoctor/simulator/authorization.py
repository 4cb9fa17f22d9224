"""Microsoft.Authorization: role definitions and assignments, denies, locks, permissions, PIM instances."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from pfdoctor.simulator.call import Answer, Call
from pfdoctor.simulator.clock import instant, seconds_of
from pfdoctor.simulator.errors import ArmError, bad_request
from pfdoctor.simulator.ids import AUTHORIZATION, scope_key
from pfdoctor.simulator.rbac import EVERYONE, Assignment, Deny, Role
from pfdoctor.simulator.routing import OPEN, Routes, authorize
from pfdoctor.simulator.world import Eligible, Lock

routes = Routes()
_FILTER = re.compile(
    r"(?P<at>atScope\(\s*\))|assignedTo\(\s*'(?P<assigned>[^']*)'\s*\)|principalId\s+eq\s+'(?P<principal>[^']*)'"
    r"|(?P<below>atScopeAndBelow\(\s*\))|roleName\s+eq\s+'(?P<role>[^']*)'|type\s+eq\s+'(?P<type>[^']*)'"
    r"|(?P<target>asTarget\(\s*\))",
    re.IGNORECASE,
)


class Filter:
    """A `$filter` of this provider, as far as ARM takes it."""

    def __init__(self, text: str) -> None:
        self.at_scope = self.target = False
        self.assigned = self.principal = self.role = self.type = None
        rest = text.strip()
        while rest:
            match = _FILTER.match(rest)
            if match is None:
                raise bad_request(f"The filter '{text}' is not supported.", "InvalidFilter")
            found = match.groupdict()
            self.at_scope = self.at_scope or bool(found["at"])
            self.target = self.target or bool(found["target"])
            self.assigned = found["assigned"] or self.assigned
            self.principal = found["principal"] or self.principal
            self.role = found["role"] or self.role
            self.type = found["type"] or self.type
            rest = re.sub(r"^\s*and\s+", "", rest[match.end() :], flags=re.IGNORECASE).strip()
        if self.principal and (self.at_scope or self.assigned):
            raise bad_request(
                "The filter combines principalId with another condition; that is not supported.", "UnsupportedQuery"
            )


def _scope(call: Call) -> str:
    return scope_key(call.target.scope)


# --------------------------------------------------------------------------------------------------- role definitions


def definition(call: Call, role: Role) -> dict[str, Any]:
    """A role definition as ARM shows it; conditions only since the api-version that knows them."""
    prefix = f"/subscriptions/{call.target.subscription}" if call.target.subscription else ""
    permissions = []
    for element in role.permissions:
        plain = element.plain()
        if call.api_version >= "2022-05-01":
            plain |= {"condition": element.condition, "conditionVersion": "2.0" if element.condition else None}
        permissions.append(plain)
    return {
        "properties": {
            "roleName": role.name,
            "type": "CustomRole" if role.custom else "BuiltInRole",
            "description": role.description,
            "assignableScopes": list(role.assignable),
            "permissions": permissions,
            "createdOn": "2018-10-29T23:52:32.2000000Z",
            "updatedOn": "2021-11-11T20:13:56.4000000Z",
            "createdBy": None,
            "updatedBy": None,
        },
        "id": f"{prefix}/providers/{AUTHORIZATION}/roleDefinitions/{role.id}",
        "type": f"{AUTHORIZATION}/roleDefinitions",
        "name": role.id,
    }


def _assignable(call: Call, role: Role, scope: str) -> bool:
    above = set(call.world.access.above(scope))
    return any(scope_key(place) in above for place in role.assignable)


@routes.collection(f"{AUTHORIZATION}/roleDefinitions")
def list_definitions(call: Call) -> Answer:
    wanted = Filter(call.query.get("$filter", ""))
    scope = _scope(call)
    found = [
        definition(call, role)
        for role in call.world.access.roles.values()
        if _assignable(call, role, scope)
        and (wanted.role is None or role.name.lower() == wanted.role.lower())
        and (wanted.type is None or wanted.type.lower() == ("customrole" if role.custom else "builtinrole"))
    ]
    return Answer(200, {"value": found})


@routes.item("GET", f"{AUTHORIZATION}/roleDefinitions")
def get_definition(call: Call) -> Answer:
    role = call.world.access.roles.get(call.target.name.lower())
    if role is None:
        raise _no_definition(call.target.name)
    return Answer(200, definition(call, role))


def _no_definition(name: str) -> ArmError:
    return ArmError(
        404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
    )


# --------------------------------------------------------------------------------------------------- role assignments


def assignment_view(call: Call, assignment: Assignment) -> dict[str, Any]:
    """A role assignment as ARM shows it."""
    prefix = f"/subscriptions/{call.target.subscription}" if call.target.subscription else ""
    return {
        "properties": {
            "roleDefinitionId": f"{prefix}/providers/{AUTHORIZATION}/roleDefinitions/{assignment.role}",
            "principalId": assignment.principal,
            "principalType": assignment.type,
            "scope": assignment.scope,
            "condition": assignment.condition,
            "conditionVersion": "2.0" if assignment.condition else None,
            "createdOn": assignment.created,
            "updatedOn": assignment.updated or assignment.created,
            "createdBy": assignment.created_by or None,
            "updatedBy": assignment.created_by or None,
            "delegatedManagedIdentityResourceId": None,
            "description": assignment.description,
        },
        "id": assignment.id,
        "type": f"{AUTHORIZATION}/roleAssignments",
        "name": assignment.name,
    }


@routes.collection(f"{AUTHORIZATION}/roleAssignments")
def list_assignments(call: Call) -> Answer:
    """At the scope and above; without atScope(), below it as well."""
    access, scope = call.world.access, _scope(call)
    wanted = Filter(call.query.get("$filter", ""))
    named: Iterable[Assignment]
    if wanted.assigned or wanted.principal:
        if wanted.assigned:
            principals: Iterable[str] = access.directory.identities(wanted.assigned)
        else:
            principals = {str(wanted.principal).lower()}
        related = _related(call, scope, below=not wanted.at_scope)
        named = (assignment for assignment in access.of(principals) if related(assignment.scope))
    elif wanted.at_scope:
        named = access.at_and_above(scope)
    else:
        named = [*access.at_and_above(scope), *access.below(scope)]
    return Answer(200, {"value": [assignment_view(call, assignment) for assignment in named]})


def _related(call: Call, scope: str, *, below: bool) -> Callable[[str], bool]:
    above = set(call.world.access.above(scope))
    start = "/" if scope == "/" else scope + "/"

    def related(other: str) -> bool:
        key = scope_key(other)
        return key in above or (below and key.startswith(start))

    return related


@routes.item("GET", f"{AUTHORIZATION}/roleAssignments")
def get_assignment(call: Call) -> Answer:
    return Answer(200, assignment_view(call, _assignment(call)))


def _assignment(call: Call) -> Assignment:
    found = call.world.access.assignments.get(call.target.key)
    if found is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{call.target.name}' is not found.")
    return found


@routes.item("PUT", f"{AUTHORIZATION}/roleAssignments")
def put_assignment(call: Call) -> Answer:
    properties = call.mapping().get("properties") or {}
    principal, reference = properties.get("principalId"), str(properties.get("roleDefinitionId") or "")
    if not principal or not reference:
        raise bad_request("The properties principalId and roleDefinitionId are required.", "InvalidRequestContent")
    role = call.world.access.roles.get(reference.lower().rpartition("/")[2])
    if role is None or not _assignable(call, role, _scope(call)):
        raise _no_definition(reference.rpartition("/")[2])
    kind = _principal_type(call, str(principal), properties.get("principalType"))
    attributes = {"roledefinitionid": role.id, "principalid": str(principal), "principaltype": kind}
    authorize(call, call.action, call.target.id, attributes)
    same = call.world.access.assignments.get(call.target.key)
    if same is not None:
        if (same.principal.lower(), same.role) != (str(principal).lower(), role.id):
            raise ArmError(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        return Answer(200, assignment_view(call, same))
    twin = call.world.access.exists(str(principal), role.id, call.target.scope or "/")
    if twin is not None:
        raise ArmError(
            409,
            "RoleAssignmentExists",
            f"The role assignment already exists. The ID of the existing role assignment is {_hex(twin.name)}.",
        )
    if (
        call.target.subscription
        and call.world.access.count(call.target.subscription) >= call.world.settings.assignment_limit
    ):
        raise ArmError(
            400,
            "RoleAssignmentLimitExceeded",
            "No more role assignments can be created (code: RoleAssignmentLimitExceeded).",
        )
    made = call.world.grant(
        str(principal),
        role.id,
        call.target.scope or "/",
        name=call.target.name,
        type=kind,
        condition=properties.get("condition"),
        description=properties.get("description"),
        created_by=call.principal.id,
    )
    return Answer(201, assignment_view(call, made))


def _hex(identifier: str) -> str:
    return identifier.replace("-", "")


def _principal_type(call: Call, oid: str, said: str | None) -> str:
    """The type of a principal; a new one is not found at first unless the request says what it is."""
    known = call.world.directory.get(oid)
    fresh = (
        known is not None
        and known.created is not None
        and seconds_of(known.created) + call.world.settings.replication > call.world.clock.now()
    )
    if known is None or (fresh and said is None):
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {_hex(oid)} does not exist in the directory {call.world.tenant}. Check that you have the "
            "correct principal ID. If you are creating this principal and then immediately assigning a role, this "
            "error might be related to a replication delay. In this case, set the role assignment principalType "
            "property to a value, such as ServicePrincipal, User, or Group. See https://aka.ms/docs-principaltype",
        )
    if said and said.lower() != known.type.lower():
        raise ArmError(
            400,
            "UnmatchedPrincipalType",
            f"The PrincipalId '{_hex(oid)}' has type '{known.type}', which is different from specified "
            f"PrinciaplType '{said}'.",
        )
    return known.type


@routes.item("DELETE", f"{AUTHORIZATION}/roleAssignments")
def delete_assignment(call: Call) -> Answer:
    found = call.world.access.assignments.get(call.target.key)
    if found is None:
        return Answer(204)
    attributes = {"roledefinitionid": found.role, "principalid": found.principal, "principaltype": found.type}
    authorize(call, call.action, call.target.id, attributes)
    view = assignment_view(call, found)
    call.world.revoke(found)
    return Answer(200, view)


# ------------------------------------------------------------------------------------------------- denies and locks


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
    related = _related(call, _scope(call), below=not wanted.at_scope)
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
    related = _related(call, _scope(call), below=not Filter(call.query.get("$filter", "")).at_scope)
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


# ------------------------------------------------------------------------------------------- permissions and PIM


@routes.collection(f"{AUTHORIZATION}/permissions", OPEN)
def permissions(call: Call) -> Answer:
    """What the caller may do here, element by element; roles not yet in effect are missing."""
    access, now = call.world.access, call.world.clock.now()
    above = set(access.above(_scope(call)))
    found = []
    for assignment in access.of(access.directory.identities(call.principal.id)):
        role = access.roles.get(assignment.role)
        if role and assignment.effective <= now and scope_key(assignment.scope) in above:
            found += [element.plain() for element in role.permissions]
    return Answer(200, {"value": found})


@routes.collection(f"{AUTHORIZATION}/roleEligibilityScheduleInstances")
def eligible_instances(call: Call) -> Answer:
    return Answer(200, {"value": [_instance(call, entry) for entry in _wanted(call, call.world.eligible.values())]})


@routes.collection(f"{AUTHORIZATION}/roleAssignmentScheduleInstances")
def active_instances(call: Call) -> Answer:
    """Every assignment is one, too: an active one without an end."""
    entries = [
        Eligible(assignment.name, assignment.scope, assignment.role, assignment.principal)
        for assignment in call.world.access.at_and_above(_scope(call))
    ]
    return Answer(200, {"value": [_instance(call, entry) for entry in _wanted(call, entries)]})


def _wanted(call: Call, entries: Iterable[Eligible]) -> list[Eligible]:
    wanted = Filter(call.query.get("$filter", ""))
    related = _related(call, _scope(call), below=not wanted.at_scope)
    if wanted.assigned:
        principals: Iterable[str] = call.world.directory.identities(wanted.assigned)
    elif wanted.target:
        principals = call.world.directory.identities(call.principal.id)
    elif wanted.principal:
        principals = {wanted.principal.lower()}
    else:
        return [entry for entry in entries if related(entry.scope)]
    return [entry for entry in entries if related(entry.scope) and entry.principal.lower() in principals]


def _instance(call: Call, entry: Eligible) -> dict[str, Any]:
    kind = call.target.tail
    known = call.world.directory.get(entry.principal)
    prefix = f"/subscriptions/{call.target.subscription}" if call.target.subscription else ""
    return {
        "properties": {
            "roleDefinitionId": f"{prefix}/providers/{AUTHORIZATION}/roleDefinitions/{entry.role}",
            "principalId": entry.principal,
            "principalType": known.type if known else "ServicePrincipal",
            "scope": entry.scope,
            "status": "Provisioned" if "Eligib" in kind else "Accepted",
            "memberType": "Direct",
            "startDateTime": instant(0),
            "endDateTime": entry.until,
            "condition": None,
            "conditionVersion": None,
        },
        "name": entry.name,
        "id": f"{entry.scope}/providers/{AUTHORIZATION}/{kind}/{entry.name}",
        "type": f"{AUTHORIZATION}/{kind}",
    }
