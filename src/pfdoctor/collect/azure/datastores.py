"""The datastores of the workspace."""

from __future__ import annotations

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.arm_id import subscription_id
from pfdoctor.collect.azure.body import Body, listed, unread
from pfdoctor.core.model import Json

_ACCOUNT = "Microsoft.Storage/storageAccounts"


async def read_datastores(reader: Reader, workspace: str) -> Json:
    """The fact `datastores`: of their credentials only the kind."""
    reading = await reader.list(f"{workspace}/datastores", versions.DATASTORE, permissions.DATASTORE)
    if reading.unknown is not None:
        return unread(reading, "the workspace's datastores")
    return listed(reading, [_datastore(Body(one)) for one in reading.value], "the workspace's datastores")


def _datastore(body: Body) -> dict[str, Json]:
    properties = body.child("properties")
    account = properties.text("accountName")
    subscription, group = properties.text("subscriptionId"), properties.text("resourceGroup")
    told = all(isinstance(one, str) and one for one in (account, subscription, group))
    # blobs lie in a container, files in a share, a data lake in a file system
    named = (properties.text(name) for name in ("containerName", "fileShareName", "filesystem"))
    container = next((one for one in named if one is not None), None)
    return {
        "name": body.text("name"),
        "id": body.text("id"),
        "type": properties.text("datastoreType"),
        "account": account,
        "account_id": f"{subscription_id(subscription)}/resourceGroups/{group}/providers/{_ACCOUNT}/{account}"
        if told
        else None,
        "container": container,
        "credentials": properties.child("credentials").lower("credentialsType"),
        "is_default": properties.boolean("isDefault"),
        "service_identity": properties.text("serviceDataAccessAuthIdentity"),
    }
