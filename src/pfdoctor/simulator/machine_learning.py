"""Azure Machine Learning's control plane: what it does beyond keeping resources."""

from __future__ import annotations

import json
import uuid
from typing import Any

from pfdoctor.simulator.call import Answer, Call, etag_of
from pfdoctor.simulator.directory import derived_id
from pfdoctor.simulator.errors import ArmError, bad_request, not_found, user_error
from pfdoctor.simulator.routing import OPEN, Routes
from pfdoctor.simulator.store import VERSIONED, Resource

routes = Routes()
_ML = "Microsoft.MachineLearningServices"
_WORKSPACE = f"{_ML}/workspaces"
_ENDPOINT = f"{_WORKSPACE}/onlineEndpoints"
_DEPLOYMENT = f"{_ENDPOINT}/deployments"

# ------------------------------------------------------------------------------------------------ assets and secrets


def write_version(call: Call) -> Answer:
    """A version never changes: only its description, tags and archived flag may be written again."""
    existing = call.world.store.get(call.target.id)
    call.check_etag(existing)
    body = call.mapping()
    if existing is None:
        workspace = call.target.id.split(f"/{call.target.type.split('/')[-2]}/")[0]
        call.existing(workspace)
        resource = call.world.add(
            call.target.id, {"properties": body.get("properties") or {}}, when=call.world.clock.text()
        )
        return Answer(201, call.world.store.view(resource), etag_of(resource))
    loose = {"description", "tags", "properties", "isArchived", "stage"}
    for name, value in (body.get("properties") or {}).items():
        current = existing.properties.get(name)
        if name in loose or value is None or name == "provisioningState" or _same(value, current):
            continue
        kind = "environment" if "/environments/" in call.target.type.lower() else "asset"
        raise ArmError(
            409,
            "UserError",
            f"The {kind} {call.target.names[-2]} version {call.target.name} exists already and cannot be changed: "
            f"'{name}' differs. Use a new version.",
        )
    changed = {
        name: value for name, value in (body.get("properties") or {}).items() if name in loose and value is not None
    }
    existing.properties.update(changed)
    call.world.store.touch(existing)
    return Answer(200, call.world.store.view(existing), etag_of(existing))


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same once what is null or empty is left out."""
    return json.dumps(_bare(one), sort_keys=True) == json.dumps(_bare(other), sort_keys=True)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if item not in (None, {}, [])}
    return value


for _versioned in VERSIONED:
    routes.item("PUT", f"{_versioned}/versions")(write_version)
    routes.item("PATCH", f"{_versioned}/versions")(write_version)


@routes.action(f"{_WORKSPACE}/connections", "listsecrets")
def list_connection_secrets(call: Call) -> Answer:
    resource = call.existing()
    view = call.world.store.view(resource)
    view["properties"] = {**resource.properties, "credentials": secrets_of(call, resource)}
    return Answer(200, view)


def secrets_of(call: Call, connection: Resource) -> dict[str, Any] | None:
    """The credentials of a connection: the scenario's, or for a key an obviously made up one."""
    known = call.world.secrets.get(connection.key)
    if known is not None:
        return known
    if connection.properties.get("authType") in {"ApiKey", "CustomKeys"}:
        return {"key": f"simulated-{derived_id('key', connection.key)}"}
    return None


@routes.action(f"{_WORKSPACE}/datastores", "listSecrets")
def list_datastore_secrets(call: Call) -> Answer:
    resource = call.existing()
    kind = (resource.properties.get("credentials") or {}).get("credentialsType", "None")
    if kind == "None":
        return Answer(200, {"secretsType": "None"})
    known = call.world.secrets.get(resource.key) or {"key": f"simulated-{derived_id('key', resource.key)}"}
    return Answer(200, {"secretsType": kind, **known})


@routes.action(_WORKSPACE, "resynckeys")
def resync_keys(call: Call) -> Answer:
    """Keys are read where they are used, so there is nothing to fetch."""
    call.existing()
    return Answer(200)


# ---------------------------------------------------------------------------------------------------- endpoint access


@routes.action(_ENDPOINT, "listKeys")
def list_keys(call: Call) -> Answer:
    endpoint = call.existing()
    if endpoint.properties.get("authMode") != "Key":
        raise user_error(
            f"The endpoint {endpoint.name} does not use keys: its authMode is {endpoint.properties.get('authMode')}."
        )
    return Answer(200, keys_of(call.world.secrets, endpoint))


def keys_of(secrets: dict[str, dict[str, Any]], endpoint: Resource) -> dict[str, str]:
    """The primary and secondary key of an endpoint."""
    made = {f"{name}Key": f"simulated-{name}-{derived_id(name, endpoint.key)}" for name in ("primary", "secondary")}
    return {**made, **secrets.get(endpoint.key, {})}


@routes.action(_ENDPOINT, "regenerateKeys")
def regenerate_keys(call: Call) -> Answer:
    endpoint = call.existing()
    which = str(call.mapping().get("keyType", "")).lower()
    if which not in {"primary", "secondary"}:
        raise user_error("keyType must be Primary or Secondary.")
    new = call.mapping().get("keyValue") or f"simulated-{which}-{uuid.uuid4()}"
    call.world.secrets.setdefault(endpoint.key, {})[f"{which}Key"] = new
    return Answer(200)


@routes.action(_ENDPOINT, "token")
def endpoint_token(call: Call) -> Answer:
    endpoint = call.existing()
    if endpoint.properties.get("authMode") not in {"AMLToken", "AADToken"}:
        raise user_error(
            f"The endpoint {endpoint.name} does not use tokens: its authMode is {endpoint.properties.get('authMode')}."
        )
    now = int(call.world.clock.now())
    lifetime = int(call.world.settings.token_seconds)
    token = call.known["tokens"].issue(call.principal, endpoint.id, lifetime)
    return Answer(
        200,
        {
            "accessToken": token,
            "expiryTimeUtc": now + lifetime,
            "refreshAfterTimeUtc": now + lifetime * 3 // 4,
            "tokenType": "Bearer",
        },
    )


# --------------------------------------------------------------------------------------------------------------- logs


@routes.action(_DEPLOYMENT, "getLogs")
def get_logs(call: Call) -> Answer:
    deployment = call.existing()
    body = call.body if isinstance(call.body, dict) else {}
    container = body.get("containerType") or "InferenceServer"
    if container not in {"InferenceServer", "StorageInitializer"}:
        raise user_error(f"containerType {container!r} is not InferenceServer or StorageInitializer.")
    text = call.world.logs.get(deployment.key, {}).get(container)
    tail = body.get("tail")
    if text is not None and isinstance(tail, int):
        lines = text.splitlines(keepends=True)
        text = "".join(lines[-tail:]) if tail > 0 else ""
    return Answer(200, {"content": text})


# -------------------------------------------------------------------------------------------------- regional resources


def _location(call: Call, section: str) -> list[Any]:
    values = call.world.locations.get(call.target.name.lower(), {}).get(section) or []
    return list(values)


@routes.collection(f"{_ML}/locations/usages")
def usages(call: Call) -> Answer:
    return Answer(200, {"value": _location(call, "usages")})


@routes.collection(f"{_ML}/locations/quotas")
def quotas(call: Call) -> Answer:
    return Answer(200, {"value": _location(call, "quotas")})


@routes.collection(f"{_ML}/locations/vmSizes")
def sizes(call: Call) -> Answer:
    return Answer(200, {"value": _location(call, "vmSizes")})


# -------------------------------------------------------------------------------------------------------- operations


@routes.item("GET", f"{_ML}/locations/mfeOperationsStatus", OPEN)
def operation_status(call: Call) -> Answer:
    operation = call.known["operations"].get(call.target.name)
    if operation is None or operation.owner != call.principal.id:
        raise not_found(call.target)
    headers = (
        {}
        if operation.done
        else call.known["operations"].headers(operation, call.base, call.target.subscription, call.api_version)
    )
    return Answer(200, {"id": call.target.id, **operation.status()}, headers)


@routes.item("GET", f"{_ML}/locations/mfeOperationResults", OPEN)
def operation_result(call: Call) -> Answer:
    operation = call.known["operations"].get(call.target.name)
    if operation is None or operation.owner != call.principal.id:
        raise not_found(call.target)
    if not operation.done:
        headers = call.known["operations"].headers(operation, call.base, call.target.subscription, call.api_version)
        return Answer(202, None, headers)
    if operation.error:
        raise bad_request(operation.error["message"], operation.error["code"])
    resource = call.world.store.get(operation.resource)
    return Answer(204) if resource is None else Answer(200, shown(call, resource), etag_of(resource))


# ------------------------------------------------------------------------------------ endpoints and their deployments


def shown(call: Call, resource: Resource) -> dict[str, Any]:
    """An endpoint or deployment as clients see it: the addresses of an endpoint lead to the simulator's gateway."""
    view = call.world.store.view(resource)
    if resource.type.lower() == _ENDPOINT.lower():
        online = f"{call.base}/online/{resource.name}"
        view["properties"] = {
            **resource.properties,
            "scoringUri": f"{online}/score",
            "swaggerUri": f"{online}/swagger.json",
        }
    return view


@routes.item("GET", _ENDPOINT)
@routes.item("GET", _DEPLOYMENT)
def read(call: Call) -> Answer:
    resource = call.existing()
    return Answer(200, shown(call, resource), etag_of(resource))


@routes.collection(_ENDPOINT)
@routes.collection(_DEPLOYMENT)
def read_all(call: Call) -> Answer:
    call.existing()
    found = list(call.world.store.below(call.target.id, call.target.collection).values())
    page = call.page(found, call.world.settings.page_size)
    page["value"] = [shown(call, resource) for resource in page["value"]]
    return Answer(200, page)
