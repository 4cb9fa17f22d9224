"""The workspace of an endpoint, and the one whose connections its serving app reads."""

from __future__ import annotations

import asyncio

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import ML, parse, same, workspace_id
from pfdoctor.collect.azure.body import Body, listed, sourced, unread
from pfdoctor.collect.azure.existence import exists
from pfdoctor.collect.azure.stores import approved, read_store
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_PROVIDER = Pattern(
    r"azureml://(subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+)/?\Z"
)
_KINDS = ("default", "hub", "project", "featurestore")


async def read_workspace(reader: Reader, identifier: str) -> Json:
    """The facts `workspace`, with the network settings of the resources behind it."""
    reading = await reader.get(identifier, versions.WORKSPACE, f"{ML}/workspaces/read")
    if reading.body is None:
        return unread(reading, f"the workspace {identifier}")
    body = Body(reading.body)
    properties = body.child("properties")
    named = ("storageAccount", "keyVault", "containerRegistry", "applicationInsights")
    locks, *stores = await asyncio.gather(
        read_locks(reader, identifier),
        *(read_store(reader, properties.text(name), f"the workspace's {name}") for name in named),
    )
    network = properties.child("managedNetwork")
    status = network.child("status")
    identity = body.child("identity")
    own = parse(identifier)
    facts = {
        "id": identifier,
        "name": body.text("name"),
        "resource_group": own.resource_group if own is not None else None,
        "subscription_id": own.subscription if own is not None else None,
        "location": body.text("location"),
        "kind": _kind(body),
        "hub_id": properties.text("hubResourceId"),
        "provisioning_state": properties.text("provisioningState"),
        "principal_id": identity.text("principalId"),
        "identity_type": identity.text("type"),
        "public_network_access": properties.lower("publicNetworkAccess"),
        "v1_legacy_mode": properties.boolean("v1LegacyMode"),
        "image_build_compute": properties.text("imageBuildCompute"),
        "isolation_mode": network.lower("isolationMode"),
        "managed_network_status": status.lower("status"),
        **_private_endpoints(properties),
        "system_datastores_auth": properties.lower("systemDatastoresAuthMode"),
        "data_isolation": properties.boolean("enableDataIsolation"),
        "created_at": body.child("systemData").text("createdAt"),
        **dict(zip(("storage", "key_vault", "container_registry", "application_insights"), stores, strict=True)),
        "locks": locks,
    }
    return sourced(facts, reading.source)


def _kind(body: Body) -> Json:
    kind = body.lower("kind")
    if kind is None:
        return "default"  # workspaces made before there were others have none
    if isinstance(kind, str) and kind not in _KINDS:
        return Unknown("unknown-kind", f"the workspace's kind {kind!r} is none of {', '.join(_KINDS)}").to_json()
    return kind


def _private_endpoints(properties: Body) -> dict[str, Json]:
    if isinstance(properties.raw("privateEndpointConnections"), list):
        made = [one.child("systemData").raw("createdAt") for one in properties.children("privateEndpointConnections")]
        told = [one for one in made if isinstance(one, str)]
        oldest: Json = min(told) if told else None
        if made and not told:
            oldest = Unknown("not-told", "the workspace does not tell when its private endpoints were made").to_json()
        return {"private_endpoints": approved(properties), "oldest_private_endpoint_at": oldest}
    if properties.raw("privateLinkCount") in (0, None):
        return {"private_endpoints": 0, "oldest_private_endpoint_at": None}
    count = properties.whole("privateLinkCount")
    when = Unknown("not-told", "the workspace does not list its private endpoint connections").to_json()
    return {"private_endpoints": count, "oldest_private_endpoint_at": when}


async def read_locks(reader: Reader, scope: str) -> Json:
    """The management locks at and above a scope, as a fact."""
    path = f"{scope}/providers/Microsoft.Authorization/locks"
    needed = "Microsoft.Authorization/locks/read"
    reading = await reader.list(path, versions.LOCKS, needed, {"$filter": "atScope()"})
    if reading.unknown is not None:
        return unread(reading, f"the locks on {scope}")
    return listed(reading, [_lock(Body(one)) for one in reading.value], f"the locks on {scope}")


def _lock(body: Body) -> dict[str, Json]:
    identifier = body.text("id")
    properties = body.child("properties")
    end = identifier.lower().rfind("/providers/microsoft.authorization/locks/") if isinstance(identifier, str) else -1
    return {
        "id": identifier,
        "name": body.text("name"),
        "level": properties.text("level"),
        "scope": identifier[:end] if end >= 0 else identifier,
        "notes": properties.text("notes"),
    }


def connection_workspace_of(variables: Json, own: str) -> tuple[Json, str]:
    """The id of the workspace whose connections the serving app reads, and which setting names it.

    In the order of promptflow 1.18.5 (core/_serving/extension/azureml_extension.py): its connection provider, else
    PRT_CONFIG_OVERRIDE, else the deployment's own id, which Azure sets. The id is Unknown for a value that names none.
    """
    settings = variables if isinstance(variables, dict) and "$unknown" not in variables else {}
    provider = settings.get("PROMPTFLOW_CONNECTION_PROVIDER")
    provider = settings.get("PF_CONNECTION_PROVIDER") if provider is None else provider
    if provider:
        match = _PROVIDER.match(str(provider))
        if match is None:
            detail = f"the connection provider {provider!r} names no workspace"
            return Unknown("malformed", detail).to_json(), "connection-provider"
        return f"/{match[1]}", "connection-provider"
    override = settings.get("PRT_CONFIG_OVERRIDE")
    if override:
        pairs = dict(one.partition("=")[::2] for one in str(override).split(","))
        names = ("deployment.subscription_id", "deployment.resource_group", "deployment.workspace_name")
        parts = [pairs.get(name, "") for name in names]
        if not all(parts):
            missing = next(name for name, part in zip(names, parts, strict=True) if not part)
            return Unknown("malformed", f"PRT_CONFIG_OVERRIDE has no {missing}").to_json(), "config-override"
        return workspace_id(*parts), "config-override"
    return own, "endpoint"


async def read_connection_workspace(reader: Reader, variables: Json, own: str) -> Json:
    """The facts `connection_workspace`; unknown when the deployment's variables are."""
    if isinstance(variables, dict) and "$unknown" in variables:
        return variables
    identifier, source = connection_workspace_of(variables, own)
    if isinstance(identifier, dict):
        unknown: dict[str, Json] = dict.fromkeys(
            ("id", "name", "exists", "same_as_endpoint", "hub_of_endpoint", "kind", "locks"), identifier
        )
        return {**unknown, "source": source}
    needed = f"{ML}/workspaces/read"
    reading, endpoints, locks = await asyncio.gather(
        reader.get(identifier, versions.WORKSPACE, needed),
        reader.get(own, versions.WORKSPACE, needed),
        read_locks(reader, identifier),
    )
    known = reading.unknown is None
    hub = Body(endpoints.body).child("properties").text("hubResourceId")
    hub = endpoints.unknown.to_json() if endpoints.unknown is not None else hub
    target = parse(identifier)
    there = await exists(reader, identifier, reading)
    return sourced(
        {
            "id": identifier,
            "name": target.name if target is not None else None,
            "source": source,
            "exists": there,
            "same_as_endpoint": same(identifier, own),
            "hub_of_endpoint": hub if isinstance(hub, dict) else same(identifier, hub),
            "kind": _kind(Body(reading.body)) if known else None if there is False else there,
            "locks": locks,
        },
        reading.source,
    )
