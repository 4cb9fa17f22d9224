"""What Azure fills in: the parts of a resource that a scenario, or a request, leaves out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pfdoctor.simulator.directory import derived_id
from pfdoctor.simulator.ids import parse
from pfdoctor.simulator.machine_learning_defaults import DEFAULTS, Body, container, version
from pfdoctor.simulator.store import VERSIONED

CREATED = "2026-03-02T09:14:31.440822Z"
"""When what a scenario gives no time for was made."""


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
        filled = _over(filled, version(identifier, location))
    elif kind in VERSIONED:
        filled = _over(filled, container(identifier, location))
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


_DEFAULTS: Mapping[str, Callable[[str, str], Body]] = {
    **DEFAULTS,
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
