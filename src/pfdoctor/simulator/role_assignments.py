"""Role assignments, the caller's own permissions, and what privileged identity management shows of both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pfdoctor.simulator.call import Answer, Call
from pfdoctor.simulator.clock import instant, seconds_of
from pfdoctor.simulator.errors import ArmError, bad_request
from pfdoctor.simulator.ids import AUTHORIZATION, scope_key
from pfdoctor.simulator.rbac import Assignment
from pfdoctor.simulator.role_definitions import assignable, no_definition
from pfdoctor.simulator.routing import OPEN, Routes, authorize
from pfdoctor.simulator.scopes_and_filters import Filter, definition_prefix, related_to, scope_of
from pfdoctor.simulator.world import Eligible

routes = Routes()


def assignment_view(call: Call, assignment: Assignment) -> dict[str, Any]:
    """A role assignment as ARM shows it."""
    prefix = definition_prefix(call)
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
    access, scope = call.world.access, scope_of(call)
    wanted = Filter(call.query.get("$filter", ""))
    named: Iterable[Assignment]
    if wanted.assigned or wanted.principal:
        if wanted.assigned:
            principals: Iterable[str] = access.directory.identities(wanted.assigned)
        else:
            principals = {str(wanted.principal).lower()}
        if wanted.at_scope:
            named = access.held_at(principals, access.above(scope))
        else:
            related = related_to(call, scope, below=True)
            named = (assignment for assignment in access.of(principals) if related(assignment.scope))
    elif wanted.at_scope:
        named = access.at_and_above(scope)
    else:
        named = [*access.at_and_above(scope), *access.below(scope)]
    return Answer(200, {"value": [assignment_view(call, assignment) for assignment in named]})


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
    if role is None or not assignable(call, role, scope_of(call)):
        raise no_definition(reference.rpartition("/")[2])
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


# ------------------------------------------------------------------------------------------- permissions and PIM


@routes.collection(f"{AUTHORIZATION}/permissions", OPEN)
def permissions(call: Call) -> Answer:
    """What the caller may do here, element by element; roles not yet in effect are missing."""
    access, now = call.world.access, call.world.clock.now()
    above = set(access.above(scope_of(call)))
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
        for assignment in call.world.access.at_and_above(scope_of(call))
    ]
    return Answer(200, {"value": [_instance(call, entry) for entry in _wanted(call, entries)]})


def _wanted(call: Call, entries: Iterable[Eligible]) -> list[Eligible]:
    wanted = Filter(call.query.get("$filter", ""))
    related = related_to(call, scope_of(call), below=not wanted.at_scope)
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
    prefix = definition_prefix(call)
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
