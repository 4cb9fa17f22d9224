"""Role assignments, definitions, denies and locks: all that decides what the endpoint's identity may do, where.

`assignedTo()` is answered with groups resolved by the service, transitively, and needs no right in the directory; it
takes the object ids of users and service principals only (Microsoft Learn, "List Azure role assignments using the
REST API").
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from pfdoctor.cloud.at_hand import AtHand, made_of, together
from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.arm_id import last, parse, subscription_id
from pfdoctor.collect.azure.body import Body, listed, named, sourced, unread
from pfdoctor.collect.azure.existence import exists
from pfdoctor.collect.azure.once import once
from pfdoctor.collect.azure.workspace import read_locks
from pfdoctor.collect.kept import keep
from pfdoctor.core.model import Json, Unknown

_AUTHORIZATION = "providers/Microsoft.Authorization"
_NO_PIM = "AadPremiumLicenseRequired"
"""What Privileged Identity Management answers, with 400, in a tenant without Microsoft Entra ID P2."""
_LEFT_OUT = Unknown("left-out", "was left out of a brief reading")


class Scope(NamedTuple):
    """A scope at which an operation of the endpoint is checked. `kind` is a word of the schema."""

    id: str
    kind: str


class Principals(NamedTuple):
    """Whose assignments are asked for, by object id. `known` are ids that were seen to exist.

    With `brief`, the endpoint's are those that name its own identity: its groups' are not asked for.
    """

    endpoint: Json
    caller: str | None
    known: frozenset[str]
    brief: bool = False

    @property
    def all(self) -> tuple[str, ...]:
        ids = (self.endpoint, self.caller)
        return tuple(dict.fromkeys(one for one in ids if isinstance(one, str)))


async def read_authorization(
    reader: Reader, scopes: Iterable[Scope], principals: Principals, subscription: str
) -> dict[str, Json]:
    """The facts `authorization` for the scopes, each read on its own and all at once; then the roles they name."""
    elsewhere, *read = await together(
        _elsewhere(reader, principals, subscription), *(_scope(reader, scope, principals) for scope in scopes)
    )
    return {
        "scopes": read,
        "elsewhere": elsewhere,
        "definitions": await _definitions(reader, [*read, {"elsewhere": elsewhere}], subscription),
    }


def _scope(reader: Reader, scope: Scope, principals: Principals) -> Awaitable[dict[str, Json]]:
    async def common(one: Reader) -> Json:
        there, denies, locks = await asyncio.gather(
            _existence(one, scope.id), _denies(one, scope.id), read_locks(one, scope.id)
        )
        return {"exists": there, "denies": keep(denies), "locks": keep(locks)}

    def facts(found: dict[str, Json], everyone: Json, eligible: Json, *assigned: Json) -> dict[str, Json]:
        rows: Json = list(assigned)
        if isinstance(principals.endpoint, dict):
            # whose assignments to ask for is not known: a list without them would read as if there were none
            rows = {"$incomplete": principals.endpoint["$unknown"], "items": rows}
        return {
            "scope": scope.id,
            "kind": scope.kind,
            "exists": found["exists"],
            "assigned": rows,
            "everyone": everyone,
            "eligible": eligible,
            "denies": found["denies"],
            "locks": found["locks"],
        }

    parts = [
        once(reader, ("scope", scope.id), common),
        _everyone(reader, scope.id, principals),
        _eligible(reader, scope.id, principals),
        *(_assigned(reader, scope.id, one, principals) for one in principals.all),
    ]
    return made_of(parts, facts)


async def _existence(reader: Reader, identifier: str) -> Json:
    target = parse(identifier)
    version = versions.OF_TYPE.get(target.type.lower()) if target is not None else None
    if target is None or version is None:
        return Unknown("not-looked", f"whether {identifier} exists is not looked at").to_json()
    return await exists(reader, target.text, await reader.get(target.text, version, target.read))


def _everyone(reader: Reader, scope: str, principals: Principals) -> Awaitable[Json]:
    """The assignments of all; in brief, only those of the endpoint's identity."""
    what = f"all role assignments at {scope}"
    if not principals.brief:
        return _assignments(reader, scope, "atScope()", principals, what)

    def own(read: tuple[Reading, Mapping[str | None, list[dict[str, Json]]]]) -> Json:
        reading, of_principal = read
        if reading.unknown is not None:
            return unread(reading, what)
        rows = of_principal.get(_normal(principals.endpoint), ())
        why = reading.incomplete or _LEFT_OUT
        return listed(reading._replace(incomplete=why), [_assignment(Body(one), principals) for one in rows], what)

    return made_of([reader.once(("assignments", scope), lambda one: _by_principal(one, scope))], own)


async def _by_principal(reader: Reader, scope: str) -> tuple[Reading, Mapping[str | None, list[dict[str, Json]]]]:
    """All assignments at the scope. A list at a high scope may have thousands, which no endpoint shall go through."""
    reading = await _read_assignments(reader, scope, "atScope()")
    found: dict[str | None, list[dict[str, Json]]] = {}
    for one in reading.value if reading.unknown is None else ():
        properties = one.get("properties")
        principal = _normal(properties.get("principalId")) if isinstance(properties, dict) else None
        if principal is not None:
            found.setdefault(principal, []).append(one)
    return reading, found


def _normal(principal: Json) -> str | None:
    return principal.strip("/").lower() if isinstance(principal, str) else None


def _assigned(reader: Reader, scope: str, principal: str, principals: Principals) -> Awaitable[Json]:
    if principals.brief and principal == principals.endpoint:
        left_out = {"$incomplete": _LEFT_OUT.to_json()["$unknown"], "items": []}
        return AtHand({"principal_id": principal, "assignments": left_out})
    return _assigned_to(reader, scope, principal, principals)


async def _assigned_to(reader: Reader, scope: str, principal: str, principals: Principals) -> dict[str, Json]:
    what = f"the role assignments of {principal} at {scope}"
    filtered = f"atScope() and assignedTo('{principal}')"
    return {
        "principal_id": principal,
        "assignments": await _assignments(reader, scope, filtered, principals, what),
    }


async def _assignments(reader: Reader, scope: str, filtered: str, principals: Principals, what: str) -> Json:
    reading = await _read_assignments(reader, scope, filtered)
    if reading.unknown is not None:
        return unread(reading, what)
    return listed(reading, [_assignment(Body(one), principals) for one in reading.value], what)


def _read_assignments(reader: Reader, scope: str, filtered: str) -> Awaitable[Reading]:
    path = f"{scope}/{_AUTHORIZATION}/roleAssignments"
    return reader.list(path, versions.ASSIGNMENTS, permissions.ASSIGNMENTS, {"$filter": filtered})


def _elsewhere(reader: Reader, principals: Principals, subscription: str) -> Awaitable[Json]:
    if not isinstance(principals.endpoint, str):
        return AtHand([] if principals.endpoint is None else principals.endpoint)
    if principals.brief:
        return AtHand(_LEFT_OUT.to_json())
    what = f"the role assignments of {principals.endpoint} anywhere in the subscription"
    filtered = f"principalId eq '{principals.endpoint}'"
    return _assignments(reader, subscription_id(subscription), filtered, principals, what)


def _eligible(reader: Reader, scope: str, principals: Principals) -> Awaitable[Json]:
    if not isinstance(principals.endpoint, str):
        return AtHand([] if principals.endpoint is None else principals.endpoint)
    if principals.brief:
        return AtHand(_LEFT_OUT.to_json())
    return _eligible_at(reader, scope, principals)


async def _eligible_at(reader: Reader, scope: str, principals: Principals) -> Json:
    what = f"the eligible (PIM) role assignments at {scope}"
    path = f"{scope}/{_AUTHORIZATION}/roleEligibilityScheduleInstances"
    filtered = {"$filter": f"assignedTo('{principals.endpoint}')"}
    reading = await reader.list(path, versions.ELIGIBLE, permissions.ELIGIBLE, filtered)
    if reading.unknown is not None:
        if _NO_PIM in reading.unknown.detail:
            return listed(reading, [], what)  # without that licence nobody in the tenant can be eligible
        return unread(reading, what)
    return listed(reading, [_assignment(Body(one), principals) for one in reading.value], what)


def _assignment(body: Body, principals: Principals) -> dict[str, Json]:
    properties = body.child("properties")
    definition = properties.text("roleDefinitionId")
    principal = properties.text("principalId")
    role = last(definition)
    directory = Unknown(
        "not-looked", "whether a principal still exists is known to Microsoft Graph, which is not asked"
    )
    seen = isinstance(principal, str) and principal.lower() in principals.known
    return {
        "id": body.text("id"),
        "role_id": role.lower() if role is not None else definition,
        "role_definition_id": definition,
        "principal_id": principal,
        "principal_type": properties.text("principalType"),
        "scope": properties.text("scope"),
        "condition": properties.text("condition"),
        "created_at": properties.text("createdOn"),
        "updated_at": properties.text("updatedOn"),
        "description": properties.text("description"),
        "principal_exists": True if seen else directory.to_json(),
    }


async def _denies(reader: Reader, scope: str) -> Json:
    path = f"{scope}/{_AUTHORIZATION}/denyAssignments"
    reading = await reader.list(path, versions.DENIES, permissions.DENIES, {"$filter": "atScope()"})
    what = f"the deny assignments at {scope}"
    if reading.unknown is not None:
        return unread(reading, what)
    return listed(reading, [_deny(Body(one)) for one in reading.value], what)


def _deny(body: Body) -> dict[str, Json]:
    properties = body.child("properties")
    own = properties.boolean("doNotApplyToChildScopes")
    return {
        "id": body.text("id"),
        "name": properties.text("denyAssignmentName"),
        "scope": properties.text("scope"),
        "applies_to_child_scopes": own if isinstance(own, dict) else not own,
        "permissions": [permission(one) for one in properties.children("permissions")],
        "principals": _ids(properties, "principals"),
        "excluded_principals": _ids(properties, "excludePrincipals"),
        "condition": properties.text("condition"),
    }


def _ids(properties: Body, name: str) -> Json:
    raw = properties.raw(name)
    if raw is not None and not isinstance(raw, list):
        return Unknown("wrong-type", f"{name} is no list").to_json()
    return [one.raw("id") for one in properties.children(name) if isinstance(one.raw("id"), str)]


def permission(body: Body) -> dict[str, Json]:
    """The facts `permission`: what one element of a role grants, or a deny assignment takes away."""
    return {
        "actions": body.texts("actions"),
        "not_actions": body.texts("notActions"),
        "data_actions": body.texts("dataActions"),
        "not_data_actions": body.texts("notDataActions"),
        "condition": body.text("condition"),
    }


async def _definitions(reader: Reader, read: list[Json], subscription: str) -> dict[str, Json]:
    """Every role that an assignment names, by GUID; one that cannot be read is unknown."""
    paths: dict[str, str] = {}
    for one in read:
        for assignment in _all_assignments(one):
            role, definition = assignment["role_id"], assignment["role_definition_id"]
            if isinstance(role, str) and isinstance(definition, str):
                # all scopes answer for a role alike; the subscription's own path makes one reading of it
                custom = f"{subscription_id(subscription)}/{_AUTHORIZATION}/roleDefinitions/{role}"
                paths.setdefault(role, custom)
    definitions = await together(
        *(
            once(reader, ("definition", path), partial(_read_definition, path=path, role=role))
            for role, path in paths.items()
        )
    )
    return dict(zip(paths, definitions, strict=True))


async def _read_definition(reader: Reader, *, path: str, role: str) -> Json:
    return _definition(await reader.get(path, versions.DEFINITION, permissions.DEFINITIONS), role)


def _all_assignments(scope: dict[str, Json]) -> Iterable[dict[str, Json]]:
    lists = [scope.get("everyone"), scope.get("eligible"), scope.get("elsewhere")]
    assigned = scope.get("assigned") or ()
    lists += [one["assignments"] for one in (assigned.get("items", ()) if isinstance(assigned, dict) else assigned)]
    for one in lists:
        if isinstance(one, dict):
            yield from one.get("$list") or one.get("items") or ()


def _definition(reading: Reading, role: str) -> Json:
    if reading.unknown is not None:
        return {**named(reading.unknown, f"the role {role}").to_json(), "$source": reading.source}
    properties = Body(reading.body).child("properties")
    return sourced(
        {
            "id": Body(reading.body).text("id"),
            "name": properties.text("roleName"),
            "type": properties.text("type"),
            "permissions": [permission(one) for one in properties.children("permissions")],
            "assignable_scopes": properties.texts("assignableScopes"),
        },
        reading.source,
    )
