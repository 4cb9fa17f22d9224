"""The connections of the workspace that the serving app reads them from. Never their secrets."""

from __future__ import annotations

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.body import Body, listed, unread
from pfdoctor.collect.connection_class import case_insensitive, connection_class_of, kind_of
from pfdoctor.collect.placeholder import any_placeholder
from pfdoctor.core.model import Json, Unknown


async def read_connections(reader: Reader, workspace: Json) -> Json:
    """The fact `connections` of a workspace's id; unknown when that is."""
    if not isinstance(workspace, str):
        why = Unknown("no-workspace", "which workspace's connections the serving app reads is not known")
        return workspace if isinstance(workspace, dict) else why.to_json()
    path = f"{workspace}/connections"
    reading = await reader.list(path, versions.CONNECTION, permissions.CONNECTION, {"includeAll": "false"})
    if reading.unknown is not None:
        return unread(reading, "the workspace's connections")
    return listed(reading, [_connection(Body(one)) for one in reading.value], "the workspace's connections")


def _connection(body: Body) -> dict[str, Json]:
    properties = body.child("properties")
    category = properties.text("category")
    raw = properties.raw("metadata")
    metadata = raw if isinstance(raw, dict) else {}
    name = category if isinstance(category, str) else None
    target = properties.text("target")
    return {
        "name": body.text("name"),
        "file": None,
        "dialect": "arm",
        "type": category,
        "connection_class": connection_class_of(name, kind_of(metadata), metadata),
        "used_by": Unknown("not-in-azure", "the flow that uses it is not among what Azure shows").to_json(),
        "auth_type": properties.text("authType"),
        "target": target,
        "api_version": case_insensitive(metadata, "ApiVersion"),
        "environment_placeholders": [],
        "placeholders": ["target"] if any_placeholder(target) else [],
        "has_secret": False,
        "has_credentials": Unknown("not-shown", "a list of connections never shows credentials").to_json(),
        "id": body.text("id"),
        "resource_id": case_insensitive(metadata, "ResourceId"),
        "shared_to_all": properties.boolean("isSharedToAll"),
        "created_by_workspace": properties.text("createdByWorkspaceArmId"),
        "expires_at": properties.text("expiryTime"),
        "error": properties.text("error"),
    }
