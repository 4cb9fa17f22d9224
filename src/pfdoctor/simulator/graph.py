"""Azure Resource Graph: one query over everything that the caller may read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from pfdoctor.simulator.call import Answer, Call
from pfdoctor.simulator.errors import ArmError
from pfdoctor.simulator.ids import AUTHORIZATION, parse, subscription_of
from pfdoctor.simulator.kql import Query, QueryError, Row
from pfdoctor.simulator.machine_learning import shown
from pfdoctor.simulator.role_assignments import assignment_view
from pfdoctor.simulator.role_definitions import definition
from pfdoctor.simulator.routing import OPEN, Routes
from pfdoctor.simulator.store import CANONICAL, Resource

routes = Routes()
_LARGEST_PAGE = 1000
_SNAPSHOTS = 4
"""Answers of several pages that are kept for the next page."""
_SUBSCRIPTION = "microsoft.resources/subscriptions"
_GROUP = f"{_SUBSCRIPTION}/resourcegroups"
_ENDPOINT = "microsoft.machinelearningservices/workspaces/onlineendpoints"
# Children of resources are in the graph only where their provider put them there.
_KINDS = frozenset(kind for kind in CANONICAL if kind.count("/") == 1 and kind != _SUBSCRIPTION) | {
    _ENDPOINT,
    f"{_ENDPOINT}/deployments",
}


@routes.action("Microsoft.ResourceGraph", "resources", OPEN)
def query_resources(call: Call) -> Answer:
    body = call.mapping()
    options = body.get("options") or {}
    token = str(options.get("$skipToken") or "")
    offset, _, snapshot = token.partition("-")
    snapshots = call.world.snapshots
    # all pages are of one moment, as the service's are; one that is forgotten is taken again
    found = snapshots.get((call.principal.id, snapshot))
    rows = _rows(call, body) if found is None else found
    first = int(offset or options.get("$skip") or 0)
    size = min(int(options.get("$top") or _LARGEST_PAGE), _LARGEST_PAGE)
    page = rows[first : first + size]
    answer: dict[str, Any] = {
        "totalRecords": len(rows),
        "count": len(page),
        "data": list(page),
        "facets": [],
        "resultTruncated": "false",
    }
    if first + size < len(rows):
        if found is None:
            snapshot = str(int(next(reversed(snapshots), ("", "0"))[1]) + 1)
            snapshots[call.principal.id, snapshot] = rows
            while len(snapshots) > _SNAPSHOTS:
                del snapshots[next(iter(snapshots))]
        answer["$skipToken"] = f"{first + size}-{snapshot}"
    return Answer(200, answer)


def _rows(call: Call, body: Mapping[str, Any]) -> list[Row]:
    try:
        query = Query(str(body.get("query") or ""))
        return query.run(_table(query.table)(call, _subscriptions(call, body), query.types))
    except QueryError as error:
        details = [{"code": "InvalidQuery", "message": f"Query is invalid: {error}."}]
        message = "Please provide below info when asking for support."
        raise ArmError(400, "BadRequest", message, details=details) from None


def _subscriptions(call: Call, body: Mapping[str, Any]) -> frozenset[str] | None:
    """The subscriptions (lower case) that the query is limited to; None for all."""
    named = body.get("subscriptions")
    if named:
        return frozenset(str(name).lower() for name in named)
    groups = body.get("managementGroups")
    if groups:
        keys = {f"/providers/microsoft.management/managementgroups/{str(name).lower()}" for name in groups}
        chains = call.world.access.management_groups.items()
        return frozenset(subscription for subscription, chain in chains if keys & set(chain))
    return None


def _readable(call: Call, resource: Resource) -> bool:
    return call.world.allows(call.principal.id, f"{resource.type}/read", resource.id)


def _row(call: Call, resource: Resource) -> Row:
    target = parse(resource.id)
    blank: dict[str, Any] = {"location": "", "tags": None, "kind": "", "identity": None, "sku": None, "properties": {}}
    return {
        **blank,
        **shown(call, resource),
        "type": resource.type.lower(),
        "subscriptionId": target.subscription,
        "resourceGroup": target.group.lower(),
        "tenantId": call.world.tenant,
    }


Subscriptions: TypeAlias = frozenset[str] | None


def _resources(call: Call, subscriptions: Subscriptions, types: frozenset[str]) -> Iterator[Row]:
    for kind in sorted(types & _KINDS if types else _KINDS):
        for resource in call.world.store.of_type(kind):
            inside = subscriptions is None or subscription_of(resource.key) in subscriptions
            if inside and _readable(call, resource):
                yield _row(call, resource)


def _containers(call: Call, subscriptions: Subscriptions, types: frozenset[str]) -> Iterator[Row]:
    del types
    for kind in (_SUBSCRIPTION, _GROUP):
        for resource in call.world.store.of_type(kind):
            subscription = subscription_of(resource.key)
            if (subscriptions is not None and subscription not in subscriptions) or not _readable(call, resource):
                continue
            row = dict(_row(call, resource))
            if kind == _SUBSCRIPTION:
                chain = [key.rpartition("/")[2] for key in call.world.access.management_groups.get(subscription, ())]
                ancestors = [{"name": name, "displayName": name} for name in chain]
                row |= {"name": resource.body.get("displayName"), "resourceGroup": ""}
                row["properties"] = {"state": resource.body.get("state"), "managementGroupAncestorsChain": ancestors}
            yield row


def _authorization(call: Call, subscriptions: Subscriptions, types: frozenset[str]) -> Iterator[Row]:
    """Role assignments and definitions; deny assignments are not in the graph."""
    del types
    access = call.world.access
    for assignment in list(access.assignments.values()):
        subscription = subscription_of(assignment.scope.lower())
        inside = subscriptions is None or not subscription or subscription in subscriptions
        if inside and call.world.allows(call.principal.id, f"{AUTHORIZATION}/roleAssignments/read", assignment.scope):
            yield _authorization_row(call, assignment_view(call, assignment), subscription)
    for role in access.roles.values():
        yield _authorization_row(call, definition(call, role), "")


def _authorization_row(call: Call, view: dict[str, Any], subscription: str) -> Row:
    return {
        **view,
        "type": view["type"].lower(),
        "location": "global",
        "subscriptionId": subscription,
        "tenantId": call.world.tenant,
        "resourceGroup": "",
    }


_Table: TypeAlias = Callable[[Call, Subscriptions, frozenset[str]], Iterable[Row]]
_TABLES: Mapping[str, _Table] = {
    "resources": _resources,
    "resourcecontainers": _containers,
    "authorizationresources": _authorization,
}


def _table(name: str) -> _Table:
    table = _TABLES.get(name)
    if table is None:
        raise QueryError(f"the table '{name}' is not supported")
    return table
