"""What becomes of a deployment: whether Azure takes the request, and whether the container comes up.

Only what decides is imitated: the environment and model exist, somebody says how to serve (a scoring script or
inference_config), the quota suffices, and the endpoint's identity may fetch image and model. `simulation: {outcome: …}`
of a deployment overrules the rest. Codes and texts as the service's troubleshooting guide
(learn.microsoft.com, how-to-troubleshoot-online-endpoints) and public bug reports quote them.
"""

from __future__ import annotations

import math
import re
from typing import Any

from pfdoctor.simulator.errors import ArmError, user_error
from pfdoctor.simulator.online import identity_of
from pfdoctor.simulator.store import Resource
from pfdoctor.simulator.world import World

Error = dict[str, str]
_GUIDE = "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg"
_STARTING = "InProgress"
_STAGES = (
    ("SystemSetup", ""),
    ("UserContainerImagePull", "container image"),
    ("ModelDownload", "user model"),
    ("UserContainerStart", ""),
)
"""What an instance goes through, and the words of the error that ends it there."""
_RESERVED = 1.2  # 20 % of the instances are kept for upgrades
_PULL = "Microsoft.ContainerRegistry/registries/pull/read"
_PULL_BY_REPOSITORY = "Microsoft.ContainerRegistry/registries/repositories/content/read"
_READ_BLOB = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"


def check_request(world: World, properties: dict[str, Any]) -> None:
    """Refuse at once what the service refuses before it starts anything."""
    for name, key in (("environment", "environmentId"), ("model", "model")):
        reference = _asset(properties.get(key))
        if reference is not None and world.store.get(reference) is None:
            raise user_error(f"The specified {name} '{reference}' does not exist.", 404)
    environment = world.store.get(_asset(properties.get("environmentId")) or "/")
    described = environment is not None and environment.properties.get("inferenceConfig")
    script = (properties.get("codeConfiguration") or {}).get("scoringScript")
    if not described and not script:
        error = ArmError(400, "BadRequest", "The request is invalid.")
        error.details = [
            {
                "code": "MissingDriverProgram",
                "message": "Could not find driver program in the request.",
                "details": [],
                "additionalInfo": [{"type": "ComponentName", "info": {"value": "managementfrontend"}}],
            }
        ]
        raise error


def _asset(reference: Any) -> str | None:
    """The ARM id behind a reference to an asset of a workspace, however it is written; None for a registry's asset."""
    if not isinstance(reference, str) or not reference:
        return None
    text = reference.removeprefix("azureml:/" if reference.startswith("azureml://") else "azureml:")
    return "/" + text.lstrip("/") if re.match(r"/*subscriptions/", text, re.IGNORECASE) else None


def before_container(world: World, deployment: Resource, endpoint: Resource, workspace: Resource) -> Error | None:
    """What keeps the container from starting at all: quota, image, model."""
    scripted = world.simulation.get(deployment.key, {}).get("outcome")
    if isinstance(scripted, dict):
        return {"code": str(scripted.get("code", "BadArgument")), "message": str(scripted.get("message", "It failed."))}
    return _quota(world, deployment) or _fetching(world, deployment, endpoint, workspace)


def _quota(world: World, deployment: Resource) -> Error | None:
    location = world.locations.get(str(deployment.body.get("location", "")).lower())
    if location is None:
        return None
    wanted = str(deployment.properties.get("instanceType"))
    size = next((size for size in location.get("vmSizes") or () if size["name"].lower() == wanted.lower()), None)
    if size is None:
        return None
    instances = int((deployment.body.get("sku") or {}).get("capacity") or 1)
    needed = math.ceil(_RESERVED * instances) * int(size["vCPUs"])
    usage = next(
        (u for u in location.get("usages") or () if u["name"]["value"].lower() == size["family"].lower()), None
    )
    if usage is None or usage["currentValue"] + needed <= usage["limit"]:
        return None
    return {
        "code": "OutOfQuota",
        "message": f"Not enough quota available for {wanted} in SubscriptionId {deployment.id.split('/')[2]}. "
        f"Current usage/limit: {usage['currentValue']}/{usage['limit']}. Additional needed: {needed} "
        f"{_GUIDE}#error-outofquota",
    }


def _fetching(world: World, deployment: Resource, endpoint: Resource, workspace: Resource) -> Error | None:
    """Whether the endpoint's identity may pull the image and read the model."""
    identity = identity_of(endpoint.body)
    principals = [identity.system] if identity.system else list(identity.user.values())
    stores = attached(world, workspace)
    environment = world.store.get(_asset(deployment.properties.get("environmentId")) or "/")
    registry = world.store.get(str(stores.get("containerRegistry") or "/"))
    image = str((environment.properties.get("image") if environment else None) or "")
    if registry is not None and image.startswith(f"{registry.properties.get('loginServer')}/"):
        by_repository = registry.properties.get("roleAssignmentMode") == "AbacRepositoryPermissions"
        action = _PULL_BY_REPOSITORY if by_repository else _PULL
        if not any(world.allows(oid, action, registry.id, data=by_repository) for oid in principals):
            return _unauthorized("Unable to download user container image", "authorization-error")
    storage = str(stores.get("storageAccount") or "")
    if not deployment.properties.get("model") or not storage:
        return None
    scope = _container(world, deployment, storage)
    if any(world.allows(oid, _READ_BLOB, scope, data=True) for oid in principals):
        return None
    return _unauthorized("Unable to download user model", "authorization-error")


def _container(world: World, deployment: Resource, storage: str) -> str:
    """The blob container that the model lies in; the storage account where that is not told."""
    model = world.store.get(_asset(deployment.properties.get("model")) or "/")
    where = str((model.properties.get("modelUri") if model else None) or "")
    datastore = world.store.get(_asset(where.partition("/paths/")[0]) or "/")
    name = datastore.properties.get("containerName") if datastore else None
    return f"{storage}/blobServices/default/containers/{name}" if name else storage


def _unauthorized(what: str, anchor: str) -> Error:
    return {
        "code": "BadArgument",
        "message": f"Startup task failed due to authorization error. {what}. {_GUIDE}#{anchor}",
    }


def instance_status(error: Error | None) -> str:
    """The head of a container's log: how far the instance has come before the container is started."""
    failed = 3
    if error is not None:
        failed = next((at for at, (_, sign) in enumerate(_STAGES) if sign and sign in error["message"]), 0)
    states = [
        f"{stage}: {'Succeeded' if at < failed else 'Failed' if error else _STARTING}"
        for at, (stage, _) in enumerate(_STAGES[: failed + 1])
    ]
    return "\n".join(("Instance status:", *states, "", "Container logs:", ""))


def with_start(log: str, *, came_up: bool) -> str:
    """The same head once it is known whether the container came up."""
    state = "Succeeded" if came_up else "Failed"
    return log.replace(f"UserContainerStart: {_STARTING}", f"UserContainerStart: {state}", 1)


def attached(world: World, workspace: Resource) -> dict[str, Any]:
    """Storage account, registry and so on of a workspace; a project's are its hub's."""
    hub = world.store.get(str(workspace.properties.get("hubResourceId") or "/"))
    names = ("storageAccount", "containerRegistry", "keyVault", "applicationInsights")
    own = workspace.properties
    return {name: own.get(name) or (hub.properties.get(name) if hub else None) for name in names}


CRASHED: Error = {
    "code": "ResourceNotReady",
    "message": "User container has crashed or terminated. Please see troubleshooting guide, available here: "
    "https://aka.ms/oe-tsg#error-resourcenotready",
}
