"""The operations of Azure that reading takes, and which of them each fact rests on: the one place that names them.

The readers say with each request which operation it needs; `pfdoctor permissions` makes the role of them. Names are
those of the providers' operations (Microsoft Learn, "Azure permissions for AI + machine learning" and its siblings);
Azure compares them without regard to case.
"""

from __future__ import annotations

from collections.abc import Iterable

from pfdoctor.collect.azure.arm_id import ML

_WORKSPACES = f"{ML}/workspaces"
_AUTHORIZATION = "Microsoft.Authorization"

WORKSPACE = f"{_WORKSPACES}/read"
ENDPOINT = f"{_WORKSPACES}/onlineEndpoints/read"
DEPLOYMENT = f"{_WORKSPACES}/onlineEndpoints/deployments/read"
LOGS = f"{_WORKSPACES}/onlineEndpoints/deployments/getLogs/action"
KEYS = f"{_WORKSPACES}/onlineEndpoints/listKeys/action"
TOKEN = f"{_WORKSPACES}/onlineEndpoints/token/action"
SCORE = f"{_WORKSPACES}/onlineEndpoints/score/action"
CONNECTION = f"{_WORKSPACES}/connections/read"
DATASTORE = f"{_WORKSPACES}/datastores/read"
ENVIRONMENT = f"{_WORKSPACES}/environments/read"
ENVIRONMENT_VERSION = f"{_WORKSPACES}/environments/versions/read"
MODEL_VERSION = f"{_WORKSPACES}/models/versions/read"
OPERATION = f"{ML}/locations/mfeOperationsStatus/read"
VM_SIZES = f"{ML}/locations/vmSizes/read"
USAGES = f"{ML}/locations/usages/read"

ASSIGNMENTS = f"{_AUTHORIZATION}/roleAssignments/read"
DEFINITIONS = f"{_AUTHORIZATION}/roleDefinitions/read"
DENIES = f"{_AUTHORIZATION}/denyAssignments/read"
ELIGIBLE = f"{_AUTHORIZATION}/roleEligibilityScheduleInstances/read"
LOCKS = f"{_AUTHORIZATION}/locks/read"

SUBSCRIPTION = "Microsoft.Resources/subscriptions/read"
GROUP = "Microsoft.Resources/subscriptions/resourceGroups/read"
PROVIDER = "Microsoft.Resources/subscriptions/providers/read"
METRICS = "Microsoft.Insights/metrics/read"

STORAGE = "Microsoft.Storage/storageAccounts/read"
CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers/read"
VAULT = "Microsoft.KeyVault/vaults/read"
REGISTRY = "Microsoft.ContainerRegistry/registries/read"
COMPONENT = "Microsoft.Insights/components/read"
COGNITIVE = "Microsoft.CognitiveServices/accounts/read"
SEARCH = "Microsoft.Search/searchServices/read"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/read"

_DENIED = (ASSIGNMENTS, DEFINITIONS, DENIES, ELIGIBLE, LOCKS)

_CHANGE_ENDPOINT = (f"{_WORKSPACES}/onlineEndpoints/write", f"{_WORKSPACES}/connections/listsecrets/action")
"""Whoever writes an endpoint that may read its workspace's secrets has to hold the right to them, too (Microsoft Learn,
"Authentication and authorization for online endpoints")."""

WRITES: dict[str, tuple[str, ...]] = {
    # a grant is taken back where it did not mend anything, and by undo
    "assign_role": (f"{_AUTHORIZATION}/roleAssignments/write", f"{_AUTHORIZATION}/roleAssignments/delete"),
    "route_traffic": _CHANGE_ENDPOINT,
    "register_provider": ("*/register/action",),
    "sync_keys": (f"{_WORKSPACES}/resynckeys/action",),
}
"""The operations that carry out each kind of action of a remedy in Azure, and take it back."""

WRITES_OF_FACT: dict[str, tuple[str, ...]] = {
    "endpoint": _CHANGE_ENDPOINT,
    "deployment": (f"{_WORKSPACES}/onlineEndpoints/deployments/write",),
    "environment": (f"{_WORKSPACES}/environments/versions/write",),
}
"""The operations that change a fact in Azure, by what it is a fact of."""

FINDING = (WORKSPACE, ENDPOINT, DEPLOYMENT)
"""What it takes to find an endpoint at all, whichever facts are wanted."""

BY_FACT: dict[str, tuple[str, ...]] = {
    "endpoint": (ENDPOINT, DEPLOYMENT),
    "deployment": (DEPLOYMENT,),
    "deployment.provisioning_error": (OPERATION,),
    "environment": (WORKSPACE, ENVIRONMENT, ENVIRONMENT_VERSION),
    "model": (WORKSPACE, MODEL_VERSION),
    "workspace": (WORKSPACE,),
    "workspace.locks": (LOCKS,),
    # a 404 proves that a resource is gone only where the group it lies in was read
    "workspace.storage": (STORAGE, GROUP),
    "workspace.key_vault": (VAULT, GROUP),
    "workspace.container_registry": (REGISTRY, GROUP),
    "workspace.application_insights": (COMPONENT, GROUP),
    "connections": (DEPLOYMENT, CONNECTION),
    "connection_workspace": (DEPLOYMENT, WORKSPACE),
    "connection_workspace.exists": (GROUP,),
    "connection_workspace.locks": (LOCKS,),
    "datastores": (DATASTORE,),
    "identity": (ENDPOINT, IDENTITY),
    "providers": (PROVIDER,),
    "quota": (DEPLOYMENT, VM_SIZES, USAGES),
    "metrics": (METRICS,),
    "authorization": (*_DENIED, WORKSPACE, ENDPOINT, DEPLOYMENT, CONNECTION, IDENTITY),
    "authorization.scopes[].exists": (GROUP, STORAGE, CONTAINER, VAULT, REGISTRY, COGNITIVE, SEARCH),
    "logs": (LOGS,),
    "data_plane": (ENDPOINT, KEYS, TOKEN, SCORE),
}
"""The operations that each fact of a live case rests on, those of the facts around it included; derived facts apart."""

DERIVED: dict[str, tuple[str, ...]] = {
    "access": (
        *("authorization", "authorization.scopes[].exists", "workspace", "workspace.storage", "workspace.key_vault"),
        *("workspace.container_registry", "workspace.application_insights", "endpoint", "deployment", "environment"),
        *("model", "connections", "connection_workspace", "datastores", "identity", "logs"),
    ),
    "settings": ("deployment",),
    "hits": ("logs",),
    "latency": ("deployment", "metrics", "logs"),
    "drift": ("deployment", "endpoint", "environment", "model", "identity"),
}
"""What the derived facts follow from."""


def permissions_of(fact: str) -> tuple[str, ...]:
    """The operations that the fact at a path from the live view rests on, without repetition, as `BY_FACT` names them.

    Nothing for a fact that Azure does not tell, such as the source code of a flow.
    """
    return tuple(dict.fromkeys(_operations(fact.removeprefix("live."))))


def _operations(fact: str) -> Iterable[str]:
    for section, sources in DERIVED.items():
        if _holds(section, fact):
            for source in sources:
                yield from _operations(source)
    for section, operations in BY_FACT.items():
        if _holds(section, fact):
            yield from operations


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))
