"""Resources that are read and written as they are: the routes of every type that has no rules of its own."""

from __future__ import annotations

from pfdoctor.simulator.call import Answer, Call, etag_of
from pfdoctor.simulator.errors import not_found
from pfdoctor.simulator.routing import Routes
from pfdoctor.simulator.store import CANONICAL, VERSIONED

routes = Routes()


def read(call: Call) -> Answer:
    resource = call.existing()
    return Answer(200, call.world.store.view(resource), etag_of(resource))


def read_all(call: Call) -> Answer:
    world, target = call.world, call.target
    parent = target.id
    if target.names and target.type.count("/") >= 1 and target.group:
        call.existing()  # a list below something that is not there
    elif not target.type.startswith("Microsoft.Resources"):
        parent = target.scope  # the namespace itself: a list in a group or subscription
    found = list(world.store.below(parent, target.collection).values())
    if "desc" in call.query.get("$orderby", "") or target.collection.lower().endswith("/versions"):
        found.reverse()  # the newest first
    if call.query.get("listviewtype", "ActiveOnly").lower() == "activeonly" and _can_be_archived(target.collection):
        found = [resource for resource in found if not resource.properties.get("isArchived")]
    return Answer(200, call.page([world.store.view(resource) for resource in found], world.settings.page_size))


def _can_be_archived(kind: str) -> bool:
    return kind.lower() in VERSIONED or kind.lower().endswith("/versions")


def write(call: Call) -> Answer:
    existing = call.world.store.get(call.target.id)
    call.check_etag(existing)
    if call.target.type.count("/") > 1 and call.world.store.get(call.target.parent) is None:
        raise not_found(call.target)
    resource = call.world.add(call.target.id, _writable(call.mapping()), when=call.world.clock.text())
    return Answer(200 if existing else 201, call.world.store.view(resource), etag_of(resource))


def _writable(body: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in {"id", "name", "type", "systemData"}}


def change(call: Call) -> Answer:
    resource = call.existing()
    call.check_etag(resource)
    for name, value in _writable(call.mapping()).items():
        current = resource.body.get(name)
        resource.body[name] = {**current, **value} if isinstance(current, dict) and isinstance(value, dict) else value
    call.world.store.touch(resource)
    return Answer(200, call.world.store.view(resource), etag_of(resource))


def delete(call: Call) -> Answer:
    resource = call.world.store.get(call.target.id)
    if resource is None:
        return Answer(204)
    call.check_etag(resource)
    call.world.remove(resource)
    return Answer(200)


for _kind in CANONICAL:
    routes.item("GET", _kind)(read)
    routes.collection(_kind)(read_all)
    if "/" in _kind.partition("/")[2] or not _kind.startswith("microsoft.resources"):
        routes.item("PUT", _kind)(write)
        routes.item("PATCH", _kind)(change)
        routes.item("DELETE", _kind)(delete)
