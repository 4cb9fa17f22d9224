"""Role definitions, built-in and custom."""

from __future__ import annotations

from typing import Any

from pfdoctor.simulator.call import Answer, Call
from pfdoctor.simulator.errors import ArmError
from pfdoctor.simulator.ids import AUTHORIZATION, scope_key
from pfdoctor.simulator.rbac import Role
from pfdoctor.simulator.routing import Routes
from pfdoctor.simulator.scopes_and_filters import Filter, definition_prefix, scope_of

routes = Routes()


def definition(call: Call, role: Role) -> dict[str, Any]:
    """A role definition as ARM shows it; conditions only since the api-version that knows them."""
    prefix = definition_prefix(call)
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


def assignable(call: Call, role: Role, scope: str) -> bool:
    """Whether a role may be assigned at the scope."""
    above = set(call.world.access.above(scope))
    return any(scope_key(place) in above for place in role.assignable)


@routes.collection(f"{AUTHORIZATION}/roleDefinitions")
def list_definitions(call: Call) -> Answer:
    wanted = Filter(call.query.get("$filter", ""))
    scope = scope_of(call)
    found = [
        definition(call, role)
        for role in call.world.access.roles.values()
        if assignable(call, role, scope)
        and (wanted.role is None or role.name.lower() == wanted.role.lower())
        and (wanted.type is None or wanted.type.lower() == ("customrole" if role.custom else "builtinrole"))
    ]
    return Answer(200, {"value": found})


@routes.item("GET", f"{AUTHORIZATION}/roleDefinitions")
def get_definition(call: Call) -> Answer:
    role = call.world.access.roles.get(call.target.name.lower())
    if role is None:
        raise no_definition(call.target.name)
    return Answer(200, definition(call, role))


def no_definition(name: str) -> ArmError:
    """ARM's 404 for a role."""
    return ArmError(
        404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
    )
