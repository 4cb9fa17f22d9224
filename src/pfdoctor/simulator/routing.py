"""Which handler answers a call, and what it takes to be let through to it.

Every management call is one of three: an item (GET PUT PATCH DELETE of a resource), a collection (GET of the resources
of a type below something), an action (POST). Types are compared without regard to case.
"""

from __future__ import annotations

from collections.abc import Callable

from pfdoctor.simulator.call import Answer, Call, Handler
from pfdoctor.simulator.errors import (
    ArmError,
    authorization_failed,
    condition_not_fulfilled,
    deny_assignment,
    group_not_found,
    not_registered,
    scope_locked,
    subscription_not_found,
)
from pfdoctor.simulator.ids import AUTHORIZATION
from pfdoctor.simulator.rbac import Outcome
from pfdoctor.simulator.store import CANONICAL

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_WRITES = frozenset({"PUT", "PATCH", "POST", "DELETE"})
OPEN = ""
"""Instead of an operation: whoever is signed in may call this."""


class Routes:
    """A table of handlers. `operation` is the RBAC operation that a route checks where it is not the usual one."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Handler] = {}
        self._collections: dict[str, Handler] = {}
        self._actions: dict[tuple[str, str], Handler] = {}
        self._operations: dict[tuple[str, str], str] = {}

    def item(self, method: str, kind: str, operation: str | None = None) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self._items[method, kind.lower()] = handler
            self._check(method, kind, operation)
            return handler

        return register

    def collection(self, kind: str, operation: str | None = None) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self._collections[kind.lower()] = handler
            self._check("GET", kind, operation)
            return handler

        return register

    def action(self, kind: str, action: str, operation: str | None = None) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self._actions[kind.lower(), action.lower()] = handler
            self._check("POST", f"{kind}/{action}", operation)
            return handler

        return register

    def _check(self, method: str, kind: str, operation: str | None) -> None:
        if operation is not None:
            self._operations[method, kind.lower()] = operation

    def include(self, other: Routes) -> None:
        """Add another table's routes."""
        for name in ("_items", "_collections", "_actions", "_operations"):
            getattr(self, name).update(getattr(other, name))

    def find(self, call: Call) -> tuple[Handler, str]:
        """The handler of a call and the operation that it takes."""
        target = call.target
        kind = target.type.lower()
        handler: Handler | None
        if call.method == "POST":
            full = f"{kind}/{target.tail.lower()}"
            handler = self._actions.get((kind, target.tail.lower()))
            usual = f"{CANONICAL.get(kind, target.type)}/{target.tail.lower()}/action"
        elif target.tail:
            full = target.collection.lower()
            handler = self._collections.get(full) if call.method == "GET" else None
            usual = f"{CANONICAL.get(full, target.collection)}/read"
        else:
            full = kind
            handler = self._items.get((call.method, kind))
            usual = f"{CANONICAL.get(kind, target.type)}/{_VERBS.get(call.method, 'action')}"
        if handler is None:
            raise ArmError(
                404,
                "InvalidResourceType",
                f"The resource type could not be found for {call.method} {call.path} ('{call.api_version}'): "
                "the simulator does not know it.",
            )
        return handler, self._operations.get((call.method, full), usual)

    def answer(self, call: Call) -> Answer:
        """Let the call through to its handler, or raise what keeps it from there."""
        handler, call.action = self.find(call)
        if not call.api_version:
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        _check_scope(call)
        if call.action != OPEN:
            authorize(call, call.action, call.target.id or "/")
        if call.method in _WRITES and call.action != OPEN:
            _check_locks(call)
            _check_registration(call)
        return handler(call)


def _check_scope(call: Call) -> None:
    target = call.target
    if target.subscription and call.world.store.get(f"/subscriptions/{target.subscription}") is None:
        raise subscription_not_found(target.subscription)


def authorize(call: Call, action: str, scope: str, attributes: dict[str, str] | None = None) -> None:
    """Raise ARM's 403 unless the caller may do `action` at `scope`."""
    decision = call.world.decide(call.principal.id, action, scope, attributes=attributes)
    if decision.allowed:
        target = call.target
        group = f"/subscriptions/{target.subscription}/resourceGroups/{target.group}"
        if target.group and call.world.store.get(group) is None:
            raise group_not_found(target.group)
        return
    client, oid = call.who
    if decision.deny is not None:
        deny = decision.deny
        raise deny_assignment(call.who, action, scope, (deny.title, deny.name, deny.scope))
    if decision.outcome is Outcome.CONDITION:
        if attributes is None and action.startswith(f"{AUTHORIZATION}/roleAssignments/"):
            return  # the handler asks again, with the attributes that the condition is about
        raise condition_not_fulfilled(client, oid, action, scope)
    raise authorization_failed(client, oid, action, scope)


def _check_registration(call: Call) -> None:
    """PUT and PATCH take a registered provider; azure-core's own policy answers the refusal by registering it."""
    namespace, _, kind = call.target.type.partition("/")
    if call.method not in {"PUT", "PATCH"} or not kind or not call.target.subscription:
        return
    if call.world.registration(call.target.subscription, namespace) not in {"Registered", "Registering"}:
        raise not_registered(call.target.subscription, namespace)


def _check_locks(call: Call) -> None:
    if not call.world.locks or call.action.lower().startswith("microsoft.authorization/locks/"):
        return
    operation = "delete" if call.method == "DELETE" else "write"
    for lock in call.world.locks_on(call.target.id):
        if lock.level == "ReadOnly" or operation == "delete":
            raise scope_locked(call.target.id, operation, lock.scope)
