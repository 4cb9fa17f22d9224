"""Creating, changing and deleting endpoints and deployments: accepted now, done some simulated time later."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from pfdoctor.simulator import outcome
from pfdoctor.simulator.call import Answer, Call, etag_of
from pfdoctor.simulator.errors import ArmError, authorization_failed, linked_authorization_failed, not_found, user_error
from pfdoctor.simulator.gateway import Gateway
from pfdoctor.simulator.ids import parse
from pfdoctor.simulator.machine_learning import shown
from pfdoctor.simulator.online import DEPLOYMENT, ENDPOINT, Online
from pfdoctor.simulator.operations import Operations
from pfdoctor.simulator.routing import Routes
from pfdoctor.simulator.store import Resource

_BUSY = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,30}[A-Za-z0-9]")
_LIST_SECRETS = "Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action"
_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_FLAG = "enforce_access_to_default_secret_stores"
_SECRETS_READER = "Azure Machine Learning Workspace Connection Secrets Reader"
_READ_ONLY = frozenset({"id", "name", "type", "systemData"})
_ADDRESSES = ("scoringUri", "swaggerUri")

Finish = Callable[[], Awaitable[outcome.Error | None]]


class Lifecycle:
    """The routes that write endpoints and deployments."""

    def __init__(self, operations: Operations, online: Online, gateway: Gateway) -> None:
        self._operations = operations
        self._online = online
        self._gateway = gateway
        self.routes = Routes()
        for method in ("PUT", "PATCH"):
            self.routes.item(method, ENDPOINT)(self.write_endpoint)
            self.routes.item(method, DEPLOYMENT)(self.write_deployment)
        self.routes.item("DELETE", ENDPOINT)(self.delete)
        self.routes.item("DELETE", DEPLOYMENT)(self.delete)

    # ----------------------------------------------------------------------------------------------------- endpoints

    def write_endpoint(self, call: Call) -> Answer:
        """PUT replaces, PATCH merges."""
        workspace = call.existing(call.target.parent)
        existing = self._changeable(call)
        if not _NAME.fullmatch(call.target.name):
            raise user_error(
                f"The endpoint name '{call.target.name}' is not valid: 3 to 32 letters, digits and hyphens, "
                "beginning with a letter."
            )
        body = _merged(call, existing)
        _check_identity(call, existing, body)
        _check_flag(call, body, workspace)
        _check_traffic(call, body)

        async def finish() -> outcome.Error | None:
            return None if existing else _grant(call, workspace)

        return self._accept(call, existing, body, finish)

    # --------------------------------------------------------------------------------------------------- deployments

    def write_deployment(self, call: Call) -> Answer:
        """PUT replaces, PATCH merges; the container is started anew."""
        endpoint = call.existing(call.target.parent)
        workspace = call.existing(parse(endpoint.id).parent)
        existing = self._changeable(call)
        body = _merged(call, existing)
        if existing is None:
            _check_flag(call, endpoint.body, workspace)
        outcome.check_request(call.world, body.get("properties") or {})
        key = call.target.key

        async def finish() -> outcome.Error | None:
            deployment = call.world.store.get(key)
            if deployment is None:
                return None
            error = outcome.before_container(call.world, deployment, endpoint, workspace)
            logs = call.world.logs[key] = {"InferenceServer": outcome.instance_status(error)}
            if error is not None:
                return error
            came_up = await self._starts(endpoint, deployment)
            logs["InferenceServer"] = outcome.with_start(logs["InferenceServer"], came_up=came_up)
            return None if came_up else outcome.CRASHED

        return self._accept(call, existing, body, finish)

    async def _starts(self, endpoint: Resource, deployment: Resource) -> bool:
        seen = self._online.endpoint(endpoint.name)
        if seen is None:
            return False
        value = self._online.deployment(deployment)._replace(provisioning_state="Succeeded")
        return await self._gateway.starts(seen, value)

    # ------------------------------------------------------------------------------------------- what they share

    def _changeable(self, call: Call) -> Resource | None:
        """The resource as it is, unless something is under way or the caller's etag is an old one."""
        existing = call.world.store.get(call.target.id)
        call.check_etag(existing)
        if existing is None and call.method == "PATCH":
            raise not_found(call.target)
        if existing is not None and existing.state in _BUSY:
            raise ArmError(
                409,
                "Conflict",
                f"The resource {existing.name} is being changed (provisioningState {existing.state}); only one "
                "operation at a time is possible. Try again when it has ended.",
            )
        return existing

    def _accept(self, call: Call, existing: Resource | None, body: dict[str, Any], finish: Finish) -> Answer:
        now = call.world.clock.text()
        body.setdefault("properties", {})["provisioningState"] = "Updating" if existing else "Creating"
        who = call.principal.name
        system = dict(existing.body.get("systemData") or {}) if existing else {"createdAt": now, "createdBy": who}
        body["systemData"] = {**system, "lastModifiedAt": now, "lastModifiedBy": who}
        resource = call.world.add(call.target.id, body, when=now)

        async def finished() -> outcome.Error | None:
            error = await finish()
            resource.properties["provisioningState"] = "Failed" if error else "Succeeded"
            call.world.store.touch(resource)
            return error

        headers = self._start(call, resource, finished)
        status = 202 if call.method == "PATCH" else 200 if existing else 201
        return Answer(status, shown(call, resource), {**headers, **etag_of(resource)})

    def delete(self, call: Call) -> Answer:
        resource = call.world.store.get(call.target.id)
        if resource is None:
            return Answer(204)
        self._changeable(call)
        if resource.type == DEPLOYMENT:
            endpoint = call.existing(call.target.parent)
            if (endpoint.properties.get("traffic") or {}).get(resource.name):
                raise user_error(
                    f"The deployment {resource.name} has traffic and cannot be deleted. Set it to 0 first."
                )
        resource.properties["provisioningState"] = "Deleting"

        async def finished() -> outcome.Error | None:
            call.world.remove(resource)
            return None

        return Answer(202, None, self._start(call, resource, finished))

    def _start(self, call: Call, resource: Resource, finish: Finish) -> dict[str, str]:
        settings = call.world.settings
        seconds = settings.deployment_seconds if resource.type == DEPLOYMENT else settings.endpoint_seconds
        location = call.world.location_of(resource.id)
        operation = self._operations.start(resource.id, location, call.principal.id, seconds=seconds, finish=finish)
        return self._operations.headers(operation, call.base, call.target.subscription, call.api_version)


def _merged(call: Call, existing: Resource | None) -> dict[str, Any]:
    """The new body: what is sent, over what Azure keeps from before."""
    sent = {name: value for name, value in call.mapping().items() if name not in _READ_ONLY}
    if isinstance(sent.get("properties"), dict):
        # The service's own to say; what a client sends back is the simulator's address of the moment.
        own = {name: existing.properties[name] for name in _ADDRESSES if existing and name in existing.properties}
        rest = {name: value for name, value in sent["properties"].items() if name not in _ADDRESSES}
        sent["properties"] = {**rest, **own}
    if existing is None:
        return sent
    if call.method == "PATCH":
        return _over(existing.body, sent)
    # Keys and identity stay, whether they are sent again or not.
    kept: dict[str, Any] = {
        name: existing.body[name] for name in ("identity", "location", "kind", "tags") if name in existing.body
    }
    return {**kept, **{name: value for name, value in sent.items() if value is not None}}


def _over(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _user_assigned(body: dict[str, Any]) -> dict[str, Any]:
    identities = (body.get("identity") or {}).get("userAssignedIdentities") or {}
    return dict(identities)


def _check_identity(call: Call, existing: Resource | None, body: dict[str, Any]) -> None:
    """An endpoint keeps the identity it was made with, and using somebody's identity takes a right on it."""
    if existing is not None:
        before, after = existing.body.get("identity") or {}, body.get("identity") or {}
        same_type = str(before.get("type")).lower() == str(after.get("type")).lower()
        ids = [
            {parse(name).key for name in identity.get("userAssignedIdentities") or {}} for identity in (before, after)
        ]
        if not same_type or ids[0] != ids[1]:
            raise user_error("The identity of an endpoint cannot be changed after it was created.")
        body["identity"] = before
        return
    for name, value in _user_assigned(body).items():
        resource = call.world.store.get(name)
        if resource is None or not call.world.allows(call.principal.id, _ASSIGN, resource.id):
            raise linked_authorization_failed(call.who, call.action, call.target.id, (_ASSIGN, name))
        ids_of = {key: resource.properties[key] for key in ("principalId", "clientId")}
        body["identity"]["userAssignedIdentities"][name] = {**(value or {}), **ids_of}


def _enforced(body: dict[str, Any]) -> bool:
    return str(((body.get("properties") or {}).get("properties") or {}).get(_FLAG, "")).lower() == "enabled"


def _check_flag(call: Call, body: dict[str, Any], workspace: Resource) -> None:
    """Whoever has the endpoint given access to secrets needs that access; a user-assigned identity is not given it."""
    if not _enforced(body):
        return
    if _user_assigned(body):
        raise user_error(f"The property {_FLAG} is not allowed with a user-assigned identity.")
    if not call.world.allows(call.principal.id, _LIST_SECRETS, workspace.id):
        raise authorization_failed(*call.who, _LIST_SECRETS, workspace.id)


def _check_traffic(call: Call, body: dict[str, Any]) -> None:
    traffic = (body.get("properties") or {}).get("traffic") or {}
    if traffic and sum(traffic.values()) not in {0, 100}:
        raise user_error(f"The traffic adds up to {sum(traffic.values())} %; it must be 0 or 100.")
    there = {resource.name for resource in call.world.store.below(call.target.id, DEPLOYMENT).values()}
    missing = sorted(name for name, share in traffic.items() if share and name not in there)
    if missing:
        raise user_error(f"There is no deployment named {', '.join(missing)} to send traffic to.")


def _grant(call: Call, workspace: Resource) -> outcome.Error | None:
    """The roles that the service gives to a new system-assigned identity."""
    endpoint = call.existing()
    identity = endpoint.body.get("identity") or {}
    oid = identity.get("principalId")
    if not oid or _user_assigned(endpoint.body):
        return None
    stores = outcome.attached(call.world, workspace)
    wanted = [
        ("AcrPull", stores.get("containerRegistry")),
        ("Storage Blob Data Reader", stores.get("storageAccount")),
        ("AzureML Metrics Writer (preview)", workspace.id),
        (_SECRETS_READER if _enforced(endpoint.body) else "", workspace.id),
    ]
    grants = [(role, str(scope)) for role, scope in wanted if role and scope]
    subscription = call.target.subscription
    if call.world.access.count(subscription) + len(grants) > call.world.settings.assignment_limit:
        return {"code": "OutOfQuota", "message": f"Role assignment limit reached for subscription {subscription}."}
    for role, scope in grants:
        call.world.grant(oid, role, scope, created_by=call.principal.id)
    return None
