"""What Azure fills in: the parts of a resource that a scenario, or a request, leaves out.

The shapes are those of the ARM specification that azure-ai-ml's own models read back without a rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pfdoctor.simulator.directory import derived_id
from pfdoctor.simulator.ids import parse
from pfdoctor.simulator.store import VERSIONED

CREATED = "2026-03-02T09:14:31.440822Z"
"""When what a scenario gives no time for was made."""

Body = dict[str, Any]
_PROBE = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S", "successThreshold": 1, "failureThreshold": 30}


def complete(identifier: str, body: Mapping[str, Any], *, location: str, tenant: str, when: str = CREATED) -> Body:
    """The body with the defaults of its type; `location` is its parent's, `when` the time it is made."""
    target = parse(identifier)
    kind = target.type.lower()
    system = {
        "createdAt": when,
        "createdBy": "dev@contoso.example",
        "createdByType": "User",
        "lastModifiedAt": when,
        "lastModifiedBy": "dev@contoso.example",
        "lastModifiedByType": "User",
    }
    filled: Body = {}
    if kind.startswith("microsoft.machinelearningservices/"):
        filled["systemData"] = system
    make = _DEFAULTS.get(kind)
    if make is not None:
        filled = _over(filled, make(identifier, location))
    elif kind.endswith("/versions"):
        filled = _over(filled, _version(identifier, location))
    elif kind in VERSIONED:
        filled = _over(filled, _container(identifier, location))
    elif kind.count("/") == 1:
        filled = _over(filled, {"location": location, "tags": {}, "properties": {"provisioningState": "Succeeded"}})
    result = _over(filled, body)
    _identity(identifier, result, tenant)
    return result


def _over(base: Mapping[str, Any], over: Mapping[str, Any]) -> Body:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(value, dict) and isinstance(below, dict) and below else value
    return merged


def _identity(identifier: str, body: Body, tenant: str) -> None:
    identity = body.get("identity")
    if isinstance(identity, dict) and "systemassigned" in str(identity.get("type", "")).lower():
        identity.setdefault("principalId", derived_id("principal", parse(identifier).key))
        identity.setdefault("tenantId", tenant)


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


def _version(identifier: str, location: str) -> Body:
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


def _container(identifier: str, location: str) -> Body:
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


def _storage(identifier: str, location: str) -> Body:
    name = parse(identifier).name
    return {
        "location": location,
        "tags": {},
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "properties": {
            "provisioningState": "Succeeded",
            "allowSharedKeyAccess": True,
            "allowBlobPublicAccess": False,
            "publicNetworkAccess": "Enabled",
            "isHnsEnabled": False,
            "supportsHttpsTrafficOnly": True,
            "minimumTlsVersion": "TLS1_2",
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Allow",
                "ipRules": [],
                "virtualNetworkRules": [],
            },
            "primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"},
        },
    }


def _registry(identifier: str, location: str) -> Body:
    return {
        "location": location,
        "tags": {},
        "sku": {"name": "Standard", "tier": "Standard"},
        "properties": {
            "provisioningState": "Succeeded",
            "loginServer": f"{parse(identifier).name}.azurecr.io",
            "adminUserEnabled": False,
            "publicNetworkAccess": "Enabled",
            "roleAssignmentMode": "LegacyRegistryPermissions",
            "networkRuleBypassOptions": "AzureServices",
            "policies": {"azureADAuthenticationAsArmPolicy": {"status": "enabled"}},
        },
    }


def _vault(identifier: str, location: str) -> Body:
    return {
        "location": location,
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "vaultUri": f"https://{parse(identifier).name}.vault.azure.net/",
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
            "accessPolicies": [],
            "publicNetworkAccess": "Enabled",
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Allow",
                "ipRules": [],
                "virtualNetworkRules": [],
            },
        },
    }


def _component(identifier: str, location: str) -> Body:
    return {
        "location": location,
        "tags": {},
        "kind": "web",
        "properties": {
            "provisioningState": "Succeeded",
            "Application_Type": "web",
            "DisableLocalAuth": False,
            "InstrumentationKey": derived_id("instrumentation", identifier),
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
        },
    }


def _cognitive(identifier: str, location: str) -> Body:
    name = parse(identifier).name
    return {
        "location": location,
        "tags": {},
        "kind": "OpenAI",
        "sku": {"name": "S0"},
        "properties": {
            "provisioningState": "Succeeded",
            "endpoint": f"https://{name}.openai.azure.com/",
            "customSubDomainName": name,
            "disableLocalAuth": False,
            "publicNetworkAccess": "Enabled",
            "networkAcls": {"defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []},
        },
    }


def _search(identifier: str, location: str) -> Body:
    del identifier
    return {
        "location": location,
        "tags": {},
        "sku": {"name": "standard"},
        "properties": {
            "provisioningState": "succeeded",
            "status": "running",
            "publicNetworkAccess": "enabled",
            "disableLocalAuth": False,
            "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http401WithBearerChallenge"}},
            "networkRuleSet": {"ipRules": []},
        },
    }


def _user_assigned(identifier: str, location: str) -> Body:
    return {
        "location": location,
        "tags": {},
        "properties": {
            "principalId": derived_id("principal", parse(identifier).key),
            "clientId": derived_id("application", parse(identifier).key),
        },
    }


def _subscription(identifier: str, location: str) -> Body:
    del location
    name = parse(identifier).name
    return {"subscriptionId": name, "displayName": "Contoso", "state": "Enabled", "authorizationSource": "RoleBased"}


def _group(identifier: str, location: str) -> Body:
    del identifier
    return {"location": location, "tags": {}, "properties": {"provisioningState": "Succeeded"}}


_ML = "microsoft.machinelearningservices"
_DEFAULTS: Mapping[str, Callable[[str, str], Body]] = {
    f"{_ML}/workspaces": _workspace,
    f"{_ML}/workspaces/onlineendpoints": _endpoint,
    f"{_ML}/workspaces/onlineendpoints/deployments": _deployment,
    f"{_ML}/workspaces/connections": _connection,
    f"{_ML}/workspaces/datastores": _datastore,
    "microsoft.storage/storageaccounts": _storage,
    "microsoft.containerregistry/registries": _registry,
    "microsoft.keyvault/vaults": _vault,
    "microsoft.insights/components": _component,
    "microsoft.cognitiveservices/accounts": _cognitive,
    "microsoft.search/searchservices": _search,
    "microsoft.managedidentity/userassignedidentities": _user_assigned,
    "microsoft.resources/subscriptions": _subscription,
    "microsoft.resources/subscriptions/resourcegroups": _group,
}
