"""What Azure Machine Learning fills in: the shapes of its resources.

They are those of the ARM specification that azure-ai-ml's own models read back without a rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pfdoctor.simulator.directory import derived_id
from pfdoctor.simulator.ids import parse

Body = dict[str, Any]
_PROBE = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S", "successThreshold": 1, "failureThreshold": 30}


def _workspace(identifier: str, location: str) -> Body:
    name = parse(identifier).name
    return {
        "location": location,
        "tags": {},
        "etag": None,
        "identity": {"type": "SystemAssigned"},
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "properties": {
            "friendlyName": name,
            "description": "",
            "storageAccount": None,
            "keyVault": None,
            "applicationInsights": None,
            "containerRegistry": None,
            "hbiWorkspace": False,
            "imageBuildCompute": None,
            "provisioningState": "Succeeded",
            "managedNetwork": {
                "isolationMode": "Disabled",
                "changeableIsolationModes": ["AllowInternetOutbound", "AllowOnlyApprovedOutbound"],
            },
            "v1LegacyMode": False,
            "workspaceId": derived_id("workspace", identifier),
            "discoveryUrl": f"https://{location}.api.azureml.ms/discovery",
            "mlFlowTrackingUri": f"azureml://{location}.api.azureml.ms/mlflow/v1.0{identifier}",
            "publicNetworkAccess": "Enabled",
            "systemDatastoresAuthMode": "identity",
            "enableDataIsolation": False,
            "storageHnsEnabled": False,
            "privateLinkCount": 0,
            "allowPublicAccessWhenBehindVnet": False,
        },
    }


def _endpoint(identifier: str, location: str) -> Body:
    name = parse(identifier).name
    return {
        "location": location,
        "tags": {},
        "kind": "Managed",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "authMode": "Key",
            "description": None,
            "scoringUri": f"https://{name}.{location}.inference.ml.azure.com/score",
            "swaggerUri": f"https://{name}.{location}.inference.ml.azure.com/swagger.json",
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
            "traffic": {},
            "mirrorTraffic": {},
            "compute": None,
            "properties": {"azureml.onlineendpointid": identifier.lower()},
        },
    }


def _deployment(identifier: str, location: str) -> Body:
    del identifier
    return {
        "location": location,
        "tags": {},
        "kind": "Managed",
        "identity": None,
        "sku": {"name": "Default", "tier": "Standard", "capacity": 1},
        "properties": {
            "endpointComputeType": "Managed",
            "description": None,
            "provisioningState": "Succeeded",
            "instanceType": "Standard_DS3_v2",
            "environmentId": None,
            "model": None,
            "modelMountPath": None,
            "codeConfiguration": None,
            "environmentVariables": {},
            "scaleSettings": {"scaleType": "Default"},
            "requestSettings": {
                "maxConcurrentRequestsPerInstance": 1,
                "requestTimeout": "PT5S",
                "maxQueueWait": "PT0.5S",
            },
            "livenessProbe": dict(_PROBE),
            "readinessProbe": dict(_PROBE),
            "startupProbe": None,
            "appInsightsEnabled": False,
            "egressPublicNetworkAccess": "Enabled",
            "dataCollector": None,
            "properties": {},
        },
    }


def version(identifier: str, location: str) -> Body:
    """A version of an asset."""
    del location
    properties: Body = {
        "description": None,
        "tags": {},
        "properties": {},
        "isArchived": False,
        "isAnonymous": False,
        "provisioningState": "Succeeded",
    }
    kind = parse(identifier).type.lower()
    if "/environments/" in kind:
        properties |= {
            "environmentType": "UserCreated",
            "image": None,
            "condaFile": None,
            "build": None,
            "osType": "Linux",
            "autoRebuild": None,
            "stage": None,
            "inferenceConfig": None,
        }
    elif "/models/" in kind:
        properties |= {"flavors": {}, "modelType": "custom_model", "modelUri": None, "jobName": None, "stage": None}
    return {"properties": properties}


def container(identifier: str, location: str) -> Body:
    """What holds the versions of an asset."""
    del identifier, location
    properties: Body = {"description": None, "tags": {}, "properties": {}, "isArchived": False}
    return {"properties": {**properties, "latestVersion": None, "nextVersion": "1", "provisioningState": "Succeeded"}}


def _connection(identifier: str, location: str) -> Body:
    del location
    return {
        "tags": None,
        "location": None,
        "properties": {
            "authType": "ApiKey",
            "credentials": None,
            "group": "AzureAI",
            "category": "AzureOpenAI",
            "expiryTime": None,
            "target": None,
            "createdByWorkspaceArmId": parse(identifier).parent,
            "useWorkspaceManagedIdentity": False,
            "isSharedToAll": True,
            "sharedUserList": [],
            "peRequirement": "NotRequired",
            "peStatus": "NotApplicable",
            "error": None,
            "metadata": {},
        },
    }


def _datastore(identifier: str, location: str) -> Body:
    del location
    target = parse(identifier)
    return {
        "properties": {
            "description": None,
            "tags": None,
            "properties": None,
            "isDefault": target.name == "workspaceblobstore",
            "datastoreType": "AzureBlob",
            "credentials": {"credentialsType": "None"},
            "accountName": None,
            "containerName": None,
            "endpoint": "core.windows.net",
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
            "subscriptionId": target.subscription,
            "resourceGroup": target.group,
        }
    }


_WORKSPACE = "microsoft.machinelearningservices/workspaces"
DEFAULTS: Mapping[str, Callable[[str, str], Body]] = {
    _WORKSPACE: _workspace,
    f"{_WORKSPACE}/onlineendpoints": _endpoint,
    f"{_WORKSPACE}/onlineendpoints/deployments": _deployment,
    f"{_WORKSPACE}/connections": _connection,
    f"{_WORKSPACE}/datastores": _datastore,
}
"""By type: what makes a resource's body from its id and region."""
